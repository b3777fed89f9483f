//! Processes that ran freely: what their steps gave, and whether all came to their ends.

use super::{
    flow::step_of,
    matches::mismatch,
    step_finding,
    story::{anomaly, waiting_text},
};
use crate::{Event, Finding, History, Plan, describe, finding::Anomaly, plan::PlanStep, wire::ProcessEnding};
use spec::{
    Operation,
    scenario::{Claim, Expect, Span},
};

/// The findings of a run: none where every step came out as expected and everybody finished.
pub(super) fn judge(plan: &Plan, history: &History) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, event) in history.events.iter().enumerate() {
        match event {
            Event::Returned { process, step, outcome, .. } => {
                let Some(step) = plan.processes[*process].steps.get(*step) else { continue };
                let name = |number: u8| {
                    plan.processes.iter().find(|process| process.number == number).map(|process| process.name.clone())
                };
                if let Some(mismatch) = mismatch(&step.operation, &step.expect, outcome, &name) {
                    let expected = describe::expect(&step.expect);
                    let got = format!("{} ({})", describe::outcome(outcome), plan.processes[*process].name);
                    findings.push(step_finding(step.expect_span, anomaly(mismatch), expected, got, vec![index]));
                }
            }
            Event::Ended { process, ending, .. } => {
                findings.extend(unexpected_end(plan, history, *process, ending, index));
            }
            // A claim that speaks of it judges it.
            Event::Stuck { .. } | Event::Overdue { .. } if claims_finish(plan) => {}
            Event::Stuck { waiting, .. } => {
                let mut finding = stopped(plan, waiting, Anomaly::Deadlock, index);
                finding.claim = "deadlock".to_owned();
                findings.push(finding);
            }
            Event::Overdue { waiting, .. } => {
                let mut finding = stopped(plan, waiting, Anomaly::Overdue, index);
                finding.claim = "deadline".to_owned();
                findings.push(finding);
            }
            _ => {}
        }
    }
    findings
}

fn claims_finish(plan: &Plan) -> bool {
    plan.claims.iter().any(|claim| matches!(claim.claim, Claim::Finishes))
}

fn stopped(plan: &Plan, waiting: &[crate::history::Waiting], anomaly: Anomaly, index: usize) -> Finding {
    let span = waiting
        .first()
        .and_then(|waiting| plan.processes[waiting.process].steps.get(waiting.step))
        .map_or_else(Span::default, |step| step.span);
    step_finding(span, anomaly, "all processes finish their steps".to_owned(), waiting_text(plan, waiting), vec![index])
}

/// A process that ended though none of its steps and no signal of the scenario says so.
fn unexpected_end(
    plan: &Plan,
    history: &History,
    process: usize,
    ending: &ProcessEnding,
    event: usize,
) -> Option<Finding> {
    let own = &plan.processes[process];
    // The step it was in.
    let step = history.events[..event].iter().rev().find_map(|event| match event {
        Event::Began { process: who, step, .. } if *who == process => Some(*step),
        _ => None,
    });
    let planned: Option<&PlanStep> = step.and_then(|step| own.steps.get(step));
    let as_due = match (planned.map(|step| (&step.expect, &step.operation)), ending) {
        (Some((Expect::Dies(due), _)), ProcessEnding::Signal(signal)) => due == signal,
        (Some((Expect::Anything, _)), _) => true,
        (Some((_, Operation::Exit(exit))), ProcessEnding::Status(status)) => {
            i64::from(*status) == i64::try_from(exit.status.unwrap_or(0) & 0xff).unwrap_or(0)
        }
        _ => false,
    };
    let signalled = plan.processes.iter().flat_map(|process| &process.steps).any(|step| match &step.operation {
        Operation::Kill(kill) => kill.process == own.name || kill.process == own.kind,
        Operation::Sigqueue(queue) => queue.process == own.name || queue.process == own.kind,
        _ => false,
    });
    let claimed = plan.claims.iter().any(|claim| match &claim.claim {
        Claim::Ends(endings) => endings.contains_key(&own.name) || endings.contains_key(&own.kind),
        _ => false,
    });
    if as_due || signalled || claimed {
        return None;
    }
    let doing = step.and_then(|step| step_of(plan, process, step));
    let doing = doing.map_or_else(String::new, |(operation, _)| format!(" in `{}`", describe::operation(operation)));
    Some(step_finding(
        planned.map_or_else(Span::default, |step| step.span),
        Anomaly::WrongEnding,
        format!("{} to finish its steps", own.name),
        format!("{}{doing}", describe::ending(ending)),
        vec![event],
    ))
}
