//! `sysv_shm`: a System V shared memory segment, shmget(2), shmop(2).

use super::{Mechanism, OpenError, Opened, Place, memory_object, no_such_end, sysv};
use crate::ability::{Channel, Failure, Memory, Names, Object, Opening, Result};
use harness_core::wire::HeldEnd;
use impls_sys::{
    memory::Mapping,
    sysv::{Creation, remove_segment, segment},
};
use nix::errno::Errno;
use spec::{
    operation::{Access, End},
    scenario,
};

/// The mechanism `sysv_shm`.
#[derive(Debug)]
pub struct SysvShm;

fn size(options: &scenario::Channel<u64>) -> std::result::Result<usize, OpenError> {
    usize::try_from(memory_object::size(options)).map_err(|_| OpenError { call: "shmget", errno: Errno::ENOMEM })
}

impl Mechanism for SysvShm {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::SysvShm
    }

    fn works(&self) -> bool {
        // What is not there is ENOENT, where there can be segments at all.
        segment(1, 0, Creation::default()) == Err(Errno::ENOENT)
    }

    fn open(&self, place: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let (key, size) = (sysv::key(place)?, size(options)?);
        let id = segment(key, size, Creation::NEW).map_err(OpenError::of("shmget"))?;
        Ok(Box::new(HeldSegment { key, size, id: Some(id), attached: None, by_name: false }))
    }

    fn prepare(
        &self,
        place: &Place,
        options: &scenario::Channel<u64>,
    ) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let (key, size) = (sysv::key(place)?, size(options)?);
        if options.exists {
            segment(key, size, Creation::NEW).map_err(OpenError::of("shmget"))?;
        }
        Ok(Box::new(HeldSegment { key, size, id: None, attached: None, by_name: true }))
    }

    fn remove(&self, place: &Place) {
        let _ = sysv::key(place).map(|key| segment(key, 0, Creation::default()).and_then(remove_segment));
    }
}

/// What a process holds of a segment.
struct HeldSegment {
    key: i32,
    size: usize,
    id: Option<i32>,
    attached: Option<Mapping>,
    by_name: bool,
}

impl Opened for HeldSegment {
    fn hold(mut self: Box<Self>, end: HeldEnd) -> Result<Object> {
        if matches!(end, HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing) {
            return Err(no_such_end(end));
        }
        if let Some(id) = self.id {
            self.attached = Some(Mapping::attach(id, self.size, true)?);
        }
        Ok(Object::Memory(self))
    }
}

impl Channel for HeldSegment {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        self.reach(0, 0)?;
        self.attached = None;
        Ok(())
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.by_name { Some(self) } else { None }
    }
}

impl Memory for HeldSegment {
    fn reach(&mut self, _: u64, _: u64) -> Result<&Mapping> {
        self.attached.as_ref().ok_or_else(|| Failure::senseless("this process has not attached it, or does no longer"))
    }

    fn mapped(&self) -> Option<&Mapping> {
        self.attached.as_ref()
    }
}

impl Names for HeldSegment {
    fn open(&mut self, opening: Opening) -> Result<()> {
        let id = segment(self.key, self.size, sysv::creation(opening))?;
        self.attached = Some(Mapping::attach(id, self.size, opening.access != Access::Read)?);
        self.id = Some(id);
        Ok(())
    }

    fn unlink(&mut self) -> Result<()> {
        let id = self.id.map_or_else(|| segment(self.key, 0, Creation::default()), Ok)?;
        Ok(remove_segment(id)?)
    }
}
