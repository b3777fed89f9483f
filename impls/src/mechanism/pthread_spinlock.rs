//! `pthread_spinlock`: a process-shared spin lock in memory that processes inherit. Who waits for it never sleeps.

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{self, Bytes, Channel, Failure, Lock, Object, Patience, Result};
use harness_core::wire::HeldEnd;
use impls_sys::pthread::Spinlock;
use spec::{
    operation::{End, Mode},
    scenario,
};

/// The mechanism `pthread_spinlock`.
#[derive(Debug)]
pub struct PthreadSpinlock;

impl Mechanism for PthreadSpinlock {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::PthreadSpinlock
    }

    fn works(&self) -> bool {
        Spinlock::new().is_ok()
    }

    fn open(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let lock = Spinlock::new().map_err(OpenError::of("pthread_spin_init"))?;
        Ok(Box::new(HeldSpinlock { lock: Some(lock), is_held: false }))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a spin lock.
struct HeldSpinlock {
    lock: Option<Spinlock>,
    is_held: bool,
}

impl HeldSpinlock {
    #[inline]
    fn opened(&self) -> Result<&Spinlock> {
        self.lock.as_ref().ok_or_else(|| Failure::senseless("this process does no longer map it"))
    }
}

impl Opened for HeldSpinlock {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Lock(self)),
        }
    }
}

impl Channel for HeldSpinlock {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        self.opened()?;
        self.lock = None;
        Ok(())
    }
}

impl Lock for HeldSpinlock {
    #[inline(always)]
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        ability::exclusive_only(mode)?;
        bytes.none_named()?;
        let lock = self.opened()?;
        match patience {
            Patience::Forever => lock.lock(),
            Patience::Never => lock.try_lock(),
            Patience::For(_) => return Err(Failure::senseless("it has no call with a timeout")),
        }?;
        self.is_held = true;
        Ok(())
    }

    #[inline(always)]
    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        bytes.none_named()?;
        if !self.is_held {
            return Err(ability::not_held());
        }
        self.opened()?.unlock()?;
        self.is_held = false;
        Ok(())
    }
}
