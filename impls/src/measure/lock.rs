//! The loops of locks.

use super::task::{Stopped, Task};
use crate::{
    ability::{Bytes, Lock, Patience},
    perform::Problem,
};
use harness_core::wire::measure::Task as What;
use spec::operation::Mode;
use std::sync::atomic::Ordering;

/// A lock that can be driven: every one.
pub trait DrivenLock {
    /// Does a task.
    ///
    /// # Errors
    /// Why it cannot be done here, or what went wrong.
    fn drive(&mut self, task: &mut Task<'_>) -> Result<(), Stopped>;
}

impl<L: Lock> DrivenLock for L {
    fn drive(&mut self, task: &mut Task<'_>) -> Result<(), Stopped> {
        match task.what() {
            What::Take => take(self, task),
            What::TakeShared => take_shared(self, task),
            what => Err(Problem(format!("a lock has nothing to do with {what:?}")).into()),
        }
    }
}

#[inline(always)]
fn lock<L: Lock>(lock: &mut L, mode: Mode) -> Result<(), Box<Stopped>> {
    lock.lock(mode, Bytes::default(), Patience::Forever).map_err(|failure| Box::new(Stopped::of("lock", failure)))
}

#[inline(always)]
fn unlock<L: Lock>(lock: &mut L) -> Result<(), Box<Stopped>> {
    lock.unlock(Bytes::default()).map_err(|failure| Box::new(Stopped::of("unlock", failure)))
}

/// What it protects is a cell that is read and written as if nobody else did: at the end every time has to be counted.
fn take<L: Lock>(held: &mut L, task: &mut Task<'_>) -> Result<(), Stopped> {
    let guarded = task.guarded()?;
    let total = task.together(|| {
        lock(held, Mode::Exclusive)?;
        guarded.store(guarded.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        unlock(held)
    })?;
    let counted = guarded.load(Ordering::SeqCst);
    if counted == total { Ok(()) } else { Err(Stopped::wrong(total, counted)) }
}

fn take_shared<L: Lock>(held: &mut L, task: &mut Task<'_>) -> Result<(), Stopped> {
    task.together(|| {
        lock(held, Mode::Shared)?;
        unlock(held)
    })
    .map(drop)
}
