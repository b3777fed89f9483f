//! Free-running processes: runs, copies, meetings, journals.

use crate::lane::{Lane, Run};
use harness_core::wire::{Do, FromAgent, Go, HeldEnd, Outcome, Steps, ToAgent};
use rstest::rstest;
use serde_json::{Value, json};
use spec::Mechanism;
use std::collections::BTreeMap;

fn steps(steps: &[Value], runs: u32, meetings: &[(&str, u32)], shared_meeting: bool) -> ToAgent {
    ToAgent::Steps(Steps {
        steps: (0..)
            .zip(steps)
            .map(|(step, operation)| Do {
                step,
                operation: serde_json::from_value(operation.clone()).unwrap(),
                channel: Some("c".to_owned()).filter(|_| operation.get("meet").is_none()),
            })
            .collect(),
        runs,
        meetings: meetings.iter().map(|(name, parties)| ((*name).to_owned(), *parties)).collect(),
        shared_meeting,
        seed: 1,
    })
}

/// Hears a journal to its end; returns the outcomes as `outcomes[run][step]`.
fn journal(lane: &mut Lane, process: &str, runs: u32, count: usize) -> Vec<Vec<Outcome>> {
    let mut begun: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    let mut outcomes = vec![Vec::new(); runs as usize];
    loop {
        match lane.process(process).connection.hear() {
            Some(FromAgent::Begin(begin)) => {
                assert!(begun.insert((begin.run, begin.step), begin.at).is_none());
            }
            Some(FromAgent::End(end)) => {
                assert!(begun[&(end.run, end.step)] <= end.began && end.began <= end.ended);
                assert_eq!(outcomes[end.run as usize].len(), end.step as usize);
                outcomes[end.run as usize].push(end.outcome);
            }
            Some(FromAgent::Finished(finished)) => {
                assert_eq!(finished.runs, runs);
                assert!(outcomes.iter().all(|run| run.len() == count));
                return outcomes;
            }
            other => panic!("in a journal stands {other:?}"),
        }
    }
}

#[test]
fn every_run_has_a_copy_of_its_own() {
    let holders = [("a", Some(HeldEnd::Both)), ("b", Some(HeldEnd::Both))];
    let mut lane = Lane::start();
    lane.open(&Run { copies: 8, ..Run::new(Mechanism::PosixShm, &holders) });
    let script = [json!({"fetch_add": {}}), json!({"meet": {"meeting": "middle"}}), json!({"load": {}})];
    for process in ["a", "b"] {
        let message = steps(&script, 16, &[("start", 2), ("middle", 2)], true);
        lane.process(process).connection.say(&message);
    }
    let (a, b) = (journal(&mut lane, "a", 16, 3), journal(&mut lane, "b", 16, 3));
    for (run, (a, b)) in a.iter().zip(&b).enumerate() {
        let before = if run < 8 { 0 } else { 2 };
        let mut counts = [&a[0], &b[0]].map(|outcome| match outcome {
            Outcome::Count(count) => *count,
            other => panic!("{other:?}"),
        });
        counts.sort_unstable();
        assert_eq!(counts, [before, before + 1], "run {run}");
        assert_eq!(a[1], Outcome::Done);
        assert_eq!((&a[2], &b[2]), (&Outcome::Count(before + 2), &Outcome::Count(before + 2)), "run {run}");
    }
    lane.close();
}

#[rstest]
#[case(Mechanism::Pipe, "write", "read")]
#[case(Mechanism::UnixStream, "write", "read")]
#[case(Mechanism::PosixMq, "send", "receive")]
fn messages_are_counted_from_zero_in_each_run(#[case] mechanism: Mechanism, #[case] give: &str, #[case] take: &str) {
    let holders = [("w", Some(HeldEnd::Write)), ("r", Some(HeldEnd::Read))];
    let mut lane = Lane::start();
    let options = if mechanism == Mechanism::PosixMq { json!({"message_size": 64}) } else { json!({}) };
    lane.open(&Run { copies: 5, stamped: true, options, ..Run::new(mechanism, &holders) });
    let write = [json!({give: {"size": 20}}), json!({give: {"size": 20}})];
    let read = if take == "read" { json!({"read": {"size": 20}}) } else { json!({"receive": {}}) };
    lane.process("w").connection.say(&steps(&write, 5, &[("start", 2)], true));
    lane.process("r").connection.say(&steps(&[read], 5, &[("start", 2)], true));
    assert!(journal(&mut lane, "w", 5, 2).iter().flatten().all(|outcome| *outcome == Outcome::Count(20)));
    for outcomes in journal(&mut lane, "r", 5, 1) {
        let text = format!("{:?}", outcomes[0]);
        assert!(text.contains("Run { from: 1, message: 0, offset: 0, length: 20 }"), "{text}");
    }
    lane.close();
}

#[test]
fn meetings_can_go_by_messages() {
    let holders = [("a", Some(HeldEnd::Both)), ("b", Some(HeldEnd::Both))];
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::PosixSem, &holders));
    for process in ["a", "b"] {
        lane.process(process).connection.say(&steps(&[json!({"post": {}})], 1, &[("start", 2)], false));
    }
    for process in ["a", "b"] {
        let connection = &mut lane.process(process).connection;
        assert!(matches!(connection.hear(), Some(FromAgent::Begin(begin)) if begin.step == 0));
        assert!(matches!(connection.hear(), Some(FromAgent::Met(met)) if met.meeting == "start" && met.run == 0));
        assert!(connection.is_silent());
    }
    for process in ["a", "b"] {
        lane.process(process).connection.say(&ToAgent::Go(Go { meeting: "start".to_owned() }));
        let connection = &mut lane.process(process).connection;
        assert!(matches!(connection.hear(), Some(FromAgent::End(_))));
        assert!(matches!(connection.hear(), Some(FromAgent::Finished(_))));
    }
    assert_eq!(lane.do_step("a", json!({"value": {}})), Outcome::Count(2));
    lane.close();
}

#[test]
fn the_beginning_of_a_step_after_a_meeting_is_said_before_it() {
    let holders = [("a", Some(HeldEnd::Both)), ("b", Some(HeldEnd::Both))];
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::PosixSem, &holders));
    let script = [json!({"post": {}}), json!({"meet": {"meeting": "never"}}), json!({"post": {}})];
    lane.process("a").connection.say(&steps(&script, 1, &[("start", 1), ("never", 2)], true));
    let connection = &mut lane.process("a").connection;
    let mut heard = Vec::new();
    for _ in 0..4 {
        match connection.hear() {
            Some(FromAgent::Begin(begin)) => heard.push(format!("begin {}", begin.step)),
            Some(FromAgent::End(end)) => heard.push(format!("end {}", end.step)),
            other => panic!("in a journal stands {other:?}"),
        }
    }
    assert_eq!(heard, ["begin 0", "end 0", "begin 1", "begin 2"]);
    assert!(connection.is_silent());
    assert_eq!(lane.close().len(), 2);
}

#[test]
fn a_process_of_a_race_can_be_killed_in_its_call() {
    let holders = [("a", Some(HeldEnd::Read)), ("b", Some(HeldEnd::Write))];
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Pipe, &holders));
    lane.process("a").connection.say(&steps(&[json!({"read": {}})], 1, &[("start", 2)], true));
    let kill = json!({"kill": {"process": "a"}});
    lane.process("b").connection.say(&steps(&[kill], 1, &[("start", 2)], true));
    assert!(matches!(lane.process("a").connection.hear(), Some(FromAgent::Begin(_))));
    assert_eq!(lane.exited().process, "a");
    assert!(lane.process("a").connection.hear().is_none());
    assert_eq!(journal(&mut lane, "b", 1, 1), [[Outcome::Done]]);
    lane.close();
}
