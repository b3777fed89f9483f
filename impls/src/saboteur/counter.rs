//! Faults of counters.

use super::{
    Ground,
    over::{self, CounterFault},
};
use crate::ability::{Counter, Failure, Object, Patience, Result};
use impls_sys::sysv::Change;
use nix::{errno::Errno, sched::sched_yield};
use spec::{Mechanism, Operation};
use std::time::Duration;

/// Forgets every second post of a process.
#[derive(Default)]
struct LosePosts {
    posts: u64,
}

impl CounterFault for LosePosts {
    fn post(&mut self, counter: &mut dyn Counter, value: u64, patience: Patience) -> Result<()> {
        self.posts += 1;
        if self.posts.is_multiple_of(2) { Ok(()) } else { counter.post(value, patience) }
    }
}

pub(super) fn lose_posts(object: Object, _: &Ground) -> Object {
    over::counter(object, LosePosts::default())
}

/// Posts twice.
struct PostTwice;

impl CounterFault for PostTwice {
    fn post(&mut self, counter: &mut dyn Counter, value: u64, patience: Patience) -> Result<()> {
        counter.post(value, patience)?;
        let _ = counter.post(value, Patience::Never);
        Ok(())
    }
}

pub(super) fn post_twice(object: Object, _: &Ground) -> Object {
    over::counter(object, PostTwice)
}

/// Gives back at once what a wait has taken.
struct TakeNothing;

impl CounterFault for TakeNothing {
    fn wait(&mut self, counter: &mut dyn Counter, patience: Patience) -> Result<Option<u64>> {
        let taken = counter.wait(patience)?;
        counter.post(taken.unwrap_or(1), Patience::Never)?;
        Ok(taken)
    }
}

pub(super) fn take_nothing(object: Object, _: &Ground) -> Object {
    over::counter(object, TakeNothing)
}

/// Looks at the value, and takes later, whether it can or not.
struct CheckThenTake;

impl CounterFault for CheckThenTake {
    fn wait(&mut self, counter: &mut dyn Counter, patience: Patience) -> Result<Option<u64>> {
        if counter.value(0)? == 0 {
            return counter.wait(patience);
        }
        let _ = sched_yield();
        let _ = counter.wait(Patience::Never);
        Ok(None)
    }
}

pub(super) fn check_then_take(object: Object, _: &Ground) -> Object {
    over::counter(object, CheckThenTake)
}

/// Makes the changes of a set one after another.
struct OneByOne;

impl CounterFault for OneByOne {
    fn change(&mut self, counter: &mut dyn Counter, changes: &[Change], timeout: Option<Duration>) -> Result<()> {
        if changes.len() < 2 {
            return counter.change(changes, timeout);
        }
        for change in changes {
            counter.change(&[*change], timeout)?;
            let _ = sched_yield();
        }
        Ok(())
    }
}

pub(super) fn one_by_one(object: Object, _: &Ground) -> Object {
    over::counter(object, OneByOne)
}

/// Waits for no zero.
struct IgnoreZero;

impl CounterFault for IgnoreZero {
    fn change(&mut self, counter: &mut dyn Counter, changes: &[Change], timeout: Option<Duration>) -> Result<()> {
        let others: Vec<Change> = changes.iter().filter(|change| change.add != 0).copied().collect();
        if others.is_empty() && !changes.is_empty() { Ok(()) } else { counter.change(&others, timeout) }
    }
}

pub(super) fn ignore_zero(object: Object, _: &Ground) -> Object {
    over::counter(object, IgnoreZero)
}

/// Tells a value that is one too high.
struct TellOneMore;

impl CounterFault for TellOneMore {
    fn value(&mut self, counter: &mut dyn Counter, number: u64) -> Result<u64> {
        counter.value(number).map(|value| value + 1)
    }
}

pub(super) fn tell_one_more(object: Object, _: &Ground) -> Object {
    over::counter(object, TellOneMore)
}

/// Forgets a post for which there is no room, and says that it was made.
struct SwallowOverflow;

impl CounterFault for SwallowOverflow {
    fn post(&mut self, counter: &mut dyn Counter, value: u64, patience: Patience) -> Result<()> {
        let never = if matches!(patience, Patience::Forever) { Patience::Never } else { patience };
        match counter.post(value, never) {
            Err(Failure::Errno(Errno::EAGAIN | Errno::EOVERFLOW)) => Ok(()),
            posted => posted,
        }
    }
}

pub(super) fn swallow_overflow(object: Object, _: &Ground) -> Object {
    over::counter(object, SwallowOverflow)
}

/// Says that a wait was too long though it took something.
struct TimeOutTooLate;

impl CounterFault for TimeOutTooLate {
    fn wait(&mut self, counter: &mut dyn Counter, patience: Patience) -> Result<Option<u64>> {
        if !matches!(patience, Patience::For(_)) {
            return counter.wait(patience);
        }
        match counter.wait(Patience::Never) {
            Err(Failure::Errno(Errno::EAGAIN)) => {
                counter.wait(patience)?;
                Err(Errno::ETIMEDOUT.into())
            }
            taken => taken,
        }
    }

    fn change(&mut self, counter: &mut dyn Counter, changes: &[Change], timeout: Option<Duration>) -> Result<()> {
        let Some(timeout) = timeout else { return counter.change(changes, None) };
        match counter.change(changes, Some(Duration::ZERO)) {
            Err(Failure::Errno(Errno::EAGAIN)) => {
                counter.change(changes, Some(timeout))?;
                Err(Errno::EAGAIN.into())
            }
            changed => changed,
        }
    }
}

pub(super) fn time_out_too_late(object: Object, _: &Ground) -> Object {
    over::counter(object, TimeOutTooLate)
}

/// Waits on where a signal should have ended the wait.
struct WaitOn;

impl CounterFault for WaitOn {
    fn wait(&mut self, counter: &mut dyn Counter, patience: Patience) -> Result<Option<u64>> {
        loop {
            match counter.wait(patience) {
                Err(Failure::Errno(Errno::EINTR)) => {}
                waited => return waited,
            }
        }
    }

    fn change(&mut self, counter: &mut dyn Counter, changes: &[Change], timeout: Option<Duration>) -> Result<()> {
        loop {
            match counter.change(changes, timeout) {
                Err(Failure::Errno(Errno::EINTR)) => {}
                changed => return changed,
            }
        }
    }
}

pub(super) fn wait_on(object: Object, _: &Ground) -> Object {
    over::counter(object, WaitOn)
}

/// An event counter of the other kind.
pub(super) fn of_the_other_kind(mechanism: Mechanism, _: &mut spec::scenario::Channel<u64>) -> Mechanism {
    match mechanism {
        Mechanism::Eventfd => Mechanism::EventfdSemaphore,
        Mechanism::EventfdSemaphore => Mechanism::Eventfd,
        mechanism => mechanism,
    }
}

/// A counter that begins with one more.
pub(super) fn begin_with_one_more(mechanism: Mechanism, options: &mut spec::scenario::Channel<u64>) -> Mechanism {
    options.initial = Some(options.initial.unwrap_or(0).saturating_add(1));
    mechanism
}

/// Forgets `SEM_UNDO`.
pub(super) fn forget_undo(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Semop(semop) = operation {
        semop.changes.iter_mut().for_each(|change| change.undo = false);
    }
}

/// Asks for `SEM_UNDO` of its own accord.
pub(super) fn undo_unasked(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Semop(semop) = operation {
        semop.changes.iter_mut().filter(|change| change.add != Some(0)).for_each(|change| change.undo = true);
    }
}
