//! POSIX message queues: mq_overview(7). nix has most of these calls, but neither `mq_timedsend()` nor a descriptor that
//! closes itself.

use crate::{Errno, Result, check, deadline};
use std::{ffi::CStr, mem::MaybeUninit, time::Duration};

/// An open message queue, closed when it is dropped.
#[derive(Debug)]
pub struct MessageQueue(Option<libc::mqd_t>);

/// How many messages of which size a queue takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Messages.
    pub capacity: u64,
    /// Bytes in the longest message.
    pub message_size: u64,
}

/// What `mq_getattr()` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// Its room.
    pub room: Room,
    /// How many messages it holds.
    pub messages: u64,
    /// Whether `O_NONBLOCK` is set.
    pub nonblocking: bool,
}

const NOT_HELD: libc::mqd_t = -1;

impl MessageQueue {
    /// One that is not held.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// `mq_open()`. `flags` as for the call; `room` is for a queue that it makes.
    ///
    /// # Errors
    /// As the call.
    pub fn open(name: &CStr, flags: libc::c_int, room: Option<Room>) -> Result<Self> {
        let mode: libc::mode_t = 0o600;
        let queue = match room {
            Some(room) => {
                let attributes = attributes(room)?;
                // SAFETY: the name ends in NUL, and the attributes live through the call.
                unsafe { libc::mq_open(name.as_ptr(), flags, mode, &raw const attributes) }
            }
            // SAFETY: the name ends in NUL; a null pointer asks for the system's default.
            None => unsafe { libc::mq_open(name.as_ptr(), flags, mode, std::ptr::null::<libc::mq_attr>()) },
        };
        check(queue).map(|queue| Self(Some(queue)))
    }

    /// `mq_notify()` with `SIGEV_SIGNAL`; without a signal the request is taken back.
    ///
    /// # Errors
    /// As the call.
    pub fn notify(&self, request: Option<(i32, u64)>) -> Result<()> {
        let Some((signal, value)) = request else {
            // SAFETY: a null pointer takes the request back.
            return check(unsafe { libc::mq_notify(self.number(), std::ptr::null()) }).map(drop);
        };
        let address = usize::try_from(value).map_err(|_| Errno::EINVAL)?;
        // SAFETY: all fields are numbers or pointers, for which zero is a value.
        let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        event.sigev_value = libc::sigval { sival_ptr: std::ptr::without_provenance_mut(address) };
        // SAFETY: the event lives through the call, and its value is a number that nobody follows.
        check(unsafe { libc::mq_notify(self.number(), &raw const event) }).map(drop)
    }

    /// `mq_close()`.
    ///
    /// # Errors
    /// As the call.
    pub fn close(&mut self) -> Result<()> {
        // SAFETY: what is held is closed once; -1 is answered with EBADF.
        check(unsafe { libc::mq_close(self.0.take().unwrap_or(NOT_HELD)) }).map(drop)
    }

    /// `mq_send()`, or `mq_timedsend()` with a timeout from now on.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn send(&self, message: &[u8], priority: u32, timeout: Option<Duration>) -> Result<()> {
        let result = match timeout.map(deadline) {
            // SAFETY: the message is valid for reads of its length.
            None => unsafe { libc::mq_send(self.number(), message.as_ptr().cast(), message.len(), priority) },
            Some(deadline) => {
                // SAFETY: the message is valid for reads of its length, and the deadline lives through the call.
                unsafe {
                    libc::mq_timedsend(
                        self.number(),
                        message.as_ptr().cast(),
                        message.len(),
                        priority,
                        &raw const deadline,
                    )
                }
            }
        };
        check(result).map(drop)
    }

    /// `mq_receive()`, or `mq_timedreceive()` with a timeout from now on. Returns length and priority.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn receive(&self, buffer: &mut [u8], timeout: Option<Duration>) -> Result<(usize, u32)> {
        let mut priority = 0;
        let bytes = buffer.as_mut_ptr().cast();
        let length = match timeout.map(deadline) {
            // SAFETY: the buffer is valid for writes of its length, `priority` for a write.
            None => unsafe { libc::mq_receive(self.number(), bytes, buffer.len(), &raw mut priority) },
            Some(deadline) => {
                // SAFETY: as above, and the deadline lives through the call.
                unsafe {
                    libc::mq_timedreceive(self.number(), bytes, buffer.len(), &raw mut priority, &raw const deadline)
                }
            }
        };
        usize::try_from(length).map(|length| (length, priority)).map_err(|_| Errno::last())
    }

    /// `mq_getattr()`.
    ///
    /// # Errors
    /// As the call.
    pub fn attributes(&self) -> Result<Attributes> {
        let mut attributes = MaybeUninit::<libc::mq_attr>::zeroed();
        // SAFETY: the attributes are valid for a write.
        check(unsafe { libc::mq_getattr(self.number(), attributes.as_mut_ptr()) })?;
        // SAFETY: zeroed numbers are valid numbers, and the call has overwritten them.
        Ok(read(&unsafe { attributes.assume_init() }))
    }

    /// Sets or clears `O_NONBLOCK`: `mq_setattr()`. Returns whether it was set before.
    ///
    /// # Errors
    /// As the call.
    pub fn set_nonblocking(&self, nonblocking: bool) -> Result<bool> {
        let mut wanted = attributes(Room { capacity: 0, message_size: 0 })?;
        wanted.mq_flags = if nonblocking { libc::O_NONBLOCK.into() } else { 0 };
        let mut before = MaybeUninit::<libc::mq_attr>::zeroed();
        // SAFETY: both are valid through the call, one for a read, the other for a write.
        check(unsafe { libc::mq_setattr(self.number(), &raw const wanted, before.as_mut_ptr()) })?;
        // SAFETY: zeroed numbers are valid numbers, and the call has overwritten them.
        Ok(read(&unsafe { before.assume_init() }).nonblocking)
    }

    /// Its number, -1 where it is not held. On Linux it is a descriptor.
    #[must_use]
    #[inline]
    pub fn number(&self) -> libc::mqd_t {
        self.0.unwrap_or(NOT_HELD)
    }
}

impl Drop for MessageQueue {
    fn drop(&mut self) {
        if self.0.is_some() {
            let _ = self.close();
        }
    }
}

/// `mq_unlink()`.
///
/// # Errors
/// As the call.
pub fn unlink(name: &CStr) -> Result<()> {
    // SAFETY: the name ends in NUL.
    check(unsafe { libc::mq_unlink(name.as_ptr()) }).map(drop)
}

fn attributes(room: Room) -> Result<libc::mq_attr> {
    let number = |number: u64| number.try_into().map_err(|_| Errno::EINVAL);
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut attributes: libc::mq_attr = unsafe { MaybeUninit::zeroed().assume_init() };
    attributes.mq_maxmsg = number(room.capacity)?;
    attributes.mq_msgsize = number(room.message_size)?;
    Ok(attributes)
}

fn read(attributes: &libc::mq_attr) -> Attributes {
    let number = |number: libc::c_long| u64::try_from(number).unwrap_or(0);
    Attributes {
        room: Room { capacity: number(attributes.mq_maxmsg), message_size: number(attributes.mq_msgsize) },
        messages: number(attributes.mq_curmsgs),
        nonblocking: attributes.mq_flags & libc::c_long::from(libc::O_NONBLOCK) != 0,
    }
}
