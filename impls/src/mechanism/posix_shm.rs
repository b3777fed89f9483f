//! `posix_shm`: a POSIX shared memory object, shm_overview(7), mapped `MAP_SHARED`.

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Channel, Failure, Memory, Names, Object, Opening, Result};
use harness_core::wire::HeldEnd;
use impls_sys::{descriptor::Descriptor, memory::Mapping};
use nix::{
    errno::Errno,
    fcntl::OFlag,
    sys::{
        mman::{shm_open, shm_unlink},
        stat::Mode,
    },
};
use spec::{
    operation::{Access, End},
    scenario,
};
use std::{
    ffi::CString,
    os::fd::OwnedFd,
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
};

/// The mechanism `posix_shm`.
#[derive(Debug)]
pub struct PosixShm;

/// The size of an object where the scenario does not say: bytes.
const DEFAULT_SIZE: u64 = 4096;

fn size(options: &scenario::Channel<u64>) -> u64 {
    options.size.unwrap_or(DEFAULT_SIZE)
}

fn create(name: &CString, options: &scenario::Channel<u64>) -> std::result::Result<Descriptor, OpenError> {
    let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
    let made: OwnedFd =
        shm_open(name.as_c_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(OpenError::of("shm_open"))?;
    let made = Descriptor::from(made);
    made.truncate(size(options)).map_err(OpenError::of("ftruncate"))?;
    Ok(made)
}

impl Mechanism for PosixShm {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::PosixShm
    }

    fn works(&self) -> bool {
        super::shared_memory_works() && shm_unlink(c"/plumbline-no-such-object") == Err(Errno::ENOENT)
    }

    fn open(&self, place: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let object = create(&place.name()?, options)?;
        Ok(Box::new(HeldMemory { object, mapping: None, size: size(options), writable: true, name: None }))
    }

    fn prepare(
        &self,
        place: &Place,
        options: &scenario::Channel<u64>,
    ) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let name = place.name()?;
        if options.exists {
            create(&name, options)?;
        }
        Ok(Box::new(HeldMemory {
            object: Descriptor::none(),
            mapping: None,
            size: size(options),
            writable: true,
            name: Some(name),
        }))
    }

    fn remove(&self, place: &Place) {
        if let Ok(name) = place.name() {
            let _ = shm_unlink(name.as_c_str());
        }
    }
}

/// What a process holds of an object.
struct HeldMemory {
    object: Descriptor,
    mapping: Option<Mapping>,
    /// How many bytes are mapped at first.
    size: u64,
    writable: bool,
    /// Its name, where processes open it for themselves.
    name: Option<CString>,
}

impl Opened for HeldMemory {
    fn hold(mut self: Box<Self>, end: HeldEnd) -> Result<Object> {
        if matches!(end, HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing) {
            return Err(no_such_end(end));
        }
        if self.name.is_none() {
            self.map(self.size)?;
        }
        Ok(Object::Memory(self))
    }
}

impl HeldMemory {
    fn map(&mut self, size: u64) -> Result<()> {
        let length = usize::try_from(size).map_err(|_| Errno::ENOMEM)?;
        self.mapping = Some(Mapping::of(&self.object, length, self.writable)?);
        Ok(())
    }

    /// Sees to it that these bytes are mapped. They may lie beyond the object's end: touching them is `SIGBUS` then, as
    /// in any program.
    fn reach(&mut self, at: u64, size: u64) -> Result<&Mapping> {
        let Some(mapping) = &self.mapping else {
            return Err(Failure::Senseless("this process has not mapped it, or does no longer".to_owned()));
        };
        let end = at.checked_add(size).ok_or(Errno::EFAULT)?;
        if end > mapping.length() as u64 {
            self.map(end)?;
        }
        self.mapping.as_ref().ok_or_else(|| Errno::EFAULT.into())
    }

    fn cell(&mut self, cell: u64) -> Result<&AtomicU64> {
        let at = cell.checked_mul(8).ok_or(Errno::EFAULT)?;
        let mapping = self.reach(at, 8)?;
        let offset = usize::try_from(at).map_err(|_| Errno::EFAULT)?;
        mapping.cell(offset).ok_or_else(|| Errno::EFAULT.into())
    }

    fn bytes(&mut self, at: u64, length: usize) -> Result<impl Iterator<Item = &AtomicU8>> {
        let mapping = self.reach(at, length as u64)?;
        let start = usize::try_from(at).map_err(|_| Errno::EFAULT)?;
        Ok((start..start + length).map_while(|offset| mapping.byte(offset)))
    }
}

impl Channel for HeldMemory {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        if end == Some(End::Listener) {
            return Err(Failure::Senseless("it has no listener".to_owned()));
        }
        self.mapping = None;
        Ok(self.object.close()?)
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.name.is_some() { Some(self) } else { None }
    }
}

impl Memory for HeldMemory {
    fn store(&mut self, cell: u64, value: u64) -> Result<()> {
        self.cell(cell)?.store(value, Ordering::SeqCst);
        Ok(())
    }

    fn load(&mut self, cell: u64) -> Result<u64> {
        Ok(self.cell(cell)?.load(Ordering::SeqCst))
    }

    fn fetch_add(&mut self, cell: u64, value: u64) -> Result<u64> {
        Ok(self.cell(cell)?.fetch_add(value, Ordering::SeqCst))
    }

    fn compare_exchange(&mut self, cell: u64, expected: u64, value: u64) -> Result<u64> {
        let exchanged = self.cell(cell)?.compare_exchange(expected, value, Ordering::SeqCst, Ordering::SeqCst);
        Ok(exchanged.unwrap_or_else(|before| before))
    }

    fn store_bytes(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        for (place, byte) in self.bytes(at, bytes.len())?.zip(bytes) {
            place.store(*byte, Ordering::Relaxed);
        }
        Ok(())
    }

    fn load_bytes(&mut self, at: u64, buffer: &mut [u8]) -> Result<()> {
        for (place, byte) in self.bytes(at, buffer.len())?.zip(buffer) {
            *byte = place.load(Ordering::Relaxed);
        }
        Ok(())
    }

    fn resize(&mut self, size: u64) -> Result<()> {
        Ok(self.object.truncate(size)?)
    }
}

impl Names for HeldMemory {
    fn open(&mut self, opening: Opening) -> Result<()> {
        let name = self.name.as_ref().ok_or(Errno::ENOENT)?;
        // A shared mapping that is written to needs O_RDWR: O_WRONLY cannot be had.
        let mut flags = OFlag::O_CLOEXEC;
        flags |= if opening.access == Access::Read { OFlag::O_RDONLY } else { OFlag::O_RDWR };
        flags.set(OFlag::O_CREAT, opening.create);
        flags.set(OFlag::O_EXCL, opening.exclusive);
        let object: OwnedFd = shm_open(name.as_c_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
        self.object = object.into();
        self.writable = opening.access != Access::Read;
        self.map(self.size)
    }

    fn unlink(&mut self) -> Result<()> {
        Ok(shm_unlink(self.name.as_ref().ok_or(Errno::ENOENT)?.as_c_str())?)
    }
}
