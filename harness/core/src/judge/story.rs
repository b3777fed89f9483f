//! Stories: whether each line came out as expected. The first line that did not is the finding; what follows rests on it.

use super::{
    matches::{Mismatch, mismatch},
    step_finding,
};
use crate::{
    Event, Finding, History, Plan, Verdict, describe,
    finding::Anomaly,
    history::Waiting,
    plan::{PlanAction, PlanLine},
    wire::{Outcome, ProcessEnding},
};
use spec::{Operation, scenario::Expect};

/// Where in the events a line's time is: from its own mark to that of the next line.
struct Lines {
    marks: Vec<(usize, u64)>,
    end: usize,
}

impl Lines {
    fn of(history: &History) -> Self {
        let marks = history
            .events
            .iter()
            .enumerate()
            .filter_map(|(index, event)| match event {
                Event::Line { at, .. } => Some((index, *at)),
                _ => None,
            })
            .collect();
        Self { marks, end: history.events.len() }
    }

    /// The index of the event after the last that belongs to a line.
    fn end_of(&self, line: usize) -> usize {
        self.marks.get(line + 1).map_or(self.end, |(index, _)| *index)
    }

    fn start_of(&self, line: usize) -> Option<usize> {
        self.marks.get(line).map(|(index, _)| *index)
    }
}

/// The findings of a story: none where all came out as expected.
pub(super) fn judge(plan: &Plan, history: &History) -> Vec<Finding> {
    let lines = Lines::of(history);
    for (index, line) in plan.story.iter().enumerate() {
        if lines.start_of(index).is_none() {
            return vec![cut_short(plan, history, line)];
        }
        if let Some(finding) = judge_line(plan, history, &lines, index, line) {
            return vec![finding];
        }
        if let Some(finding) = unexpected_end(plan, history, &lines, index, line) {
            return vec![finding];
        }
    }
    Vec::new()
}

/// A story that ends before its lines do has a reason among its events.
fn cut_short(plan: &Plan, history: &History, line: &PlanLine) -> Finding {
    let stopped = stopped(plan, history).unwrap_or_else(|| {
        let who = &plan.processes[line.process].name;
        step_finding(
            line.span,
            Anomaly::Blocked,
            "the story to come to this line".to_owned(),
            format!("{who} could not begin it: it is still in an earlier call, or has ended"),
            Vec::new(),
        )
    });
    Finding { span: Some(line.span), ..stopped }
}

/// The event that ended a story before its time.
fn stopped(plan: &Plan, history: &History) -> Option<Finding> {
    history
        .events
        .iter()
        .enumerate()
        .find_map(|(index, event)| match event {
            Event::Stuck { waiting, .. } => Some((Anomaly::Blocked, index, waiting)),
            Event::Overdue { waiting, .. } => Some((Anomaly::Overdue, index, waiting)),
            _ => None,
        })
        .map(|(anomaly, index, waiting)| {
            let expected = "every call to return".to_owned();
            step_finding(spec::scenario::Span::default(), anomaly, expected, waiting_text(plan, waiting), vec![index])
        })
}

/// `writer waits in write (its step `write "x"`)` for each.
pub(super) fn waiting_text(plan: &Plan, waiting: &[Waiting]) -> String {
    let texts: Vec<String> = waiting
        .iter()
        .map(|waiting| {
            let who = &plan.processes[waiting.process].name;
            let step = super::flow::step_of(plan, waiting.process, waiting.step)
                .map_or_else(String::new, |(operation, _)| describe::operation(operation));
            if waiting.call.is_empty() {
                format!("{who} is still busy with `{step}`")
            } else {
                format!("{who} waits in `{}` for its step `{step}`", waiting.call)
            }
        })
        .collect();
    if texts.is_empty() { "nobody can go on".to_owned() } else { texts.join("; ") }
}

fn judge_line(plan: &Plan, history: &History, lines: &Lines, index: usize, line: &PlanLine) -> Option<Finding> {
    match &line.action {
        PlanAction::Do { operation, .. } => judge_do(plan, history, lines, index, line, operation),
        PlanAction::Resumes { line: begun } => judge_resumes(plan, history, lines, index, line, *begun),
        PlanAction::Still { line: begun } => {
            let (event, outcome, _) = returned(history, *begun, lines.end_of(index))?;
            Some(step_finding(
                line.expect_span,
                Anomaly::DidNotBlock,
                "it to be waiting still".to_owned(),
                format!("it has returned: {}", describe::outcome(outcome)),
                vec![event],
            ))
        }
    }
}

/// The return of a line's call among the events before `end`.
fn returned(history: &History, line: usize, end: usize) -> Option<(usize, &Outcome, u64)> {
    history.events[..end].iter().enumerate().find_map(|(index, event)| match event {
        Event::Returned { step, outcome, ended, .. } if *step == line => Some((index, outcome, *ended)),
        _ => None,
    })
}

fn ended(history: &History, process: usize, start: usize, end: usize) -> Option<(usize, &ProcessEnding)> {
    history.events[start..end].iter().enumerate().find_map(|(index, event)| match event {
        Event::Ended { process: who, ending, .. } if *who == process => Some((start + index, ending)),
        _ => None,
    })
}

fn judge_do(
    plan: &Plan,
    history: &History,
    lines: &Lines,
    index: usize,
    line: &PlanLine,
    operation: &Operation<u64>,
) -> Option<Finding> {
    let (start, end) = (lines.start_of(index)?, lines.end_of(index));
    let span = line.expect_span;
    let expected = || describe::expect(&line.expect);
    let blocked =
        history.events[start..end].iter().any(|event| matches!(event, Event::Blocked { step, .. } if *step == index));
    let back = returned(history, index, end);
    if let (Expect::Blocks(_), Some((event, outcome, _))) = (&line.expect, back) {
        let got = if blocked {
            format!("it waited, and then returned by itself: {}", describe::outcome(outcome))
        } else {
            format!("it returned at once: {}", describe::outcome(outcome))
        };
        return Some(step_finding(span, Anomaly::DidNotBlock, expected(), got, vec![event]));
    }
    if let Some((event, outcome, _)) = back {
        let name = |number: u8| {
            plan.processes.iter().find(|process| process.number == number).map(|process| process.name.clone())
        };
        let mismatch = mismatch(operation, &line.expect, outcome, &name)?;
        return Some(step_finding(span, anomaly(mismatch), expected(), describe::outcome(outcome), vec![event]));
    }
    if let Some((event, ending)) = ended(history, line.process, start, end) {
        let as_due = match (&line.expect, ending, operation) {
            (Expect::Dies(due), ProcessEnding::Signal(signal), _) => due == signal,
            (Expect::Succeeds, ProcessEnding::Status(status), Operation::Exit(exit)) => {
                i64::from(*status) == i64::try_from(exit.status.unwrap_or(0) & 0xff).unwrap_or(0)
            }
            (Expect::Succeeds, ProcessEnding::Unseen, Operation::Exit(_)) | (Expect::Anything, _, _) => true,
            _ => false,
        };
        return (!as_due)
            .then(|| step_finding(span, Anomaly::WrongEnding, expected(), describe::ending(ending), vec![event]));
    }
    match &line.expect {
        Expect::Blocks(_) if blocked => return None,
        Expect::Anything if blocked => return None,
        _ => {}
    }
    let finding = stopped(plan, history)
        .map(|finding| Finding { span: Some(span), expected: expected(), ..finding })
        .unwrap_or_else(|| {
            let began = history.events[start..end]
                .iter()
                .any(|event| matches!(event, Event::Began { step, .. } if *step == index));
            let who = &plan.processes[line.process].name;
            let got = if began { "no end of the call was recorded" } else { "the call was not begun" };
            Finding {
                verdict: if began { Verdict::Faulty } else { Verdict::Broken },
                ..step_finding(span, Anomaly::Blocked, expected(), format!("{got} ({who})"), Vec::new())
            }
        });
    Some(finding)
}

fn judge_resumes(
    plan: &Plan,
    history: &History,
    lines: &Lines,
    index: usize,
    line: &PlanLine,
    begun: usize,
) -> Option<Finding> {
    let end = lines.end_of(index);
    let expected = || match &line.expect {
        Expect::Succeeds => "it to return".to_owned(),
        expect => format!("it to return: {}", describe::expect(expect)),
    };
    let PlanAction::Do { operation, .. } = &plan.story[begun].action else { return None };
    if let Some((event, outcome, _)) = returned(history, begun, end) {
        let name = |number: u8| {
            plan.processes.iter().find(|process| process.number == number).map(|process| process.name.clone())
        };
        let mismatch = mismatch(operation, &line.expect, outcome, &name)?;
        return Some(step_finding(
            line.expect_span,
            anomaly(mismatch),
            expected(),
            describe::outcome(outcome),
            vec![event],
        ));
    }
    let start = lines.start_of(begun).unwrap_or(0);
    if let Some((event, ending)) = ended(history, line.process, start, end) {
        return match (&line.expect, ending) {
            (Expect::Dies(due), ProcessEnding::Signal(signal)) if due == signal => None,
            _ => Some(step_finding(
                line.expect_span,
                Anomaly::WrongEnding,
                expected(),
                describe::ending(ending),
                vec![event],
            )),
        };
    }
    let blocked =
        history.events.iter().position(|event| matches!(event, Event::Blocked { step, .. } if *step == begun));
    let who = &plan.processes[line.process].name;
    Some(step_finding(
        line.expect_span,
        Anomaly::LostWakeUp,
        expected(),
        format!("{who} is still waiting in it"),
        blocked.into_iter().collect(),
    ))
}

/// A process that ended in a line's time, though neither the line nor a signal of the story says so.
fn unexpected_end(plan: &Plan, history: &History, lines: &Lines, index: usize, line: &PlanLine) -> Option<Finding> {
    let (start, end) = (lines.start_of(index)?, lines.end_of(index));
    for process in 0..plan.processes.len() {
        let Some((event, ending)) = ended(history, process, start, end) else { continue };
        let own = process == line.process && matches!(line.action, PlanAction::Do { .. });
        let resumed = process == line.process && matches!(line.expect, Expect::Dies(_));
        let killed = plan.story[..=index].iter().any(|line| signals(line, &plan.processes[process].name));
        // `resumes … dies` stands after the line in which it happens.
        let announced =
            plan.story[index..].iter().any(|line| line.process == process && matches!(line.expect, Expect::Dies(_)));
        if !own && !resumed && !killed && !announced {
            let who = &plan.processes[process].name;
            return Some(step_finding(
                line.span,
                Anomaly::WrongEnding,
                format!("{who} to live on"),
                describe::ending(ending),
                vec![event],
            ));
        }
    }
    None
}

fn signals(line: &PlanLine, name: &str) -> bool {
    match &line.action {
        PlanAction::Do { operation: Operation::Kill(kill), .. } => kill.process == name,
        PlanAction::Do { operation: Operation::Sigqueue(queue), .. } => queue.process == name,
        _ => false,
    }
}

/// The field's name for a mismatch.
pub(super) fn anomaly(mismatch: Mismatch) -> Anomaly {
    match mismatch {
        Mismatch::Error => Anomaly::WrongError,
        Mismatch::Value => Anomaly::WrongValue,
        Mismatch::DidNotBlock => Anomaly::DidNotBlock,
        Mismatch::Survived => Anomaly::WrongEnding,
    }
}
