//! `poll()` and `epoll`, on descriptors that may be closed already: those calls say so themselves.

use crate::{Errno, Result, check};
use std::{
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
    time::Duration,
};

/// `poll()` on one descriptor. Returns the events that it is ready for; 0 where none came in time.
///
/// # Errors
/// As the call.
pub fn poll(descriptor: RawFd, events: libc::c_short, timeout: Option<Duration>) -> Result<libc::c_short> {
    // An entry with a negative number is passed over; a closed descriptor is one that no file has.
    let descriptor = if descriptor < 0 { libc::c_int::MAX } else { descriptor };
    let mut polled = libc::pollfd { fd: descriptor, events, revents: 0 };
    // SAFETY: the structure is valid for the one entry that the call is told of.
    check(unsafe { libc::poll(&raw mut polled, 1, milliseconds(timeout)) })?;
    Ok(polled.revents)
}

/// `poll()` on many descriptors, without waiting. Returns for each whether something can be read from it, or its end has come.
///
/// # Errors
/// As the call.
pub fn readable(descriptors: &[RawFd]) -> Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> =
        descriptors.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 }).collect();
    let count = libc::nfds_t::try_from(polled.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the array has as many entries as the call is told.
    check(unsafe { libc::poll(polled.as_mut_ptr(), count, 0) })?;
    Ok(polled.iter().map(|polled| polled.revents & libc::POLLIN != 0).collect())
}

/// A timeout as these calls take it: whole milliseconds, rounded up, -1 for ever.
fn milliseconds(timeout: Option<Duration>) -> libc::c_int {
    timeout
        .map_or(-1, |timeout| libc::c_int::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX))
}

/// An epoll instance.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct Epoll(OwnedFd);

#[cfg(target_os = "linux")]
impl Epoll {
    /// `epoll_create1()`.
    ///
    /// # Errors
    /// As the call.
    pub fn new() -> Result<Self> {
        // SAFETY: the call takes a number.
        let number = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the call has just made this descriptor, and nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// `epoll_ctl(EPOLL_CTL_ADD)`. `mark` comes with its events.
    ///
    /// # Errors
    /// As the call.
    pub fn add(&self, descriptor: RawFd, events: u32, mark: u64) -> Result<()> {
        let mut event = libc::epoll_event { events, u64: mark };
        // SAFETY: the event lives through the call.
        check(unsafe { libc::epoll_ctl(self.0.as_raw_fd(), libc::EPOLL_CTL_ADD, descriptor, &raw mut event) }).map(drop)
    }

    /// `epoll_wait()`. Returns each mark with its events.
    ///
    /// # Errors
    /// As the call.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Vec<(u64, u32)>> {
        const AT_ONCE: libc::c_int = 64;
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
        // SAFETY: the array has room for as many events as the call is told.
        let count = check(unsafe {
            libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), AT_ONCE, milliseconds(timeout))
        })?;
        let count = usize::try_from(count).map_err(|_| Errno::EOVERFLOW)?;
        Ok(events[..count].iter().map(|event| (event.u64, event.events)).collect())
    }
}
