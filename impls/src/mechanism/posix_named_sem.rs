//! `posix_named_sem`: a named POSIX semaphore, sem_open(3).

use super::{
    Mechanism, OpenError, Opened, Place,
    posix_sem::{HeldSemaphore, initial},
};
use crate::ability::{Names, Opening, Result};
use impls_sys::semaphore::{self, Semaphore};
use nix::errno::Errno;
use spec::scenario;
use std::ffi::CString;

/// The mechanism `posix_named_sem`.
#[derive(Debug)]
pub struct PosixNamedSem;

/// Where a semaphore is found, and the value it is made with.
pub(super) struct Name {
    name: CString,
    initial: impls_sys::Result<u32>,
}

fn create(name: &Name) -> std::result::Result<Semaphore, OpenError> {
    name.initial
        .and_then(|initial| Semaphore::open(&name.name, libc::O_CREAT | libc::O_EXCL, initial))
        .map_err(OpenError::of("sem_open"))
}

impl Mechanism for PosixNamedSem {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::PosixNamedSem
    }

    fn works(&self) -> bool {
        super::shared_memory_works() && semaphore::unlink(c"/plumbline-no-such-semaphore") == Err(Errno::ENOENT)
    }

    fn open(&self, place: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let name = Name { name: place.name()?, initial: initial(options) };
        Ok(Box::new(HeldSemaphore { semaphore: Some(create(&name)?), name: None }))
    }

    fn prepare(
        &self,
        place: &Place,
        options: &scenario::Channel<u64>,
    ) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let name = Name { name: place.name()?, initial: initial(options) };
        if options.exists {
            create(&name)?;
        }
        Ok(Box::new(HeldSemaphore { semaphore: None, name: Some(name) }))
    }

    fn remove(&self, place: &Place) {
        if let Ok(name) = place.name() {
            let _ = semaphore::unlink(&name);
        }
    }
}

impl Names for HeldSemaphore {
    fn open(&mut self, opening: Opening) -> Result<()> {
        let name = self.name.as_ref().ok_or(Errno::ENOENT)?;
        let mut flags = 0;
        for (asked, flag) in [(opening.create, libc::O_CREAT), (opening.exclusive, libc::O_EXCL)] {
            flags |= if asked { flag } else { 0 };
        }
        self.semaphore = Some(Semaphore::open(&name.name, flags, name.initial?)?);
        Ok(())
    }

    fn unlink(&mut self) -> Result<()> {
        Ok(semaphore::unlink(&self.name.as_ref().ok_or(Errno::ENOENT)?.name)?)
    }
}
