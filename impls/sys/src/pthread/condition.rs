//! `pthread_cond_wait()` and its kin on process-shared condition variables.

use super::{Mutex, Shared, number};
use crate::{Result, deadline};
use std::{mem::MaybeUninit, time::Duration};

/// A condition variable that this process shares with those forked after it was made.
#[derive(Debug)]
pub struct Condition {
    shared: Shared<libc::pthread_cond_t>,
}

impl Condition {
    /// `pthread_cond_init()` with `PTHREAD_PROCESS_SHARED`.
    ///
    /// # Errors
    /// As `mmap()`, `pthread_condattr_setpshared()` and `pthread_cond_init()`.
    pub fn new() -> Result<Self> {
        let shared = Shared::zeroed()?;
        let mut attributes = MaybeUninit::<libc::pthread_condattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are valid for a write.
        number(unsafe { libc::pthread_condattr_init(attributes) })?;
        // SAFETY: the attributes are initialized.
        number(unsafe { libc::pthread_condattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: the pages are new, large enough and aligned, and the attributes are initialized.
        number(unsafe { libc::pthread_cond_init(shared.pointer(), attributes) })?;
        // SAFETY: the attributes are initialized, and used no more.
        number(unsafe { libc::pthread_condattr_destroy(attributes) })?;
        Ok(Self { shared })
    }

    /// `pthread_cond_wait()`.
    ///
    /// # Errors
    /// As the call: `EPERM` where the mutex checks for errors and is not held.
    #[inline]
    pub fn wait(&self, mutex: &mut Mutex) -> Result<()> {
        // SAFETY: both are initialized and live through the call.
        number(unsafe { libc::pthread_cond_wait(self.shared.pointer(), mutex.pointer()) })
    }

    /// `pthread_cond_timedwait()` with a timeout from now on.
    ///
    /// # Errors
    /// As the call: `EPERM` where the mutex checks for errors and is not held.
    pub fn wait_for(&self, mutex: &mut Mutex, timeout: Duration) -> Result<()> {
        let deadline = deadline(timeout);
        // SAFETY: all three are initialized and live through the call.
        number(unsafe { libc::pthread_cond_timedwait(self.shared.pointer(), mutex.pointer(), &raw const deadline) })
    }

    /// `pthread_cond_signal()`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn signal(&self) -> Result<()> {
        // SAFETY: the condition variable is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_cond_signal(self.shared.pointer()) })
    }

    /// `pthread_cond_broadcast()`.
    ///
    /// # Errors
    /// As the call.
    pub fn broadcast(&self) -> Result<()> {
        // SAFETY: the condition variable is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_cond_broadcast(self.shared.pointer()) })
    }
}
