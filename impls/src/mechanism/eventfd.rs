//! `eventfd`, `eventfd_semaphore`: an event counter, eventfd(2). Of Linux, and of FreeBSD.

use super::{Mechanism, OpenError, Opened, Place, byte_stream::without_waiting, no_such_end};
use crate::ability::{Channel, Counter, Failure, Object, Patience, Result};
use harness_core::wire::HeldEnd;
use impls_sys::descriptor::Descriptor;
use spec::{operation::End, scenario};
use std::os::fd::OwnedFd;

/// The mechanisms `eventfd` and `eventfd_semaphore`.
#[derive(Debug)]
pub struct Eventfd {
    which: spec::Mechanism,
    one_by_one: bool,
}

/// All that was added is taken at once.
pub static EVENTFD: Eventfd = Eventfd { which: spec::Mechanism::Eventfd, one_by_one: false };
/// What was added is taken one by one.
pub static EVENTFD_SEMAPHORE: Eventfd = Eventfd { which: spec::Mechanism::EventfdSemaphore, one_by_one: true };

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
fn make(one_by_one: bool) -> impls_sys::Result<OwnedFd> {
    use nix::sys::eventfd::{EfdFlags, EventFd};
    let mut flags = EfdFlags::EFD_CLOEXEC;
    flags.set(EfdFlags::EFD_SEMAPHORE, one_by_one);
    EventFd::from_flags(flags).map(OwnedFd::from)
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
fn make(_: bool) -> impls_sys::Result<OwnedFd> {
    Err(nix::errno::Errno::ENOSYS)
}

impl Mechanism for Eventfd {
    fn which(&self) -> spec::Mechanism {
        self.which
    }

    fn works(&self) -> bool {
        make(self.one_by_one).is_ok()
    }

    fn open(&self, _: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let counter = Descriptor::from(make(self.one_by_one).map_err(OpenError::of("eventfd"))?);
        if let Some(initial) = options.initial.filter(|initial| *initial > 0) {
            counter.write(&initial.to_ne_bytes()).map_err(OpenError::of("write"))?;
        }
        Ok(Box::new(HeldCounter { counter }))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a counter.
struct HeldCounter {
    counter: Descriptor,
}

impl Opened for HeldCounter {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second => Err(no_such_end(end)),
            HeldEnd::Nothing => Ok(Object::Counter(Box::new(Self { counter: Descriptor::none() }))),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Counter(self)),
        }
    }
}

impl Channel for HeldCounter {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        Ok(self.counter.close()?)
    }

    fn descriptor(&self, _: Option<End>) -> Option<i32> {
        Some(self.counter.number())
    }

    fn adopt(&mut self, handle: OwnedFd, _: End) -> Result<()> {
        self.counter = handle.into();
        Ok(())
    }
}

/// Whether a call is not to wait.
#[inline]
fn nonblocking(patience: Patience) -> Result<bool> {
    match patience {
        Patience::Forever => Ok(false),
        Patience::Never => Ok(true),
        Patience::For(_) => Err(Failure::senseless("its calls take no timeout")),
    }
}

impl Counter for HeldCounter {
    #[inline(always)]
    fn wait(&mut self, patience: Patience) -> Result<Option<u64>> {
        let mut value = [0; 8];
        without_waiting(&self.counter, nonblocking(patience)?, || self.counter.read(&mut value))?;
        Ok(Some(u64::from_ne_bytes(value)))
    }

    #[inline(always)]
    fn post(&mut self, value: u64, patience: Patience) -> Result<()> {
        without_waiting(&self.counter, nonblocking(patience)?, || self.counter.write(&value.to_ne_bytes()))?;
        Ok(())
    }

    fn value(&mut self, _: u64) -> Result<u64> {
        Err(Failure::senseless("it does not tell its value but by giving it"))
    }
}
