//! `pthread_barrier_wait()` on process-shared barriers.

use super::{Shared, number};
use crate::Result;
use std::mem::MaybeUninit;

/// A barrier that this process shares with those forked after it was made.
#[derive(Debug)]
pub struct Barrier {
    shared: Shared<libc::pthread_barrier_t>,
}

impl Barrier {
    /// `pthread_barrier_init()` with `PTHREAD_PROCESS_SHARED`, for so many.
    ///
    /// # Errors
    /// As `mmap()`, `pthread_barrierattr_setpshared()` and `pthread_barrier_init()`: `EINVAL` for a count of 0.
    pub fn new(count: u32) -> Result<Self> {
        let shared = Shared::zeroed()?;
        let mut attributes = MaybeUninit::<libc::pthread_barrierattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are valid for a write.
        number(unsafe { libc::pthread_barrierattr_init(attributes) })?;
        // SAFETY: the attributes are initialized.
        number(unsafe { libc::pthread_barrierattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: the pages are new, large enough and aligned, and the attributes are initialized.
        number(unsafe { libc::pthread_barrier_init(shared.pointer(), attributes, count) })?;
        // SAFETY: the attributes are initialized, and used no more.
        number(unsafe { libc::pthread_barrierattr_destroy(attributes) })?;
        Ok(Self { shared })
    }

    /// `pthread_barrier_wait()`. Returns whether it gave `PTHREAD_BARRIER_SERIAL_THREAD`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn wait(&self) -> Result<bool> {
        // SAFETY: the barrier is initialized and lives as long as `self`.
        let result = unsafe { libc::pthread_barrier_wait(self.shared.pointer()) };
        if result == libc::PTHREAD_BARRIER_SERIAL_THREAD { Ok(true) } else { number(result).map(|()| false) }
    }
}
