//! Named results (`record:`) and the outcomes of races that are counted.

use super::{claim::sender_name, flow::Flow};
use crate::{
    Event, History, Plan, describe,
    plan::PlanAction,
    wire::{Data, Outcome},
};
use std::collections::BTreeMap;

/// How many characters of an uncounted outcome are kept.
const OUTCOME_MAX: usize = 80;

/// The named results of a run: their text, and the event that tells.
pub(super) fn named_results(plan: &Plan, history: &History) -> BTreeMap<String, (String, usize)> {
    let mut results = BTreeMap::new();
    for (index, event) in history.events.iter().enumerate() {
        let (process, step, text) = match event {
            Event::Returned { process, step, outcome, .. } => (*process, *step, result_text(outcome)),
            Event::Blocked { process, step, .. } => (*process, *step, "blocks".to_owned()),
            _ => continue,
        };
        for name in names(plan, process, step) {
            results.insert(name, (text.clone(), index));
        }
    }
    results
}

/// The names under which the result of a step is recorded: its own, and that of a line that resumes it.
fn names(plan: &Plan, process: usize, step: usize) -> Vec<String> {
    if !plan.is_story() {
        return plan.processes[process].steps.get(step).and_then(|step| step.record.clone()).into_iter().collect();
    }
    plan.story
        .iter()
        .enumerate()
        .filter(|(index, line)| match line.action {
            PlanAction::Do { .. } => *index == step,
            PlanAction::Resumes { line } | PlanAction::Still { line } => line == step,
        })
        .filter_map(|(_, line)| line.record.clone())
        .collect()
}

/// A result as it stands in portraits: short, and without anything that changes from run to run.
pub(super) fn result_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Received(received) if received.failed.is_none() => match received.pieces.as_slice() {
            [] if received.ended => "end".to_owned(),
            [] => "nothing".to_owned(),
            pieces => {
                let mut texts: Vec<String> = pieces
                    .iter()
                    .map(|piece| match &piece.data {
                        Data::Text(text) => text.clone(),
                        _ => format!("{} bytes", piece.length),
                    })
                    .collect();
                if received.ended {
                    texts.push("end".to_owned());
                }
                texts.join(", ")
            }
        },
        Outcome::Text(text) => text.clone(),
        outcome => describe::outcome(outcome),
    }
}

/// What one run of a race came to: its named results, or the order in which messages were received.
pub(super) fn outcome_text(plan: &Plan, history: &History) -> String {
    let named = named_results(plan, history);
    let text = if named.is_empty() {
        let mut parts = Vec::new();
        for channel in 0..plan.channels.len() {
            let flow = Flow::of(plan, history, channel);
            let runs: Vec<String> =
                flow.got.iter().flat_map(|got| &got.runs).map(|run| format!("{}.{}", run.from, run.message)).collect();
            if !runs.is_empty() {
                parts.push(format!("{}: {}", plan.channels[channel].name, runs.join(" ")));
            }
        }
        parts.join("; ")
    } else {
        let text = |text: &String, event: &usize| stamps(plan, history, *event).unwrap_or_else(|| text.clone());
        named
            .iter()
            .map(|(name, (result, event))| format!("{name}={}", text(result, event)))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let text = if text.is_empty() { "no results".to_owned() } else { text };
    if text.chars().count() > OUTCOME_MAX { text.chars().take(OUTCOME_MAX).chain(['…']).collect() } else { text }
}

/// Which stamped messages an event tells of: `left.0+right.0`; `None` where it tells of none.
fn stamps(plan: &Plan, history: &History, event: usize) -> Option<String> {
    let Some(Event::Returned { outcome: Outcome::Received(received), .. }) = history.events.get(event) else {
        return None;
    };
    let runs = received.pieces.iter().flat_map(|piece| match &piece.data {
        Data::Runs(runs) => runs.as_slice(),
        _ => &[],
    });
    let texts: Vec<String> = runs.map(|run| format!("{}.{}", sender_name(plan, run.from), run.message)).collect();
    (!texts.is_empty()).then(|| texts.join("+"))
}

/// Whether the calls of different processes on channels can overlap in time at all.
pub(super) fn can_overlap(plan: &Plan) -> bool {
    let with_calls = plan.processes.iter().filter(|process| process.steps.iter().any(|step| step.channel.is_some()));
    with_calls.count() >= 2
}

/// Whether calls of different processes on channels overlapped in time.
pub(super) fn overlapped(plan: &Plan, history: &History) -> bool {
    let mut calls: Vec<(u64, u64, usize)> = history
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Returned { process, step, began, ended, .. } => {
                let (_, channel) = super::flow::step_of(plan, *process, *step)?;
                channel.map(|_| (*began, *ended, *process))
            }
            _ => None,
        })
        .collect();
    calls.sort_unstable();
    let mut latest: Option<(u64, usize)> = None;
    for (began, ended, process) in calls {
        if latest.is_some_and(|(until, who)| who != process && began < until) {
            return true;
        }
        if latest.is_none_or(|(until, _)| ended > until) {
            latest = Some((ended, process));
        }
    }
    false
}
