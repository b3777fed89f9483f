//! What memory objects share, which are reached by a descriptor and mapped: named ones, files, and those without a name.

use super::{OpenError, Opened, no_such_end};
use crate::ability::{Channel, Failure, Memory, Names, Object, Opening, Result};
use harness_core::wire::HeldEnd;
use impls_sys::{descriptor::Descriptor, memory::Mapping};
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::{
        mman::{shm_open, shm_unlink},
        stat::Mode,
    },
    unistd::unlink,
};
use spec::{
    operation::{Access, End, SealKind},
    scenario,
};
use std::{ffi::CString, os::fd::OwnedFd, path::PathBuf};

/// The size of an object where the scenario does not say: bytes.
const DEFAULT_SIZE: u64 = 4096;

/// The size of an object: bytes.
pub(super) fn size(options: &scenario::Channel<u64>) -> u64 {
    options.size.unwrap_or(DEFAULT_SIZE)
}

/// Where an object has its name.
pub(super) enum Name {
    /// Among the POSIX shared memory objects.
    Posix(CString),
    /// In the file system.
    Path(PathBuf),
}

impl Name {
    fn open(&self, flags: OFlag) -> impls_sys::Result<OwnedFd> {
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        match self {
            Self::Posix(name) => shm_open(name.as_c_str(), flags, mode),
            Self::Path(path) => open(path, flags, mode),
        }
    }

    /// Removes the name.
    pub(super) fn unlink(&self) -> impls_sys::Result<()> {
        match self {
            Self::Posix(name) => shm_unlink(name.as_c_str()),
            Self::Path(path) => unlink(path),
        }
    }

    /// Makes the object.
    pub(super) fn create(&self, options: &scenario::Channel<u64>) -> std::result::Result<Descriptor, OpenError> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let call = if matches!(self, Self::Posix(_)) { "shm_open" } else { "open" };
        sized(self.open(flags).map_err(OpenError::of(call))?.into(), options)
    }
}

/// Gives a new object its size.
pub(super) fn sized(
    object: Descriptor,
    options: &scenario::Channel<u64>,
) -> std::result::Result<Descriptor, OpenError> {
    object.truncate(size(options)).map_err(OpenError::of("ftruncate"))?;
    Ok(object)
}

fn seals_of(seals: &[SealKind]) -> i32 {
    seals.iter().fold(0, |all, seal| {
        all | match seal {
            SealKind::Grow => impls_sys::descriptor::SEAL_GROW,
            SealKind::Shrink => impls_sys::descriptor::SEAL_SHRINK,
            SealKind::Write => impls_sys::descriptor::SEAL_WRITE,
            SealKind::Seal => impls_sys::descriptor::SEAL_SEAL,
        }
    })
}

/// What a process holds of an object.
pub(super) struct HeldMemory {
    object: Descriptor,
    mapping: Option<Mapping>,
    /// How many bytes are mapped at first.
    size: u64,
    writable: bool,
    /// Its name, where processes open it for themselves.
    name: Option<Name>,
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
    /// An object that processes inherit.
    pub(super) fn inherited(object: Descriptor, options: &scenario::Channel<u64>) -> Self {
        Self { object, mapping: None, size: size(options), writable: true, name: None }
    }

    /// An object that each process opens for itself.
    pub(super) fn named(name: Name, options: &scenario::Channel<u64>) -> Self {
        Self { object: Descriptor::none(), mapping: None, size: size(options), writable: true, name: Some(name) }
    }

    fn map(&mut self, size: u64) -> Result<()> {
        let length = usize::try_from(size).map_err(|_| Errno::ENOMEM)?;
        self.mapping = Some(Mapping::of(&self.object, length, self.writable)?);
        Ok(())
    }
}

impl Channel for HeldMemory {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        if end == Some(End::Listener) {
            return Err(Failure::senseless("it has no listener"));
        }
        self.mapping = None;
        Ok(self.object.close()?)
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.name.is_some() { Some(self) } else { None }
    }
}

impl Memory for HeldMemory {
    fn reach(&mut self, at: u64, size: u64) -> Result<&Mapping> {
        let Some(mapping) = &self.mapping else {
            return Err(Failure::senseless("this process has not mapped it, or does no longer"));
        };
        let end = at.checked_add(size).ok_or(Errno::EFAULT)?;
        if end > mapping.length() as u64 {
            self.map(end)?;
        }
        self.mapping.as_ref().ok_or_else(|| Errno::EFAULT.into())
    }

    fn mapped(&self) -> Option<&Mapping> {
        self.mapping.as_ref()
    }

    fn resize(&mut self, size: u64) -> Result<()> {
        Ok(self.object.truncate(size)?)
    }

    fn seal(&mut self, seals: &[SealKind]) -> Result<()> {
        Ok(impls_sys::descriptor::seal(&self.object, seals_of(seals))?)
    }
}

impl Names for HeldMemory {
    fn open(&mut self, opening: Opening) -> Result<()> {
        // A shared mapping that is written to needs O_RDWR: O_WRONLY cannot be had.
        let mut flags = OFlag::O_CLOEXEC;
        flags |= if opening.access == Access::Read { OFlag::O_RDONLY } else { OFlag::O_RDWR };
        flags.set(OFlag::O_CREAT, opening.create);
        flags.set(OFlag::O_EXCL, opening.exclusive);
        self.object = self.name.as_ref().ok_or(Errno::ENOENT)?.open(flags)?.into();
        self.writable = opening.access != Access::Read;
        self.map(self.size)
    }

    fn unlink(&mut self) -> Result<()> {
        Ok(self.name.as_ref().ok_or(Errno::ENOENT)?.unlink()?)
    }
}
