//! What bytes are called that are read otherwise than they were written.

use crate::{
    Event, History, Plan,
    finding::Anomaly,
    model, samples,
    wire::{Data, Outcome, Piece, Received, Run},
};
use rstest::rstest;

fn read(data: Data, length: u64) -> Outcome {
    let piece = Piece { length, data, priority: None, r#type: None, truncated: false };
    Outcome::Received(Received { pieces: vec![piece], ended: false, failed: None })
}

/// One process writes, then another reads, a call after the other.
fn first_named(plan: &Plan, writes: &[u64], reads: Vec<Outcome>) -> Option<Anomaly> {
    let written = writes.iter().map(|count| (0, Outcome::Count(*count)));
    let calls = written.chain(reads.into_iter().map(|outcome| (1, outcome)));
    let mut steps = [0, 0];
    let events = (0..).zip(calls).map(|(at, (process, outcome))| {
        steps[process] += 1;
        Event::Returned { process, step: steps[process] - 1, began: 2 * at, ended: 2 * at + 1, outcome }
    });
    let history = History { run: 0, events: events.collect() };
    model::judge(plan, &history).violations.first().map(|violation| violation.anomaly)
}

#[rstest]
#[case::as_written(&["abc", "def"], None)]
#[case::again(&["abcdef", "abc"], Some(Anomaly::Duplicated))]
#[case::again_at_once(&["abcdefdef"], Some(Anomaly::Duplicated))]
#[case::again_before_more(&["abcabcdef"], Some(Anomaly::Duplicated))]
#[case::again_behind_a_rest(&["ab", "cabcdef"], Some(Anomaly::Duplicated))]
#[case::a_letter_twice_is_another_one(&["abbdef"], Some(Anomaly::Corrupted))]
#[case::what_nobody_wrote(&["abcdef", "xyz"], Some(Anomaly::Corrupted))]
#[case::turned(&["defabc"], Some(Anomaly::Reordered))]
#[case::without_a_letter(&["abdef"], Some(Anomaly::Lost))]
#[case::another_letter(&["abxdef"], Some(Anomaly::Corrupted))]
fn texts(#[case] reads: &[&str], #[case] expected: Option<Anomaly>) {
    let plan = samples::plan(
        "mechanisms: [pipe]
channels: { line: stream }
processes:
  writer: [{ write: abc }, { write: def }]
  reader: [{ read: 64 }, { read: 64 }]
must: [complete]
",
    );
    let reads = reads.iter().map(|text| read(Data::Text((*text).to_owned()), text.len() as u64)).collect();
    assert_eq!(first_named(&plan, &[3, 3], reads), expected);
}

/// A run of bytes of the only writer, by its message and its place there.
fn part(message: u32, offset: u32, length: u32) -> Run {
    Run { from: 1, message, offset, length }
}

/// So many bytes that tell no writer.
fn of_nobody(length: u32) -> Run {
    Run { from: 0, message: 0, offset: 0, length }
}

#[rstest]
#[case::as_written(vec![part(0, 0, 64), part(1, 0, 64)], None)]
#[case::again(vec![part(0, 0, 64), part(0, 0, 64)], Some(Anomaly::Duplicated))]
#[case::turned(vec![part(1, 0, 64), part(0, 0, 64)], Some(Anomaly::Reordered))]
#[case::without_the_first(vec![part(1, 0, 64)], Some(Anomaly::Lost))]
#[case::without_a_byte(vec![part(0, 0, 63), part(1, 0, 64)], Some(Anomaly::Lost))]
#[case::a_byte_of_nobody(vec![part(0, 0, 63), of_nobody(1), part(1, 0, 64)], Some(Anomaly::Corrupted))]
#[case::never_written(vec![part(0, 0, 64), part(1, 0, 64), part(7, 0, 64)], Some(Anomaly::Phantom))]
fn stamped_bytes(#[case] runs: Vec<Run>, #[case] expected: Option<Anomaly>) {
    let plan = samples::plan(
        "mechanisms: [pipe]
channels: { line: stream }
processes:
  writer: [{ write: { size: 64 } }, { write: { size: 64 } }]
  reader: [{ read: 256 }]
must: [complete]
",
    );
    let length = runs.iter().map(|run| u64::from(run.length)).sum();
    assert_eq!(first_named(&plan, &[64, 64], vec![read(Data::Runs(runs), length)]), expected);
}

#[test]
fn a_message_with_a_byte_of_nobody_is_corrupted_and_not_merged() {
    let plan = samples::plan(
        "mechanisms: [posix_mq]
channels: { mail: queue }
processes:
  sender: [{ send: { size: 64 } }]
  receiver: [{ receive: 64 }]
must: [complete]
",
    );
    let received = read(Data::Runs(vec![part(0, 0, 63), of_nobody(1)]), 64);
    assert_eq!(first_named(&plan, &[64], vec![received]), Some(Anomaly::Corrupted));
}
