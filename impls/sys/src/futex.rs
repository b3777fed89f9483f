//! Waiting for a word in shared memory to change: futex(2), between processes.

use crate::Result;
use rustix::thread::futex::{self, Flags, Timespec};
use std::{sync::atomic::AtomicU32, time::Duration};

/// Sleeps while the word has this value; returns at a wake-up, at a signal, or at once where it has another.
///
/// # Errors
/// `EAGAIN` where the value is another already, `EINTR` at a signal.
pub fn wait(word: &AtomicU32, value: u32) -> Result<()> {
    // No FUTEX_PRIVATE_FLAG: the waiter and the waker are different processes.
    futex::wait(word, Flags::empty(), value, None).map_err(errno)
}

/// As [`wait`], for so long.
///
/// # Errors
/// As [`wait`]; `ETIMEDOUT` when the time is over, `EINVAL` for a time that the system cannot express.
pub fn wait_for(word: &AtomicU32, value: u32, timeout: Duration) -> Result<()> {
    let timeout = Timespec::try_from(timeout).map_err(|_| nix::errno::Errno::EINVAL)?;
    futex::wait(word, Flags::empty(), value, Some(&timeout)).map_err(errno)
}

/// Wakes as many as this of those who sleep on the word; returns how many it woke.
///
/// # Errors
/// As the call.
pub fn wake(word: &AtomicU32, count: u32) -> Result<usize> {
    futex::wake(word, Flags::empty(), count).map_err(errno)
}

/// Wakes all who sleep on this word.
///
/// # Errors
/// As the call.
pub fn wake_all(word: &AtomicU32) -> Result<()> {
    wake(word, u32::MAX >> 1).map(drop)
}

fn errno(error: rustix::io::Errno) -> nix::errno::Errno {
    nix::errno::Errno::from_raw(error.raw_os_error())
}
