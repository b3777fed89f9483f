//! `memfd`: an anonymous file in memory, memfd_create(2), whose changes can be forbidden by seals, fcntl(2). Of Linux, and of
//! FreeBSD.

use super::{
    Mechanism, OpenError, Opened, Place,
    memory_object::{HeldMemory, sized},
};
use spec::scenario::Channel;
use std::os::fd::OwnedFd;

/// The mechanism `memfd`.
#[derive(Debug)]
pub struct Memfd;

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
fn make() -> impls_sys::Result<OwnedFd> {
    use nix::sys::memfd::{MFdFlags, memfd_create};
    memfd_create(c"plumbline", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
fn make() -> impls_sys::Result<OwnedFd> {
    Err(nix::errno::Errno::ENOSYS)
}

impl Mechanism for Memfd {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Memfd
    }

    fn works(&self) -> bool {
        make().is_ok()
    }

    fn open(&self, _: &Place, options: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let object = make().map_err(OpenError::of("memfd_create"))?;
        Ok(Box::new(HeldMemory::inherited(sized(object.into(), options)?, options)))
    }

    fn prepare(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}
