//! The model of what is waited on: a condition variable with its mutex, and a futex.
//!
//! Rules: a wait on a condition variable gives up the mutex and registers in one, and returns with the mutex (POSIX
//! `pthread_cond_wait()`); a signal wakes one of those who wait, a broadcast all (POSIX `pthread_cond_broadcast()`); one may wake for no reason.
//! `FUTEX_WAIT` registers only if the word is as expected, and fails with `EAGAIN` otherwise; `FUTEX_WAKE` wakes as many as it was
//! asked to, of those who wait, and says how many; `FUTEX_CMP_REQUEUE` also has others wait on another word (Linux `futex(2)`). Who waits on
//! several words comes to them one by one, and is told one by which it was woken; until it has gone, others can wake it by the rest
//! (Linux `futex_waitv()`).

use super::{Call, Known, Model, Said, Trace, check};
use crate::{finding::Anomaly, plan::PlanChannel, wire::Outcome};
use spec::{Mechanism, Operation};
use std::collections::{BTreeMap, BTreeSet};

struct Wake {
    /// Whether there is a mutex, rather than words.
    has_mutex: bool,
    initial: u64,
    words: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    /// The futex's words.
    words: Vec<u64>,
    /// Who holds the mutex.
    owner: Option<usize>,
    /// Who waits, and on which words.
    waiting: BTreeMap<usize, BTreeSet<usize>>,
    /// Who is woken, and by which words.
    woken: BTreeMap<usize, BTreeSet<usize>>,
}

#[derive(Clone, Debug)]
enum Action {
    /// Registers on a word; that of a futex must be as expected.
    Register(usize, u64),
    /// One of the words is not as expected.
    Differs(Vec<usize>, u64),
    /// Returns, woken or for no reason, with the mutex where there is one. Who waited on several words is told one.
    Wake(Option<usize>),
    /// Returns without having been woken: the time was up, or a signal came.
    GiveUp,
    /// One is woken, if any waits.
    Signal,
    Broadcast,
    /// Of at most so many that were to be woken, so many were.
    Count {
        word: usize,
        most: u64,
        woken: u64,
    },
    /// Some were woken and others moved, so many together.
    Requeue {
        word: usize,
        to: usize,
        most: u64,
        moved: u64,
        expected: u64,
        total: u64,
    },
    Lock,
    Busy,
    Unlock,
    Store(usize, u64),
    Load(usize, u64),
}

pub(super) fn judge(channel: &PlanChannel, trace: &Trace<'_>) -> Said {
    let has_mutex = channel.mechanism == Mechanism::Condvar;
    let requeues = trace.calls.iter().any(|call| matches!(call.operation, Operation::Requeue(_)));
    let on_several = |call: &Call<'_>| matches!(call.operation, Operation::WaitOnAny(_));
    if requeues && trace.calls.iter().any(on_several) {
        return Said::Undecided("who waits on several words is moved to others".to_owned());
    }
    let words = usize::try_from(channel.options.size.unwrap_or(1)).unwrap_or(1);
    let model = Wake { has_mutex, initial: channel.options.initial.unwrap_or(0), words };
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
        (Operation::WaitOnAny(wait), outcome, errno) => {
            let words: Vec<usize> = wait.words.iter().map(|word| usize::from(*word)).collect();
            let expected = wait.expected.unwrap_or(0);
            let mut actions: Vec<Action> = words.iter().map(|word| Action::Register(*word, expected)).collect();
            match (errno, outcome) {
                (Some("EAGAIN"), _) => actions = vec![Action::Differs(words, expected)],
                (Some("ETIMEDOUT" | "EINTR"), _) => actions.push(Action::GiveUp),
                (None, Some(Outcome::Count(place))) => {
                    let told = usize::try_from(*place).ok().and_then(|place| words.get(place)).copied();
                    actions.push(Action::Wake(Some(told.unwrap_or(usize::MAX))));
                }
                (None, None) => {}
                _ => actions.clear(),
            }
            actions
        }
        (Operation::WaitOn(wait), _, errno) => {
            let word = place(wait.word, 0);
            let expected = wait.expected.unwrap_or(0);
            let register = Action::Register(word, expected);
            let mut actions = match (errno, call.outcome) {
                (Some("EAGAIN"), _) if !has_mutex => vec![Action::Differs(vec![word], expected)],
                (Some("ETIMEDOUT" | "EINTR"), _) if !has_mutex => vec![register, Action::GiveUp],
                (Some("ETIMEDOUT"), _) | (None, Some(_)) => vec![register, Action::Wake(None)],
                (None, None) => vec![register],
                (Some(_), _) => Vec::new(),
            };
            if wait.unlock && matches!(actions.last(), Some(Action::Wake(_))) {
                actions.push(Action::Unlock);
            }
            actions
        }
        (Operation::Notify(notify), Some(Outcome::Count(woken)), _) => {
            let most = if notify.all { u64::MAX } else { notify.count.unwrap_or(1) };
            vec![Action::Count { word: place(notify.word, 0), most, woken: *woken }]
        }
        (Operation::Requeue(requeue), Some(Outcome::Count(total)), _) => vec![Action::Requeue {
            word: place(requeue.word, 0),
            to: place(requeue.to, 1),
            most: requeue.count.unwrap_or(0),
            moved: requeue.moved.unwrap_or(1),
            expected: requeue.expected.unwrap_or(0),
            total: *total,
        }],
        (Operation::Requeue(requeue), Some(Outcome::Failed(_)), Some("EAGAIN")) => {
            vec![Action::Differs(vec![place(requeue.word, 0)], requeue.expected.unwrap_or(0))]
        }
        (Operation::Notify(notify), Some(Outcome::Done), _) if notify.all => vec![Action::Broadcast],
        (Operation::Notify(_), Some(Outcome::Done), _) => vec![Action::Signal],
        (Operation::Notify(_) | Operation::Requeue(_), None, _) => {
            return Err("a call that wakes others did not return".to_owned());
        }
        (Operation::Lock(_), _, None) => vec![Action::Lock],
        (Operation::Lock(_), _, Some("EBUSY" | "ETIMEDOUT")) => vec![Action::Busy],
        (Operation::Unlock(_), _, None) => vec![Action::Unlock],
        (Operation::Store(store), _, None) => vec![Action::Store(place(store.cell, 0), store.value.unwrap_or(0))],
        (Operation::Load(load), Some(Outcome::Count(value)), _) => vec![Action::Load(place(load.cell, 0), *value)],
        (_, _, Some(_)) | (Operation::Close(_) | Operation::Load(_), _, None) => Vec::new(),
        (operation, ..) => return Err(format!("its model does not know this `{}`", operation.name())),
    };
    Ok(if call.outcome.is_some() { Known::All(actions) } else { Known::Some(actions) })
}

/// The number of a word.
fn place(given: Option<u64>, otherwise: u64) -> usize {
    number(given.unwrap_or(otherwise))
}

fn number(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl State {
    fn left(&self, process: usize) -> Self {
        let mut next = self.clone();
        next.waiting.remove(&process);
        next.woken.remove(&process);
        next
    }

    /// Who waits on a word: those that nobody has woken yet, and those that are woken by another of their words and have not gone yet.
    fn on(&self, word: usize) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let there = self.waiting.iter().filter(|(_, words)| words.contains(&word)).map(|(process, _)| *process);
        there.partition(|process| !self.woken.contains_key(process))
    }

    /// All the ways to do something to so many of those who wait on a word. Nobody is left out where more could be had.
    fn each_way(&self, word: usize, most: usize, count: usize, change: &dyn Fn(&mut Self, usize)) -> Vec<Self> {
        let (asleep, going) = self.on(word);
        let mut ways = vec![(self.clone(), BTreeSet::new())];
        let there: Vec<usize> = asleep.union(&going).copied().collect();
        for (place, process) in there.iter().enumerate() {
            for (mut state, mut done) in ways.clone() {
                if done.len() < count {
                    change(&mut state, *process);
                    done.insert(*process);
                    ways.push((state, done));
                }
            }
            let to_come = there.len() - place - 1;
            ways.retain(|(_, done)| done.len() + to_come >= count);
        }
        let whole = |done: &BTreeSet<usize>| done.len() == count && (count == most || done.is_superset(&asleep));
        ways.into_iter().filter(|(_, done)| whole(done)).map(|(state, _)| state).collect()
    }

    /// All the ways to wake so many of those who wait on a word, if at most this many may be woken.
    fn waking(&self, word: usize, most: usize, count: usize) -> Vec<Self> {
        self.each_way(word, most, count, &|state, process| {
            state.take(process, word);
            state.woken.entry(process).or_default().insert(word);
        })
    }

    /// All the ways to have so many of those who wait on a word wait on another.
    fn moving(&self, word: usize, to: usize, most: usize, count: usize) -> Vec<Self> {
        self.each_way(word, most, count, &|state, process| {
            state.take(process, word);
            state.waiting.entry(process).or_default().insert(to);
        })
    }

    /// Takes a process from a word.
    fn take(&mut self, process: usize, word: usize) {
        if let Some(words) = self.waiting.get_mut(&process) {
            words.remove(&word);
            if words.is_empty() {
                self.waiting.remove(&process);
            }
        }
    }

    /// Whether words of a futex have a value. A word that is not there has none.
    fn are(&self, words: &[usize], value: u64) -> bool {
        words.iter().all(|word| self.words.get(*word) == Some(&value))
    }
}

impl Model for Wake {
    type State = State;
    type Action = Action;

    fn start(&self) -> State {
        State { words: vec![self.initial; self.words], ..State::default() }
    }

    fn apply(&self, state: &State, process: usize, action: &Action) -> Vec<State> {
        let mut next = state.clone();
        let allowed = match action {
            Action::Register(word, expected) => {
                let ready = if self.has_mutex { state.owner == Some(process) } else { state.are(&[*word], *expected) };
                if self.has_mutex {
                    next.owner = None;
                }
                next.waiting.entry(process).or_default().insert(*word);
                ready
            }
            Action::Differs(words, expected) => !state.are(words, *expected),
            Action::Wake(told) => {
                next = state.left(process);
                if self.has_mutex {
                    next.owner = Some(process);
                }
                let by = state.woken.get(&process);
                state.owner.is_none() && told.is_none_or(|told| by.is_some_and(|by| by.contains(&told)))
            }
            Action::GiveUp => {
                next = state.left(process);
                !state.woken.contains_key(&process)
            }
            Action::Signal => return state.waking(0, 1, state.on(0).0.len().min(1)),
            Action::Broadcast => return state.waking(0, usize::MAX, state.on(0).0.len()),
            Action::Count { word, most, woken } => return state.waking(*word, number(*most), number(*woken)),
            Action::Requeue { word, to, most, moved, expected, total } => {
                let (most, moved, total) = (number(*most), number(*moved), number(*total));
                if !state.are(&[*word], *expected) {
                    return Vec::new();
                }
                let woken = total.min(most);
                let ways = state.waking(*word, most, woken);
                return ways.iter().flat_map(|state| state.moving(*word, *to, moved, total - woken)).collect();
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
            Action::Store(word, value) => {
                if let Some(word) = next.words.get_mut(*word) {
                    *word = *value;
                }
                true
            }
            Action::Load(word, value) => state.are(&[*word], *value),
        };
        if allowed { vec![next] } else { Vec::new() }
    }

    fn may_sleep(&self, state: &State, process: usize, call: &Call<'_>, done: usize) -> bool {
        match call.operation {
            Operation::WaitOn(_) => done > 0 && (!state.woken.contains_key(&process) || state.owner.is_some()),
            Operation::WaitOnAny(wait) => done >= wait.words.len() && !state.woken.contains_key(&process),
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
            Action::Wake(Some(_)) => (Anomaly::WrongValue, states),
            Action::Lock | Action::Wake(_) => (Anomaly::BrokenExclusion, format!("it to wait for the mutex: {states}")),
            Action::Register(..) => (Anomaly::DidNotBlock, format!("it not to sleep: {states}")),
            Action::Differs(..) => (Anomaly::WrongError, format!("it to sleep: {states}")),
            Action::GiveUp | Action::Count { .. } | Action::Requeue { .. } => (Anomaly::LostWakeUp, states),
            Action::Load(..) => (Anomaly::Stale, states),
            _ => (Anomaly::WrongError, states),
        }
    }

    fn describe(&self, state: &State) -> String {
        let State { words, owner, waiting, woken } = state;
        let counts = format!("{} wait, {} are woken", waiting.len(), woken.len());
        match (self.has_mutex, owner) {
            (true, Some(_)) => format!("the mutex is held, {counts}"),
            (true, None) => format!("the mutex is free, {counts}"),
            (false, _) => match words.as_slice() {
                [word] => format!("the word is {word}, {counts}"),
                words => {
                    let words: Vec<String> = words.iter().map(u64::to_string).collect();
                    format!("the words are {}, {counts}", words.join(" "))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Wake};
    use crate::model::brute;
    use proptest::prelude::*;

    fn word() -> impl Strategy<Value = usize> {
        0_usize..2
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            (word(), 0_u64..2).prop_map(|(word, value)| Action::Store(word, value)),
            (word(), 0_u64..2).prop_map(|(word, value)| Action::Load(word, value)),
            (word(), 0_u64..2).prop_map(|(word, value)| Action::Register(word, value)),
            (word(), 0_u64..2).prop_map(|(word, value)| Action::Differs(vec![word], value)),
            prop::option::of(word()).prop_map(Action::Wake),
            Just(Action::GiveUp),
            (word(), 0_u64..3, 0_u64..3).prop_map(|(word, most, woken)| Action::Count { word, most, woken }),
            (0_u64..2, 0_u64..3, 0_u64..3).prop_map(|(most, moved, total)| {
                Action::Requeue { word: 0, to: 1, most, moved, expected: 0, total }
            }),
        ]
    }

    proptest! {
        #[test]
        fn the_checker_agrees_with_brute_force(calls in brute::calls(action(), 6)) {
            let model = Wake { has_mutex: false, initial: 0, words: 2 };
            prop_assert_eq!(brute::accepts(&model, &calls), brute::some_order_is_allowed(&model, &calls));
        }
    }
}
