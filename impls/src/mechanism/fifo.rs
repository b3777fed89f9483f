//! `fifo`: a named pipe, mkfifo(3), fifo(7).

use super::{Mechanism, OpenError, Opened, Place, byte_stream::Ends, pipe::OpenPipe};
use crate::ability::{Object, Result};
use harness_core::wire::HeldEnd;
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl, open},
    sys::stat::Mode,
    unistd::{mkfifo, unlink},
};
use spec::scenario::Channel;
use std::path::PathBuf;

/// The mechanism `fifo`.
#[derive(Debug)]
pub struct Fifo;

const MODE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

impl Mechanism for Fifo {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Fifo
    }

    fn works(&self) -> bool {
        // Every system with pipes has them; whether the directory of a run takes one shows when it is opened.
        cfg!(unix)
    }

    fn open(&self, place: &Place, _: &Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let path = place.path();
        mkfifo(&path, MODE).map_err(OpenError::of("mkfifo"))?;
        // A reader that does not wait for a writer lets the writer open at once; its flag is taken back then.
        let reading = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC, Mode::empty())
            .map_err(OpenError::of("open"))?;
        let writing = open(&path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(OpenError::of("open"))?;
        fcntl(&reading, FcntlArg::F_SETFL(OFlag::empty())).map_err(OpenError::of("fcntl"))?;
        Ok(Box::new(OpenPipe { reading, writing }))
    }

    fn prepare(&self, place: &Place, options: &Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let path = place.path();
        if options.exists {
            mkfifo(&path, MODE).map_err(OpenError::of("mkfifo"))?;
        }
        Ok(Box::new(Prepared(path)))
    }

    fn remove(&self, place: &Place) {
        let _ = unlink(&place.path());
    }
}

struct Prepared(PathBuf);

impl Opened for Prepared {
    fn hold(self: Box<Self>, _: HeldEnd) -> Result<Object> {
        Ok(Ends { path: Some(self.0), ..Ends::default() }.into_object())
    }
}
