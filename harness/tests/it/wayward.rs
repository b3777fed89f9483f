//! An agent that lies, stalls, sends rubbish, dies, floods, or speaks out of turn is faulty: never a verdict on a mechanism.

use crate::support::{HELLO, plan, run, session};
use harness::StartError;
use harness_core::Verdict;
use rstest::rstest;

#[test]
fn an_agent_that_behaves_is_judged() {
    let session = session("well").expect("it starts");
    let completions = run(&session, vec![plan(HELLO), plan(HELLO)]);
    for completion in completions {
        let judgement = completion.judgement.expect("it ran");
        assert_eq!(judgement.verdict, Verdict::Held, "{:#?}", judgement.findings);
    }
}

#[rstest]
#[case::more_than_asked("lie-count", "which no")]
#[case::a_step_never_begun("lie-step", "out of turn")]
#[case::times_that_cannot_be("lie-time", "outside")]
#[case::another_outcome("lie-shape", "which no")]
#[case::root_never_opens("stall-root", "did not say")]
#[case::process_never_begins("stall-process", "without having said that it begins")]
#[case::process_begins_and_does_nothing("stall-silent", "waits for commands instead of making the call")]
#[case::no_json("rubbish", "no message of the protocol")]
#[case::no_text("binary", "no message of the protocol")]
#[case::flood("flood", "")]
#[case::root_dies("die-root", "ended")]
#[case::process_exits("die-process", "exited with status 3 without being told to")]
#[case::end_before_begin("out-of-turn", "out of turn")]
#[case::process_of_another_run("unknown-run", "said hello for run")]
#[case::id_of_everybody("lie-pid", "said that its process id is -1")]
#[case::hangs_up("early-eof", "")]
fn an_agent_that_misbehaves_is_faulty(#[case] misbehaviour: &str, #[case] words: &str) {
    let session = session(misbehaviour).expect("it starts");
    let completions = run(&session, vec![plan(HELLO)]);
    let judgement = completions[0].judgement.as_ref().expect("it ran");
    assert_eq!(judgement.verdict, Verdict::Faulty, "{misbehaviour}: {:#?}", judgement.findings);
    let got = &judgement.findings[0].got;
    assert!(got.contains(words), "{misbehaviour}: the finding says `{got}`, and not `{words}`");
}

/// A story in which a process id matters.
const KILL: &str = "
title: A signal reaches the process that it is sent to
because: It is the least that a signal can do.
cites: [POSIX.1-2024 kill()]
mechanisms: [pipe]
channels: { line: stream }
within: 1s
story:
  - one: { write: hello }
  - one: { kill: { process: other, signal: SIGTERM } }
  - other: { read: 64 }
";

#[test]
fn an_agent_that_gives_the_id_of_somebody_else_is_faulty() {
    let session = session("lie-neighbour").expect("it starts");
    let completions = run(&session, vec![plan(KILL)]);
    let judgement = completions[0].judgement.as_ref().expect("it ran");
    assert_eq!(judgement.verdict, Verdict::Faulty, "{:#?}", judgement.findings);
    let got = &judgement.findings[0].got;
    assert!(got.contains("said that its process id is"), "{got}");
}

/// A story in which it is noticed when a forked process ends.
const END_OF_A_CHILD: &str = "
title: The end of a pipe comes when the forked process that holds it ends
because: A reader waits for its last writer.
cites: [\"POSIX.1-2024 read(): end-of-file\"]
mechanisms: [pipe]
channels: { line: stream }
within: 1s
story:
  - parent: { write: hello }
  - parent: { fork: child }
  - parent: { close: line }
  - reader: { read: 64, gives: hello }
  - reader: { read: 64, blocks: reading }
  - child: { exit: 0 }
  - reader: { resumes: reading, gives: end }
";

#[rstest]
#[case::at_once("well")]
#[case::after_it_closed_its_connection("hang-up")]
fn a_forked_process_ends_when_the_kernel_says_so(#[case] mode: &str) {
    let session = session(mode).expect("it starts");
    let completions = run(&session, vec![plan(END_OF_A_CHILD)]);
    let judgement = completions[0].judgement.as_ref().expect("it ran");
    assert_eq!(judgement.verdict, Verdict::Held, "{:#?}", judgement.findings);
}

/// A walk through the two orders of a write and a read.
const WALK: &str = "
title: In each order of a write and a read the bytes are read
because: It is the least that a pipe can do.
cites: [POSIX.1-2024 read()]
mechanisms: [pipe]
channels: { line: stream }
within: 1s
orders: every
processes:
  writer: [{ write: hello }]
  reader: [{ read: 64, record: got }]
must: [finishes]
";

#[rstest]
#[case::one_run_a_team("well", Verdict::Held)]
#[case::all_runs_by_one_team("copies", Verdict::Held)]
#[case::another_run_than_it_was_told("lie-run", Verdict::Faulty)]
fn an_agent_with_copies_is_told_which_run_a_step_is_of(#[case] mode: &str, #[case] expected: Verdict) {
    let session = session(mode).expect("it starts");
    let completions = run(&session, vec![plan(WALK)]);
    let judgement = completions[0].judgement.as_ref().expect("it ran");
    assert_eq!(judgement.verdict, expected, "{:#?}", judgement.findings);
    if expected == Verdict::Faulty {
        let got = &judgement.findings[0].got;
        assert!(got.contains("out of turn"), "{got}");
    }
}

#[test]
fn an_agent_of_another_protocol_is_refused() {
    let error = session("wrong-protocol").expect_err("it cannot start");
    assert!(matches!(error, StartError::Protocol { theirs: 99, .. }), "{error}");
}

#[rstest]
#[case("no-hello", "did not say hello")]
#[case("never-connects", "did not connect")]
fn an_agent_that_does_not_greet_cannot_start(#[case] misbehaviour: &str, #[case] words: &str) {
    let error = session(misbehaviour).expect_err("it cannot start").to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn an_agent_that_does_not_exist_cannot_start() {
    let config = harness::Config::new(vec!["/nonexistent/agent".into()], crate::support::example("helper"));
    let error = harness::Session::start(config).expect_err("it cannot start").to_string();
    assert!(error.contains("/nonexistent/agent"), "{error}");
}
