//! `pthread_mutex` and its kinds: process-shared mutexes in memory that processes inherit, pthread_mutex_lock(3).

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{self, Bytes, Channel, Failure, Lock, Object, Patience, Result};
use harness_core::wire::HeldEnd;
use impls_sys::pthread::{Kind, Mutex};
use spec::{
    operation::{End, Mode},
    scenario,
};

/// The mechanisms `pthread_mutex`, `pthread_mutex_errorcheck`, `pthread_mutex_recursive`, `pthread_mutex_robust` and
/// `pthread_mutex_pi`.
#[derive(Debug)]
pub struct PthreadMutex(pub(crate) Kind);

impl Mechanism for PthreadMutex {
    fn which(&self) -> spec::Mechanism {
        match self.0 {
            Kind::Normal => spec::Mechanism::PthreadMutex,
            Kind::ErrorCheck => spec::Mechanism::PthreadMutexErrorcheck,
            Kind::Recursive => spec::Mechanism::PthreadMutexRecursive,
            Kind::Robust => spec::Mechanism::PthreadMutexRobust,
            Kind::PriorityInheritance => spec::Mechanism::PthreadMutexPi,
        }
    }

    fn works(&self) -> bool {
        Mutex::new(self.0).is_ok()
    }

    fn open(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let mutex = Mutex::new(self.0).map_err(OpenError::of("pthread_mutex_init"))?;
        Ok(Box::new(HeldMutex { mutex: Some(mutex) }))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a mutex.
struct HeldMutex {
    mutex: Option<Mutex>,
}

impl HeldMutex {
    #[inline]
    fn mutex(&mut self) -> Result<&mut Mutex> {
        self.mutex.as_mut().ok_or_else(|| Failure::senseless("this process does no longer map it"))
    }
}

impl Opened for HeldMutex {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Lock(self)),
        }
    }
}

impl Channel for HeldMutex {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        self.mutex()?;
        self.mutex = None;
        Ok(())
    }
}

impl Lock for HeldMutex {
    #[inline(always)]
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        ability::exclusive_only(mode)?;
        bytes.none_named()?;
        take(self.mutex()?, patience)
    }

    #[inline(always)]
    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        bytes.none_named()?;
        release(self.mutex()?)
    }

    fn consistent(&mut self) -> Result<()> {
        let mutex = self.mutex()?;
        if mutex.kind() != Kind::Robust {
            return Err(Failure::senseless("it does not tell that an owner has died"));
        }
        Ok(mutex.consistent()?)
    }
}

/// The call that waits as long as it is to.
#[inline(always)]
pub(super) fn take(mutex: &mut Mutex, patience: Patience) -> Result<()> {
    Ok(match patience {
        Patience::Forever => mutex.lock(),
        Patience::Never => mutex.try_lock(),
        Patience::For(timeout) => mutex.lock_for(timeout),
    }?)
}

/// The release, where it has a meaning: POSIX leaves it undefined for a plain mutex that somebody else holds.
#[inline(always)]
pub(super) fn release(mutex: &mut Mutex) -> Result<()> {
    // The kind is looked at where it matters alone: in a loop that is measured, one look less.
    if !mutex.is_held() && matches!(mutex.kind(), Kind::Normal | Kind::PriorityInheritance) {
        return Err(ability::not_held());
    }
    Ok(mutex.unlock()?)
}
