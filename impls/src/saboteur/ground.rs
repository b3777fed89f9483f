//! What the processes of a run share of a sabotaged channel, beside the channel itself: a page of memory, and a place for descriptors
//! that nobody holds.

use super::Saboteur;
use crate::{
    ability::{Object, Result},
    mechanism::{OpenError, Opened},
};
use harness_core::wire::HeldEnd;
use impls_sys::{handles, memory::Mapping};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::{
    os::fd::{AsRawFd as _, OwnedFd},
    rc::Rc,
    sync::atomic::AtomicU32,
};

/// Bytes of the page.
const PAGE_BYTES: usize = 4096;

/// What processes share of one channel. The root makes it before it starts them.
#[derive(Clone, Debug)]
pub(crate) struct Ground(Rc<Shared>);

#[derive(Debug)]
struct Shared {
    page: Mapping,
    /// A connection on which nobody receives.
    limbo: (OwnedFd, OwnedFd),
}

impl Ground {
    /// Makes it.
    ///
    /// # Errors
    /// As `mmap()` and `socketpair()`.
    pub(crate) fn new() -> std::result::Result<Self, OpenError> {
        let page = Mapping::anonymous(PAGE_BYTES).map_err(OpenError::of("mmap"))?;
        let limbo = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
            .map_err(OpenError::of("socketpair"))?;
        Ok(Self(Rc::new(Shared { page, limbo })))
    }

    /// A word of four bytes: there are 512, two to a cache line's half.
    pub(super) fn word(&self, number: usize) -> &AtomicU32 {
        self.0.page.word(number * 8 % PAGE_BYTES).expect("it lies within the page, and is aligned")
    }

    /// Sees to it that what a descriptor leads to stays open as long as any process of the run is there, as a descriptor does that is
    /// under way to nobody.
    pub(super) fn never_close(&self, descriptor: i32) {
        let _ = handles::send(self.0.limbo.0.as_raw_fd(), descriptor);
    }
}

/// A channel whose processes share something beside it.
pub(super) struct OnGround {
    pub(super) opened: Box<dyn Opened>,
    pub(super) ground: Ground,
    pub(super) saboteur: Saboteur,
}

impl Opened for OnGround {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        let Self { opened, ground, saboteur } = *self;
        Ok(saboteur.hold(opened.hold(saboteur.keep(end))?, &ground))
    }
}
