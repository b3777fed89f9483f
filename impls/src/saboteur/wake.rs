//! Faults of what is waited on.

use super::{
    Ground,
    over::{self, WakeFault},
    own_condition::{self, Wrong},
};
use crate::{
    ability::{Bytes, Object, Patience, Result, Sleepers, Wake},
    mechanism::{OpenError, Opened},
};
use harness_core::wire::Outcome;
use nix::{errno::Errno, sched::sched_yield};
use spec::{Mechanism, Operation, scenario};
use std::sync::atomic::Ordering;

type Made = std::result::Result<Box<dyn Opened>, OpenError>;

pub(super) fn unlocks_then_sleeps(_: Mechanism, _: &scenario::Channel<u64>) -> Made {
    own_condition::make(Wrong::UnlocksThenSleeps)
}

pub(super) fn keeps_the_mutex(_: Mechanism, _: &scenario::Channel<u64>) -> Made {
    own_condition::make(Wrong::KeepsTheMutex)
}

/// Notifies nobody.
struct ForgetNotify;

impl WakeFault for ForgetNotify {
    fn notify(&mut self, wake: &mut dyn Wake, _: Sleepers) -> Result<Option<u64>> {
        // A futex tells how many it woke, a condition variable does not.
        Ok(wake.mutex().is_none().then_some(0))
    }
}

pub(super) fn forget_notify(object: Object, _: &Ground) -> Object {
    over::wake(object, ForgetNotify)
}

/// Notifies nobody where two or more wait.
struct ForgetTwoWaiters {
    ground: Ground,
}

impl WakeFault for ForgetTwoWaiters {
    fn wait_on(&mut self, wake: &mut dyn Wake, expected: u64, patience: Patience) -> Result<()> {
        self.ground.word(0).fetch_add(1, Ordering::SeqCst);
        let woken = wake.wait_on(expected, patience);
        self.ground.word(0).fetch_sub(1, Ordering::SeqCst);
        woken
    }

    fn notify(&mut self, wake: &mut dyn Wake, sleepers: Sleepers) -> Result<Option<u64>> {
        if sleepers == Sleepers::Some(1) && self.ground.word(0).load(Ordering::SeqCst) >= 2 {
            return Ok(wake.mutex().is_none().then_some(0));
        }
        wake.notify(sleepers)
    }
}

pub(super) fn forget_two_waiters(object: Object, ground: &Ground) -> Object {
    over::wake(object, ForgetTwoWaiters { ground: ground.clone() })
}

/// Sleeps whatever the word is.
struct SleepBlindly;

impl WakeFault for SleepBlindly {
    fn wait_on(&mut self, wake: &mut dyn Wake, _: u64, patience: Patience) -> Result<()> {
        let expected = wake.load()?;
        wake.wait_on(expected, patience)
    }
}

pub(super) fn sleep_blindly(object: Object, _: &Ground) -> Object {
    over::wake(object, SleepBlindly)
}

/// Looks at the word, and sleeps later, whatever it is by then.
struct CheckThenSleep;

impl WakeFault for CheckThenSleep {
    fn wait_on(&mut self, wake: &mut dyn Wake, expected: u64, patience: Patience) -> Result<()> {
        if wake.load()? != expected {
            return Err(Errno::EAGAIN.into());
        }
        let _ = sched_yield();
        let now = wake.load()?;
        wake.wait_on(now, patience)
    }
}

pub(super) fn check_then_sleep(object: Object, _: &Ground) -> Object {
    over::wake(object, CheckThenSleep)
}

/// Comes back from a wait without the mutex.
struct ReturnWithoutMutex;

impl WakeFault for ReturnWithoutMutex {
    fn wait_on(&mut self, wake: &mut dyn Wake, expected: u64, patience: Patience) -> Result<()> {
        let woken = wake.wait_on(expected, patience);
        if let Some(mutex) = wake.mutex() {
            let _ = mutex.unlock(Bytes::default());
        }
        woken
    }
}

pub(super) fn return_without_mutex(object: Object, _: &Ground) -> Object {
    over::wake(object, ReturnWithoutMutex)
}

/// Says that a wait was too long though somebody ended it.
struct TimeOutTooLate;

impl WakeFault for TimeOutTooLate {
    fn wait_on(&mut self, wake: &mut dyn Wake, expected: u64, patience: Patience) -> Result<()> {
        wake.wait_on(expected, patience)?;
        if matches!(patience, Patience::For(_)) { Err(Errno::ETIMEDOUT.into()) } else { Ok(()) }
    }
}

pub(super) fn time_out_too_late(object: Object, _: &Ground) -> Object {
    over::wake(object, TimeOutTooLate)
}

/// A barrier that waits for one less.
pub(super) fn one_less(mechanism: Mechanism, options: &mut scenario::Channel<u64>) -> Mechanism {
    options.initial = Some(options.initial.unwrap_or(2).saturating_sub(1).max(1));
    mechanism
}

/// A barrier that waits for one more.
pub(super) fn one_more(mechanism: Mechanism, options: &mut scenario::Channel<u64>) -> Mechanism {
    options.initial = Some(options.initial.unwrap_or(2) + 1);
    mechanism
}

/// Tells each that it is the one.
struct TellAll;

impl WakeFault for TellAll {
    fn arrive(&mut self, wake: &mut dyn Wake) -> Result<bool> {
        wake.arrive().map(|_| true)
    }
}

pub(super) fn tell_all(object: Object, _: &Ground) -> Object {
    over::wake(object, TellAll)
}

/// Tells nobody that it is the one.
struct TellNobody;

impl WakeFault for TellNobody {
    fn arrive(&mut self, wake: &mut dyn Wake) -> Result<bool> {
        wake.arrive().map(|_| false)
    }
}

pub(super) fn tell_nobody(object: Object, _: &Ground) -> Object {
    over::wake(object, TellNobody)
}

/// Wakes one where all were to be woken.
pub(super) fn wake_one_of_all(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Notify(notify) = operation {
        (notify.all, notify.count) = (false, None);
    }
}

/// Wakes all where one was to be woken.
pub(super) fn wake_all_for_one(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Notify(notify) = operation {
        (notify.all, notify.count) = (true, None);
    }
}

/// Asks for wake-ups, and wakes, whatever bits were named.
pub(super) fn ignore_bits(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    match operation {
        Operation::WaitOn(wait) => wait.bits = None,
        Operation::Notify(notify) => notify.bits = None,
        _ => {}
    }
}

/// Tells of one less that was woken.
pub(super) fn count_one_less(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::Notify(_), Outcome::Count(count)) => Outcome::Count(count.saturating_sub(1)),
        (_, outcome) => outcome,
    }
}
