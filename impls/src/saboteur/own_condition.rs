//! A condition variable of a saboteur's own, for faults that none of the system can be talked into.

use crate::{
    ability::{self, Bytes, Channel, Lock, Object, Patience, Result, Sleepers, Wake},
    mechanism::{OpenError, Opened},
};
use harness_core::wire::HeldEnd;
use impls_sys::{
    futex,
    memory::Mapping,
    pthread::{Kind, Mutex},
};
use nix::{errno::Errno, sched::sched_yield};
use spec::operation::{End, Mode};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It releases the mutex, and notes later that it waits.
    UnlocksThenSleeps,
    /// It sleeps with the mutex.
    KeepsTheMutex,
}

struct OwnCondition {
    page: Mapping,
    mutex: Mutex,
    wrong: Wrong,
}

/// Makes one.
///
/// # Errors
/// As `mmap()` and `pthread_mutex_init()`.
pub(super) fn make(wrong: Wrong) -> std::result::Result<Box<dyn Opened>, OpenError> {
    let page = Mapping::anonymous(64).map_err(OpenError::of("mmap"))?;
    let mutex = Mutex::new(Kind::ErrorCheck).map_err(OpenError::of("pthread_mutex_init"))?;
    Ok(Box::new(OwnCondition { page, mutex, wrong }))
}

impl Opened for OwnCondition {
    fn hold(self: Box<Self>, _: HeldEnd) -> Result<Object> {
        Ok(Object::Wake(self))
    }
}

impl Channel for OwnCondition {
    fn close(&mut self, _: Option<End>) -> Result<()> {
        Ok(())
    }
}

impl OwnCondition {
    /// How often somebody was notified.
    fn notices(&self) -> &AtomicU32 {
        self.page.word(0).expect("it lies within the page, and is aligned")
    }

    /// Sleeps until the number of notices is another, or the time is up.
    fn sleep(&self, before: u32, deadline: Option<Instant>) -> std::result::Result<(), Errno> {
        while self.notices().load(Ordering::SeqCst) == before {
            let slept = match deadline {
                None => futex::wait(self.notices(), before),
                Some(deadline) => {
                    futex::wait_for(self.notices(), before, deadline.saturating_duration_since(Instant::now()))
                }
            };
            match slept {
                Ok(()) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

impl Wake for OwnCondition {
    fn wait_on(&mut self, _: u64, patience: Patience) -> Result<()> {
        if !self.mutex.is_held() {
            return Err(Errno::EPERM.into());
        }
        let deadline = if let Patience::For(timeout) = patience { Some(Instant::now() + timeout) } else { None };
        if self.wrong == Wrong::KeepsTheMutex {
            let before = self.notices().load(Ordering::SeqCst);
            return Ok(self.sleep(before, deadline)?);
        }
        self.mutex.unlock()?;
        let _ = sched_yield();
        let before = self.notices().load(Ordering::SeqCst);
        let slept = self.sleep(before, deadline);
        self.mutex.lock()?;
        Ok(slept?)
    }

    fn notify(&mut self, _: Sleepers) -> Result<Option<u64>> {
        self.notices().fetch_add(1, Ordering::SeqCst);
        futex::wake_all(self.notices())?;
        Ok(None)
    }

    fn mutex(&mut self) -> Option<&mut dyn Lock> {
        Some(self)
    }
}

impl Lock for OwnCondition {
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        ability::exclusive_only(mode)?;
        bytes.none_named()?;
        Ok(match patience {
            Patience::Forever => self.mutex.lock(),
            Patience::Never => self.mutex.try_lock(),
            Patience::For(timeout) => self.mutex.lock_for(timeout),
        }?)
    }

    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        bytes.none_named()?;
        Ok(self.mutex.unlock()?)
    }
}
