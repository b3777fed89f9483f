//! POSIX semaphores, named and unnamed.

use impls_sys::{
    Errno,
    semaphore::{self, Semaphore},
};
use rstest::rstest;
use std::{
    ffi::CString,
    time::{Duration, Instant},
};

fn name(text: &str) -> CString {
    CString::new(format!("/impls-sys-{text}-{}", std::process::id())).unwrap()
}

fn named() -> Semaphore {
    let name = name("counts");
    let made = Semaphore::open(&name, libc::O_CREAT | libc::O_EXCL, 1).unwrap();
    semaphore::unlink(&name).unwrap();
    made
}

#[rstest]
#[case(Semaphore::unnamed(1).unwrap())]
#[case(named())]
fn it_counts(#[case] semaphore: Semaphore) {
    assert_eq!(semaphore.wait(), Ok(()));
    assert_eq!(semaphore.try_wait(), Err(Errno::EAGAIN));
    assert_eq!(semaphore.wait_for(Duration::ZERO), Err(Errno::ETIMEDOUT));
    let start = Instant::now();
    assert_eq!(semaphore.wait_for(Duration::from_millis(20)), Err(Errno::ETIMEDOUT));
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(semaphore.post(), Ok(()));
    assert_eq!(semaphore.post(), Ok(()));
    assert_eq!(semaphore.value(), Ok(2));
    assert_eq!(semaphore.wait_for(Duration::from_secs(1)), Ok(()));
    assert_eq!(semaphore.value(), Ok(1));
}

#[test]
fn two_who_open_a_name_have_one_semaphore() {
    let name = name("shared");
    assert_eq!(Semaphore::open(&name, 0, 0).unwrap_err(), Errno::ENOENT);
    let one = Semaphore::open(&name, libc::O_CREAT, 0).unwrap();
    let other = Semaphore::open(&name, 0, 0).unwrap();
    assert_eq!(Semaphore::open(&name, libc::O_CREAT | libc::O_EXCL, 0).unwrap_err(), Errno::EEXIST);
    one.post().unwrap();
    assert_eq!(other.value(), Ok(1));
    drop(one);
    other.post().unwrap();
    assert_eq!(other.value(), Ok(2));
    semaphore::unlink(&name).unwrap();
    assert_eq!(semaphore::unlink(&name), Err(Errno::ENOENT));
}

#[test]
fn more_than_the_maximum_is_invalid() {
    assert_eq!(Semaphore::unnamed(u32::MAX).unwrap_err(), Errno::EINVAL);
}
