//! Executable models: what each mechanism may do, as pure state machines.
//!
//! A model says, of a state and one atomic action (a message put, bytes taken, a lock acquired), in which states the mechanism may
//! be afterwards; none means that the action is not allowed there. [`check()`] keeps the set of states that a history leaves possible:
//! an empty set is a finding. Calls that overlap in time may have taken effect in any order, so a call is given its place as
//! late as its return ("just-in-time linearization", Lowe, *Testing for linearizability*, 2017). In a story the proof of rest
//! is judged as well: who is asleep then must have a reason to be.
//!
//! Models are always on. What a model does not know ends its judgement of that channel, and says so; it never guesses.

mod barrier;
#[cfg(test)]
mod brute;
mod check;
mod counter;
mod lock;
pub mod long_queue;
mod memory;
mod queue;
mod semaphore_set;
mod signals;
mod stream;
mod trace;
mod wake;

pub use check::{Check, Kinds, Known, Model, Said, Violation, check};
pub use trace::{Call, Mark, Trace};

use crate::{
    History, Plan,
    plan::{PlanAction, PlanChannel},
};
use spec::{Ability, Mechanism, Operation};

/// What the models say of one history.
#[derive(Debug, Default)]
pub struct Opinion {
    /// What no model allows.
    pub violations: Vec<Violation>,
    /// How many channels, and processes with signals, were judged to the end.
    pub judged: u32,
    /// Why others were not, each as `line: …`.
    pub unjudged: Vec<String>,
}

/// Judges every channel of a history by the model of its mechanism, and the signals of every process.
#[must_use]
pub fn judge(plan: &Plan, history: &History) -> Opinion {
    let mut opinion = Opinion::default();
    for (index, channel) in plan.channels.iter().enumerate() {
        let trace = Trace::of(plan, history, index);
        // Signals belong to processes: they are judged below.
        if trace.calls.is_empty() || channel.options.is == Ability::Signals {
            continue;
        }
        match of_channel(plan, channel, index, &trace) {
            Said::Allowed => opinion.judged += 1,
            Said::Violated(violations) => opinion.violations.extend(violations),
            Said::Undecided(why) => opinion.unjudged.push(format!("{}: {why}", channel.name)),
        }
    }
    for (index, process) in plan.processes.iter().enumerate() {
        let concerns =
            |who: usize, operation: &Operation<u64>, _: Option<usize>| signals::concerns(plan, index, who, operation);
        match signals::judge(plan, index, &Trace::about(plan, history, false, &concerns)) {
            Some(Said::Allowed) => opinion.judged += 1,
            Some(Said::Violated(violations)) => opinion.violations.extend(violations),
            Some(Said::Undecided(why)) => opinion.unjudged.push(format!("signals of {}: {why}", process.name)),
            None => {}
        }
    }
    opinion
}

/// Whether who holds what is beyond what a model follows: processes fork, run other programs, or pass descriptors of this channel.
fn holders_change(plan: &Plan, channel: &PlanChannel) -> bool {
    let moves = |operation: &Operation<u64>| {
        matches!(operation, Operation::Fork(_) | Operation::Exec(_))
            || operation.handle() == Some(channel.name.as_str())
    };
    let in_story = plan.story.iter().any(|line| match &line.action {
        PlanAction::Do { operation, .. } => moves(operation),
        PlanAction::Resumes { .. } | PlanAction::Still { .. } => false,
    });
    in_story || plan.processes.iter().flat_map(|process| &process.steps).any(|step| moves(&step.operation))
}

fn of_channel(plan: &Plan, channel: &PlanChannel, index: usize, trace: &Trace<'_>) -> Said {
    match channel.options.is {
        Ability::Stream => stream::judge(plan, index, trace),
        Ability::Queue => queue::judge(plan, index, trace),
        Ability::Counter if channel.mechanism == Mechanism::SysvSem => semaphore_set::judge(channel, trace),
        Ability::Counter => counter::judge(channel, trace),
        Ability::Lock => lock::judge(plan, channel, trace),
        Ability::Memory => memory::judge(plan, channel, trace),
        Ability::Wake => match channel.mechanism {
            Mechanism::Barrier => barrier::judge(channel, trace),
            _ => wake::judge(channel, trace),
        },
        Ability::Signals => Said::Allowed,
    }
}
