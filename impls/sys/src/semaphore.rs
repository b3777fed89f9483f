//! POSIX semaphores, unnamed in shared memory and named: sem_overview(7).

use crate::{Errno, Result, check, deadline, memory::Mapping};
use std::{ffi::CStr, mem::size_of, ptr::NonNull, time::Duration};

/// A semaphore that this process can reach, closed or unmapped when it is dropped.
#[derive(Debug)]
pub struct Semaphore {
    address: NonNull<libc::sem_t>,
    home: Home,
}

/// What keeps a semaphore's memory.
#[derive(Debug)]
enum Home {
    /// Pages that this process and its children map.
    Shared { _pages: Mapping },
    /// `sem_open()`.
    Named,
}

impl Semaphore {
    /// An unnamed one in new pages, which every process forked from now on shares: `sem_init()` with `pshared`.
    ///
    /// # Errors
    /// As `mmap()` and `sem_init()`.
    pub fn unnamed(value: u32) -> Result<Self> {
        let pages = Mapping::anonymous(size_of::<libc::sem_t>())?;
        let address = pages.inside(0, size_of::<libc::sem_t>()).ok_or(Errno::EINVAL)?.cast();
        // SAFETY: the pages are new, large enough, and aligned as pages are.
        check(unsafe { libc::sem_init(address.as_ptr(), 1, value) })?;
        Ok(Self { address, home: Home::Shared { _pages: pages } })
    }

    /// `sem_open()`. `flags` as for the call; `value` is for a semaphore that it makes.
    ///
    /// # Errors
    /// As the call.
    pub fn open(name: &CStr, flags: libc::c_int, value: u32) -> Result<Self> {
        let mode: libc::c_uint = 0o600;
        // SAFETY: the name ends in NUL, and the further arguments are those that O_CREAT asks for.
        let address = unsafe { libc::sem_open(name.as_ptr(), flags, mode, value) };
        // SEM_FAILED is null on Linux and -1 elsewhere.
        if address == libc::SEM_FAILED {
            return Err(Errno::last());
        }
        NonNull::new(address).map(|address| Self { address, home: Home::Named }).ok_or(Errno::EINVAL)
    }

    /// `sem_wait()`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn wait(&self) -> Result<()> {
        // SAFETY: the semaphore lives as long as `self`.
        check(unsafe { libc::sem_wait(self.address.as_ptr()) }).map(drop)
    }

    /// `sem_trywait()`.
    ///
    /// # Errors
    /// As the call.
    pub fn try_wait(&self) -> Result<()> {
        // SAFETY: the semaphore lives as long as `self`.
        check(unsafe { libc::sem_trywait(self.address.as_ptr()) }).map(drop)
    }

    /// `sem_timedwait()` with a timeout from now on.
    ///
    /// # Errors
    /// As the call.
    pub fn wait_for(&self, timeout: Duration) -> Result<()> {
        let deadline = deadline(timeout);
        // SAFETY: the semaphore lives as long as `self`, and the deadline through the call.
        check(unsafe { libc::sem_timedwait(self.address.as_ptr(), &raw const deadline) }).map(drop)
    }

    /// `sem_post()`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn post(&self) -> Result<()> {
        // SAFETY: the semaphore lives as long as `self`.
        check(unsafe { libc::sem_post(self.address.as_ptr()) }).map(drop)
    }

    /// `sem_getvalue()`.
    ///
    /// # Errors
    /// As the call.
    pub fn value(&self) -> Result<i32> {
        let mut value = 0;
        // SAFETY: the semaphore lives as long as `self`, and `value` is valid for a write.
        check(unsafe { libc::sem_getvalue(self.address.as_ptr(), &raw mut value) })?;
        Ok(value)
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        if matches!(self.home, Home::Named) {
            // SAFETY: `sem_open()` gave it, and nobody here uses it any more.
            unsafe { libc::sem_close(self.address.as_ptr()) };
        }
    }
}

/// `sem_unlink()`.
///
/// # Errors
/// As the call.
pub fn unlink(name: &CStr) -> Result<()> {
    // SAFETY: the name ends in NUL.
    check(unsafe { libc::sem_unlink(name.as_ptr()) }).map(drop)
}
