//! Proof of rest: waiting is proven, a deadlock is a verdict with each process's call, a spinning process ends at its deadline.

use crate::support::{plan, run, session};
use harness_core::{Event, Verdict, finding::Anomaly, history::Waiting};

const DEADLOCK: &str = "
title: Two processes that each wait for the other
because: The harness has to see it.
cites: [POSIX.1-2024 read()]
mechanisms: [pipe]
channels: { there: stream, back: stream }
within: 60s
processes:
  left:
    - read: { channel: back, size: 1 }
    - write: { channel: there, text: a }
  right:
    - read: { channel: there, size: 1 }
    - write: { channel: back, text: b }
must: finishes
";

#[test]
fn a_deadlock_is_a_verdict_that_names_each_call() {
    let session = session("well").expect("it starts");
    let completions = run(&session, vec![plan(DEADLOCK)]);
    let judgement = completions[0].judgement.as_ref().expect("it ran");
    assert_eq!(judgement.verdict, Verdict::Broken, "{judgement:#?}");
    let evidence = judgement.evidence.as_ref().expect("a broken finding has its history");
    let waiting = evidence.events.iter().find_map(|event| match event {
        Event::Stuck { waiting, .. } => Some(waiting.clone()),
        _ => None,
    });
    // Stuck, and not overdue: it was proven long before the minute was over.
    let in_read = |process| Waiting { process, step: 0, call: "read".to_owned() };
    assert_eq!(waiting, Some(vec![in_read(0), in_read(1)]), "{evidence:#?}");
    let finding = &judgement.findings[0];
    assert!(finding.got.contains("left") && finding.got.contains("right"), "{finding:#?}");
}

const WAITS: &str = "
title: A reader waits for a writer
because: The harness has to prove it.
cites: [POSIX.1-2024 read()]
mechanisms: [pipe]
channels: { line: stream }
story:
  - reader: { read: 64, blocks: waiting }
  - reader: { still: waiting }
  - writer: { write: hello }
  - reader: { resumes: waiting, gives: hello }
";

#[test]
fn a_call_that_waits_is_proven_to_wait_and_seen_to_resume() {
    let session = session("well").expect("it starts");
    for completion in run(&session, vec![plan(WAITS); 50]) {
        let judgement = completion.judgement.expect("it ran");
        assert_eq!(judgement.verdict, Verdict::Held, "{:#?}", judgement.findings);
    }
}

#[test]
fn a_call_that_waits_where_it_must_not_is_broken() {
    let text = WAITS.replace("blocks: waiting", "gives: hello").replace("  - reader: { still: waiting }\n", "");
    let text = text.replace("  - reader: { resumes: waiting, gives: hello }\n", "");
    let session = session("well").expect("it starts");
    let completions = run(&session, vec![plan(&text)]);
    let judgement = completions[0].judgement.as_ref().expect("it ran");
    assert_eq!(judgement.verdict, Verdict::Broken, "{judgement:#?}");
}

#[test]
fn a_call_that_returns_where_it_must_wait_is_broken() {
    let text = "
title: A reader of a full pipe is said to wait
because: The expectation is wrong on purpose.
cites: [POSIX.1-2024 read()]
mechanisms: [pipe]
channels: { line: stream }
story:
  - writer: { write: hello }
  - reader: { read: 64, blocks: waiting }
";
    let session = session("well").expect("it starts");
    let completions = run(&session, vec![plan(text)]);
    let judgement = completions[0].judgement.as_ref().expect("it ran");
    assert_eq!(judgement.verdict, Verdict::Broken, "{judgement:#?}");
    assert!(judgement.findings.iter().any(|finding| finding.anomaly == Some(Anomaly::DidNotBlock)), "{judgement:#?}");
}

#[test]
fn a_process_that_spins_ends_at_its_deadline() {
    let session = session("spin").expect("it starts");
    let completions = run(&session, vec![plan(&crate::support::HELLO.replace("within: 1s", "within: 100ms"))]);
    let judgement = completions[0].judgement.as_ref().expect("it ran");
    assert_eq!(judgement.verdict, Verdict::Broken, "{judgement:#?}");
    assert!(judgement.findings.iter().any(|finding| finding.anomaly == Some(Anomaly::Overdue)), "{judgement:#?}");
}
