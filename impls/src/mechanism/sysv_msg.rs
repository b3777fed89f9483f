//! `sysv_msg`: a System V message queue, msgget(2), msgop(2).

use super::{Mechanism, OpenError, Opened, Place, no_such_end, sysv};
use crate::ability::{Channel, Failure, Filter, HEAD, Message, Names, Object, Opening, Patience, Queue, Result};
use harness_core::wire::HeldEnd;
use impls_sys::sysv::{self as calls, Creation, TYPE_BYTES, queue, queued, remove_queue};
use nix::errno::Errno;
use spec::{operation::End, scenario};

/// The mechanism `sysv_msg`.
#[derive(Debug)]
pub struct SysvMsg;

/// A buffer for the longest message that Linux allows, where nothing else was set up: MSGMAX.
const MESSAGE_SIZE_MAX: usize = 8192;

/// The type of a message of which nothing was said.
const PLAIN: u64 = 1;

impl Mechanism for SysvMsg {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::SysvMsg
    }

    fn works(&self) -> bool {
        // What is not there is ENOENT, where there can be queues at all.
        queue(1, Creation::default()) == Err(Errno::ENOENT)
    }

    fn open(&self, place: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let key = sysv::key(place)?;
        let id = queue(key, Creation::NEW).map_err(OpenError::of("msgget"))?;
        Ok(Box::new(HeldQueue { key, id: Some(id), by_name: false, message: Vec::new() }))
    }

    fn prepare(
        &self,
        place: &Place,
        options: &scenario::Channel<u64>,
    ) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let key = sysv::key(place)?;
        if options.exists {
            queue(key, Creation::NEW).map_err(OpenError::of("msgget"))?;
        }
        Ok(Box::new(HeldQueue { key, id: None, by_name: true, message: Vec::new() }))
    }

    fn remove(&self, place: &Place) {
        let _ = sysv::key(place).map(|key| queue(key, Creation::default()).and_then(remove_queue));
    }
}

/// What a process knows of a queue.
struct HeldQueue {
    key: i32,
    id: Option<i32>,
    by_name: bool,
    /// The type and the text of a message, as the calls take them; kept from one to the next.
    message: Vec<u8>,
}

impl HeldQueue {
    #[inline]
    fn id(&self) -> Result<i32> {
        self.id.ok_or_else(|| Failure::senseless("this process has not opened it"))
    }

    /// Room for a type and a text of so many bytes.
    fn with_room(&mut self, text: usize) -> &mut [u8] {
        let whole = TYPE_BYTES + text;
        if self.message.len() < whole {
            self.message.resize(whole, 0);
        }
        &mut self.message[..whole]
    }
}

impl Opened for HeldQueue {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Queue(self)),
        }
    }
}

impl Channel for HeldQueue {
    fn close(&mut self, _: Option<End>) -> Result<()> {
        Err(Failure::senseless("there is nothing to close: it is known by its number alone"))
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.by_name { Some(self) } else { None }
    }
}

/// A message in a frame, with the room for its type.
fn in_frame(frame: &mut [u8]) -> Result<&mut [u8]> {
    frame.get_mut(HEAD - TYPE_BYTES..).filter(|message| message.len() >= TYPE_BYTES).ok_or_else(|| Errno::EINVAL.into())
}

/// Whether a call is to wait.
#[inline]
fn waits(patience: Patience) -> Result<bool> {
    match patience {
        Patience::Forever => Ok(true),
        Patience::Never => Ok(false),
        Patience::For(_) => Err(Failure::senseless("its calls take no timeout")),
    }
}

/// A type as the calls take it.
#[inline]
fn number(kind: u64) -> Result<libc::c_long> {
    libc::c_long::try_from(kind).map_err(|_| Errno::EINVAL.into())
}

/// What a call gave.
fn received(length: usize, kind: libc::c_long) -> Message {
    Message { length, r#type: u64::try_from(kind).ok(), ..Message::default() }
}

impl Queue for HeldQueue {
    #[inline(always)]
    fn send(&mut self, bytes: &[u8], priority: Option<u32>, patience: Patience) -> Result<usize> {
        if priority.is_some() {
            return Err(Failure::senseless("its messages have no priority, but a type"));
        }
        self.send_typed(bytes, PLAIN, patience)
    }

    #[inline(always)]
    fn receive(&mut self, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        if peek {
            return Err(Failure::senseless("it has no way to peek"));
        }
        self.receive_filtered(buffer, Filter::default(), patience)
    }

    #[inline(always)]
    fn send_typed(&mut self, bytes: &[u8], kind: u64, patience: Patience) -> Result<usize> {
        let (id, kind, waits) = (self.id()?, number(kind)?, waits(patience)?);
        let message = self.with_room(bytes.len());
        message[TYPE_BYTES..].copy_from_slice(bytes);
        calls::send(id, kind, message, waits)?;
        Ok(bytes.len())
    }

    #[inline(always)]
    fn receive_filtered(&mut self, buffer: &mut [u8], filter: Filter, patience: Patience) -> Result<Message> {
        let kind = match (filter.kind, filter.up_to) {
            (Some(kind), None) => number(kind)?,
            (None, Some(most)) => -number(most)?,
            (None, None) => 0,
            (Some(_), Some(_)) => {
                return Err(Failure::senseless("a type and a range of types cannot both be asked for"));
            }
        };
        let mut flags = if waits(patience)? { 0 } else { libc::IPC_NOWAIT };
        flags |= if filter.truncate { libc::MSG_NOERROR } else { 0 };
        flags |= if filter.except { except()? } else { 0 };
        let id = self.id()?;
        let message = self.with_room(buffer.len());
        let (length, kind) = calls::receive(id, kind, message, flags)?;
        buffer[..length].copy_from_slice(&message[TYPE_BYTES..][..length]);
        Ok(received(length, kind))
    }

    #[inline(always)]
    fn send_frame(&mut self, frame: &mut [u8], patience: Patience) -> Result<usize> {
        let message = in_frame(frame)?;
        calls::send(self.id()?, number(PLAIN)?, message, waits(patience)?)?;
        Ok(message.len() - TYPE_BYTES)
    }

    #[inline(always)]
    fn receive_frame(&mut self, frame: &mut [u8], patience: Patience) -> Result<Message> {
        let flags = if waits(patience)? { 0 } else { libc::IPC_NOWAIT };
        let (length, kind) = calls::receive(self.id()?, 0, in_frame(frame)?, flags)?;
        Ok(received(length, kind))
    }

    fn message_size_max(&self) -> usize {
        MESSAGE_SIZE_MAX
    }

    fn attributes(&mut self) -> Result<u64> {
        Ok(queued(self.id()?)?)
    }
}

#[cfg(target_os = "linux")]
fn except() -> Result<libc::c_int> {
    Ok(libc::MSG_EXCEPT)
}

#[cfg(not(target_os = "linux"))]
fn except() -> Result<libc::c_int> {
    Err(Failure::senseless("this system has no MSG_EXCEPT"))
}

impl Names for HeldQueue {
    fn open(&mut self, opening: Opening) -> Result<()> {
        self.id = Some(queue(self.key, sysv::creation(opening))?);
        Ok(())
    }

    fn unlink(&mut self) -> Result<()> {
        let id = self.id.map_or_else(|| queue(self.key, Creation::default()), Ok)?;
        Ok(remove_queue(id)?)
    }
}
