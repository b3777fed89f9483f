//! The model of a System V semaphore set.
//!
//! Rules (POSIX `semop()`): a change of several semaphores happens as a whole or not at all; a negative number needs a value at
//! least as large, zero needs the value zero; otherwise the call waits, or fails with `EAGAIN` where the operation that cannot
//! proceed says `IPC_NOWAIT`. What was done with `SEM_UNDO` is taken back when the process ends; a value does not fall below zero
//! by that (Linux `semop(2)`).

use super::{Call, Known, Model, Said, Trace, check};
use crate::{finding::Anomaly, plan::PlanChannel, wire::Outcome};
use spec::{Operation, operation::Change};
use std::collections::BTreeMap;

struct Set {
    size: usize,
    initial: i64,
}

/// The values, and what each process's end adds to each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    values: Vec<i64>,
    undo: BTreeMap<(usize, usize), i64>,
}

#[derive(Debug)]
enum Action {
    /// All of it happens.
    Change(Vec<One>),
    /// It cannot happen.
    Cannot(Vec<One>),
    /// A value was told.
    Is(usize, i64),
}

/// A change of one semaphore.
#[derive(Clone, Copy, Debug)]
struct One {
    number: usize,
    add: i64,
    undo: bool,
}

pub(super) fn judge(channel: &PlanChannel, trace: &Trace<'_>) -> Said {
    let model = Set {
        size: usize::try_from(channel.options.size.unwrap_or(1)).unwrap_or(usize::MAX),
        initial: i64::try_from(channel.options.initial.unwrap_or(0)).unwrap_or(i64::MAX),
    };
    match trace.calls.iter().map(actions).collect::<Result<Vec<_>, _>>() {
        Ok(actions) => check(&model, trace, &actions),
        Err(why) => Said::Undecided(why),
    }
}

fn ones(changes: &[Change]) -> Vec<One> {
    changes
        .iter()
        .map(|change| One {
            number: change.number.unwrap_or(0).into(),
            add: change.add.unwrap_or(0).into(),
            undo: change.undo,
        })
        .collect()
}

/// What a call asks for, as changes.
fn asked(operation: &Operation<u64>) -> Option<Vec<One>> {
    match operation {
        Operation::Semop(semop) => Some(ones(&semop.changes)),
        Operation::Wait(_) => Some(vec![One { number: 0, add: -1, undo: false }]),
        Operation::Post(post) => {
            let add = i64::try_from(post.value.unwrap_or(1)).unwrap_or(i64::MAX);
            Some(vec![One { number: 0, add, undo: false }])
        }
        _ => None,
    }
}

fn actions(call: &Call<'_>) -> Result<Known<Action>, String> {
    Ok(match (asked(call.operation), call.operation, call.outcome) {
        (Some(changes), _, Some(Outcome::Done)) => Known::All(vec![Action::Change(changes)]),
        (Some(changes), _, Some(Outcome::Failed(errno))) if errno.name() == "EAGAIN" => {
            Known::All(vec![Action::Cannot(changes)])
        }
        (Some(changes), _, None) => Known::Some(vec![Action::Change(changes)]),
        (None, Operation::Value(value), Some(Outcome::Count(count))) => {
            let number = usize::try_from(value.number.unwrap_or(0)).unwrap_or(usize::MAX);
            Known::All(vec![Action::Is(number, i64::try_from(*count).unwrap_or(i64::MAX))])
        }
        (_, _, Some(Outcome::Failed(_))) | (_, Operation::Close(_), _) => Known::All(Vec::new()),
        (_, Operation::Open(open), _) if !open.create => Known::All(Vec::new()),
        (_, operation, _) => return Err(format!("its model does not know this `{}`", operation.name())),
    })
}

impl Set {
    /// The values after a change, one semaphore after another; `None` where it has to wait.
    fn changed(values: &[i64], changes: &[One]) -> Option<Vec<i64>> {
        let mut values = values.to_vec();
        for change in changes {
            let value = values.get_mut(change.number)?;
            if change.add == 0 && *value != 0 {
                return None;
            }
            *value += change.add;
            if *value < 0 {
                return None;
            }
        }
        Some(values)
    }
}

impl Model for Set {
    type State = State;
    type Action = Action;

    fn start(&self) -> State {
        State { values: vec![self.initial; self.size], undo: BTreeMap::new() }
    }

    fn apply(&self, state: &State, process: usize, action: &Action) -> Vec<State> {
        match action {
            Action::Change(changes) => {
                let Some(values) = Self::changed(&state.values, changes) else { return Vec::new() };
                let mut undo = state.undo.clone();
                for change in changes.iter().filter(|change| change.undo && change.add != 0) {
                    *undo.entry((process, change.number)).or_default() -= change.add;
                }
                undo.retain(|_, add| *add != 0);
                vec![State { values, undo }]
            }
            Action::Cannot(changes) if Self::changed(&state.values, changes).is_none() => vec![state.clone()],
            Action::Is(number, told) if state.values.get(*number) == Some(told) => vec![state.clone()],
            Action::Cannot(_) | Action::Is(..) => Vec::new(),
        }
    }

    fn may_sleep(&self, state: &State, _: usize, call: &Call<'_>, _: usize) -> bool {
        asked(call.operation).is_none_or(|changes| Self::changed(&state.values, &changes).is_none())
    }

    fn nearest(&self, state: &State, _: usize, action: &Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            // Of a change that could not be, nobody knows how much there was of it.
            Action::Change(_) => return None,
            Action::Cannot(_) => {}
            Action::Is(number, told) => *next.values.get_mut(*number)? = *told,
        }
        Some(next)
    }

    fn dead(&self, state: &State, process: usize) -> Vec<State> {
        let mut state = state.clone();
        for ((_, number), add) in state.undo.iter().filter(|((who, _), _)| *who == process) {
            if let Some(value) = state.values.get_mut(*number) {
                *value = (*value + add).max(0);
            }
        }
        state.undo.retain(|(who, _), _| *who != process);
        vec![state]
    }

    fn explain(&self, states: &[State], _: usize, action: &Action) -> (Anomaly, String) {
        let states = described(self, states);
        match action {
            Action::Change(_) => (Anomaly::Phantom, format!("it to wait, or to fail: {states}")),
            Action::Cannot(_) => (Anomaly::Lost, format!("it to happen: {states}")),
            Action::Is(..) => (Anomaly::WrongValue, states),
        }
    }

    fn describe(&self, state: &State) -> String {
        let values: Vec<String> = state.values.iter().map(i64::to_string).collect();
        format!("the values are {}", values.join(" "))
    }
}

fn described(model: &Set, states: &[State]) -> String {
    let mut texts: Vec<String> = states.iter().map(|state| model.describe(state)).collect();
    texts.sort();
    texts.dedup();
    texts.join(", or ")
}
