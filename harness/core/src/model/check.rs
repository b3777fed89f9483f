//! The checker: which states of a model a history leaves possible.

use super::trace::{Call, Mark, Trace};
use crate::finding::Anomaly;
use std::{collections::BTreeSet, fmt::Debug, hash::Hash, rc::Rc};

/// A set whose order depends on nothing but its members: the same history gets the same words.
type Set<T> = rustc_hash::FxHashSet<T>;

/// How many possibilities are looked at for one mark of a history before the checker gives up and says so.
const BUDGET: usize = 20_000;

/// How many more may be looked at for each mark of a long history.
const BUDGET_PER_MARK: usize = 50;

/// How many violations of one history are told.
const VIOLATIONS_MAX: usize = 4;

/// What a call did, as far as its outcome tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known<A> {
    /// These actions, one after another; none for a call that failed without an effect.
    All(Vec<A>),
    /// Not how many of these: it never returned.
    Some(Vec<A>),
}

impl<A> Known<A> {
    /// The actions.
    #[must_use]
    pub fn actions(&self) -> &[A] {
        let (Self::All(actions) | Self::Some(actions)) = self;
        actions
    }
}

/// A set of kinds of actions, a bit each: the model says which is which.
pub type Kinds = u32;

/// A pure state machine.
pub trait Model {
    /// A state. Equal states are judged once.
    type State: Clone + Debug + Eq + Hash;
    /// One atomic thing that a call does.
    type Action: Debug;

    /// The state in which a run begins.
    fn start(&self) -> Self::State;

    /// The states in which an action of a process may leave this one; none where it is not allowed.
    fn apply(&self, state: &Self::State, process: usize, action: &Self::Action) -> Vec<Self::State>;

    /// The kind of an action, as one bit: what [`Model::may_precede`] tells actions apart by.
    fn kind(&self, _action: &Self::Action) -> Kinds {
        1
    }

    /// The kinds of actions before which an action that is allowed in this state may be done without loss, while its call is
    /// pending: whatever others can do before it, if it is of these kinds alone, they can do after it as well, in one order or
    /// another, and that leaves the same state. The search follows one order then, where it would follow all.
    fn may_precede(&self, _state: &Self::State, _process: usize, _action: &Self::Action) -> Kinds {
        0
    }

    /// Whether a call of a process may sleep in this state, having done its first `done` actions.
    fn may_sleep(&self, state: &Self::State, process: usize, call: &Call<'_>, done: usize) -> bool;

    /// The states nearest to this one in which an action that was not allowed may have left it all the same, for the checking to go
    /// on from; `None` where nothing can be told of what comes after.
    fn nearest(&self, _state: &Self::State, _process: usize, _action: &Self::Action) -> Option<Self::State> {
        None
    }

    /// The states in which the death of a process may leave this one.
    fn dead(&self, state: &Self::State, _process: usize) -> Vec<Self::State> {
        vec![state.clone()]
    }

    /// The field's name for an action that is allowed in none of these states, and what was allowed, as a person would say it.
    fn explain(&self, states: &[Self::State], process: usize, action: &Self::Action) -> (Anomaly, String);

    /// A state, as a person would say it.
    fn describe(&self, state: &Self::State) -> String;
}

/// What the model says of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It may be.
    Allowed,
    /// It may not: the violations in their order. Those after the first were found from the nearest state that is allowed.
    Violated(Vec<Violation>),
    /// It was not judged, and why.
    Undecided(String),
}

/// What may not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field's name for it.
    pub anomaly: Anomaly,
    /// Who made the call.
    pub process: usize,
    /// In which step.
    pub step: usize,
    /// The event that shows it.
    pub event: usize,
    /// What was allowed, as a person would say it.
    pub allowed: String,
    /// Whether it slept, rather than returned.
    pub slept: bool,
    /// Whether it comes after another one of the same history, and was found from the nearest state that is allowed.
    pub follows: bool,
}

/// A call that has begun and not returned, or a process that may be dying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Call(usize),
    Death(usize),
}

/// One possibility: a state, and how many of its actions each pending call has done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Possibility<S> {
    state: Rc<S>,
    done: Vec<u16>,
}

/// No more actions: the process is dead.
const FROZEN: u16 = u16::MAX;

/// Of which kinds the actions are that a call has left, by how many it has done.
#[derive(Debug)]
struct Left {
    /// For each action of each call: its kind, and those of all actions of its call after it.
    kinds: Vec<Kinds>,
    /// Where the actions of each call begin; and at last, where they end.
    starts: Vec<usize>,
}

impl Left {
    fn of<M: Model>(model: &M, actions: &[Known<M::Action>]) -> Self {
        let mut left = Self { kinds: Vec::new(), starts: vec![0] };
        for known in actions {
            let start = left.kinds.len();
            left.kinds.extend(known.actions().iter().map(|action| model.kind(action)));
            let mut after = 0;
            for kinds in left.kinds[start..].iter_mut().rev() {
                *kinds |= after;
                after = *kinds;
            }
            left.starts.push(left.kinds.len());
        }
        left
    }

    fn kinds(&self, call: usize, done: usize) -> Kinds {
        self.kinds[self.starts[call]..self.starts[call + 1]].get(done).copied().unwrap_or(0)
    }
}

/// The checker of one channel.
#[derive(Debug)]
pub struct Check<'c, M: Model> {
    model: &'c M,
    trace: &'c Trace<'c>,
    actions: &'c [Known<M::Action>],
    left: Left,
    pending: Vec<Pending>,
    possible: Set<Possibility<M::State>>,
    /// Calls that were asleep, as they may be, when everybody was at rest.
    slept: BTreeSet<usize>,
    /// How many possibilities were looked at for this mark, and for all.
    seen: usize,
    seen_before: usize,
    /// Calls that sleep without a reason: told once.
    told_of: Vec<usize>,
}

/// Judges a trace; `actions` are those of each of its calls.
pub fn check<M: Model>(model: &M, trace: &Trace<'_>, actions: &[Known<M::Action>]) -> Said {
    let mut check = Check {
        model,
        trace,
        actions,
        left: Left::of(model, actions),
        pending: Vec::new(),
        possible: std::iter::once(Possibility { state: Rc::new(model.start()), done: Vec::new() }).collect(),
        slept: BTreeSet::new(),
        seen: 0,
        seen_before: 0,
        told_of: Vec::new(),
    };
    let budget = BUDGET + trace.marks.len() * BUDGET_PER_MARK;
    let mut violations = Vec::new();
    for mark in &trace.marks {
        let follows = !violations.is_empty();
        violations.extend(check.step(mark).map(|violation| Violation { follows, ..violation }));
        if violations.len() >= VIOLATIONS_MAX || check.possible.is_empty() {
            break;
        }
        if check.seen > BUDGET || check.seen_before > budget {
            let looked_at = check.seen + check.seen_before;
            return match violations.is_empty() {
                true => Said::Undecided(format!("gave up after {looked_at} possibilities")),
                false => Said::Violated(violations),
            };
        }
        check.seen_before += std::mem::take(&mut check.seen);
    }
    if violations.is_empty() { Said::Allowed } else { Said::Violated(violations) }
}

impl<M: Model> Check<'_, M> {
    fn step(&mut self, mark: &Mark) -> Option<Violation> {
        match mark {
            Mark::Begin(call) => {
                self.add(Pending::Call(*call));
                None
            }
            Mark::Return(call) => self.returned(*call),
            Mark::Rest { event, asleep } => self.at_rest(*event, asleep),
            Mark::Dying(process) => {
                self.add(Pending::Death(*process));
                None
            }
            Mark::Dead(process) => {
                self.died(*process);
                None
            }
        }
    }

    fn add(&mut self, pending: Pending) {
        self.pending.push(pending);
        let known = std::mem::take(&mut self.possible);
        self.possible = known
            .into_iter()
            .map(|mut possibility| {
                possibility.done.push(0);
                possibility
            })
            .collect();
    }

    /// Forgets a pending call that is done in every possibility.
    fn remove(&mut self, place: usize) {
        self.pending.remove(place);
        let known = std::mem::take(&mut self.possible);
        self.possible = known
            .into_iter()
            .map(|mut possibility| {
                possibility.done.remove(place);
                possibility
            })
            .collect();
    }

    /// How many actions a pending thing does in all.
    fn length(&self, pending: Pending) -> usize {
        match pending {
            Pending::Call(call) => self.actions[call].actions().len(),
            Pending::Death(_) => 1,
        }
    }

    fn is_done(&self, possibility: &Possibility<M::State>, place: usize) -> bool {
        let done = possibility.done[place];
        done != FROZEN && usize::from(done) >= self.length(self.pending[place])
    }

    /// What one more action of a pending call, or a death, makes of a possibility.
    fn advance(&self, possibility: &Possibility<M::State>, place: usize) -> Vec<Possibility<M::State>> {
        let done = possibility.done[place];
        if done == FROZEN || self.is_done(possibility, place) {
            return Vec::new();
        }
        let (states, process) = match self.pending[place] {
            Pending::Call(call) => {
                let process = self.trace.calls[call].process;
                let actions = self.actions[call].actions();
                (self.model.apply(&possibility.state, process, &actions[usize::from(done)]), None)
            }
            Pending::Death(process) => (self.model.dead(&possibility.state, process), Some(process)),
        };
        states
            .into_iter()
            .map(|state| {
                let mut next = Possibility { state: Rc::new(state), done: possibility.done.clone() };
                next.done[place] += 1;
                if let Some(process) = process {
                    self.freeze(process, &mut next);
                }
                next
            })
            .collect()
    }

    /// The dead make no calls.
    fn freeze(&self, process: usize, possibility: &mut Possibility<M::State>) {
        for (pending, done) in self.pending.iter().zip(&mut possibility.done) {
            if let Pending::Call(call) = pending
                && self.trace.calls[*call].process == process
            {
                *done = FROZEN;
            }
        }
    }

    /// Everything that may have become of what was possible, by any actions of pending calls in any order. A possibility in
    /// which `goal` is done is not followed further: what else may have happened by then may as well happen later.
    fn closure(&mut self, goal: Option<usize>) -> Set<Possibility<M::State>> {
        let mut reached = self.possible.clone();
        let mut open: Vec<Possibility<M::State>> = self.possible.iter().cloned().collect();
        while let Some(possibility) = open.pop() {
            self.seen += 1;
            if self.seen > BUDGET {
                break;
            }
            if goal.is_some_and(|goal| self.is_done(&possibility, goal)) {
                continue;
            }
            let mut follow = |next: Possibility<M::State>| {
                if reached.insert(next.clone()) {
                    open.push(next);
                }
            };
            match goal.and_then(|goal| self.advance_first(&possibility, goal)) {
                Some(next) => next.into_iter().for_each(&mut follow),
                None => {
                    (0..self.pending.len()).flat_map(|place| self.advance(&possibility, place)).for_each(&mut follow);
                }
            }
        }
        reached
    }

    /// What the next action of the goal makes of a possibility, where it is allowed and may come before all that the other pending
    /// calls do: they may as well do it later.
    fn advance_first(&self, possibility: &Possibility<M::State>, goal: usize) -> Option<Vec<Possibility<M::State>>> {
        // A death ends calls in the midst of what they do.
        let Pending::Call(call) = self.pending[goal] else { return None };
        let action = self.actions[call].actions().get(usize::from(possibility.done[goal]))?;
        let may_precede = self.model.may_precede(&possibility.state, self.trace.calls[call].process, action);
        for (place, pending) in self.pending.iter().enumerate() {
            let done = possibility.done[place];
            let left = match *pending {
                _ if place == goal || done == FROZEN => continue,
                Pending::Call(other) => self.left.kinds(other, usize::from(done)),
                Pending::Death(_) => return None,
            };
            if left & !may_precede != 0 {
                return None;
            }
        }
        Some(self.advance(possibility, goal)).filter(|next| !next.is_empty())
    }

    fn place_of(&self, wanted: Pending) -> Option<usize> {
        self.pending.iter().position(|pending| *pending == wanted)
    }

    fn returned(&mut self, call: usize) -> Option<Violation> {
        let place = self.place_of(Pending::Call(call))?;
        if let Some(state) = self.after_it_alone(call) {
            self.seen += 1;
            self.pending.clear();
            self.possible = std::iter::once(Possibility { state: Rc::new(state), done: Vec::new() }).collect();
            return None;
        }
        let mut reached = self.closure(Some(place));
        if self.seen > BUDGET {
            return None;
        }
        let before: Vec<Possibility<M::State>> =
            reached.extract_if(|possibility| !self.is_done(possibility, place)).collect();
        let violation = reached.is_empty().then(|| self.not_allowed(call, place, &before));
        if violation.is_some() {
            reached = self.nearest(call, place, before);
        }
        self.possible = reached;
        if !self.possible.is_empty() {
            self.remove(place);
        }
        violation
    }

    /// The state after a call that overlaps with no other, where there is but one before and one after each of its actions: most
    /// calls of most histories are like that, and there is nothing to search then.
    fn after_it_alone(&self, call: usize) -> Option<M::State> {
        let [Pending::Call(_)] = self.pending.as_slice() else { return None };
        let mut possible = self.possible.iter();
        let (Some(only), None) = (possible.next(), possible.next()) else { return None };
        let actions = self.actions[call].actions();
        let done = *only.done.first().filter(|done| **done != FROZEN)?;
        let mut state: Option<M::State> = None;
        for action in &actions[usize::from(done)..] {
            let before = state.as_ref().unwrap_or_else(|| &*only.state);
            let mut after = self.model.apply(before, self.trace.calls[call].process, action).into_iter();
            state = after.next().filter(|_| after.next().is_none());
            state.as_ref()?;
        }
        Some(state.unwrap_or_else(|| M::State::clone(&only.state)))
    }

    /// What is left of possibilities that do not allow a call that has returned: as if it had done what it told of all the same.
    fn nearest(&self, call: usize, place: usize, before: Vec<Possibility<M::State>>) -> Set<Possibility<M::State>> {
        let process = self.trace.calls[call].process;
        let actions = self.actions[call].actions();
        let furthest = before.iter().map(|possibility| possibility.done[place]).filter(|done| *done != FROZEN).max();
        let at_furthest = before.into_iter().filter(|possibility| Some(possibility.done[place]) == furthest);
        at_furthest
            .filter_map(|mut possibility| {
                for action in &actions[usize::from(possibility.done[place])..] {
                    let allowed = self.model.apply(&possibility.state, process, action).into_iter().next();
                    let next = allowed.or_else(|| self.model.nearest(&possibility.state, process, action))?;
                    possibility.state = Rc::new(next);
                    possibility.done[place] += 1;
                }
                Some(possibility)
            })
            .collect()
    }

    fn not_allowed(&self, call: usize, place: usize, before: &[Possibility<M::State>]) -> Violation {
        let Call { process, step, event, .. } = self.trace.calls[call];
        // The action that no possibility got over: the furthest that any came to.
        let furthest = before.iter().map(|possibility| possibility.done[place]).filter(|done| *done != FROZEN).max();
        let actions = self.actions[call].actions();
        let explained = furthest.and_then(|done| {
            let states: Vec<M::State> = before
                .iter()
                .filter(|possibility| possibility.done[place] == done)
                .map(|possibility| M::State::clone(&possibility.state))
                .collect();
            Some(self.model.explain(&states, process, actions.get(usize::from(done))?))
        });
        let (anomaly, allowed) =
            explained.unwrap_or_else(|| (Anomaly::Phantom, "nothing: its process was dead".to_owned()));
        Violation { anomaly, process, step, event, allowed, slept: false, follows: false }
    }

    fn at_rest(&mut self, event: usize, asleep: &[usize]) -> Option<Violation> {
        let reached = self.closure(None);
        if self.seen > BUDGET {
            return None;
        }
        let awake = |possibility: &Possibility<M::State>| {
            asleep.iter().copied().filter(|call| !self.told_of.contains(call)).find(|call| {
                let Some(place) = self.place_of(Pending::Call(*call)) else { return false };
                let call = &self.trace.calls[*call];
                let done = possibility.done[place];
                // A call that failed without an effect waited until it did, and says nothing of when that was.
                let complete = done > 0
                    && matches!(self.pending[place], Pending::Call(call) if matches!(self.actions[call], Known::All(_)))
                    && self.is_done(possibility, place);
                done != FROZEN
                    && (complete || !self.model.may_sleep(&possibility.state, call.process, call, usize::from(done)))
            })
        };
        let resting: Set<_> = reached.iter().filter(|possibility| awake(possibility).is_none()).cloned().collect();
        if resting.is_empty() {
            // The possibility in which most has happened is the one to tell of.
            let furthest = reached
                .iter()
                .max_by_key(|possibility| possibility.done.iter().map(|done| u64::from(*done)).sum::<u64>())?;
            let index = awake(furthest)?;
            let Call { process, step, .. } = self.trace.calls[index];
            let allowed = format!("it to return: {}", self.model.describe(&furthest.state));
            // Where a call sleeps that had no reason to from its beginning on, nobody has forgotten to wake it.
            let anomaly = if self.trace.one_by_one && !self.slept.contains(&index) {
                Anomaly::Blocked
            } else {
                Anomaly::LostWakeUp
            };
            // From here on it may as well sleep.
            self.told_of.push(index);
            self.possible = reached;
            return Some(Violation { anomaly, process, step, event, allowed, slept: true, follows: false });
        }
        self.possible = resting;
        self.slept.extend(asleep);
        None
    }

    fn died(&mut self, process: usize) {
        let Some(place) = self.place_of(Pending::Death(process)) else { return };
        let mut reached = self.closure(Some(place));
        reached.retain(|possibility| self.is_done(possibility, place));
        if reached.is_empty() {
            return;
        }
        self.possible = reached;
        self.remove(place);
        // What it had begun is over.
        while let Some(place) = self
            .pending
            .iter()
            .position(|pending| matches!(pending, Pending::Call(call) if self.trace.calls[*call].process == process))
        {
            self.remove(place);
        }
    }
}
