//! `mapped_file`: a regular file that is mapped, mmap(2) with `MAP_SHARED`.

use super::{
    Mechanism, OpenError, Opened, Place,
    memory_object::{HeldMemory, Name},
};
use spec::scenario::Channel;

/// The mechanism `mapped_file`.
#[derive(Debug)]
pub struct MappedFile;

impl Mechanism for MappedFile {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::MappedFile
    }

    fn works(&self) -> bool {
        true
    }

    fn open(&self, place: &Place, options: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let object = Name::Path(place.path()).create(options)?;
        Ok(Box::new(HeldMemory::inherited(object, options)))
    }

    fn prepare(&self, place: &Place, options: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let name = Name::Path(place.path());
        if options.exists {
            name.create(options)?;
        }
        Ok(Box::new(HeldMemory::named(name, options)))
    }

    fn remove(&self, place: &Place) {
        let _ = Name::Path(place.path()).unlink();
    }
}
