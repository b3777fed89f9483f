//! `packet_pipe`: a pipe that keeps what each write wrote apart, pipe(2) with `O_DIRECT`. Of Linux.

use super::{
    Mechanism, OpenError, Opened, Place,
    byte_stream::{Ends, without_waiting},
    no_such_end,
};
use crate::ability::{Channel, Failure, Message, Object, Patience, Queue, Result};
use harness_core::wire::HeldEnd;
use nix::{fcntl::OFlag, unistd::pipe2};
use spec::{operation::End, scenario};
use std::os::fd::OwnedFd;

/// The mechanism `packet_pipe`.
#[derive(Debug)]
pub struct PacketPipe;

/// The longest packet: a write of more becomes several. `PIPE_BUF` of Linux.
const PACKET_SIZE_MAX: usize = 4096;

#[cfg(target_os = "linux")]
fn make() -> impls_sys::Result<(OwnedFd, OwnedFd)> {
    pipe2(OFlag::O_CLOEXEC | OFlag::O_DIRECT)
}

#[cfg(not(target_os = "linux"))]
fn make() -> impls_sys::Result<(OwnedFd, OwnedFd)> {
    Err(nix::errno::Errno::ENOTSUP)
}

impl Mechanism for PacketPipe {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::PacketPipe
    }

    fn works(&self) -> bool {
        make().is_ok()
    }

    fn open(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let (reading, writing) = make().map_err(OpenError::of("pipe2"))?;
        Ok(Box::new(OpenPackets { reading, writing }))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

struct OpenPackets {
    reading: OwnedFd,
    writing: OwnedFd,
}

impl Opened for OpenPackets {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        let ends = match end {
            HeldEnd::Read => Ends { reading: self.reading.into(), ..Ends::default() },
            HeldEnd::Write => Ends { writing: self.writing.into(), ..Ends::default() },
            HeldEnd::Both => Ends { reading: self.reading.into(), writing: self.writing.into(), ..Ends::default() },
            HeldEnd::Nothing => Ends::default(),
            HeldEnd::First | HeldEnd::Second => return Err(no_such_end(end)),
        };
        Ok(Object::Queue(Box::new(Packets(ends))))
    }
}

/// The ends that a process holds.
#[derive(Debug)]
struct Packets(Ends);

impl Channel for Packets {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        self.0.close(end)
    }

    fn set_nonblocking(&mut self, nonblocking: bool) -> Result<()> {
        self.0.set_nonblocking(nonblocking)
    }

    fn descriptor(&self, end: Option<End>) -> Option<i32> {
        self.0.descriptor(end)
    }

    fn adopt(&mut self, handle: OwnedFd, end: End) -> Result<()> {
        self.0.adopt(handle, end)
    }
}

/// Whether a call is not to wait.
#[inline]
fn nonblocking(patience: Patience) -> Result<bool> {
    match patience {
        Patience::Forever => Ok(false),
        Patience::Never => Ok(true),
        Patience::For(_) => Err(Failure::senseless("its calls take no timeout")),
    }
}

impl Queue for Packets {
    #[inline(always)]
    fn send(&mut self, bytes: &[u8], priority: Option<u32>, patience: Patience) -> Result<usize> {
        if priority.is_some() {
            return Err(Failure::senseless("its packets have no priority"));
        }
        without_waiting(&self.0.writing, nonblocking(patience)?, || self.0.writing.write(bytes))
    }

    #[inline(always)]
    fn receive(&mut self, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        if peek {
            return Err(Failure::senseless("it has no way to peek"));
        }
        let length = without_waiting(&self.0.reading, nonblocking(patience)?, || self.0.reading.read(buffer))?;
        // There is no empty packet, and no sign that one was cut.
        Ok(Message { length, priority: None, r#type: None, truncated: false, ended: length == 0 && !buffer.is_empty() })
    }

    fn message_size_max(&self) -> usize {
        PACKET_SIZE_MAX
    }
}
