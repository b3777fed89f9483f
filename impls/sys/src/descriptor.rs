//! Descriptors that may be closed already: a call on one fails as it does in any program, with `EBADF` from the system.

use crate::{Errno, Result, check};
use nix::sys::socket::SockFlag;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

/// A descriptor that this process holds, or held, or never held.
#[derive(Debug, Default)]
pub struct Descriptor(Option<OwnedFd>);

impl From<OwnedFd> for Descriptor {
    fn from(descriptor: OwnedFd) -> Self {
        Self(Some(descriptor))
    }
}

/// `F_SEAL_GROW`, by the number that Linux and FreeBSD share.
pub const SEAL_GROW: i32 = 4;
/// `F_SEAL_SHRINK`.
pub const SEAL_SHRINK: i32 = 2;
/// `F_SEAL_WRITE`.
pub const SEAL_WRITE: i32 = 8;
/// `F_SEAL_SEAL`.
pub const SEAL_SEAL: i32 = 1;

/// `fcntl(F_ADD_SEALS)`.
///
/// # Errors
/// As the call; `ENOSYS` where there is no such command.
pub fn seal(object: &Descriptor, seals: i32) -> Result<()> {
    #[cfg(any(target_os = "linux", target_os = "freebsd"))]
    // SAFETY: the command takes a number and touches no memory of this process.
    return check(unsafe { libc::fcntl(object.number(), libc::F_ADD_SEALS, seals) }).map(drop);
    #[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
    {
        let _ = (object, seals);
        Err(Errno::ENOSYS)
    }
}

/// How many bytes wait to be read: `ioctl(FIONREAD)`.
///
/// # Errors
/// As the call.
pub fn unread(descriptor: RawFd) -> Result<u64> {
    let mut count: libc::c_int = 0;
    // SAFETY: the call stores a number at a place that is valid for it.
    check(unsafe { libc::ioctl(descriptor, libc::FIONREAD, &raw mut count) })?;
    u64::try_from(count).map_err(|_| Errno::ERANGE)
}

/// Asks for a pipe that holds at least so many bytes: `fcntl(F_SETPIPE_SZ)`. Returns how many it holds now.
///
/// # Errors
/// As the call; `EINVAL` for a size that it cannot express, `ENOSYS` where there is no such command.
pub fn set_pipe_size(descriptor: RawFd, size: u64) -> Result<u64> {
    #[cfg(target_os = "linux")]
    {
        let size = libc::c_int::try_from(size).map_err(|_| Errno::EINVAL)?;
        // SAFETY: the command takes a number and touches no memory of this process.
        let size = check(unsafe { libc::fcntl(descriptor, libc::F_SETPIPE_SZ, size) })?;
        u64::try_from(size).map_err(|_| Errno::ERANGE)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (descriptor, size);
        Err(Errno::ENOSYS)
    }
}

impl Descriptor {
    /// One that is not held.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Whether it is held.
    #[must_use]
    #[inline]
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Its number for a system call; -1 where it is not held, which the system answers with `EBADF`.
    #[must_use]
    #[inline]
    pub fn number(&self) -> RawFd {
        self.0.as_ref().map_or(-1, OwnedFd::as_raw_fd)
    }

    /// `close()`.
    ///
    /// # Errors
    /// As the call; the descriptor is gone in any case, as Linux does it.
    pub fn close(&mut self) -> Result<()> {
        match self.0.take() {
            Some(descriptor) => nix::unistd::close(descriptor),
            // SAFETY: -1 is no descriptor, so that nothing is closed; the system says EBADF.
            None => check(unsafe { libc::close(-1) }).map(drop),
        }
    }

    /// `read()`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize> {
        // SAFETY: the buffer is valid for writes of its length.
        let length = unsafe { libc::read(self.number(), buffer.as_mut_ptr().cast(), buffer.len()) };
        usize::try_from(length).map_err(|_| Errno::last())
    }

    /// `write()`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn write(&self, bytes: &[u8]) -> Result<usize> {
        // SAFETY: the bytes are valid for reads of their length.
        let length = unsafe { libc::write(self.number(), bytes.as_ptr().cast(), bytes.len()) };
        usize::try_from(length).map_err(|_| Errno::last())
    }

    /// Whether `O_NONBLOCK` is set: `fcntl(F_GETFL)`.
    ///
    /// # Errors
    /// As the call.
    pub fn is_nonblocking(&self) -> Result<bool> {
        self.status_flags().map(|flags| flags & libc::O_NONBLOCK != 0)
    }

    /// Sets or clears `O_NONBLOCK` on the open file description: `fcntl(F_SETFL)`. Returns whether it was set before.
    ///
    /// # Errors
    /// As the call.
    pub fn set_nonblocking(&self, nonblocking: bool) -> Result<bool> {
        let flags = self.status_flags()?;
        let before = flags & libc::O_NONBLOCK != 0;
        if before != nonblocking {
            let flags = if nonblocking { flags | libc::O_NONBLOCK } else { flags & !libc::O_NONBLOCK };
            // SAFETY: F_SETFL takes a number and touches no memory of this process.
            check(unsafe { libc::fcntl(self.number(), libc::F_SETFL, flags) })?;
        }
        Ok(before)
    }

    /// Makes a call of nix, which asks for a descriptor that is open.
    ///
    /// # Errors
    /// As the call; `EBADF` where it is not held.
    #[inline]
    pub fn with<T>(&self, call: impl FnOnce(&OwnedFd) -> Result<T>) -> Result<T> {
        self.0.as_ref().map_or(Err(Errno::EBADF), call)
    }

    /// `accept()`.
    ///
    /// # Errors
    /// As the call.
    pub fn accept(&self) -> Result<Self> {
        let number = nix::sys::socket::accept4(self.number(), SockFlag::SOCK_CLOEXEC)?;
        // SAFETY: the call has just made this descriptor, and nobody else knows it.
        Ok(Self(Some(unsafe { OwnedFd::from_raw_fd(number) })))
    }

    /// `flock()`.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn flock(&self, operation: libc::c_int) -> Result<()> {
        // SAFETY: the call takes numbers and touches no memory of this process.
        check(unsafe { libc::flock(self.number(), operation) }).map(drop)
    }

    /// The descriptor itself.
    ///
    /// # Errors
    /// `EBADF` where it is not held.
    pub fn into_owned(self) -> Result<OwnedFd> {
        self.0.ok_or(Errno::EBADF)
    }

    fn status_flags(&self) -> Result<libc::c_int> {
        // SAFETY: F_GETFL takes no argument and touches no memory of this process.
        check(unsafe { libc::fcntl(self.number(), libc::F_GETFL) })
    }

    /// `ftruncate()`.
    ///
    /// # Errors
    /// As the call.
    pub fn truncate(&self, size: u64) -> Result<()> {
        let size = libc::off_t::try_from(size).map_err(|_| Errno::EFBIG)?;
        // SAFETY: the call touches no memory that is not mapped from this object, and such memory is only used by address.
        check(unsafe { libc::ftruncate(self.number(), size) }).map(drop)
    }
}
