//! Waiting for a word in shared memory to change: futex(2), between processes.

use crate::Result;
use rustix::thread::futex::{self, Flags, Timespec, Wait, WaitFlags, WaitPtr, WaitvFlags};
use std::{sync::atomic::AtomicU32, time::Duration};

/// Sleeps while the word has this value; returns at a wake-up, at a signal, or at once where it has another.
///
/// # Errors
/// `EAGAIN` where the value is another already, `EINTR` at a signal.
#[inline]
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
#[inline]
pub fn wake(word: &AtomicU32, count: u32) -> Result<usize> {
    futex::wake(word, Flags::empty(), count).map_err(errno)
}

/// As [`wait`], for wake-ups that name one of these bits.
///
/// # Errors
/// As [`wait`]; `EINVAL` for no bit.
pub fn wait_for_bits(word: &AtomicU32, value: u32, timeout: Option<Duration>, bits: u32) -> Result<()> {
    let bits = std::num::NonZeroU32::new(bits).ok_or(nix::errno::Errno::EINVAL)?;
    // The timeout of this call is a point in time of CLOCK_MONOTONIC.
    let until = timeout.map(instant).transpose()?;
    futex::wait_bitset(word, Flags::empty(), value, until.as_ref(), bits).map_err(errno)
}

/// As [`wake`], of those who sleep for one of these bits.
///
/// # Errors
/// As the call; `EINVAL` for no bit.
pub fn wake_bits(word: &AtomicU32, count: u32, bits: u32) -> Result<usize> {
    let bits = std::num::NonZeroU32::new(bits).ok_or(nix::errno::Errno::EINVAL)?;
    futex::wake_bitset(word, Flags::empty(), count, bits).map_err(errno)
}

/// Wakes as many as `woken` of those who sleep on a word, and has as many as `moved` others sleep on another, if the word has this
/// value. Returns how many those are together.
///
/// # Errors
/// `EAGAIN` where the value is another.
pub fn requeue(word: &AtomicU32, value: u32, woken: u32, to: &AtomicU32, moved: u32) -> Result<usize> {
    futex::cmp_requeue(word, Flags::empty(), woken, moved, to, value).map_err(errno)
}

/// Sleeps while all of these words have this value; returns the place of the one that was woken. Linux alone has it.
///
/// # Errors
/// `EAGAIN` where one has another value already, `EINTR` at a signal, `ETIMEDOUT` when the time is over.
#[cfg(target_os = "linux")]
pub fn wait_for_any(words: &[&AtomicU32], value: u32, timeout: Option<Duration>) -> Result<usize> {
    let waiters: Vec<Wait> = words
        .iter()
        .map(|word| {
            let mut waiter = Wait::new();
            waiter.val = value.into();
            waiter.uaddr = WaitPtr::new(word.as_ptr().cast());
            waiter.flags = WaitFlags::SIZE_U32;
            waiter
        })
        .collect();
    let until = timeout.map(instant).transpose()?;
    futex::waitv(&waiters, WaitvFlags::empty(), until.as_ref(), rustix::thread::ClockId::Monotonic).map_err(errno)
}

/// Whether this kernel has `futex_waitv()`, of Linux 5.16.
#[must_use]
pub fn waits_for_any() -> bool {
    #[cfg(target_os = "linux")]
    let tried = futex::waitv(&[], WaitvFlags::empty(), None, rustix::thread::ClockId::Monotonic);
    #[cfg(not(target_os = "linux"))]
    let tried = Err::<usize, _>(rustix::io::Errno::NOSYS);
    tried != Err(rustix::io::Errno::NOSYS)
}

/// So long from now, as a point in time of CLOCK_MONOTONIC.
fn instant(timeout: Duration) -> Result<Timespec> {
    let now = Duration::from(nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)?);
    Timespec::try_from(now.saturating_add(timeout)).map_err(|_| nix::errno::Errno::EINVAL)
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
