//! `pipe`: an anonymous pipe, pipe(2).

use super::{Mechanism, OpenError, Opened, Place, byte_stream::Ends, no_such_end};
use crate::ability::{Object, Result};
use harness_core::wire::HeldEnd;
use nix::{fcntl::OFlag, unistd::pipe2};
use spec::scenario::Channel;
use std::os::fd::OwnedFd;

/// The mechanism `pipe`.
#[derive(Debug)]
pub struct Pipe;

/// Both ends of a pipe or FIFO.
pub(super) struct OpenPipe {
    pub(super) reading: OwnedFd,
    pub(super) writing: OwnedFd,
}

impl Mechanism for Pipe {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Pipe
    }

    fn works(&self) -> bool {
        pipe2(OFlag::O_CLOEXEC).is_ok()
    }

    fn open(&self, _: &Place, _: &Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let (reading, writing) = pipe2(OFlag::O_CLOEXEC).map_err(OpenError::of("pipe"))?;
        Ok(Box::new(OpenPipe { reading, writing }))
    }

    fn prepare(&self, _: &Place, _: &Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

impl Opened for OpenPipe {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        let ends = match end {
            HeldEnd::Read => Ends { reading: self.reading.into(), ..Ends::default() },
            HeldEnd::Write => Ends { writing: self.writing.into(), ..Ends::default() },
            HeldEnd::Both => Ends { reading: self.reading.into(), writing: self.writing.into(), ..Ends::default() },
            HeldEnd::Nothing => Ends::default(),
            HeldEnd::First | HeldEnd::Second => return Err(no_such_end(end)),
        };
        Ok(ends.into_object())
    }
}
