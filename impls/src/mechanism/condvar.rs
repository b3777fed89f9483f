//! `condvar`: a process-shared condition variable together with its mutex, pthread_cond_wait(3).
//!
//! The mutex checks for errors: with it every misuse of the condition variable is defined, too.

use super::{Mechanism, OpenError, Opened, Place, no_such_end, pthread_mutex};
use crate::ability::{self, Bytes, Channel, Failure, Lock, Object, Patience, Result, Sleepers, Wake};
use harness_core::wire::HeldEnd;
use impls_sys::pthread::{Condition, Kind, Mutex};
use spec::{
    operation::{End, Mode},
    scenario,
};

/// The mechanism `condvar`.
#[derive(Debug)]
pub struct Condvar;

impl Mechanism for Condvar {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Condvar
    }

    fn works(&self) -> bool {
        Condition::new().is_ok()
    }

    fn open(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let mutex = Mutex::new(Kind::ErrorCheck).map_err(OpenError::of("pthread_mutex_init"))?;
        let condition = Condition::new().map_err(OpenError::of("pthread_cond_init"))?;
        Ok(Box::new(HeldCondvar(Some((condition, mutex)))))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a condition variable.
struct HeldCondvar(Option<(Condition, Mutex)>);

impl HeldCondvar {
    #[inline]
    fn both(&mut self) -> Result<(&Condition, &mut Mutex)> {
        self.0
            .as_mut()
            .map(|(condition, mutex)| (&*condition, mutex))
            .ok_or_else(|| Failure::senseless("this process does no longer map it"))
    }
}

impl Opened for HeldCondvar {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Wake(self)),
        }
    }
}

impl Channel for HeldCondvar {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        self.both()?;
        self.0 = None;
        Ok(())
    }
}

impl Lock for HeldCondvar {
    #[inline(always)]
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        ability::exclusive_only(mode)?;
        bytes.none_named()?;
        pthread_mutex::take(self.both()?.1, patience)
    }

    #[inline(always)]
    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        bytes.none_named()?;
        pthread_mutex::release(self.both()?.1)
    }
}

impl Wake for HeldCondvar {
    #[inline(always)]
    fn wait_on(&mut self, _: u64, patience: Patience) -> Result<()> {
        let (condition, mutex) = self.both()?;
        Ok(match patience {
            Patience::Forever => condition.wait(mutex),
            Patience::For(timeout) => condition.wait_for(mutex, timeout),
            Patience::Never => return Err(Failure::senseless("it waits, or there is no call to make")),
        }?)
    }

    #[inline(always)]
    fn notify(&mut self, sleepers: Sleepers) -> Result<Option<u64>> {
        let (condition, _) = self.both()?;
        match sleepers {
            Sleepers::Some(1) => condition.signal(),
            Sleepers::All => condition.broadcast(),
            Sleepers::Some(_) => return Err(Failure::senseless("it wakes one or all")),
        }?;
        Ok(None)
    }

    fn mutex(&mut self) -> Option<&mut dyn Lock> {
        Some(self)
    }
}
