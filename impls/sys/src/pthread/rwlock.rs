//! `pthread_rwlock_rdlock()`, `pthread_rwlock_wrlock()` and their kin on process-shared read-write locks.

use super::{Shared, number};
use crate::{Result, deadline};
use std::{mem::MaybeUninit, time::Duration};

unsafe extern "C" {
    // The libc crate lacks them on Linux.
    fn pthread_rwlock_timedrdlock(lock: *mut libc::pthread_rwlock_t, deadline: *const libc::timespec) -> libc::c_int;
    fn pthread_rwlock_timedwrlock(lock: *mut libc::pthread_rwlock_t, deadline: *const libc::timespec) -> libc::c_int;
}

/// A read-write lock that this process shares with those forked after it was made.
#[derive(Debug)]
pub struct Rwlock {
    shared: Shared<libc::pthread_rwlock_t>,
}

impl Rwlock {
    /// `pthread_rwlock_init()` with `PTHREAD_PROCESS_SHARED`.
    ///
    /// # Errors
    /// As `mmap()`, `pthread_rwlockattr_setpshared()` and `pthread_rwlock_init()`.
    pub fn new() -> Result<Self> {
        let shared = Shared::zeroed()?;
        let mut attributes = MaybeUninit::<libc::pthread_rwlockattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are valid for a write.
        number(unsafe { libc::pthread_rwlockattr_init(attributes) })?;
        // SAFETY: the attributes are initialized.
        number(unsafe { libc::pthread_rwlockattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: the pages are new, large enough and aligned, and the attributes are initialized.
        number(unsafe { libc::pthread_rwlock_init(shared.pointer(), attributes) })?;
        // SAFETY: the attributes are initialized, and used no more.
        number(unsafe { libc::pthread_rwlockattr_destroy(attributes) })?;
        Ok(Self { shared })
    }

    /// `pthread_rwlock_rdlock()`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn read(&self) -> Result<()> {
        // SAFETY: the lock is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_rwlock_rdlock(self.shared.pointer()) })
    }

    /// `pthread_rwlock_tryrdlock()`.
    ///
    /// # Errors
    /// As the call.
    pub fn try_read(&self) -> Result<()> {
        // SAFETY: the lock is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_rwlock_tryrdlock(self.shared.pointer()) })
    }

    /// `pthread_rwlock_timedrdlock()` with a timeout from now on.
    ///
    /// # Errors
    /// As the call.
    pub fn read_for(&self, timeout: Duration) -> Result<()> {
        let deadline = deadline(timeout);
        // SAFETY: the lock is initialized and lives as long as `self`, and the deadline through the call.
        number(unsafe { pthread_rwlock_timedrdlock(self.shared.pointer(), &raw const deadline) })
    }

    /// `pthread_rwlock_wrlock()`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn write(&self) -> Result<()> {
        // SAFETY: the lock is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_rwlock_wrlock(self.shared.pointer()) })
    }

    /// `pthread_rwlock_trywrlock()`.
    ///
    /// # Errors
    /// As the call.
    pub fn try_write(&self) -> Result<()> {
        // SAFETY: the lock is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_rwlock_trywrlock(self.shared.pointer()) })
    }

    /// `pthread_rwlock_timedwrlock()` with a timeout from now on.
    ///
    /// # Errors
    /// As the call.
    pub fn write_for(&self, timeout: Duration) -> Result<()> {
        let deadline = deadline(timeout);
        // SAFETY: the lock is initialized and lives as long as `self`, and the deadline through the call.
        number(unsafe { pthread_rwlock_timedwrlock(self.shared.pointer(), &raw const deadline) })
    }

    /// `pthread_rwlock_unlock()`. What this means for a lock that is not held is undefined by POSIX; the memory stays sound.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn unlock(&self) -> Result<()> {
        // SAFETY: the lock is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_rwlock_unlock(self.shared.pointer()) })
    }
}
