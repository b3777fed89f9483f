//! What of a run can be used again for the next: its processes, where all that they did stays in the channels; and the copies of a
//! race's channels, where they can be made as new, and by whom.
//!
//! Opening a channel takes many times as long as a call on it. Where all that a run does to a channel can be undone, a batch of
//! copies is used again and again: what is left in it is taken out, counters and cells are set back.

use harness_core::{
    Plan,
    plan::{PlanProcess, PlanStep},
    wire::HeldEnd,
};
use spec::{Ability, Mechanism, Operation, scenario::Attach, vocabulary::Feature};
use std::collections::BTreeMap;

/// Whether all that a run does stays in its channels, so that its processes can do the next one, on other copies of them.
pub(super) fn stays_in_channels(plan: &Plan) -> bool {
    plan.attach == Attach::Inherit && plan.operations().all(|(_, operation)| leaves_its_process(operation))
}

/// Whether a process is after that operation what it was before.
fn leaves_its_process(operation: &Operation<u64>) -> bool {
    match operation {
        Operation::Meet(_) | Operation::Enter(_) | Operation::Leave(_) | Operation::Fence(_) => true,
        Operation::Write(_) | Operation::Read(_) | Operation::Fill(_) | Operation::Unread(_) => true,
        Operation::Close(_) | Operation::Shutdown(_) | Operation::SetNonblocking(_) => true,
        Operation::Send(_) | Operation::Receive(_) | Operation::Attributes(_) => true,
        Operation::Wait(_) | Operation::Post(_) | Operation::Value(_) => true,
        Operation::Semop(semop) => semop.changes.iter().all(|change| !change.undo),
        Operation::Lock(_) | Operation::Unlock(_) => true,
        Operation::WaitOn(_) | Operation::Notify(_) | Operation::Requeue(_) | Operation::Arrive(_) => true,
        Operation::Store(_) | Operation::Load(_) | Operation::FetchAdd(_) | Operation::CompareExchange(_) => true,
        // Signals, rights, limits, other processes; and whatever else there is, to be on the safe side.
        _ => false,
    }
}

/// For each process the channels that it makes as new; `None` where a run leaves something that cannot be undone.
pub(super) fn renewal(plan: &Plan) -> Option<Vec<Vec<String>>> {
    let steps = || plan.processes.iter().flat_map(|process| &process.steps);
    let can_be_undone = plan.attach == Attach::Inherit
        && steps().all(|step| undoes(plan, step))
        && plan.processes.iter().all(|process| unlocks_what_it_locks(plan, process));
    can_be_undone.then(|| {
        let own =
            |index: usize| plan.channels.iter().enumerate().filter(move |(channel, _)| renews(plan, index, *channel));
        (0..plan.processes.len())
            .map(|process| own(process).map(|(_, channel)| channel.name.clone()).collect())
            .collect()
    })
}

/// Whether what a step does can be undone.
fn undoes(plan: &Plan, step: &PlanStep) -> bool {
    let Some(channel) = step.channel.and_then(|channel| plan.channels.get(channel)) else {
        return matches!(
            step.operation,
            Operation::Meet(_) | Operation::Enter(_) | Operation::Leave(_) | Operation::Fence(_)
        );
    };
    // What is still on its way cannot be taken out.
    if channel.mechanism.has(Feature::Deferred) {
        return false;
    }
    match (channel.options.is, &step.operation) {
        (Ability::Stream, Operation::Write(_) | Operation::Read(_)) => true,
        (Ability::Queue, Operation::Send(_) | Operation::Receive(_)) => true,
        (Ability::Memory, Operation::Store(_) | Operation::Load(_)) => true,
        (Ability::Memory, Operation::FetchAdd(_) | Operation::CompareExchange(_)) => true,
        (Ability::Counter, Operation::Wait(_) | Operation::Post(_) | Operation::Value(_)) => {
            // Others do not tell their value.
            matches!(channel.mechanism, Mechanism::PosixSem | Mechanism::PosixNamedSem | Mechanism::SysvSem)
        }
        (Ability::Counter, Operation::Semop(semop)) => semop.changes.iter().all(|change| !change.undo),
        (Ability::Lock, Operation::Lock(lock)) => !lock.nonblocking && lock.timeout.is_none(),
        (Ability::Lock, Operation::Unlock(_)) => true,
        _ => false,
    }
}

/// Whether a process gives back each lock as often as it takes it.
fn unlocks_what_it_locks(plan: &Plan, process: &PlanProcess) -> bool {
    let mut held: BTreeMap<usize, i64> = BTreeMap::new();
    for step in &process.steps {
        match (&step.operation, step.channel) {
            (Operation::Lock(_), Some(channel)) => *held.entry(channel).or_default() += 1,
            (Operation::Unlock(_), Some(channel)) => *held.entry(channel).or_default() -= 1,
            _ => {}
        }
    }
    // Locks on parts of a file split and join, and are given back as a whole by their own calls alone.
    let has_ranges = process.steps.iter().any(|step| match &step.operation {
        Operation::Lock(lock) => lock.start.is_some() || lock.length.is_some(),
        _ => false,
    });
    held.iter().all(|(channel, count)| *count == 0 && plan.channels.get(*channel).is_some()) && !has_ranges
}

/// Whether it is for this process to make that channel as new: who can take out does, one alone sets a counter back, and each
/// clears the cells that it has written.
fn renews(plan: &Plan, process: usize, channel: usize) -> bool {
    let end = |process: &PlanProcess| process.holds.iter().find(|(held, _)| *held == channel).map(|(_, end)| *end);
    let Some(own) = plan.processes.get(process).and_then(end) else { return false };
    match plan.channels[channel].options.is {
        Ability::Stream | Ability::Queue => !matches!(own, HeldEnd::Write | HeldEnd::Nothing),
        Ability::Memory => true,
        Ability::Counter => plan.processes.iter().position(|process| end(process).is_some()) == Some(process),
        Ability::Lock | Ability::Wake | Ability::Signals => false,
    }
}

/// How much one run sends at most on each of these channels: bytes of a stream, messages of a queue.
///
/// Whoever has received as much in a run has left nothing. On a system that doubles what is sent something may be left all the same; then
/// the next run on that copy finds it, and a claim breaks there.
pub(super) fn sent_at_most(plan: &Plan, channels: &[String]) -> BTreeMap<String, u64> {
    let sent = |step: &PlanStep| match &step.operation {
        Operation::Write(write) => {
            write.size.unwrap_or_else(|| write.text.as_ref().map_or(0, |text| text.len() as u64))
        }
        Operation::Send(_) => 1,
        _ => 0,
    };
    let of_channel = |channel: usize| {
        let steps = plan.processes.iter().flat_map(|process| &process.steps);
        steps.filter(|step| step.channel == Some(channel)).map(sent).fold(0, u64::saturating_add)
    };
    let places = channels.iter().filter_map(|name| Some((name, plan.channel(name)?)));
    places
        .filter(|(_, channel)| matches!(plan.channels[*channel].options.is, Ability::Stream | Ability::Queue))
        .map(|(name, channel)| (name.clone(), of_channel(channel)))
        .collect()
}

/// The channels all of whose calls are non-blocking, by a flag of the descriptor.
pub(super) fn never_waiting(plan: &Plan) -> Vec<String> {
    let waits = |step: &PlanStep| match &step.operation {
        Operation::Write(write) => Some(!write.nonblocking),
        Operation::Read(read) => Some(!read.nonblocking || read.until.is_some()),
        Operation::Send(send) => Some(!send.nonblocking),
        Operation::Receive(receive) => Some(!receive.nonblocking || receive.until.is_some()),
        Operation::Close(_) | Operation::Meet(_) => None,
        // Whatever else is done, to be on the safe side.
        _ => Some(true),
    };
    let of_channel = |channel: usize| {
        let steps = plan.processes.iter().flat_map(|process| &process.steps);
        let asked: Vec<bool> = steps.filter(|step| step.channel == Some(channel)).filter_map(waits).collect();
        !asked.is_empty() && !asked.contains(&true)
    };
    plan.channels
        .iter()
        .enumerate()
        .filter(|(index, channel)| channel.mechanism.has(Feature::SharedFlags) && of_channel(*index))
        .map(|(_, channel)| channel.name.clone())
        .collect()
}
