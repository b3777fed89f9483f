//! Waiting for a word in shared memory to change: futex(2), between processes.

use crate::Result;
use rustix::thread::futex::{self, Flags};
use std::sync::atomic::AtomicU32;

/// Sleeps while the word has this value; returns at a wake-up, at a signal, or at once where it has another.
///
/// # Errors
/// `EAGAIN` where the value is another already, `EINTR` at a signal.
pub fn wait(word: &AtomicU32, value: u32) -> Result<()> {
    // No FUTEX_PRIVATE_FLAG: the waiter and the waker are different processes.
    futex::wait(word, Flags::empty(), value, None).map_err(errno)
}

/// Wakes all who sleep on this word.
///
/// # Errors
/// As the call.
pub fn wake_all(word: &AtomicU32) -> Result<()> {
    futex::wake(word, Flags::empty(), u32::MAX >> 1).map(drop).map_err(errno)
}

fn errno(error: rustix::io::Errno) -> nix::errno::Errno {
    nix::errno::Errno::from_raw(error.raw_os_error())
}
