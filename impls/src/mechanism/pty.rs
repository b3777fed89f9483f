//! `pty`: a pseudo-terminal in raw mode, posix_openpt(3), pty(7). The manager's side is written to, the subsidiary's is read
//! from; of a channel that goes both ways the manager's side is the first.

use super::{Mechanism, OpenError, Opened, Place, byte_stream::Ends};
use crate::ability::{Object, Result};
use harness_core::wire::HeldEnd;
use nix::{
    pty::openpty,
    sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr},
};
use spec::scenario;
use std::os::fd::OwnedFd;

/// The mechanism `pty`.
#[derive(Debug)]
pub struct Pty;

impl Mechanism for Pty {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Pty
    }

    fn works(&self) -> bool {
        make().is_ok()
    }

    fn open(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        make().map(|terminal| Box::new(terminal) as Box<dyn Opened>)
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

struct OpenTerminal {
    manager: OwnedFd,
    subsidiary: OwnedFd,
}

fn make() -> std::result::Result<OpenTerminal, OpenError> {
    let ends = openpty(None, None).map_err(OpenError::of("openpty"))?;
    // Neither echo nor lines: what is written is what is read.
    let mut attributes = tcgetattr(&ends.slave).map_err(OpenError::of("tcgetattr"))?;
    cfmakeraw(&mut attributes);
    tcsetattr(&ends.slave, SetArg::TCSANOW, &attributes).map_err(OpenError::of("tcsetattr"))?;
    Ok(OpenTerminal { manager: ends.master, subsidiary: ends.slave })
}

impl Opened for OpenTerminal {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        let (manager, subsidiary) = (self.manager.into(), self.subsidiary.into());
        let ends = match end {
            HeldEnd::Read => Ends { reading: subsidiary, ..Ends::default() },
            HeldEnd::Write => Ends { writing: manager, ..Ends::default() },
            HeldEnd::Both => Ends { reading: subsidiary, writing: manager, ..Ends::default() },
            HeldEnd::Nothing => Ends::default(),
            HeldEnd::First => Ends { reading: manager, two_way: true, ..Ends::default() },
            HeldEnd::Second => Ends { reading: subsidiary, two_way: true, ..Ends::default() },
        };
        Ok(ends.into_object())
    }
}
