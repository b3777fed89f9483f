//! `posix_sem`: an unnamed POSIX semaphore in shared memory, sem_overview(7). Named ones use its calls.

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Channel, Counter, Failure, Names, Object, Patience, Result};
use harness_core::wire::HeldEnd;
use impls_sys::semaphore::Semaphore;
use nix::errno::Errno;
use spec::{operation::End, scenario};

/// The mechanism `posix_sem`.
#[derive(Debug)]
pub struct PosixSem;

/// The value that a semaphore begins with.
pub(super) fn initial(options: &scenario::Channel<u64>) -> impls_sys::Result<u32> {
    // What no unsigned int holds is more than SEM_VALUE_MAX anywhere: the error that the call gives for that.
    u32::try_from(options.initial.unwrap_or(0)).map_err(|_| Errno::EINVAL)
}

impl Mechanism for PosixSem {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::PosixSem
    }

    fn works(&self) -> bool {
        Semaphore::unnamed(0).is_ok()
    }

    fn open(&self, _: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let value = initial(options).map_err(OpenError::of("sem_init"))?;
        let semaphore = Semaphore::unnamed(value).map_err(OpenError::of("sem_init"))?;
        Ok(Box::new(HeldSemaphore { semaphore: Some(semaphore), name: None }))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a semaphore.
pub(super) struct HeldSemaphore {
    pub(super) semaphore: Option<Semaphore>,
    pub(super) name: Option<super::posix_named_sem::Name>,
}

impl HeldSemaphore {
    /// Using a semaphore that was closed is undefined: there is no outcome to report.
    #[inline]
    fn semaphore(&self) -> Result<&Semaphore> {
        self.semaphore
            .as_ref()
            .ok_or_else(|| Failure::senseless("this process has not opened it, or does no longer hold it"))
    }
}

impl Opened for HeldSemaphore {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Counter(self)),
        }
    }
}

impl Channel for HeldSemaphore {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        if end == Some(End::Listener) {
            return Err(Failure::senseless("it has no listener"));
        }
        self.semaphore()?;
        self.semaphore = None;
        Ok(())
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.name.is_some() { Some(self) } else { None }
    }
}

impl Counter for HeldSemaphore {
    #[inline(always)]
    fn wait(&mut self, patience: Patience) -> Result<Option<u64>> {
        let semaphore = self.semaphore()?;
        match patience {
            Patience::Forever => semaphore.wait(),
            Patience::Never => semaphore.try_wait(),
            Patience::For(timeout) => semaphore.wait_for(timeout),
        }?;
        Ok(None)
    }

    #[inline(always)]
    fn post(&mut self, _: u64, _: Patience) -> Result<()> {
        Ok(self.semaphore()?.post()?)
    }

    fn value(&mut self, _: u64) -> Result<u64> {
        let value = self.semaphore()?.value()?;
        // POSIX allows a negative number that tells how many wait; the value is then zero.
        Ok(u64::try_from(value).unwrap_or(0))
    }
}
