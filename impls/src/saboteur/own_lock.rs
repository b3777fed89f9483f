//! A lock of a saboteur's own, of words in shared memory, for faults that no lock of the system can be talked into.

use crate::{
    ability::{self, Bytes, Channel, Failure, Lock, Object, Patience, Result},
    mechanism::{OpenError, Opened},
};
use harness_core::wire::HeldEnd;
use impls_sys::{futex, memory::Mapping};
use nix::{errno::Errno, sched::sched_yield, unistd::getpid};
use spec::{
    Mechanism,
    operation::{End, Mode},
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It looks whether it is free, and is taken later.
    CheckedThenSet,
    /// Whoever asks releases it.
    ReleasedByStrangers,
    /// A release wakes nobody where two wait.
    ForgetsTwoWaiters,
    /// Its owner locks it again and again, and the first release is the last.
    NotCounted,
}

/// A lock.
struct OwnLock {
    page: Mapping,
    kind: Mechanism,
    wrong: Wrong,
}

/// The process id of its owner; 0 where there is none.
const OWNER: usize = 0;
/// How often its owner has locked it beyond the first time.
const DEPTH: usize = 64;
/// How many wait for it.
const WAITERS: usize = 128;
/// Changes at every release.
const EVENT: usize = 192;

/// Makes one in the place of a lock of this kind.
///
/// # Errors
/// As `mmap()`.
pub(super) fn make(kind: Mechanism, wrong: Wrong) -> std::result::Result<Box<dyn Opened>, OpenError> {
    let page = Mapping::anonymous(EVENT + 64).map_err(OpenError::of("mmap"))?;
    Ok(Box::new(OwnLock { page, kind, wrong }))
}

impl Opened for OwnLock {
    fn hold(self: Box<Self>, _: HeldEnd) -> Result<Object> {
        Ok(Object::Lock(self))
    }
}

impl Channel for OwnLock {
    fn close(&mut self, _: Option<End>) -> Result<()> {
        Ok(())
    }
}

fn own_id() -> u32 {
    getpid().as_raw().unsigned_abs()
}

impl OwnLock {
    fn word(&self, place: usize) -> &AtomicU32 {
        self.page.word(place).expect("it lies within the page, and is aligned")
    }

    /// Takes it if it is free.
    fn try_take(&self) -> bool {
        let owner = self.word(OWNER);
        if self.wrong == Wrong::CheckedThenSet {
            if owner.load(Ordering::SeqCst) != 0 {
                return false;
            }
            let _ = sched_yield();
            owner.store(own_id(), Ordering::SeqCst);
            return true;
        }
        owner.compare_exchange(0, own_id(), Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// What comes of locking what this process holds already; `None` where it has to wait for itself.
    fn again(&self, patience: Patience) -> Option<Result<()>> {
        match (self.kind, patience) {
            (Mechanism::PthreadMutexRecursive, _) => {
                self.word(DEPTH).fetch_add(1, Ordering::SeqCst);
                Some(Ok(()))
            }
            (Mechanism::PthreadMutexErrorcheck, Patience::Forever | Patience::For(_)) => {
                Some(Err(Errno::EDEADLK.into()))
            }
            _ => None,
        }
    }

    /// Sleeps until something was released, or the time is up.
    fn sleep(&self, event: u32, deadline: Option<Instant>) -> Result<()> {
        let word = self.word(EVENT);
        self.word(WAITERS).fetch_add(1, Ordering::SeqCst);
        let slept = match deadline {
            None => futex::wait(word, event),
            Some(deadline) => futex::wait_for(word, event, deadline.saturating_duration_since(Instant::now())),
        };
        self.word(WAITERS).fetch_sub(1, Ordering::SeqCst);
        match slept {
            Ok(()) | Err(Errno::EAGAIN | Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Lock for OwnLock {
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        ability::exclusive_only(mode)?;
        bytes.none_named()?;
        if self.word(OWNER).load(Ordering::SeqCst) == own_id()
            && let Some(locked) = self.again(patience)
        {
            return locked;
        }
        let deadline = if let Patience::For(timeout) = patience { Some(Instant::now() + timeout) } else { None };
        loop {
            let event = self.word(EVENT).load(Ordering::SeqCst);
            if self.try_take() {
                return Ok(());
            }
            if matches!(patience, Patience::Never) {
                return Err(Errno::EBUSY.into());
            }
            self.sleep(event, deadline)?;
        }
    }

    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        bytes.none_named()?;
        if self.word(OWNER).load(Ordering::SeqCst) != own_id() && self.wrong != Wrong::ReleasedByStrangers {
            let is_told = matches!(self.kind, Mechanism::PthreadMutexErrorcheck | Mechanism::PthreadMutexRecursive);
            return Err(if is_told { Failure::Errno(Errno::EPERM) } else { ability::not_held() });
        }
        let depth = self.word(DEPTH);
        if self.wrong != Wrong::NotCounted && depth.load(Ordering::SeqCst) > 0 {
            depth.fetch_sub(1, Ordering::SeqCst);
            return Ok(());
        }
        depth.store(0, Ordering::SeqCst);
        self.word(OWNER).store(0, Ordering::SeqCst);
        self.word(EVENT).fetch_add(1, Ordering::SeqCst);
        if self.wrong != Wrong::ForgetsTwoWaiters || self.word(WAITERS).load(Ordering::SeqCst) < 2 {
            futex::wake_all(self.word(EVENT))?;
        }
        Ok(())
    }
}
