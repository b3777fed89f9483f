//! `pthread_rwlock`: a process-shared read-write lock in memory that processes inherit.

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{self, Bytes, Channel, Failure, Lock, Object, Patience, Result};
use harness_core::wire::HeldEnd;
use impls_sys::pthread::Rwlock;
use spec::{
    operation::{End, Mode},
    scenario,
};

/// The mechanism `pthread_rwlock`.
#[derive(Debug)]
pub struct PthreadRwlock;

impl Mechanism for PthreadRwlock {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::PthreadRwlock
    }

    fn works(&self) -> bool {
        Rwlock::new().is_ok()
    }

    fn open(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let lock = Rwlock::new().map_err(OpenError::of("pthread_rwlock_init"))?;
        Ok(Box::new(HeldRwlock { lock: Some(lock), held: 0 }))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a read-write lock.
struct HeldRwlock {
    lock: Option<Rwlock>,
    /// How many times this process has locked it and not unlocked it.
    held: u32,
}

impl HeldRwlock {
    #[inline]
    fn opened(&self) -> Result<&Rwlock> {
        self.lock.as_ref().ok_or_else(|| Failure::senseless("this process does no longer map it"))
    }
}

impl Opened for HeldRwlock {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Lock(self)),
        }
    }
}

impl Channel for HeldRwlock {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        self.opened()?;
        self.lock = None;
        Ok(())
    }
}

impl Lock for HeldRwlock {
    #[inline(always)]
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        bytes.none_named()?;
        let lock = self.opened()?;
        match (mode, patience) {
            (Mode::Exclusive, Patience::Forever) => lock.write(),
            (Mode::Exclusive, Patience::Never) => lock.try_write(),
            (Mode::Exclusive, Patience::For(timeout)) => lock.write_for(timeout),
            (Mode::Shared, Patience::Forever) => lock.read(),
            (Mode::Shared, Patience::Never) => lock.try_read(),
            (Mode::Shared, Patience::For(timeout)) => lock.read_for(timeout),
        }?;
        self.held += 1;
        Ok(())
    }

    #[inline(always)]
    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        bytes.none_named()?;
        if self.held == 0 {
            return Err(ability::not_held());
        }
        self.opened()?.unlock()?;
        self.held -= 1;
        Ok(())
    }
}
