//! `posix_mq`: a POSIX message queue, mq_overview(7).

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Channel, Failure, Message, Names, Object, Opening, Patience, Queue, Result};
use harness_core::wire::HeldEnd;
use impls_sys::queue::{self, MessageQueue, Room};
use nix::errno::Errno;
use spec::{
    operation::{Access, End},
    scenario,
};
use std::{ffi::CString, time::Duration};

/// The mechanism `posix_mq`.
#[derive(Debug)]
pub struct PosixMq;

/// Where only one of the two is chosen, the other is what Linux gives queues by default.
const DEFAULT_ROOM: Room = Room { capacity: 10, message_size: 8192 };

/// The room that a channel asks for; `None` leaves it to the system.
fn room(options: &scenario::Channel<u64>) -> Option<Room> {
    if options.capacity.is_none() && options.message_size.is_none() {
        return None;
    }
    Some(Room {
        capacity: options.capacity.unwrap_or(DEFAULT_ROOM.capacity),
        message_size: options.message_size.unwrap_or(DEFAULT_ROOM.message_size),
    })
}

fn create(name: &CString, options: &scenario::Channel<u64>) -> std::result::Result<MessageQueue, OpenError> {
    MessageQueue::open(name, libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_CLOEXEC, room(options))
        .map_err(OpenError::of("mq_open"))
}

impl Mechanism for PosixMq {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::PosixMq
    }

    fn works(&self) -> bool {
        // Removing what is not there tells whether there are queues at all, and leaves nothing behind.
        queue::unlink(c"/plumbline-no-such-queue") == Err(Errno::ENOENT)
    }

    fn open(&self, place: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let queue = create(&place.name()?, options)?;
        Ok(Box::new(HeldQueue { queue, name: None, room: None }))
    }

    fn prepare(
        &self,
        place: &Place,
        options: &scenario::Channel<u64>,
    ) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let name = place.name()?;
        if options.exists {
            create(&name, options)?;
        }
        Ok(Box::new(HeldQueue { queue: MessageQueue::none(), name: Some(name), room: room(options) }))
    }

    fn remove(&self, place: &Place) {
        if let Ok(name) = place.name() {
            let _ = queue::unlink(&name);
        }
    }
}

/// What a process holds of a queue.
struct HeldQueue {
    queue: MessageQueue,
    /// Its name, where processes open it for themselves.
    name: Option<CString>,
    room: Option<Room>,
}

impl Opened for HeldQueue {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Queue(self)),
        }
    }
}

/// Makes a call with the timeout that it takes, or with `O_NONBLOCK` set around it.
#[inline]
fn call<T>(
    queue: &MessageQueue,
    patience: Patience,
    call: impl FnOnce(Option<Duration>) -> impls_sys::Result<T>,
) -> Result<T> {
    match patience {
        Patience::Forever => Ok(call(None)?),
        Patience::For(timeout) => Ok(call(Some(timeout))?),
        Patience::Never => {
            let before = queue.set_nonblocking(true)?;
            let result = call(None);
            if !before {
                queue.set_nonblocking(false)?;
            }
            Ok(result?)
        }
    }
}

impl Channel for HeldQueue {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        match end {
            Some(End::Listener) => Err(Failure::senseless("it has no listener")),
            _ => Ok(self.queue.close()?),
        }
    }

    fn set_nonblocking(&mut self, nonblocking: bool) -> Result<()> {
        self.queue.set_nonblocking(nonblocking)?;
        Ok(())
    }

    fn descriptor(&self, _: Option<End>) -> Option<i32> {
        Some(self.queue.number())
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.name.is_some() { Some(self) } else { None }
    }
}

impl Queue for HeldQueue {
    #[inline(always)]
    fn send(&mut self, bytes: &[u8], priority: Option<u32>, patience: Patience) -> Result<usize> {
        call(&self.queue, patience, |timeout| self.queue.send(bytes, priority.unwrap_or(0), timeout))?;
        Ok(bytes.len())
    }

    #[inline(always)]
    fn receive(&mut self, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        if peek {
            return Err(Failure::senseless("it has no way to peek"));
        }
        let (length, priority) = call(&self.queue, patience, |timeout| self.queue.receive(buffer, timeout))?;
        Ok(Message { length, priority: Some(priority), ..Message::default() })
    }

    fn notify(&mut self, request: Option<(i32, u64)>) -> Result<()> {
        Ok(self.queue.notify(request)?)
    }

    fn message_size_max(&self) -> usize {
        let room = self.queue.attributes().map_or(DEFAULT_ROOM, |attributes| attributes.room);
        usize::try_from(room.message_size).unwrap_or(usize::MAX)
    }

    fn attributes(&mut self) -> Result<u64> {
        Ok(self.queue.attributes()?.messages)
    }
}

impl Names for HeldQueue {
    fn open(&mut self, opening: Opening) -> Result<()> {
        let name = self.name.as_ref().ok_or(Errno::ENOENT)?;
        let mut flags = libc::O_CLOEXEC
            | match opening.access {
                Access::Read => libc::O_RDONLY,
                Access::Write => libc::O_WRONLY,
                Access::Both => libc::O_RDWR,
            };
        for (asked, flag) in [
            (opening.create, libc::O_CREAT),
            (opening.exclusive, libc::O_EXCL),
            (opening.nonblocking, libc::O_NONBLOCK),
        ] {
            flags |= if asked { flag } else { 0 };
        }
        self.queue = MessageQueue::open(name, flags, self.room)?;
        Ok(())
    }

    fn unlink(&mut self) -> Result<()> {
        Ok(queue::unlink(self.name.as_ref().ok_or(Errno::ENOENT)?)?)
    }
}
