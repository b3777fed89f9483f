//! What pipes, FIFOs and terminals share: two ends, each a descriptor, read and written by `read()` and `write()`.

use crate::ability::{Channel, Failure, Names, Object, Opening, Result, Stream};
use impls_sys::descriptor::Descriptor;
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::stat::Mode,
    unistd::{mkfifo, unlink},
};
use spec::operation::{Access, End};
use std::{os::fd::OwnedFd, path::PathBuf};

/// The ends of a pipe, FIFO or terminal that a process holds.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) reading: Descriptor,
    pub(super) writing: Descriptor,
    /// The FIFO's path, where processes open it for themselves.
    pub(super) path: Option<PathBuf>,
    /// Whether the reading descriptor is also written to.
    pub(super) two_way: bool,
}

impl Ends {
    pub(super) fn into_object(self) -> Object {
        Object::Stream(Box::new(self))
    }

    /// The descriptor to write to: one that was opened for both is kept as the reading one.
    #[inline]
    fn writer(&self) -> &Descriptor {
        let is_shared = self.two_way || (self.path.is_some() && !self.writing.is_open());
        if is_shared { &self.reading } else { &self.writing }
    }
}

/// Makes a call that does not wait: with `O_NONBLOCK` set around it, where it is not set anyway.
#[inline]
pub(super) fn without_waiting<T>(
    descriptor: &Descriptor,
    nonblocking: bool,
    call: impl FnOnce() -> impls_sys::Result<T>,
) -> Result<T> {
    if !nonblocking {
        return Ok(call()?);
    }
    let before = descriptor.set_nonblocking(true)?;
    let result = call();
    if !before {
        descriptor.set_nonblocking(false)?;
    }
    Ok(result?)
}

impl Channel for Ends {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        match end {
            Some(End::Read) => Ok(self.reading.close()?),
            Some(End::Write) => Ok(self.writing.close()?),
            Some(End::Listener) => Err(Failure::senseless("it has no listener")),
            None if self.reading.is_open() && self.writing.is_open() => {
                let first = self.reading.close();
                self.writing.close()?;
                Ok(first?)
            }
            None if self.writing.is_open() => Ok(self.writing.close()?),
            None => Ok(self.reading.close()?),
        }
    }

    fn set_nonblocking(&mut self, nonblocking: bool) -> Result<()> {
        if self.reading.is_open() || !self.writing.is_open() {
            self.reading.set_nonblocking(nonblocking)?;
        }
        if self.writing.is_open() {
            self.writing.set_nonblocking(nonblocking)?;
        }
        Ok(())
    }

    fn descriptor(&self, end: Option<End>) -> Option<i32> {
        Some(match end {
            Some(End::Write) => self.writer().number(),
            _ if self.reading.is_open() || !self.writing.is_open() => self.reading.number(),
            _ => self.writing.number(),
        })
    }

    fn adopt(&mut self, handle: OwnedFd, end: End) -> Result<()> {
        match end {
            End::Write => self.writing = handle.into(),
            _ => self.reading = handle.into(),
        }
        Ok(())
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.path.is_some() { Some(self) } else { None }
    }
}

impl Stream for Ends {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        let descriptor = self.writer();
        without_waiting(descriptor, nonblocking, || descriptor.write(bytes))
    }

    #[inline(always)]
    fn read(&mut self, buffer: &mut [u8], nonblocking: bool, peek: bool) -> Result<usize> {
        if peek {
            return Err(Failure::senseless("it has no way to peek"));
        }
        without_waiting(&self.reading, nonblocking, || self.reading.read(buffer))
    }
}

impl Names for Ends {
    fn open(&mut self, opening: Opening) -> Result<()> {
        let path = self.path.as_ref().ok_or(Errno::ENOENT)?;
        if opening.create {
            match mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
                Err(Errno::EEXIST) if !opening.exclusive => {}
                made => made?,
            }
        }
        let access = match opening.access {
            Access::Read => OFlag::O_RDONLY,
            Access::Write => OFlag::O_WRONLY,
            Access::Both => OFlag::O_RDWR,
        };
        let nonblocking = if opening.nonblocking { OFlag::O_NONBLOCK } else { OFlag::empty() };
        let descriptor = Descriptor::from(open(path, access | nonblocking | OFlag::O_CLOEXEC, Mode::empty())?);
        match opening.access {
            Access::Write => self.writing = descriptor,
            Access::Read | Access::Both => self.reading = descriptor,
        }
        Ok(())
    }

    fn unlink(&mut self) -> Result<()> {
        Ok(unlink(self.path.as_ref().ok_or(Errno::ENOENT)?)?)
    }
}
