//! The model of the signals of one process: which are blocked, which are pending, what its handlers have caught.
//!
//! Rules: a signal that is blocked stays pending until it is unblocked or accepted (POSIX XSH 2.4.1); real-time signals queue, each with
//! its value, in the order in which they were sent (POSIX `sigqueue()`, XSH 2.4.2), and of several that are pending the lowest number is
//! accepted first (POSIX `sigwaitinfo()`). Whether a standard signal that is sent again while it is pending is delivered more than once,
//! and which of its senders is told, is left open (XSH 2.4.1). A signal that is ignored is discarded, where it is not blocked;
//! ignoring it discards what is pending (XSH 2.4.3). A handler set with `SA_RESETHAND` serves once (POSIX `sigaction()`). `sigsuspend()` returns after a
//! handler has run (POSIX `sigsuspend()`).
//!
//! Which handler runs first when several signals come at once, and how soon a signal is delivered to a process that runs, no clause
//! says: so handlers are judged signal by signal, and where processes run freely they may lag behind. What the system sends of itself
//! (SIGCHLD, SIGPIPE, notifications of queues) is not followed.

use super::{Call, Known, Model, Said, Trace, check};
use crate::{
    Plan,
    finding::Anomaly,
    wire::{Outcome, SignalReport},
};
use spec::{
    Operation, Signal,
    operation::{ActionFlag, Disposition},
    scenario::Orders,
    signal::RealTime,
};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

/// Signals that the system sends of itself, or that stop and continue a process.
const FOREIGN: &[&str] = &[
    "SIGCHLD",
    "SIGPIPE",
    "SIGHUP",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGALRM",
    "SIGVTALRM",
    "SIGPROF",
    "SIGBUS",
    "SIGSEGV",
    "SIGFPE",
    "SIGILL",
    "SIGTRAP",
    "SIGSYS",
    "SIGXCPU",
    "SIGXFSZ",
];

/// Signals that stop a process: its handlers do not run then.
const STOPPING: &[&str] = &["SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"];

/// A signal that was sent.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Sent {
    /// The value of `sigqueue()`.
    value: Option<u64>,
    from: String,
}

/// What a process does with a signal, where that is not the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Reaction {
    catches: bool,
    once: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    blocked: BTreeSet<Signal>,
    reactions: BTreeMap<Signal, Reaction>,
    /// The pending ones, in the order in which they were sent.
    pending: BTreeMap<Signal, Vec<Sent>>,
    caught: BTreeMap<Signal, Vec<Sent>>,
    /// The mask to come back to from `sigsuspend()`, and whether a handler has run meanwhile.
    suspended: Option<(BTreeSet<Signal>, bool)>,
    /// A signal that ends it has come, or it has ended: whatever it does or not is beyond this model.
    is_over: bool,
}

#[derive(Clone, Debug)]
enum Action {
    Send(Signal, Sent),
    Mask {
        block: Vec<Signal>,
        unblock: Vec<Signal>,
    },
    React(Signal, Option<Reaction>),
    /// One of these is accepted, and this is what was told of it.
    Accept {
        set: Vec<Signal>,
        told: SignalReport,
        lowest_first: bool,
    },
    /// None of these is pending.
    None(Vec<Signal>),
    Suspend(Vec<Signal>),
    Resume,
    Pending(Vec<Signal>),
    Caught(Vec<SignalReport>),
}

struct Signals {
    /// The signals that are followed: all that are sent to the process by processes of the scenario, and by nobody else.
    followed: BTreeSet<Signal>,
    /// Whether a process at rest has been delivered all there was to deliver.
    prompt: bool,
}

/// Judges what a process is sent and what it makes of it; nothing where it has nothing to do with signals.
pub(super) fn judge(plan: &Plan, receiver: usize, trace: &Trace<'_>) -> Option<Said> {
    let asks = |call: &Call<'_>| {
        matches!(
            call.operation,
            Operation::Sigwait(_)
                | Operation::Sigsuspend(_)
                | Operation::Sigpending(_)
                | Operation::Caught(_)
                | Operation::SignalfdRead(_)
        )
    };
    if !trace.calls.iter().any(asks) {
        return None;
    }
    if let Some(why) = beyond(plan, receiver) {
        return Some(Said::Undecided(why));
    }
    let mut foreign = notified(plan, receiver);
    foreign.extend(FOREIGN.iter().filter_map(|name| name.parse().ok()));
    let model = Signals {
        followed: mentioned(trace).difference(&foreign).cloned().collect(),
        prompt: plan.is_story() || plan.orders == Orders::Every,
    };
    let mut of_descriptor = Vec::new();
    let actions: Result<Vec<Known<Action>>, String> =
        trace.calls.iter().map(|call| model.actions(plan, call, &mut of_descriptor)).collect();
    Some(match actions {
        Ok(actions) => check(&model, trace, &actions),
        Err(why) => Said::Undecided(why),
    })
}

/// Whether a call has to do with the signals of a process: it sends it one, or is its own and about signals.
pub(super) fn concerns(plan: &Plan, receiver: usize, process: usize, operation: &Operation<u64>) -> bool {
    let is_to = |name: &str| plan.process(name) == Some(receiver);
    match operation {
        Operation::Kill(kill) => kill.group || is_to(&kill.process),
        Operation::Sigqueue(queue) => is_to(&queue.process),
        Operation::PidfdSendSignal(send) => is_to(&send.process),
        Operation::Sigmask(_)
        | Operation::Sigaction(_)
        | Operation::Sigwait(_)
        | Operation::Sigsuspend(_)
        | Operation::Sigpending(_)
        | Operation::Caught(_)
        | Operation::Signalfd(_)
        | Operation::SignalfdRead(_) => process == receiver,
        _ => false,
    }
}

/// Why the signals of a process cannot be followed, where they cannot.
fn beyond(plan: &Plan, receiver: usize) -> Option<String> {
    if plan.processes[receiver].forked_by.is_some() {
        return Some("it was forked, and has its mask and handlers from its parent".to_owned());
    }
    plan.operations()
        .find_map(|(process, operation)| match operation {
            Operation::Kill(kill) if kill.group => Some("signals are sent to process groups"),
            Operation::Setpgid(_) => Some("process groups change"),
            Operation::Exec(_) if process == receiver => Some("it runs another program"),
            Operation::Kill(kill) if plan.process(&kill.process) == Some(receiver) && stops(kill.signal.as_ref()) => {
                Some("it is stopped, and handlers do not run meanwhile")
            }
            _ => None,
        })
        .map(str::to_owned)
}

fn stops(signal: Option<&Signal>) -> bool {
    signal.is_some_and(|signal| STOPPING.contains(&signal.name()))
}

/// The signals that a process asks the system for.
fn notified(plan: &Plan, receiver: usize) -> BTreeSet<Signal> {
    plan.operations()
        .filter(|(process, _)| *process == receiver)
        .filter_map(|(_, operation)| match operation {
            Operation::MqNotify(notify) => notify.signal.clone(),
            _ => None,
        })
        .collect()
}

/// All signals that calls speak of.
fn mentioned(trace: &Trace<'_>) -> BTreeSet<Signal> {
    let mut all = BTreeSet::new();
    for call in &trace.calls {
        match call.operation {
            Operation::Kill(kill) => all.extend(kill.signal.clone()),
            Operation::Sigqueue(queue) => all.extend(queue.signal.clone()),
            Operation::PidfdSendSignal(send) => all.extend(send.signal.clone()),
            Operation::Sigmask(mask) => all.extend(mask.block.iter().chain(&mask.unblock).cloned()),
            Operation::Sigaction(action) => all.extend(action.signal.clone()),
            Operation::Sigwait(wait) => all.extend(wait.signals.0.iter().cloned()),
            Operation::Sigsuspend(suspend) => all.extend(suspend.block.iter().cloned()),
            Operation::Signalfd(signalfd) => all.extend(signalfd.signals.0.iter().cloned()),
            _ => {}
        }
        if let Some(Outcome::Signals(reports)) = call.outcome {
            all.extend(reports.iter().map(|report| report.signal.clone()));
        }
    }
    all
}

/// Which of two real-time signals has the lower number, where their names tell.
fn compare(one: &Signal, other: &Signal) -> Option<Ordering> {
    match (one.real_time()?, other.real_time()?) {
        (RealTime::AboveMinimum(one), RealTime::AboveMinimum(other)) => Some(one.cmp(&other)),
        (RealTime::BelowMaximum(one), RealTime::BelowMaximum(other)) => Some(other.cmp(&one)),
        _ => None,
    }
}

impl Signals {
    fn follows(&self, signals: &[Signal]) -> bool {
        signals.iter().all(|signal| self.followed.contains(signal))
    }

    fn known(&self, signals: &[Signal]) -> Vec<Signal> {
        signals.iter().filter(|signal| self.followed.contains(*signal)).cloned().collect()
    }

    fn actions(&self, plan: &Plan, call: &Call<'_>, of_descriptor: &mut Vec<Signal>) -> Result<Known<Action>, String> {
        let sent = |signal: Option<&Signal>, value: Option<u64>| {
            let signal = signal.cloned().unwrap_or_else(kill_signal);
            let sent = Sent { value, from: plan.processes[call.process].name.clone() };
            // Signal 0 is none, and what is not followed is nobody's business here.
            if self.followed.contains(&signal) || signal == kill_signal() {
                vec![Action::Send(signal, sent)]
            } else {
                Vec::new()
            }
        };
        if let Some(Outcome::Failed(errno)) = call.outcome {
            let none = match call.operation {
                Operation::Sigwait(wait) if errno.name() == "EAGAIN" && self.follows(&wait.signals.0) => {
                    vec![Action::None(wait.signals.0.clone())]
                }
                Operation::SignalfdRead(_) if errno.name() == "EAGAIN" && self.follows(of_descriptor) => {
                    vec![Action::None(of_descriptor.clone())]
                }
                Operation::Sigsuspend(suspend) if errno.name() == "EINTR" => {
                    vec![Action::Suspend(suspend.block.clone()), Action::Resume]
                }
                _ => Vec::new(),
            };
            return Ok(Known::All(none));
        }
        let actions = match (call.operation, call.outcome) {
            (Operation::Kill(kill), _) => sent(kill.signal.as_ref(), None),
            (Operation::Sigqueue(queue), _) => sent(queue.signal.as_ref(), Some(queue.value.unwrap_or(0))),
            (Operation::PidfdSendSignal(send), _) => sent(send.signal.as_ref(), None),
            (Operation::Sigmask(mask), _) => {
                vec![Action::Mask { block: mask.block.clone(), unblock: mask.unblock.clone() }]
            }
            (Operation::Sigaction(action), _) => action.signal.iter().map(|signal| react(signal, action)).collect(),
            (Operation::Signalfd(signalfd), _) => {
                of_descriptor.clone_from(&signalfd.signals.0);
                Vec::new()
            }
            (Operation::Sigwait(wait), Some(Outcome::Signals(told))) => self.accepted(&wait.signals.0, told, true),
            (Operation::SignalfdRead(_), Some(Outcome::Signals(told))) => self.accepted(of_descriptor, told, false),
            (Operation::Sigsuspend(suspend), None) => vec![Action::Suspend(suspend.block.clone())],
            (Operation::Sigpending(_), Some(Outcome::Signals(told))) => {
                let names: Vec<Signal> = told.iter().map(|report| report.signal.clone()).collect();
                vec![Action::Pending(self.known(&names))]
            }
            (Operation::Caught(_), Some(Outcome::Signals(told))) => {
                let followed = told.iter().filter(|report| self.followed.contains(&report.signal));
                vec![Action::Caught(followed.cloned().collect())]
            }
            // What it may have accepted before it ended, nobody knows.
            (Operation::Sigwait(_) | Operation::SignalfdRead(_), None) => Vec::new(),
            (operation, _) => return Err(format!("its model does not know this `{}`", operation.name())),
        };
        Ok(if call.outcome.is_some() { Known::All(actions) } else { Known::Some(actions) })
    }

    fn accepted(&self, set: &[Signal], told: &[SignalReport], lowest_first: bool) -> Vec<Action> {
        let followed = told.iter().filter(|report| self.followed.contains(&report.signal));
        followed.map(|told| Action::Accept { set: self.known(set), told: told.clone(), lowest_first }).collect()
    }
}

fn kill_signal() -> Signal {
    "SIGKILL".parse().expect("SIGKILL is a signal")
}

fn react(signal: &Signal, action: &spec::operation::Sigaction) -> Action {
    let once = action.flags.contains(&ActionFlag::ResetHand);
    let reaction = match action.action {
        Disposition::Catch => Some(Reaction { catches: true, once }),
        Disposition::Ignore => Some(Reaction { catches: false, once }),
        Disposition::Default => None,
    };
    Action::React(signal.clone(), reaction)
}

/// Whether what was told of a signal fits one that was sent. What was not told fits all.
fn fits(told: &SignalReport, sent: &Sent) -> bool {
    // The value of a signal that came without one is not told, or is whatever it is.
    let value = told.value.is_none() || sent.value.is_none() || told.value == sent.value;
    let sender = told.from.as_ref().is_none_or(|from| *from == sent.from);
    value && sender
}

impl State {
    /// Delivers what is pending and not blocked.
    fn delivered(mut self) -> Self {
        let due: Vec<Signal> = self.pending.keys().filter(|signal| !self.blocked.contains(*signal)).cloned().collect();
        for signal in due {
            for sent in self.pending.remove(&signal).unwrap_or_default() {
                self.deliver(&signal, sent);
            }
        }
        self
    }

    fn deliver(&mut self, signal: &Signal, sent: Sent) {
        match self.reactions.get(signal).copied() {
            Some(Reaction { catches: true, once }) => {
                self.caught.entry(signal.clone()).or_default().push(sent);
                if let Some((_, has_run)) = &mut self.suspended {
                    *has_run = true;
                }
                if once {
                    self.reactions.remove(signal);
                }
            }
            Some(Reaction { catches: false, .. }) => {}
            None => self.is_over = true,
        }
    }

    /// The states in which one more signal may leave it.
    fn sent(&self, signal: &Signal, sent: &Sent) -> Vec<Self> {
        let mut next = self.clone();
        if *signal == kill_signal() {
            next.is_over = true;
            return vec![next];
        }
        let ignored = self.reactions.get(signal).is_some_and(|reaction| !reaction.catches);
        if !self.blocked.contains(signal) {
            next.deliver(signal, sent.clone());
            return vec![next];
        }
        let known = self.pending.get(signal).map_or(0, Vec::len);
        let mut states = Vec::new();
        if ignored {
            // It may be discarded at once, or stay pending.
            states.push(self.clone());
        }
        if known > 0 && signal.real_time().is_none() {
            // The one that is pending already stands for both, or this one does.
            states.push(self.clone());
            let mut replaced = self.clone();
            replaced.pending.insert(signal.clone(), vec![sent.clone()]);
            states.push(replaced);
        }
        next.pending.entry(signal.clone()).or_default().push(sent.clone());
        states.push(next);
        states
    }

    /// The pending ones of a set.
    fn waiting<'s>(&'s self, set: &'s [Signal]) -> impl Iterator<Item = &'s Signal> {
        set.iter().filter(|signal| self.pending.contains_key(*signal))
    }

    fn without_first(&self, signal: &Signal) -> Self {
        let mut next = self.clone();
        if let Some(queue) = next.pending.get_mut(signal) {
            queue.remove(0);
            if queue.is_empty() {
                next.pending.remove(signal);
            }
        }
        next
    }
}

impl Model for Signals {
    type State = State;
    type Action = Action;

    fn start(&self) -> State {
        State::default()
    }

    fn apply(&self, state: &State, _: usize, action: &Action) -> Vec<State> {
        if state.is_over {
            return vec![state.clone()];
        }
        let mut next = state.clone();
        let allowed = match action {
            Action::Send(signal, sent) => return state.sent(signal, sent),
            Action::Mask { block, unblock } => {
                next.blocked.extend(block.iter().cloned());
                next.blocked.retain(|signal| !unblock.contains(signal));
                next = next.delivered();
                true
            }
            Action::React(signal, reaction) => {
                match reaction {
                    Some(reaction) => next.reactions.insert(signal.clone(), *reaction),
                    None => next.reactions.remove(signal),
                };
                if reaction.is_some_and(|reaction| !reaction.catches) {
                    next.pending.remove(signal);
                }
                true
            }
            Action::Accept { set, told, lowest_first } => {
                next = state.without_first(&told.signal);
                // What is not blocked when it is waited for may be accepted or delivered: no clause says.
                let undefined = set.iter().any(|signal| !state.blocked.contains(signal));
                undefined || self.may_accept(state, set, told, *lowest_first)
            }
            Action::None(set) => state.waiting(set).next().is_none(),
            Action::Suspend(mask) => {
                next.suspended = Some((state.blocked.clone(), false));
                next.blocked = mask.iter().cloned().collect();
                next = next.delivered();
                true
            }
            Action::Resume => {
                let of_others = state.reactions.iter().any(|(signal, reaction)| {
                    // A handler of a signal that is not followed may have run.
                    reaction.catches && !self.followed.contains(signal)
                });
                let has_run = of_others || state.suspended.as_ref().is_none_or(|(_, has_run)| *has_run);
                if let Some((blocked, _)) = next.suspended.take() {
                    next.blocked = blocked;
                }
                has_run
            }
            Action::Pending(told) => {
                let told: BTreeSet<&Signal> = told.iter().collect();
                told == state.pending.keys().collect()
            }
            Action::Caught(told) => self.may_have_caught(state, told),
        };
        if allowed { vec![next] } else { Vec::new() }
    }

    fn may_sleep(&self, state: &State, _: usize, call: &Call<'_>, done: usize) -> bool {
        if state.is_over {
            return true;
        }
        match call.operation {
            Operation::Sigwait(wait) => {
                let undefined = wait.signals.0.iter().any(|signal| !state.blocked.contains(signal));
                undefined || !self.follows(&wait.signals.0) || state.waiting(&wait.signals.0).next().is_none()
            }
            Operation::Sigsuspend(_) => done == 1 && state.suspended.as_ref().is_some_and(|(_, has_run)| !has_run),
            _ => true,
        }
    }

    fn nearest(&self, state: &State, _: usize, action: &Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Accept { told, .. } => {
                let queue = state.pending.get(&told.signal).map_or(&[][..], Vec::as_slice);
                if let Some(place) = queue.iter().position(|sent| fits(told, sent)) {
                    next.pending.entry(told.signal.clone()).or_default().remove(place);
                    next.pending.retain(|_, queue| !queue.is_empty());
                }
            }
            Action::None(set) => next.pending.retain(|signal, _| !set.contains(signal)),
            Action::Resume => {
                if let Some((blocked, _)) = next.suspended.take() {
                    next.blocked = blocked;
                }
            }
            _ => {}
        }
        Some(next)
    }

    fn dead(&self, state: &State, _: usize) -> Vec<State> {
        vec![State { is_over: true, ..state.clone() }]
    }

    fn explain(&self, states: &[State], _: usize, action: &Action) -> (Anomaly, String) {
        let allowed: BTreeSet<String> = states.iter().map(|state| self.describe(state)).collect();
        let allowed = allowed.into_iter().collect::<Vec<_>>().join(", or ");
        let anomaly = match action {
            Action::Accept { told, .. } => explain_accepted(states, told),
            Action::None(_) => Anomaly::Lost,
            Action::Resume => Anomaly::DidNotBlock,
            Action::Pending(told) => {
                let missing = states.iter().all(|state| state.pending.keys().any(|signal| !told.contains(signal)));
                if missing { Anomaly::Lost } else { Anomaly::Phantom }
            }
            Action::Caught(told) => explain_caught(states, told, self.prompt),
            Action::Send(..) | Action::Mask { .. } | Action::React(..) | Action::Suspend(_) => Anomaly::Phantom,
        };
        (anomaly, allowed)
    }

    fn describe(&self, state: &State) -> String {
        let count = |queues: &BTreeMap<Signal, Vec<Sent>>| {
            let texts: Vec<String> = queues.iter().map(|(signal, sent)| format!("{signal} {}", told(sent))).collect();
            if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }
        };
        if state.is_over {
            return "it has ended".to_owned();
        }
        format!("pending is {}, caught was {}", count(&state.pending), count(&state.caught))
    }
}

/// How often a signal was sent, and with which values.
fn told(sent: &[Sent]) -> String {
    let values: Vec<String> = sent.iter().filter_map(|sent| sent.value).map(|value| value.to_string()).collect();
    match (sent.len(), values.as_slice()) {
        (1, []) => "once".to_owned(),
        (times, []) => format!("{times} times"),
        (_, values) => format!("with {}", values.join(", ")),
    }
}

impl Signals {
    /// Whether it is the first of its kind that is pending, and none of a lower number is.
    fn may_accept(&self, state: &State, set: &[Signal], told: &SignalReport, lowest_first: bool) -> bool {
        let first = state.pending.get(&told.signal).and_then(|queue| queue.first());
        let lower = |signal: &Signal| compare(signal, &told.signal) == Some(Ordering::Less);
        first.is_some_and(|first| fits(told, first)) && !(lowest_first && state.waiting(set).any(lower))
    }

    /// Whether handlers may have told this: of each signal all that were delivered, or the first of them where handlers may lag.
    fn may_have_caught(&self, state: &State, told: &[SignalReport]) -> bool {
        let by_signal = by_signal(told);
        let fits_one = |signal: &Signal| {
            let told = by_signal.get(signal).map_or(&[][..], Vec::as_slice);
            let sent = state.caught.get(signal).map_or(&[][..], Vec::as_slice);
            let complete = told.len() == sent.len() || !self.prompt && told.len() < sent.len();
            complete && told.iter().zip(sent).all(|(told, sent)| fits(told, sent))
        };
        by_signal.keys().copied().chain(state.caught.keys()).all(fits_one)
    }
}

fn by_signal(told: &[SignalReport]) -> BTreeMap<&Signal, Vec<&SignalReport>> {
    let mut by_signal: BTreeMap<&Signal, Vec<&SignalReport>> = BTreeMap::new();
    for report in told {
        by_signal.entry(&report.signal).or_default().push(report);
    }
    by_signal
}

fn explain_accepted(states: &[State], told: &SignalReport) -> Anomaly {
    let queues = || states.iter().filter_map(|state| state.pending.get(&told.signal));
    if queues().next().is_none() {
        return Anomaly::Phantom;
    }
    let fits_first = queues().filter_map(|queue| queue.first()).any(|sent| fits(told, sent));
    let fits_other = queues().flatten().any(|sent| fits(told, sent));
    if fits_first || fits_other { Anomaly::Reordered } else { Anomaly::WrongValue }
}

/// `prompt` says whether fewer than were delivered are wrong.
fn explain_caught(states: &[State], told: &[SignalReport], prompt: bool) -> Anomaly {
    let by_signal = by_signal(told);
    let lengths = |state: &State| {
        let all: BTreeSet<&Signal> = by_signal.keys().copied().chain(state.caught.keys()).collect();
        let one = |signal: &Signal| {
            let told = by_signal.get(signal).map_or(0, Vec::len);
            told.cmp(&state.caught.get(signal).map_or(0, Vec::len))
        };
        let orders: Vec<Ordering> = all.into_iter().map(one).collect();
        (prompt && orders.contains(&Ordering::Less), orders.contains(&Ordering::Greater))
    };
    let lengths: Vec<(bool, bool)> = states.iter().map(lengths).collect();
    let sent_before = |report: &&SignalReport| states.iter().any(|state| state.caught.contains_key(&report.signal));
    match () {
        () if lengths.iter().all(|(fewer, _)| *fewer) => Anomaly::Lost,
        () if lengths.iter().all(|(_, more)| *more) && told.iter().all(|report| sent_before(&report)) => {
            Anomaly::Duplicated
        }
        () if lengths.iter().all(|(_, more)| *more) => Anomaly::Phantom,
        () => Anomaly::WrongValue,
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Anomaly, Model, Reaction, Sent, Signal, SignalReport, Signals, State};
    use crate::model::brute;
    use proptest::prelude::*;
    use rstest::rstest;

    const ALL: [&str; 4] = ["SIGUSR1", "SIGUSR2", "SIGRTMIN+1", "SIGRTMIN+2"];

    fn signal(name: &str) -> Signal {
        name.parse().unwrap()
    }

    fn model(prompt: bool) -> Signals {
        Signals { followed: ALL.iter().map(|name| signal(name)).collect(), prompt }
    }

    fn send(name: &str, value: u64) -> Action {
        Action::Send(signal(name), Sent { value: Some(value), from: "sender".to_owned() })
    }

    fn report(name: &str, value: u64) -> SignalReport {
        let code = Some("SI_QUEUE".to_owned());
        SignalReport { signal: signal(name), value: Some(value), code, own_stack: false, from: None }
    }

    fn accept(set: &[&str], name: &str, value: u64) -> Action {
        let set = set.iter().map(|name| signal(name)).collect();
        Action::Accept { set, told: report(name, value), lowest_first: true }
    }

    fn block(names: &[&str]) -> Action {
        Action::Mask { block: names.iter().map(|name| signal(name)).collect(), unblock: Vec::new() }
    }

    fn unblock(name: &str) -> Action {
        Action::Mask { block: Vec::new(), unblock: vec![signal(name)] }
    }

    fn react(name: &str, catches: bool, once: bool) -> Action {
        Action::React(signal(name), Some(Reaction { catches, once }))
    }

    fn caught(told: &[(&str, u64)]) -> Action {
        Action::Caught(told.iter().map(|(name, value)| report(name, *value)).collect())
    }

    fn none(name: &str) -> Action {
        Action::None(vec![signal(name)])
    }

    fn pending(names: &[&str]) -> Action {
        Action::Pending(names.iter().map(|name| signal(name)).collect())
    }

    /// What is wrong with the first action that may not be, after those before it.
    fn wrong(model: &Signals, actions: &[Action]) -> Option<Anomaly> {
        let mut states = vec![model.start()];
        for action in actions {
            let mut reached: Vec<State> = Vec::new();
            for state in states.iter().flat_map(|state| model.apply(state, 0, action)) {
                if !reached.contains(&state) {
                    reached.push(state);
                }
            }
            if reached.is_empty() {
                return Some(model.explain(&states, 0, action).0);
            }
            states = reached;
        }
        None
    }

    const TWO: [&str; 2] = ["SIGRTMIN+1", "SIGRTMIN+2"];

    #[rstest]
    #[case::queued_in_order(&[block(&TWO), send(TWO[0], 1), send(TWO[0], 2), accept(&TWO, TWO[0], 1), accept(&TWO, TWO[0], 2)], None)]
    #[case::out_of_order(&[block(&TWO), send(TWO[0], 1), send(TWO[0], 2), accept(&TWO, TWO[0], 2)], Some(Anomaly::Reordered))]
    #[case::lowest_first(&[block(&TWO), send(TWO[1], 1), send(TWO[0], 2), accept(&TWO, TWO[0], 2)], None)]
    #[case::higher_first(&[block(&TWO), send(TWO[1], 1), send(TWO[0], 2), accept(&TWO, TWO[1], 1)], Some(Anomaly::Reordered))]
    #[case::another_value(&[block(&TWO), send(TWO[0], 1), accept(&TWO, TWO[0], 7)], Some(Anomaly::WrongValue))]
    #[case::never_sent(&[block(&TWO), accept(&TWO, TWO[0], 1)], Some(Anomaly::Phantom))]
    #[case::coalesced_what_queues(&[block(&TWO), send(TWO[0], 1), send(TWO[0], 2), accept(&TWO, TWO[0], 1), none(TWO[0])], Some(Anomaly::Lost))]
    #[case::coalesced(&[block(&["SIGUSR1"]), send("SIGUSR1", 1), send("SIGUSR1", 2), accept(&["SIGUSR1"], "SIGUSR1", 1), none("SIGUSR1")], None)]
    #[case::coalesced_into_the_second(&[block(&["SIGUSR1"]), send("SIGUSR1", 1), send("SIGUSR1", 2), accept(&["SIGUSR1"], "SIGUSR1", 2), none("SIGUSR1")], None)]
    #[case::queued_what_may_coalesce(&[block(&["SIGUSR1"]), send("SIGUSR1", 1), send("SIGUSR1", 2), accept(&["SIGUSR1"], "SIGUSR1", 1), accept(&["SIGUSR1"], "SIGUSR1", 2)], None)]
    #[case::more_than_were_sent(&[block(&["SIGUSR1"]), send("SIGUSR1", 1), accept(&["SIGUSR1"], "SIGUSR1", 1), accept(&["SIGUSR1"], "SIGUSR1", 1)], Some(Anomaly::Phantom))]
    #[case::pending_while_blocked(&[block(&["SIGUSR1"]), send("SIGUSR1", 1), pending(&["SIGUSR1"])], None)]
    #[case::forgotten(&[block(&["SIGUSR1"]), send("SIGUSR1", 1), pending(&[])], Some(Anomaly::Lost))]
    #[case::pending_unsent(&[block(&ALL), send("SIGUSR1", 1), pending(&["SIGUSR1", "SIGUSR2"])], Some(Anomaly::Phantom))]
    #[case::caught_at_once(&[react("SIGUSR1", true, false), send("SIGUSR1", 1), caught(&[("SIGUSR1", 1)])], None)]
    #[case::caught_when_unblocked(&[react("SIGUSR1", true, false), block(&["SIGUSR1"]), send("SIGUSR1", 1), caught(&[]), unblock("SIGUSR1"), caught(&[("SIGUSR1", 1)])], None)]
    #[case::caught_while_blocked(&[react("SIGUSR1", true, false), block(&["SIGUSR1"]), send("SIGUSR1", 1), caught(&[("SIGUSR1", 1)])], Some(Anomaly::Phantom))]
    #[case::not_caught(&[react("SIGUSR1", true, false), send("SIGUSR1", 1), caught(&[])], Some(Anomaly::Lost))]
    #[case::caught_twice(&[react("SIGUSR1", true, false), send("SIGUSR1", 1), caught(&[("SIGUSR1", 1), ("SIGUSR1", 1)])], Some(Anomaly::Duplicated))]
    #[case::caught_with_another_value(&[react("SIGUSR1", true, false), send("SIGUSR1", 1), caught(&[("SIGUSR1", 2)])], Some(Anomaly::WrongValue))]
    #[case::ignored(&[react("SIGUSR1", false, false), send("SIGUSR1", 1), caught(&[]), pending(&[])], None)]
    #[case::ignoring_discards(&[block(&["SIGUSR1"]), send("SIGUSR1", 1), react("SIGUSR1", false, false), pending(&[])], None)]
    #[case::ignoring_keeps(&[block(&["SIGUSR1"]), send("SIGUSR1", 1), react("SIGUSR1", false, false), pending(&["SIGUSR1"])], Some(Anomaly::Phantom))]
    #[case::suspended_until_caught(&[react("SIGUSR1", true, false), block(&["SIGUSR1"]), Action::Suspend(Vec::new()), send("SIGUSR1", 1), Action::Resume, caught(&[("SIGUSR1", 1)])], None)]
    #[case::suspended_for_nothing(&[react("SIGUSR1", true, false), Action::Suspend(vec![signal("SIGUSR1")]), send("SIGUSR1", 1), Action::Resume], Some(Anomaly::DidNotBlock))]
    #[case::served_once_then_ended(&[react("SIGUSR1", true, true), send("SIGUSR1", 1), send("SIGUSR1", 2), caught(&[("SIGUSR2", 9)])], None)]
    fn rules(#[case] actions: &[Action], #[case] expected: Option<Anomaly>) {
        assert_eq!(wrong(&model(true), actions), expected);
    }

    #[test]
    fn handlers_may_lag_where_processes_run_freely() {
        let sent = [react("SIGUSR1", true, false), send("SIGUSR1", 1), send("SIGUSR1", 2)];
        let told = |told: &[(&str, u64)]| [&sent[..], &[caught(told)]].concat();
        assert_eq!(wrong(&model(false), &told(&[("SIGUSR1", 1)])), None);
        assert_eq!(wrong(&model(false), &told(&[("SIGUSR1", 2)])), Some(Anomaly::WrongValue));
        assert_eq!(wrong(&model(true), &told(&[("SIGUSR1", 1)])), Some(Anomaly::Lost));
    }

    fn action() -> impl Strategy<Value = Action> {
        let name = || prop::sample::select(ALL.to_vec());
        prop_oneof![
            4 => (name(), 0_u64..2).prop_map(|(name, value)| send(name, value)),
            4 => (name(), 0_u64..2).prop_map(|(name, value)| accept(&ALL, name, value)),
            2 => Just(block(&ALL)),
            1 => name().prop_map(unblock),
            1 => (name(), any::<bool>(), any::<bool>()).prop_map(|(name, catches, once)| react(name, catches, once)),
            1 => name().prop_map(none),
            1 => name().prop_map(|name| pending(&[name])),
            1 => name().prop_map(|name| caught(&[(name, 0)])),
        ]
    }

    proptest! {
        #[test]
        fn the_checker_agrees_with_brute_force(calls in brute::calls(action(), 7), prompt in any::<bool>()) {
            let model = model(prompt);
            prop_assert_eq!(brute::accepts(&model, &calls), brute::some_order_is_allowed(&model, &calls));
        }
    }
}
