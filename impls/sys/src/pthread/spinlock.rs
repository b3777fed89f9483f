//! `pthread_spin_lock()` and its kin on process-shared spin locks.

use super::{Shared, number};
use crate::Result;

/// A spin lock that this process shares with those forked after it was made.
#[derive(Debug)]
pub struct Spinlock {
    shared: Shared<libc::pthread_spinlock_t>,
}

impl Spinlock {
    /// `pthread_spin_init()` with `PTHREAD_PROCESS_SHARED`.
    ///
    /// # Errors
    /// As `mmap()` and the call.
    pub fn new() -> Result<Self> {
        let shared = Shared::zeroed()?;
        // SAFETY: the pages are new, large enough and aligned.
        number(unsafe { libc::pthread_spin_init(shared.pointer(), libc::PTHREAD_PROCESS_SHARED) })?;
        Ok(Self { shared })
    }

    /// `pthread_spin_lock()`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn lock(&self) -> Result<()> {
        // SAFETY: the lock is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_spin_lock(self.shared.pointer()) })
    }

    /// `pthread_spin_trylock()`.
    ///
    /// # Errors
    /// As the call.
    pub fn try_lock(&self) -> Result<()> {
        // SAFETY: the lock is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_spin_trylock(self.shared.pointer()) })
    }

    /// `pthread_spin_unlock()`. What this means for a lock that is not held is undefined by POSIX; the memory stays sound.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn unlock(&self) -> Result<()> {
        // SAFETY: the lock is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_spin_unlock(self.shared.pointer()) })
    }
}
