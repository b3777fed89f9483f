//! The loops of counters.

use super::{
    Ends,
    task::{Stopped, Task},
};
use crate::{
    ability::{Counter, Patience},
    perform::Problem,
};
use harness_core::wire::measure::Task as What;
use std::{any::Any, sync::atomic::Ordering};

/// A counter that can be driven: every one.
pub trait DrivenCounter {
    /// Does a task.
    ///
    /// # Errors
    /// Why it cannot be done here, or what went wrong.
    fn drive(&mut self, back: Option<&mut dyn Counter>, task: &mut Task<'_>) -> Result<(), Stopped>;
}

impl<C: Counter> DrivenCounter for C {
    fn drive(&mut self, back: Option<&mut dyn Counter>, task: &mut Task<'_>) -> Result<(), Stopped> {
        let mut ends = Ends::new(self, back.map(|back| back as &mut dyn Any))?;
        match (task.what(), task.leads()) {
            (What::RoundTrip, true) => ask(&mut ends, task),
            (What::RoundTrip, false) => answer(&mut ends, task),
            (What::Take, _) => take(ends.out, task),
            (what, _) => Err(Problem(format!("a counter has nothing to do with {what:?}")).into()),
        }
    }
}

#[inline(always)]
fn post<C: Counter>(counter: &mut C) -> Result<(), Stopped> {
    counter.post(1, Patience::Forever).map_err(|failure| Stopped::of("post", failure))
}

/// Waits for one; more than that at once is one too many.
#[inline(always)]
fn wait<C: Counter>(counter: &mut C) -> Result<(), Stopped> {
    match counter.wait(Patience::Forever) {
        Ok(None | Some(1)) => Ok(()),
        Ok(Some(taken)) => Err(Stopped::wrong(1, taken)),
        Err(failure) => Err(Stopped::of("wait", failure)),
    }
}

/// A counter carries no number: each writes it into a cell of its own before it posts, and the other looks there.
fn ask<C: Counter>(ends: &mut Ends<'_, C>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let [own, other] = task.words()?;
    task.timed(|number| {
        own.store(number + 1, Ordering::Relaxed);
        post(ends.out)?;
        wait(ends.back())?;
        let seen = other.load(Ordering::Relaxed);
        if seen == number + 1 { Ok(()) } else { Err(Stopped::wrong(number + 1, seen)) }
    })
}

fn answer<C: Counter>(ends: &mut Ends<'_, C>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let [own, other] = task.words()?;
    task.untimed(|number| {
        wait(ends.back())?;
        let seen = other.load(Ordering::Relaxed);
        if seen != number + 1 {
            return Err(Stopped::wrong(number + 1, seen));
        }
        own.store(number + 1, Ordering::Relaxed);
        post(ends.out)
    })
}

/// As a lock: a counter of 1 lets in one.
fn take<C: Counter>(counter: &mut C, task: &mut Task<'_>) -> Result<(), Stopped> {
    let guarded = task.guarded()?;
    let total = task.together(|| {
        wait(counter)?;
        guarded.store(guarded.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Ok(post(counter)?)
    })?;
    let counted = guarded.load(Ordering::SeqCst);
    if counted == total { Ok(()) } else { Err(Stopped::wrong(total, counted)) }
}
