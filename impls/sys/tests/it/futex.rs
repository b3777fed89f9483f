//! Sleeping on a word.

use impls_sys::{Errno, futex, memory::Mapping};
use std::{sync::atomic::Ordering, time::Duration};

#[test]
fn a_sleep_ends_with_its_time_or_does_not_begin() {
    let pages = Mapping::anonymous(4).unwrap();
    let word = pages.word(0).unwrap();
    word.store(3, Ordering::SeqCst);
    assert_eq!(futex::wait(word, 2), Err(Errno::EAGAIN));
    assert_eq!(futex::wait_for(word, 2, Duration::from_secs(9)), Err(Errno::EAGAIN));
    assert_eq!(futex::wait_for(word, 3, Duration::from_millis(2)), Err(Errno::ETIMEDOUT));
    assert_eq!(futex::wait_for(word, 3, Duration::MAX), Err(Errno::EINVAL));
    assert_eq!(futex::wake(word, 9), Ok(0));
}
