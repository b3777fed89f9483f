//! `posix_shm`: a POSIX shared memory object, shm_overview(7), mapped `MAP_SHARED`.

use super::{
    Mechanism, OpenError, Opened, Place,
    memory_object::{HeldMemory, Name},
};
use nix::{errno::Errno, sys::mman::shm_unlink};
use spec::scenario::Channel;

/// The mechanism `posix_shm`.
#[derive(Debug)]
pub struct PosixShm;

impl Mechanism for PosixShm {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::PosixShm
    }

    fn works(&self) -> bool {
        super::shared_memory_works() && shm_unlink(c"/plumbline-no-such-object") == Err(Errno::ENOENT)
    }

    fn open(&self, place: &Place, options: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let object = Name::Posix(place.name()?).create(options)?;
        Ok(Box::new(HeldMemory::inherited(object, options)))
    }

    fn prepare(&self, place: &Place, options: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let name = Name::Posix(place.name()?);
        if options.exists {
            name.create(options)?;
        }
        Ok(Box::new(HeldMemory::named(name, options)))
    }

    fn remove(&self, place: &Place) {
        if let Ok(name) = place.name() {
            let _ = Name::Posix(name).unlink();
        }
    }
}
