//! The model of locks: who holds what, in which mode, and what becomes of it when an owner dies.
//!
//! Rules: an exclusive lock excludes all others, shared ones exclude exclusive ones (POSIX `pthread_mutex_lock()`,
//! `pthread_rwlock_rdlock()`, `fcntl()`; Linux `flock(2)`); of file locks only ranges that overlap do. A recursive mutex counts, a file lock
//! is converted. A mutex whose owner died is passed on with `EOWNERDEAD` where it is robust, is not recoverable once it is unlocked
//! without `pthread_mutex_consistent()`, and stays locked where it is not robust. File locks end with their owner. Whether a reader
//! waits behind a writer that waits is left open.

use super::{Call, Known, Model, Said, Trace, check};
use crate::{Plan, finding::Anomaly, plan::PlanChannel, wire::Outcome};
use spec::{Mechanism, Operation, operation::Mode};
use std::collections::BTreeSet;

/// Which lock it is, as far as rules differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A mutex, spin lock or futex lock; one that is not robust stays locked for ever when its owner dies.
    Mutex { recursive: bool, robust: bool },
    /// A read-write lock.
    ReadWrite,
    /// A lock on a file, which ends with its owner. A conversion by `flock()` gives up the old lock first.
    File { gives_up_first: bool },
}

struct Lock {
    kind: Kind,
}

/// A range of bytes, both ends included.
type Bytes = (u64, u64);

/// What somebody holds. `times` is above one where it counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Hold {
    bytes: Bytes,
    owner: usize,
    exclusive: bool,
    times: u32,
}

/// What is known of what a robust mutex protects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Health {
    #[default]
    Good,
    /// An owner died, and nobody has taken it since.
    Orphaned,
    /// Somebody has taken it and not said that it is consistent.
    Doubtful,
    NotRecoverable,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    holds: BTreeSet<Hold>,
    health: Health,
}

#[derive(Clone, Debug)]
enum Action {
    Acquire {
        bytes: Bytes,
        exclusive: bool,
    },
    /// It was acquired, and the one before died with it.
    Inherit,
    /// Somebody holds what excludes it.
    Busy {
        bytes: Bytes,
        exclusive: bool,
    },
    /// What was held may be given up already, before the conversion.
    GiveUp(Bytes),
    Release(Bytes),
    Consistent,
    NotRecoverable,
    /// All that is held is released.
    Close,
}

pub(super) fn judge(plan: &Plan, channel: &PlanChannel, trace: &Trace<'_>) -> Said {
    let kind = match channel.mechanism {
        Mechanism::PthreadRwlock => Kind::ReadWrite,
        Mechanism::Flock => Kind::File { gives_up_first: true },
        Mechanism::RecordLock | Mechanism::OfdLock => Kind::File { gives_up_first: false },
        mechanism => Kind::Mutex {
            recursive: mechanism == Mechanism::PthreadMutexRecursive,
            robust: mechanism == Mechanism::PthreadMutexRobust,
        },
    };
    // These belong to open file descriptions, and which of those a process uses is not told.
    let of_descriptions = matches!(channel.mechanism, Mechanism::Flock | Mechanism::OfdLock);
    if of_descriptions && channel.options.shared_description || super::holders_change(plan, channel) {
        return Said::Undecided("processes share what holds it, or change it".to_owned());
    }
    let mut opened = BTreeSet::new();
    let twice = |call: &Call<'_>| matches!(call.operation, Operation::Open(_)) && !opened.insert(call.process);
    if trace.calls.iter().any(twice) {
        return Said::Undecided("a process opens the file more than once".to_owned());
    }
    match trace.calls.iter().map(|call| actions(call, kind)).collect::<Result<Vec<_>, _>>() {
        Ok(actions) => check(&Lock { kind }, trace, &actions),
        Err(why) => Said::Undecided(why),
    }
}

fn bytes(start: Option<u64>, length: Option<u64>) -> Bytes {
    let start = start.unwrap_or(0);
    let end = match length.unwrap_or(0) {
        // Up to the end of the file, wherever that comes to be.
        0 => u64::MAX,
        length => start.saturating_add(length - 1),
    };
    (start, end)
}

fn actions(call: &Call<'_>, kind: Kind) -> Result<Known<Action>, String> {
    let errno = match call.outcome {
        Some(Outcome::Failed(errno)) => Some(errno.name()),
        _ => None,
    };
    let actions = match (call.operation, errno) {
        (Operation::Lock(lock), errno) => {
            let bytes = bytes(lock.start, lock.length);
            let exclusive = lock.mode == Mode::Exclusive;
            let limited = lock.nonblocking || lock.timeout.is_some();
            let mut actions = match kind {
                Kind::File { gives_up_first: true } => vec![Action::GiveUp(bytes)],
                _ => Vec::new(),
            };
            match errno {
                None => actions.push(Action::Acquire { bytes, exclusive }),
                Some("EOWNERDEAD") => actions.push(Action::Inherit),
                Some("ENOTRECOVERABLE") => actions.push(Action::NotRecoverable),
                Some("EBUSY" | "EAGAIN" | "EACCES" | "EWOULDBLOCK" | "ETIMEDOUT") if limited => {
                    actions.push(Action::Busy { bytes, exclusive });
                }
                // It may have given up what it had before it was interrupted.
                Some(_) => {}
            }
            actions
        }
        (Operation::Unlock(unlock), None) => vec![Action::Release(bytes(unlock.start, unlock.length))],
        (Operation::Consistent(_), None) => vec![Action::Consistent],
        (Operation::Close(_), None) if matches!(kind, Kind::File { .. }) => vec![Action::Close],
        (Operation::Close(_) | Operation::Open(_), _) | (_, Some(_)) => Vec::new(),
        (operation, None) => return Err(format!("its model does not know this `{}`", operation.name())),
    };
    Ok(if call.outcome.is_some() { Known::All(actions) } else { Known::Some(actions) })
}

fn overlap(one: Bytes, other: Bytes) -> bool {
    one.0 <= other.1 && other.0 <= one.1
}

impl State {
    fn holds_of(&self, owner: usize) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(move |hold| hold.owner == owner)
    }

    /// Whether somebody else holds what excludes this.
    fn excluded(&self, owner: usize, bytes: Bytes, exclusive: bool) -> bool {
        self.holds.iter().any(|hold| hold.owner != owner && overlap(hold.bytes, bytes) && (exclusive || hold.exclusive))
    }

    /// Takes a range out of what an owner holds.
    fn without(&self, owner: usize, bytes: Bytes) -> Self {
        let mut state = Self { holds: BTreeSet::new(), health: self.health };
        for hold in &self.holds {
            if hold.owner != owner || !overlap(hold.bytes, bytes) {
                state.holds.insert(hold.clone());
                continue;
            }
            if hold.bytes.0 < bytes.0 {
                state.holds.insert(Hold { bytes: (hold.bytes.0, bytes.0 - 1), ..hold.clone() });
            }
            if hold.bytes.1 > bytes.1 {
                state.holds.insert(Hold { bytes: (bytes.1 + 1, hold.bytes.1), ..hold.clone() });
            }
        }
        state
    }

    fn with(mut self, hold: Hold) -> Self {
        self.holds.insert(hold);
        self
    }
}

impl Lock {
    /// What comes of acquiring it with nobody in the way.
    fn acquired(&self, state: &State, owner: usize, bytes: Bytes, exclusive: bool) -> Option<State> {
        let own = state.holds_of(owner).next().cloned();
        let fresh = Hold { bytes, owner, exclusive, times: 1 };
        match (self.kind, own) {
            (Kind::File { .. }, _) => Some(state.without(owner, bytes).with(fresh)),
            (_, None) => Some(state.clone().with(fresh)),
            (Kind::Mutex { recursive: true, .. }, Some(own)) => again(state, own),
            (Kind::ReadWrite, Some(own)) if !own.exclusive && !exclusive => again(state, own),
            _ => None,
        }
    }

    /// One less, or none at all.
    fn released(&self, state: &State, owner: usize, bytes: Bytes) -> State {
        if let Kind::File { .. } = self.kind {
            return state.without(owner, bytes);
        }
        // Who unlocks what another holds does what no clause defines, where that is not an error; then it is free.
        let held = state.holds_of(owner).next().or_else(|| state.holds.first()).cloned();
        let mut next = state.clone();
        let Some(hold) = held else { return next };
        next.holds.remove(&hold);
        if hold.times > 1 {
            next.holds.insert(Hold { times: hold.times - 1, ..hold });
        } else if next.health == Health::Doubtful {
            next.health = Health::NotRecoverable;
        }
        next
    }
}

fn again(state: &State, own: Hold) -> Option<State> {
    let mut next = state.clone();
    next.holds.remove(&own);
    Some(next.with(Hold { times: own.times + 1, ..own }))
}

impl Model for Lock {
    type State = State;
    type Action = Action;

    fn start(&self) -> State {
        State::default()
    }

    fn apply(&self, state: &State, process: usize, action: &Action) -> Vec<State> {
        let free = state.health == Health::Good || state.health == Health::Doubtful;
        let next = match action {
            Action::Acquire { bytes, exclusive } => (free && !state.excluded(process, *bytes, *exclusive))
                .then(|| self.acquired(state, process, *bytes, *exclusive))
                .flatten(),
            Action::Inherit => (state.health == Health::Orphaned).then(|| {
                let hold = Hold { bytes: (0, u64::MAX), owner: process, exclusive: true, times: 1 };
                State { holds: BTreeSet::from([hold]), health: Health::Doubtful }
            }),
            Action::Busy { bytes, exclusive } => {
                let own = state.holds_of(process).next().is_some() && !matches!(self.kind, Kind::File { .. });
                (own || state.excluded(process, *bytes, *exclusive)).then(|| state.clone())
            }
            Action::GiveUp(bytes) => return vec![state.clone(), state.without(process, *bytes)],
            Action::Release(bytes) => Some(self.released(state, process, *bytes)),
            Action::Consistent => {
                let doubtful = state.health == Health::Doubtful && state.holds_of(process).next().is_some();
                doubtful.then(|| State { health: Health::Good, ..state.clone() })
            }
            Action::NotRecoverable => (state.health == Health::NotRecoverable).then(|| state.clone()),
            Action::Close => Some(state.without(process, (0, u64::MAX))),
        };
        next.into_iter().collect()
    }

    fn may_sleep(&self, state: &State, process: usize, call: &Call<'_>, _: usize) -> bool {
        let Operation::Lock(lock) = call.operation else { return false };
        match (self.kind, state.health) {
            (_, Health::Orphaned | Health::NotRecoverable) => false,
            (Kind::Mutex { recursive: false, .. }, _) => !state.holds.is_empty(),
            // Readers may be made to wait behind a writer that waits.
            (Kind::ReadWrite, _) => !state.holds.is_empty(),
            _ => state.excluded(process, bytes(lock.start, lock.length), lock.mode == Mode::Exclusive),
        }
    }

    fn nearest(&self, state: &State, process: usize, action: &Action) -> Option<State> {
        match action {
            Action::Acquire { bytes, exclusive } => self.acquired(state, process, *bytes, *exclusive),
            Action::Busy { .. } | Action::Consistent => Some(state.clone()),
            _ => None,
        }
    }

    fn dead(&self, state: &State, process: usize) -> Vec<State> {
        let held = state.holds_of(process).next().is_some();
        match self.kind {
            Kind::File { .. } => vec![state.without(process, (0, u64::MAX))],
            Kind::Mutex { robust: true, .. } if held => {
                vec![State { holds: BTreeSet::new(), health: Health::Orphaned }]
            }
            Kind::Mutex { .. } | Kind::ReadWrite => vec![state.clone()],
        }
    }

    fn explain(&self, states: &[State], _: usize, action: &Action) -> (Anomaly, String) {
        let texts: BTreeSet<String> = states.iter().map(|state| self.describe(state)).collect();
        let states = texts.into_iter().collect::<Vec<_>>().join(", or ");
        match action {
            Action::Acquire { .. } if states.contains("died") => (Anomaly::WrongError, format!("EOWNERDEAD: {states}")),
            Action::Acquire { .. } => (Anomaly::BrokenExclusion, format!("it to wait, or to fail: {states}")),
            Action::Busy { .. } => (Anomaly::WrongError, format!("it to be acquired: {states}")),
            _ => (Anomaly::WrongError, states),
        }
    }

    fn describe(&self, state: &State) -> String {
        let held = match state.holds.len() {
            0 => "nobody holds it",
            1 => "somebody holds it",
            _ => "several hold it",
        };
        match state.health {
            Health::Good => held.to_owned(),
            Health::Orphaned => "its owner died".to_owned(),
            Health::Doubtful => format!("{held}, its owner before died"),
            Health::NotRecoverable => "it is not recoverable".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Kind, Lock};
    use crate::model::brute;
    use proptest::prelude::*;

    fn action() -> impl Strategy<Value = Action> {
        let bytes = || prop_oneof![Just((0_u64, u64::MAX)), Just((0, 4)), Just((3, 7))];
        prop_oneof![
            (bytes(), any::<bool>()).prop_map(|(bytes, exclusive)| Action::Acquire { bytes, exclusive }),
            bytes().prop_map(Action::Release),
            (bytes(), any::<bool>()).prop_map(|(bytes, exclusive)| Action::Busy { bytes, exclusive }),
            Just(Action::Close),
        ]
    }

    fn kind() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Mutex { recursive: false, robust: false }),
            Just(Kind::Mutex { recursive: true, robust: false }),
            Just(Kind::ReadWrite),
            Just(Kind::File { gives_up_first: false }),
        ]
    }

    proptest! {
        #[test]
        fn the_checker_agrees_with_brute_force(calls in brute::calls(action(), 6), kind in kind()) {
            let model = Lock { kind };
            prop_assert_eq!(brute::accepts(&model, &calls), brute::some_order_is_allowed(&model, &calls));
        }
    }
}
