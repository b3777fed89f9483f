//! `barrier`: a process-shared barrier in memory that processes inherit, pthread_barrier_wait(3p).

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Channel, Failure, Object, Result, Wake};
use harness_core::wire::HeldEnd;
use nix::errno::Errno;
use spec::{operation::End, scenario};

/// The mechanism `barrier`.
#[derive(Debug)]
pub struct Barrier;

/// How many a barrier waits for where the scenario does not say.
const DEFAULT_COUNT: u64 = 2;

impl Mechanism for Barrier {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Barrier
    }

    fn works(&self) -> bool {
        impls_sys::pthread::Barrier::new(1).is_ok()
    }

    fn open(&self, _: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let count = u32::try_from(options.initial.unwrap_or(DEFAULT_COUNT)).map_err(|_| Errno::EINVAL);
        let barrier =
            count.and_then(impls_sys::pthread::Barrier::new).map_err(OpenError::of("pthread_barrier_init"))?;
        Ok(Box::new(HeldBarrier(Some(barrier))))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a barrier.
struct HeldBarrier(Option<impls_sys::pthread::Barrier>);

impl HeldBarrier {
    #[inline]
    fn barrier(&self) -> Result<&impls_sys::pthread::Barrier> {
        self.0.as_ref().ok_or_else(|| Failure::senseless("this process does no longer map it"))
    }
}

impl Opened for HeldBarrier {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Wake(self)),
        }
    }
}

impl Channel for HeldBarrier {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        self.barrier()?;
        self.0 = None;
        Ok(())
    }
}

impl Wake for HeldBarrier {
    #[inline(always)]
    fn arrive(&mut self) -> Result<bool> {
        Ok(self.barrier()?.wait()?)
    }
}
