//! The model of a counter: a semaphore, or an event counter.
//!
//! Rules: a wait takes one and needs a value above zero, otherwise it waits, or fails with `EAGAIN` where it was not to wait
//! (POSIX `sem_wait()`, `sem_trywait()`); a post adds (POSIX `sem_post()`); a timed wait gives up only while the value is zero
//! (POSIX `sem_clockwait()`). A read of an event counter gives the whole value and leaves zero, or one with `EFD_SEMAPHORE`; a
//! write waits where the sum would exceed 2^64 - 2 (Linux `eventfd(2)`). The death of a process changes nothing.

use super::{Call, Known, Model, Said, Trace, check};
use crate::{finding::Anomaly, plan::PlanChannel, wire::Outcome};
use spec::{Mechanism, Operation};

/// The largest value of an event counter.
const EVENTS_MAX: u64 = u64::MAX - 1;

struct Counter {
    initial: u64,
    max: u64,
}

#[derive(Clone, Debug)]
enum Action {
    /// One is taken.
    Take,
    /// All is taken: this much.
    TakeAll(u64),
    Add(u64),
    /// The value is zero: a wait that was not to wait failed, or one that was to wait for a time.
    IsZero,
    /// There is no room for this much more.
    IsFull(u64),
    /// The value was told.
    Is(u64),
}

pub(super) fn judge(channel: &PlanChannel, trace: &Trace<'_>) -> Said {
    let is_eventfd = matches!(channel.mechanism, Mechanism::Eventfd | Mechanism::EventfdSemaphore);
    let model = Counter {
        initial: channel.options.initial.unwrap_or(0),
        // The largest value of a semaphore is the system's: its post fails there, and has no effect then.
        max: if is_eventfd { EVENTS_MAX } else { u64::MAX },
    };
    match trace.calls.iter().map(|call| actions(call, channel.mechanism)).collect::<Result<Vec<_>, _>>() {
        Ok(actions) => check(&model, trace, &actions),
        Err(why) => Said::Undecided(why),
    }
}

fn actions(call: &Call<'_>, mechanism: Mechanism) -> Result<Known<Action>, String> {
    let all_at_once = mechanism == Mechanism::Eventfd;
    Ok(match (call.operation, call.outcome) {
        (Operation::Wait(_), Some(Outcome::Count(value))) if all_at_once => Known::All(vec![Action::TakeAll(*value)]),
        (Operation::Wait(_), Some(Outcome::Done | Outcome::Count(1))) => Known::All(vec![Action::Take]),
        (Operation::Wait(_), Some(Outcome::Failed(errno))) => match errno.name() {
            "EAGAIN" | "ETIMEDOUT" => Known::All(vec![Action::IsZero]),
            _ => Known::All(Vec::new()),
        },
        (Operation::Wait(_), None) if !all_at_once => Known::Some(vec![Action::Take]),
        (Operation::Post(post), Some(Outcome::Done)) => Known::All(vec![Action::Add(post.value.unwrap_or(1))]),
        (Operation::Post(post), Some(Outcome::Failed(errno))) => match errno.name() {
            "EAGAIN" => Known::All(vec![Action::IsFull(post.value.unwrap_or(1))]),
            _ => Known::All(Vec::new()),
        },
        (Operation::Post(post), None) => Known::Some(vec![Action::Add(post.value.unwrap_or(1))]),
        (Operation::Value(_), Some(Outcome::Count(value))) => Known::All(vec![Action::Is(*value)]),
        // Readiness is a matter of its own, and a close is one of the process's.
        (Operation::Poll(_) | Operation::EpollAdd(_) | Operation::Close(_), _) | (_, Some(Outcome::Failed(_))) => {
            Known::All(Vec::new())
        }
        (Operation::Open(open), _) if !open.create => Known::All(Vec::new()),
        (operation, _) => return Err(format!("its model does not know this `{}`", operation.name())),
    })
}

impl Model for Counter {
    type State = u64;
    type Action = Action;

    fn start(&self) -> u64 {
        self.initial
    }

    fn apply(&self, value: &u64, _: usize, action: &Action) -> Vec<u64> {
        let next = match action {
            Action::Take => value.checked_sub(1),
            Action::TakeAll(all) => (*all > 0 && all == value).then_some(0),
            Action::Add(more) => value.checked_add(*more).filter(|sum| *sum <= self.max),
            Action::IsZero => (*value == 0).then_some(0),
            Action::IsFull(more) => {
                let room = value.checked_add(*more).is_some_and(|sum| sum <= self.max);
                (!room).then_some(*value)
            }
            Action::Is(told) => (told == value).then_some(*value),
        };
        next.into_iter().collect()
    }

    fn may_sleep(&self, value: &u64, _: usize, call: &Call<'_>, _: usize) -> bool {
        match call.operation {
            Operation::Wait(_) => *value == 0,
            Operation::Post(post) => value.checked_add(post.value.unwrap_or(1)).is_none_or(|sum| sum > self.max),
            // A poll waits for readiness, which this model does not judge.
            _ => true,
        }
    }

    fn nearest(&self, value: &u64, _: usize, action: &Action) -> Option<u64> {
        Some(match action {
            Action::Take => value.saturating_sub(1),
            Action::TakeAll(_) => 0,
            Action::Add(more) => value.saturating_add(*more).min(self.max),
            Action::IsZero | Action::IsFull(_) => *value,
            Action::Is(told) => *told,
        })
    }

    fn explain(&self, states: &[u64], _: usize, action: &Action) -> (Anomaly, String) {
        let values = values(states);
        match action {
            Action::Take => (Anomaly::Phantom, format!("it to wait, or to fail: the value is {values}")),
            Action::TakeAll(_) => (Anomaly::WrongValue, values),
            Action::Add(_) => (Anomaly::DidNotBlock, format!("it to wait, or to fail: the value is {values}")),
            Action::IsZero => (Anomaly::Lost, format!("it to take one: the value is {values}")),
            Action::IsFull(_) => (Anomaly::WrongError, format!("it to add: the value is {values}")),
            Action::Is(told) if states.iter().all(|value| value > told) => (Anomaly::Lost, values),
            Action::Is(_) => (Anomaly::WrongValue, values),
        }
    }

    fn describe(&self, value: &u64) -> String {
        format!("the value is {value}")
    }
}

fn values(states: &[u64]) -> String {
    let mut values: Vec<u64> = states.to_vec();
    values.sort_unstable();
    values.dedup();
    values.iter().map(u64::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::{Action, Counter};
    use crate::model::brute;
    use proptest::prelude::*;

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            Just(Action::Take),
            (1_u64..3).prop_map(Action::Add),
            Just(Action::IsZero),
            (1_u64..4).prop_map(Action::IsFull),
            (0_u64..4).prop_map(Action::Is),
            (1_u64..4).prop_map(Action::TakeAll),
        ]
    }

    proptest! {
        #[test]
        fn the_checker_agrees_with_brute_force(calls in brute::calls(action(), 7), initial in 0_u64..2) {
            let model = Counter { initial, max: 3 };
            prop_assert_eq!(brute::accepts(&model, &calls), brute::some_order_is_allowed(&model, &calls));
        }
    }
}
