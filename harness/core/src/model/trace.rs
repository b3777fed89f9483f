//! What a history tells of one channel, in the form that models judge: calls, and what happened in which order.

use crate::{History, Plan, history::Event, judge::flow::step_of, plan::PlanAction, wire::Outcome};
use spec::{Ability, Operation, scenario::Orders};

/// One call on a channel.
#[derive(Debug)]
pub struct Call<'h> {
    /// Who made it: an index of the plan's processes.
    pub process: usize,
    /// Which line of the story, or step of the process.
    pub step: usize,
    /// What was asked for.
    pub operation: &'h Operation<u64>,
    /// What it gave; `None` where it never returned.
    pub outcome: Option<&'h Outcome>,
    /// The event that tells of it: of its return, or of its beginning.
    pub event: usize,
    /// The number that the first message of this call bears.
    pub message: u32,
    /// When it began, in nanoseconds.
    pub began: u64,
    /// When it returned; never, where it did not.
    pub ended: u64,
}

/// One thing that happened. Calls are indices of [`Trace::calls`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A call began.
    Begin(usize),
    /// A call returned.
    Return(usize),
    /// Everybody was at rest, and these calls were asleep.
    Rest {
        /// The event that tells of it.
        event: usize,
        /// Who slept.
        asleep: Vec<usize>,
    },
    /// From here on a process may be dead.
    Dying(usize),
    /// A process is dead.
    Dead(usize),
}

/// Which calls a trace is of: by process, operation, and channel where there is one.
pub(super) type IsAbout<'a> = &'a dyn Fn(usize, &Operation<u64>, Option<usize>) -> bool;

/// What happened on one channel in one run.
#[derive(Debug)]
pub struct Trace<'h> {
    /// The calls.
    pub calls: Vec<Call<'h>>,
    /// What happened, in order. Of things at the same instant calls begin before others return, so that none is judged
    /// to have been after another where it may have overlapped.
    pub marks: Vec<Mark>,
    /// Whether things happened one after another, so that it is known at each of them who sleeps.
    pub one_by_one: bool,
}

impl<'h> Trace<'h> {
    /// Collects what a history tells of a channel.
    #[must_use]
    pub fn of(plan: &'h Plan, history: &'h History, channel: usize) -> Self {
        let is_stream = plan.channels[channel].options.is == Ability::Stream;
        Self::about(plan, history, is_stream, &|_, _, on| on == Some(channel))
    }

    /// Collects what a history tells of those calls, by process, operation and channel, that `is_about` accepts.
    pub(super) fn about(plan: &'h Plan, history: &'h History, is_stream: bool, is_about: IsAbout<'_>) -> Self {
        let calls = calls(plan, history, is_stream, is_about);
        let one_by_one = plan.is_story() || plan.orders == Orders::Every;
        let marks = if one_by_one { in_a_story(plan, history, &calls) } else { in_time(plan, history, &calls) };
        Self { calls, marks, one_by_one }
    }
}

/// The calls, those that never returned last.
fn calls<'h>(plan: &'h Plan, history: &'h History, is_stream: bool, is_about: IsAbout<'_>) -> Vec<Call<'h>> {
    let mut calls = Vec::new();
    let mut sent = vec![0; plan.processes.len()];
    let mut open: Vec<Option<(usize, usize, u64)>> = vec![None; plan.processes.len()];
    for (event, happened) in history.events.iter().enumerate() {
        match happened {
            Event::Began { process, step, at } => open[*process] = Some((event, *step, *at)),
            Event::Returned { process, step, began, ended, outcome } => {
                open[*process] = None;
                let Some((operation, on)) = step_of(plan, *process, *step) else { continue };
                if is_about(*process, operation, on) {
                    let message = sent[*process];
                    sent[*process] += messages_sent(operation, outcome, is_stream);
                    let (process, step) = (*process, *step);
                    let (began, ended, outcome) = (*began, *ended, Some(outcome));
                    calls.push(Call { process, step, operation, outcome, event, message, began, ended });
                }
            }
            _ => {}
        }
    }
    for (process, open) in open.into_iter().enumerate() {
        let Some((event, step, began)) = open else { continue };
        let Some((operation, on)) = step_of(plan, process, step) else { continue };
        if is_about(process, operation, on) {
            let message = sent[process];
            calls.push(Call { process, step, operation, outcome: None, event, message, began, ended: u64::MAX });
        }
    }
    calls
}

/// How many messages a call sent: stamps count them.
fn messages_sent(operation: &Operation<u64>, outcome: &Outcome, is_stream: bool) -> u32 {
    match (operation, outcome) {
        (Operation::Write(_) | Operation::Send(_), Outcome::Count(_) | Outcome::Done) => 1,
        (Operation::Fill(fill), Outcome::Count(count)) => {
            // A stream counts bytes, a queue messages.
            let size = if is_stream { fill.size.unwrap_or(1).max(1) } else { 1 };
            u32::try_from(count.div_ceil(size)).unwrap_or(u32::MAX)
        }
        _ => 0,
    }
}

/// A story's lines stand in the order in which things happened: one begins only when everybody is at rest. What happens in the
/// time of one line comes in the order in which it was heard.
fn in_a_story(plan: &Plan, history: &History, calls: &[Call<'_>]) -> Vec<Mark> {
    let call_of =
        |process: usize, step: usize| calls.iter().position(|call| call.process == process && call.step == step);
    let mut marks: Vec<Mark> = Vec::new();
    let mut pending: Vec<usize> = Vec::new();
    let mut stopped = vec![false; plan.processes.len()];
    // Where the line began in which something happens: its call began then, and a process that ends was alive until then.
    let mut line_start = 0;
    let rest = |marks: &mut Vec<Mark>, event: usize, pending: &[usize], stopped: &[bool]| {
        let asleep: Vec<usize> = pending.iter().copied().filter(|call| !stopped[calls[*call].process]).collect();
        if !asleep.is_empty() {
            marks.push(Mark::Rest { event, asleep });
        }
    };
    for (event, happened) in history.events.iter().enumerate() {
        match happened {
            Event::Line { line, .. } => {
                rest(&mut marks, event, &pending, &stopped);
                line_start = marks.len();
                note_stops(plan, *line, &mut stopped);
            }
            Event::Began { process, step, .. } => {
                if let Some(call) = call_of(*process, *step) {
                    // Whom it woke may have been heard before it.
                    marks.insert(line_start, Mark::Begin(call));
                    pending.push(call);
                }
            }
            Event::Returned { process, step, .. } => {
                if let Some(call) = call_of(*process, *step) {
                    marks.push(Mark::Return(call));
                    pending.retain(|known| *known != call);
                }
            }
            Event::Ended { process, .. } => {
                marks.insert(line_start, Mark::Dying(*process));
                marks.push(Mark::Dead(*process));
                pending.retain(|call| calls[*call].process != *process);
            }
            Event::Stuck { .. } => rest(&mut marks, event, &pending, &stopped),
            Event::Blocked { .. } | Event::Overdue { .. } => {}
        }
    }
    marks
}

/// A stopped process sleeps for another reason than its call.
fn note_stops(plan: &Plan, line: usize, stopped: &mut [bool]) {
    let Some(PlanAction::Do { operation, .. }) = plan.story.get(line).map(|line| &line.action) else { return };
    let (name, signal) = match operation {
        Operation::Kill(kill) => (&kill.process, &kill.signal),
        Operation::Sigqueue(queue) => (&queue.process, &queue.signal),
        _ => return,
    };
    let Some(process) = plan.process(name) else { return };
    match signal.as_ref().map(spec::Signal::name) {
        Some("SIGCONT") => stopped[process] = false,
        Some("SIGSTOP" | "SIGTSTP" | "SIGTTIN" | "SIGTTOU") => stopped[process] = true,
        _ => {}
    }
}

/// Where processes run freely, their own clocks say what was before what.
fn in_time(plan: &Plan, history: &History, calls: &[Call<'_>]) -> Vec<Mark> {
    // The second number puts beginnings before returns at the same instant, and the harness's own words last.
    let mut timed: Vec<(u64, u8, Mark)> = Vec::new();
    for (index, call) in calls.iter().enumerate() {
        timed.push((call.began, 0, Mark::Begin(index)));
        if call.outcome.is_some() {
            timed.push((call.ended, 1, Mark::Return(index)));
        }
    }
    let mut last = vec![0; plan.processes.len()];
    for (event, happened) in history.events.iter().enumerate() {
        match happened {
            Event::Began { process, at, .. } => last[*process] = last[*process].max(*at),
            Event::Returned { process, ended, .. } => last[*process] = last[*process].max(*ended),
            Event::Ended { process, at, .. } => {
                timed.push((last[*process], 2, Mark::Dying(*process)));
                timed.push(((*at).max(last[*process]), 3, Mark::Dead(*process)));
            }
            Event::Stuck { waiting, .. } => {
                let asleep = calls
                    .iter()
                    .enumerate()
                    .filter(|(_, call)| {
                        call.outcome.is_none() && waiting.iter().any(|waiting| waiting.process == call.process)
                    })
                    .map(|(index, _)| index)
                    .collect();
                timed.push((u64::MAX, 4, Mark::Rest { event, asleep }));
            }
            _ => {}
        }
    }
    timed.sort_by_key(|(at, order, _)| (*at, *order));
    timed.into_iter().map(|(_, _, mark)| mark).collect()
}
