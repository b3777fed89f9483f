//! What processes share of POSIX threads, as one process sees it: that error numbers become errors, and memory stays sound.

use impls_sys::{
    Errno,
    pthread::{Barrier, Condition, Kind, Mutex, Rwlock, Spinlock},
};
use rstest::rstest;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(2);

#[rstest]
#[case(Kind::Normal, Err(Errno::EBUSY), Err(Errno::ETIMEDOUT))]
#[case(Kind::ErrorCheck, Err(Errno::EBUSY), Err(Errno::EDEADLK))]
#[case(Kind::Recursive, Ok(()), Ok(()))]
#[case(Kind::Robust, Err(Errno::EBUSY), Err(Errno::ETIMEDOUT))]
fn a_mutex_is_locked_once(#[case] kind: Kind, #[case] tried: Result<(), Errno>, #[case] timed: Result<(), Errno>) {
    let mut mutex = Mutex::new(kind).unwrap();
    assert!(!mutex.is_held());
    assert_eq!(mutex.lock(), Ok(()));
    assert_eq!(mutex.try_lock(), tried);
    assert_eq!(mutex.lock_for(SHORT), timed);
    let times = 1 + u32::from(tried.is_ok()) + u32::from(timed.is_ok());
    for _ in 0..times {
        assert!(mutex.is_held());
        assert_eq!(mutex.unlock(), Ok(()));
    }
    assert!(!mutex.is_held());
    assert_eq!(mutex.lock_for(Duration::ZERO), Ok(()));
    assert_eq!(mutex.unlock(), Ok(()));
}

#[rstest]
#[case(Kind::ErrorCheck)]
#[case(Kind::Recursive)]
#[case(Kind::Robust)]
fn a_mutex_that_is_not_held_is_not_unlocked(#[case] kind: Kind) {
    assert_eq!(Mutex::new(kind).unwrap().unlock(), Err(Errno::EPERM));
}

/// The list of robust mutexes that a thread holds goes through their memory.
#[test]
fn a_robust_mutex_that_is_dropped_while_it_is_held_leaves_the_list_whole() {
    for _ in 0..8 {
        let mut dropped = Mutex::new(Kind::Robust).unwrap();
        assert_eq!(dropped.lock(), Ok(()));
        drop(dropped);
        let mut next = Mutex::new(Kind::Robust).unwrap();
        assert_eq!(next.lock(), Ok(()));
        assert_eq!(next.unlock(), Ok(()));
    }
}

#[test]
fn a_read_write_lock_has_readers_or_a_writer() {
    let lock = Rwlock::new().unwrap();
    assert_eq!(lock.read(), Ok(()));
    assert_eq!(lock.try_read(), Ok(()));
    assert_eq!(lock.read_for(SHORT), Ok(()));
    assert_eq!(lock.try_write(), Err(Errno::EBUSY));
    assert_eq!(lock.write_for(SHORT), Err(Errno::ETIMEDOUT));
    for _ in 0..3 {
        assert_eq!(lock.unlock(), Ok(()));
    }
    assert_eq!(lock.write(), Ok(()));
    assert_eq!(lock.try_read(), Err(Errno::EBUSY));
    assert_eq!(lock.unlock(), Ok(()));
}

#[test]
fn a_spin_lock_is_tried() {
    let lock = Spinlock::new().unwrap();
    assert_eq!(lock.lock(), Ok(()));
    assert_eq!(lock.try_lock(), Err(Errno::EBUSY));
    assert_eq!(lock.unlock(), Ok(()));
    assert_eq!(lock.try_lock(), Ok(()));
}

#[test]
fn a_condition_variable_gives_the_mutex_back() {
    let condition = Condition::new().unwrap();
    let mut mutex = Mutex::new(Kind::ErrorCheck).unwrap();
    assert_eq!(condition.wait(&mut mutex), Err(Errno::EPERM));
    assert_eq!(mutex.lock(), Ok(()));
    assert_eq!(condition.signal(), Ok(()));
    assert_eq!(condition.broadcast(), Ok(()));
    assert_eq!(condition.wait_for(&mut mutex, SHORT), Err(Errno::ETIMEDOUT));
    assert_eq!(mutex.unlock(), Ok(()));
}

#[test]
fn a_barrier_of_one_tells_each_time() {
    assert_eq!(Barrier::new(0).unwrap_err(), Errno::EINVAL);
    let barrier = Barrier::new(1).unwrap();
    assert_eq!(barrier.wait(), Ok(true));
    assert_eq!(barrier.wait(), Ok(true));
}
