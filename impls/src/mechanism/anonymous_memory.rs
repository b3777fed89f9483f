//! `anonymous_memory`: pages that a child inherits, mmap(2) with `MAP_SHARED` and `MAP_ANONYMOUS`.

use super::{Mechanism, OpenError, Opened, Place, memory_object, no_such_end};
use crate::ability::{Channel, Failure, Memory, Object, Result};
use harness_core::wire::HeldEnd;
use impls_sys::memory::Mapping;
use nix::errno::Errno;
use spec::{operation::End, scenario};

/// The mechanism `anonymous_memory`.
#[derive(Debug)]
pub struct AnonymousMemory;

impl Mechanism for AnonymousMemory {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::AnonymousMemory
    }

    fn works(&self) -> bool {
        Mapping::anonymous(1).is_ok()
    }

    fn open(&self, _: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let length = usize::try_from(memory_object::size(options)).map_err(|_| Errno::ENOMEM);
        let pages = length.and_then(Mapping::anonymous).map_err(OpenError::of("mmap"))?;
        Ok(Box::new(HeldPages { pages: Some(pages) }))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of the pages.
struct HeldPages {
    pages: Option<Mapping>,
}

impl Opened for HeldPages {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Memory(self)),
        }
    }
}

impl Channel for HeldPages {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        self.reach(0, 0)?;
        self.pages = None;
        Ok(())
    }
}

impl Memory for HeldPages {
    fn reach(&mut self, _: u64, _: u64) -> Result<&Mapping> {
        self.pages.as_ref().ok_or_else(|| Failure::senseless("this process does no longer map it"))
    }

    fn mapped(&self) -> Option<&Mapping> {
        self.pages.as_ref()
    }
}
