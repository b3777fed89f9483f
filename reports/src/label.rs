//! Operations and outcomes in a few words, for diagrams.

use harness_core::{
    Plan,
    describe::{self, quoted},
    plan::PlanAction,
    wire::{Data, Outcome, ProcessEnding, Received, Run, SignalReport},
};
use serde_json::Value;
use spec::Operation;
use std::ops::Range;

/// How many pieces or runs of bytes are named before the rest is only counted.
const PARTS_MAX: usize = 5;

/// The labels of a plan's steps: of the story, or by process.
#[must_use]
pub fn steps(plan: &Plan) -> Vec<Vec<String>> {
    let named = plan.channels.len() > 1;
    let channel = |index: Option<usize>| match index {
        Some(index) if named => plan.channels.get(index).map(|channel| channel.name.as_str()),
        _ => None,
    };
    if !plan.is_story() {
        let label = |step: &harness_core::plan::PlanStep| operation(&step.operation, channel(step.channel));
        return plan.processes.iter().map(|process| process.steps.iter().map(label).collect()).collect();
    }
    let mut labels: Vec<String> = Vec::with_capacity(plan.story.len());
    for line in &plan.story {
        labels.push(match &line.action {
            PlanAction::Do { operation: what, channel: on } => operation(what, channel(*on)),
            // These lines make no call: they ask about one.
            PlanAction::Resumes { line } | PlanAction::Still { line } => labels.get(*line).cloned().unwrap_or_default(),
        });
    }
    vec![labels]
}

/// An operation in a few words: `write(line) "hello"`, `read 64 until=end`.
#[must_use]
pub fn operation(operation: &Operation<u64>, channel: Option<&str>) -> String {
    let words = describe::operation(operation);
    let mut label = match (channel, words.split_once(' ')) {
        (None, _) => words,
        (Some(channel), Some((name, rest))) => format!("{name}({channel}) {rest}"),
        (Some(channel), None) => format!("{words}({channel})"),
    };
    let Ok(Value::Object(outer)) = serde_json::to_value(operation) else { return label };
    for (key, value) in outer.values().filter_map(Value::as_object).flatten() {
        match (key.as_str(), value) {
            (flag, Value::Bool(true)) => label.push_str(&format!(" {flag}")),
            ("timeout", Value::Number(ns)) => {
                label.push_str(&format!(" timeout={}", duration(ns.as_u64().unwrap_or(0))));
            }
            ("until" | "end" | "direction" | "action" | "for", Value::String(word)) => {
                label.push_str(&format!(" {key}={word}"));
            }
            ("block" | "unblock", Value::Array(signals)) => {
                let signals: Vec<&str> = signals.iter().filter_map(Value::as_str).collect();
                label.push_str(&format!(" {key}={}", signals.join("+")));
            }
            _ => {}
        }
    }
    label
}

/// A length of time as a person would say it.
#[must_use]
pub fn duration(ns: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = ns as f64;
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} µs", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} ms", value / 1e6),
        _ => format!("{:.2} s", value / 1e9),
    }
}

/// What a call gave, in a few words.
#[must_use]
pub fn outcome(outcome: &Outcome, processes: &[String]) -> String {
    match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Count(number) => number.to_string(),
        Outcome::Text(text) => quoted(text),
        Outcome::Failed(errno) => errno.to_string(),
        Outcome::Received(received) => self::received(received, processes),
        Outcome::Signals(signals) if signals.is_empty() => "none".to_owned(),
        Outcome::Signals(signals) => signals.iter().map(signal).collect::<Vec<_>>().join(", "),
    }
}

fn received(received: &Received, processes: &[String]) -> String {
    let mut words: Vec<String> = Vec::new();
    for piece in received.pieces.iter().take(PARTS_MAX) {
        let mut word = match &piece.data {
            Data::Text(text) => quoted(text),
            Data::Runs(runs) => self::runs(runs, processes),
            Data::Hex(_) => format!("{} bytes", piece.length),
        };
        if let Some(priority) = piece.priority {
            word.push_str(&format!(" priority {priority}"));
        }
        if piece.truncated {
            word.push_str(" (cut)");
        }
        words.push(word);
    }
    if received.pieces.len() > PARTS_MAX {
        words.push(format!("{} more", received.pieces.len() - PARTS_MAX));
    }
    if received.ended {
        words.push("the end".to_owned());
    }
    if let Some(errno) = &received.failed {
        words.push(errno.to_string());
    }
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

fn runs(runs: &[Run], processes: &[String]) -> String {
    let groups = groups(runs);
    let shown = telling(&groups);
    let mut words: Vec<String> = groups[shown.clone()].iter().map(|group| self::group(group, processes)).collect();
    if shown.start > 0 {
        words.insert(0, "…".to_owned());
    }
    if shown.end < groups.len() {
        words.push("…".to_owned());
    }
    words.join(" + ")
}

/// Runs of bytes that are told as one: consecutive whole messages of one sender, all of one length.
#[derive(Clone, Copy)]
struct Group {
    first: Run,
    messages: u32,
    /// Whether the message is there in pieces, or nobody sent it.
    is_odd: bool,
}

fn groups(runs: &[Run]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        let same = |other: &&Run| (other.from, other.message) == (run.from, run.message);
        let is_odd = run.from == 0 || run.offset > 0 || runs.iter().filter(same).count() > 1;
        match groups.last_mut() {
            Some(group)
                if !is_odd
                    && !group.is_odd
                    && (group.first.from, group.first.length) == (run.from, run.length)
                    && group.first.message.checked_add(group.messages) == Some(run.message) =>
            {
                group.messages += 1;
            }
            _ => groups.push(Group { first: *run, messages: 1, is_odd }),
        }
    }
    groups
}

/// The groups that are shown of many: from the first odd one on.
fn telling(groups: &[Group]) -> Range<usize> {
    let start = groups.iter().position(|group| group.is_odd).unwrap_or(0);
    let start = start.min(groups.len().saturating_sub(PARTS_MAX));
    start..groups.len().min(start + PARTS_MAX)
}

fn group(group: &Group, processes: &[String]) -> String {
    let run = group.first;
    let Some(sender) = sender(run.from, processes) else {
        return format!("{} bytes nobody sent", run.length);
    };
    let end = u64::from(run.offset) + u64::from(run.length);
    match (group.messages, run.offset) {
        (1, 0) => format!("{sender} #{} ({} bytes)", run.message, run.length),
        (1, offset) => format!("{sender} #{} (bytes {offset}..{end})", run.message),
        (messages, _) => {
            let last = u64::from(run.message) + u64::from(messages) - 1;
            format!("{sender} #{} to #{last} ({} bytes each)", run.message, run.length)
        }
    }
}

/// The process with this number in stamps, which begin at 1.
pub(crate) fn sender(number: u8, processes: &[String]) -> Option<&str> {
    processes.get(usize::from(number).checked_sub(1)?).map(String::as_str)
}

fn signal(report: &SignalReport) -> String {
    let mut word = report.signal.to_string();
    if let Some(value) = report.value {
        word.push_str(&format!(" value {value}"));
    }
    if let Some(from) = &report.from {
        word.push_str(&format!(" from {from}"));
    }
    word
}

/// How a process ended, in a few words.
#[must_use]
pub fn ending(ending: &ProcessEnding) -> String {
    match ending {
        ProcessEnding::Status(status) => format!("exits with {status}"),
        ProcessEnding::Signal(signal) => format!("ended by {signal}"),
        ProcessEnding::Unseen => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, operation, outcome};
    use harness_core::wire::{Data, Outcome, Piece, Received, Run};
    use rstest::rstest;

    #[rstest]
    #[case(r#"{"write": {"text": "hello"}}"#, None, r#"write "hello""#)]
    #[case(r#"{"write": {"size": 64, "nonblocking": true}}"#, Some("line"), "write(line) 64 nonblocking")]
    #[case(r#"{"read": {"size": 64, "until": "end"}}"#, None, "read 64 until=end")]
    #[case(
        r#"{"send": {"text": "x", "priority": 3, "timeout": 5000000}}"#,
        None,
        "send \"x\" priority 3 timeout=5.0 ms"
    )]
    #[case(r#"{"sigmask": {"block": ["SIGUSR1", "SIGUSR2"]}}"#, None, "sigmask block=SIGUSR1+SIGUSR2")]
    #[case(r#"{"kill": {"process": "reader", "signal": "SIGTERM"}}"#, None, "kill reader SIGTERM")]
    #[case(r#"{"sigwait": {"signals": ["SIGUSR1", "SIGUSR2"]}}"#, None, "sigwait SIGUSR1 SIGUSR2")]
    fn operations_are_a_few_words(#[case] json: &str, #[case] channel: Option<&str>, #[case] expected: &str) {
        assert_eq!(operation(&serde_json::from_str(json).unwrap(), channel), expected);
    }

    #[test]
    fn what_was_received_names_its_senders() {
        let run = Run { from: 2, message: 3, offset: 0, length: 8 };
        let pieces = vec![Piece {
            length: 12,
            data: Data::Runs(vec![run, Run { from: 0, length: 4, ..run }]),
            priority: None,
            r#type: None,
            truncated: false,
        }];
        let got = Outcome::Received(Received { pieces, ended: true, failed: None });
        let processes = ["reader".to_owned(), "writer".to_owned()];
        assert_eq!(outcome(&got, &processes), "writer #3 (8 bytes) + 4 bytes nobody sent, the end");
    }

    #[test]
    fn whole_messages_in_a_row_are_told_as_one() {
        let whole = |message| Run { from: 1, message, offset: 0, length: 8 };
        let mut runs: Vec<Run> = (0..9).map(whole).collect();
        runs.insert(5, Run { from: 2, message: 0, offset: 0, length: 4 });
        runs.insert(7, Run { from: 2, message: 0, offset: 4, length: 4 });
        let processes = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            super::runs(&runs, &processes),
            "a #0 to #4 (8 bytes each) + b #0 (4 bytes) + a #5 (8 bytes) + b #0 (bytes 4..8) + a #6 to #8 (8 bytes each)"
        );
    }

    #[rstest]
    #[case(12, "12 ns")]
    #[case(1_500, "1.5 µs")]
    #[case(2_500_000, "2.5 ms")]
    #[case(12_000_000_000, "12.00 s")]
    fn durations_read_well(#[case] ns: u64, #[case] expected: &str) {
        assert_eq!(duration(ns), expected);
    }
}
