//! `futex_lock`: a lock of three states in shared memory, as in Drepper's "Futexes are tricky": what a program has that makes
//! its own lock of atomic exchanges and futex(2).

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{self, Bytes, Channel, Failure, Lock, Object, Patience, Result};
use harness_core::wire::HeldEnd;
use impls_sys::{futex, memory::Mapping};
use nix::errno::Errno;
use spec::{
    operation::{End, Mode},
    scenario,
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Instant,
};

/// The mechanism `futex_lock`.
#[derive(Debug)]
pub struct FutexLock;

/// Nobody holds it.
const FREE: u32 = 0;
/// Somebody holds it, and nobody waits.
const HELD: u32 = 1;
/// Somebody holds it, and somebody may wait: its release has to wake one.
const CONTENDED: u32 = 2;

impl Mechanism for FutexLock {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::FutexLock
    }

    fn works(&self) -> bool {
        super::futexes_work()
    }

    fn open(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let pages = Mapping::anonymous(size_of::<AtomicU32>()).map_err(OpenError::of("mmap"))?;
        Ok(Box::new(HeldFutexLock { pages: Some(pages), is_held: false }))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a lock.
struct HeldFutexLock {
    pages: Option<Mapping>,
    is_held: bool,
}

impl HeldFutexLock {
    fn word(&self) -> Result<&AtomicU32> {
        self.pages
            .as_ref()
            .and_then(|pages| pages.word(0))
            .ok_or_else(|| Failure::senseless("this process does no longer map it"))
    }
}

impl Opened for HeldFutexLock {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Lock(self)),
        }
    }
}

impl Channel for HeldFutexLock {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        self.word()?;
        self.pages = None;
        Ok(())
    }
}

/// Takes the lock. It is an algorithm and not a call: an interrupted wait and one that was woken look at the word again.
fn take(word: &AtomicU32, patience: Patience) -> std::result::Result<(), Errno> {
    let Err(mut state) = word.compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed) else { return Ok(()) };
    let deadline = match patience {
        Patience::Never => return Err(Errno::EBUSY),
        Patience::Forever => None,
        Patience::For(timeout) => Some(Instant::now() + timeout),
    };
    if state != CONTENDED {
        state = word.swap(CONTENDED, Ordering::Acquire);
    }
    while state != FREE {
        let waited = match deadline {
            None => futex::wait(word, CONTENDED),
            Some(deadline) => futex::wait_for(word, CONTENDED, deadline.saturating_duration_since(Instant::now())),
        };
        match waited {
            Ok(()) | Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        // Others may wait as well, which this one cannot know: its release will have to wake one.
        state = word.swap(CONTENDED, Ordering::Acquire);
    }
    Ok(())
}

impl Lock for HeldFutexLock {
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        ability::exclusive_only(mode)?;
        bytes.none_named()?;
        take(self.word()?, patience)?;
        self.is_held = true;
        Ok(())
    }

    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        bytes.none_named()?;
        if !self.is_held {
            return Err(ability::not_held());
        }
        self.is_held = false;
        let word = self.word()?;
        if word.swap(FREE, Ordering::Release) == CONTENDED {
            futex::wake(word, 1)?;
        }
        Ok(())
    }
}
