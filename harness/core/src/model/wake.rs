//! The model of what is waited on: a condition variable with its mutex, and a futex.
//!
//! Rules: a wait on a condition variable gives up the mutex and registers in one, and returns with the mutex (POSIX
//! `pthread_cond_wait()`); a signal wakes one of those who wait, a broadcast all (POSIX `pthread_cond_broadcast()`); one may wake for no reason.
//! `FUTEX_WAIT` registers only if the word is as expected, and fails with `EAGAIN` otherwise; `FUTEX_WAKE` wakes as many as it was
//! asked to, of those who wait, and says how many (Linux `futex(2)`).

use super::{Call, Known, Model, Said, Trace, check};
use crate::{finding::Anomaly, plan::PlanChannel, wire::Outcome};
use spec::{Mechanism, Operation};
use std::collections::BTreeSet;

struct Wake {
    /// Whether there is a mutex, rather than a word.
    has_mutex: bool,
    initial: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    /// The futex's word.
    word: u64,
    /// Who holds the mutex.
    owner: Option<usize>,
    waiting: BTreeSet<usize>,
    woken: BTreeSet<usize>,
}

#[derive(Clone, Debug)]
enum Action {
    /// Registers; a futex only if the word is as expected.
    Register(u64),
    /// The word is not as expected.
    Differs(u64),
    /// Returns, woken or for no reason, with the mutex where there is one.
    Wake,
    /// Returns without having been woken: the time was up, or a signal came.
    GiveUp,
    /// One is woken, if any waits.
    Signal,
    Broadcast,
    /// Of at most so many that were to be woken, so many were.
    Count {
        most: u64,
        woken: u64,
    },
    Lock,
    Busy,
    Unlock,
    Store(u64),
    Load(u64),
}

pub(super) fn judge(channel: &PlanChannel, trace: &Trace<'_>) -> Said {
    let has_mutex = channel.mechanism == Mechanism::Condvar;
    let model = Wake { has_mutex, initial: channel.options.initial.unwrap_or(0) };
    match trace.calls.iter().map(|call| actions(call, has_mutex)).collect::<Result<Vec<_>, _>>() {
        Ok(actions) => check(&model, trace, &actions),
        Err(why) => Said::Undecided(why),
    }
}

fn actions(call: &Call<'_>, has_mutex: bool) -> Result<Known<Action>, String> {
    let errno = match call.outcome {
        Some(Outcome::Failed(errno)) => Some(errno.name()),
        _ => None,
    };
    let bits = match call.operation {
        Operation::WaitOn(wait) => wait.bits,
        Operation::Notify(notify) => notify.bits,
        _ => None,
    };
    if bits.is_some() {
        return Err("wake-ups name bits".to_owned());
    }
    let actions = match (call.operation, call.outcome, errno) {
        (Operation::WaitOn(wait), _, errno) => {
            let register = Action::Register(wait.expected.unwrap_or(0));
            let mut actions = match (errno, call.outcome) {
                (Some("EAGAIN"), _) if !has_mutex => vec![Action::Differs(wait.expected.unwrap_or(0))],
                (Some("ETIMEDOUT" | "EINTR"), _) if !has_mutex => vec![register, Action::GiveUp],
                (Some("ETIMEDOUT"), _) | (None, Some(_)) => vec![register, Action::Wake],
                (None, None) => vec![register],
                (Some(_), _) => Vec::new(),
            };
            if wait.unlock && matches!(actions.last(), Some(Action::Wake)) {
                actions.push(Action::Unlock);
            }
            actions
        }
        (Operation::Notify(notify), Some(Outcome::Count(woken)), _) => {
            let most = if notify.all { u64::MAX } else { notify.count.unwrap_or(1) };
            vec![Action::Count { most, woken: *woken }]
        }
        (Operation::Notify(notify), Some(Outcome::Done), _) if notify.all => vec![Action::Broadcast],
        (Operation::Notify(_), Some(Outcome::Done), _) => vec![Action::Signal],
        (Operation::Notify(_), None, _) => return Err("a call that wakes others did not return".to_owned()),
        (Operation::Lock(_), _, None) => vec![Action::Lock],
        (Operation::Lock(_), _, Some("EBUSY" | "ETIMEDOUT")) => vec![Action::Busy],
        (Operation::Unlock(_), _, None) => vec![Action::Unlock],
        (Operation::Store(store), _, None) => vec![Action::Store(store.value.unwrap_or(0))],
        (Operation::Load(_), Some(Outcome::Count(value)), _) => vec![Action::Load(*value)],
        (_, _, Some(_)) | (Operation::Close(_) | Operation::Load(_), _, None) => Vec::new(),
        (operation, ..) => return Err(format!("its model does not know this `{}`", operation.name())),
    };
    Ok(if call.outcome.is_some() { Known::All(actions) } else { Known::Some(actions) })
}

impl State {
    fn left(&self, process: usize) -> Self {
        let mut next = self.clone();
        next.waiting.remove(&process);
        next.woken.remove(&process);
        next
    }

    /// All the ways to wake this many of those who wait.
    fn waking(&self, count: usize) -> Vec<Self> {
        let mut ways = vec![(self.clone(), 0)];
        for process in &self.waiting {
            for (mut state, woken) in ways.clone() {
                if woken < count {
                    state.waiting.remove(process);
                    state.woken.insert(*process);
                    ways.push((state, woken + 1));
                }
            }
        }
        ways.into_iter().filter(|(_, woken)| *woken == count).map(|(state, _)| state).collect()
    }
}

impl Model for Wake {
    type State = State;
    type Action = Action;

    fn start(&self) -> State {
        State { word: self.initial, ..State::default() }
    }

    fn apply(&self, state: &State, process: usize, action: &Action) -> Vec<State> {
        let mut next = state.clone();
        let allowed = match action {
            Action::Register(expected) => {
                let ready = if self.has_mutex { state.owner == Some(process) } else { state.word == *expected };
                if self.has_mutex {
                    next.owner = None;
                }
                next.waiting.insert(process);
                ready
            }
            Action::Differs(expected) => state.word != *expected,
            Action::Wake => {
                next = state.left(process);
                if self.has_mutex {
                    next.owner = Some(process);
                }
                state.owner.is_none()
            }
            Action::GiveUp => {
                next = state.left(process);
                !state.woken.contains(&process)
            }
            Action::Signal => return state.waking(state.waiting.len().min(1)),
            Action::Broadcast => return state.waking(state.waiting.len()),
            Action::Count { most, woken } => {
                let due = usize::try_from(*most).unwrap_or(usize::MAX).min(state.waiting.len());
                return if usize::try_from(*woken) == Ok(due) { state.waking(due) } else { Vec::new() };
            }
            Action::Lock => {
                next.owner = Some(process);
                state.owner.is_none()
            }
            Action::Busy => state.owner.is_some(),
            Action::Unlock => {
                next.owner = None;
                true
            }
            Action::Store(value) => {
                next.word = *value;
                true
            }
            Action::Load(value) => state.word == *value,
        };
        if allowed { vec![next] } else { Vec::new() }
    }

    fn may_sleep(&self, state: &State, process: usize, call: &Call<'_>, done: usize) -> bool {
        match call.operation {
            Operation::WaitOn(_) => done > 0 && (!state.woken.contains(&process) || state.owner.is_some()),
            Operation::Lock(_) => state.owner.is_some(),
            _ => false,
        }
    }

    fn dead(&self, state: &State, process: usize) -> Vec<State> {
        // The mutex stays locked when its owner dies: it is not robust.
        vec![state.left(process)]
    }

    fn explain(&self, states: &[State], _: usize, action: &Action) -> (Anomaly, String) {
        let texts: BTreeSet<String> = states.iter().map(|state| self.describe(state)).collect();
        let states = texts.into_iter().collect::<Vec<_>>().join(", or ");
        match action {
            Action::Lock | Action::Wake => (Anomaly::BrokenExclusion, format!("it to wait for the mutex: {states}")),
            Action::Register(_) => (Anomaly::DidNotBlock, format!("it not to sleep: {states}")),
            Action::Differs(_) => (Anomaly::WrongError, format!("it to sleep: {states}")),
            Action::GiveUp | Action::Count { .. } => (Anomaly::LostWakeUp, states),
            Action::Load(_) => (Anomaly::Stale, states),
            _ => (Anomaly::WrongError, states),
        }
    }

    fn describe(&self, state: &State) -> String {
        let State { word, owner, waiting, woken } = state;
        let counts = format!("{} wait, {} are woken", waiting.len(), woken.len());
        match (self.has_mutex, owner) {
            (true, Some(_)) => format!("the mutex is held, {counts}"),
            (true, None) => format!("the mutex is free, {counts}"),
            (false, _) => format!("the word is {word}, {counts}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Wake};
    use crate::model::brute;
    use proptest::prelude::*;

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            (0_u64..2).prop_map(Action::Store),
            (0_u64..2).prop_map(Action::Load),
            (0_u64..2).prop_map(Action::Register),
            (0_u64..2).prop_map(Action::Differs),
            Just(Action::Wake),
            Just(Action::GiveUp),
            (0_u64..3, 0_u64..3).prop_map(|(most, woken)| Action::Count { most, woken }),
        ]
    }

    proptest! {
        #[test]
        fn the_checker_agrees_with_brute_force(calls in brute::calls(action(), 6)) {
            let model = Wake { has_mutex: false, initial: 0 };
            prop_assert_eq!(brute::accepts(&model, &calls), brute::some_order_is_allowed(&model, &calls));
        }
    }
}
