//! Free-running processes: runs, copies, meetings, journals.

use crate::lane::{Lane, Run, failed};
use harness_core::wire::{Do, FromAgent, Go, Harvest, HeldEnd, Journal, Outcome, Steps, ToAgent};
use rstest::rstest;
use serde_json::{Value, json};
use spec::Mechanism;
use std::collections::BTreeMap;

fn steps(steps: &[Value], runs: u32, meetings: &[(&str, &[&str])], shared_meeting: bool) -> ToAgent {
    ToAgent::Steps(Steps {
        steps: (0..)
            .zip(steps)
            .map(|(step, operation)| Do {
                step,
                run: 0,
                operation: serde_json::from_value(operation.clone()).unwrap(),
                channel: Some("c".to_owned()).filter(|_| operation.get("meet").is_none()),
            })
            .collect(),
        runs,
        meetings: meetings
            .iter()
            .map(|(name, parties)| ((*name).to_owned(), parties.iter().map(|party| (*party).to_owned()).collect()))
            .collect(),
        shared_meeting,
        instants: Vec::new(),
        offsets: Vec::new(),
        shared_journal: false,
        nonblocking: Vec::new(),
        renew: None,
        sent: BTreeMap::new(),
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
        let message = steps(&script, 16, &[("start", &["a", "b"]), ("middle", &["a", "b"])], true);
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

/// A lane with a channel from `w` to `r` that carries stamped bytes, in so many copies.
fn stamped(mechanism: Mechanism, copies: u32) -> Lane {
    let holders = [("w", Some(HeldEnd::Write)), ("r", Some(HeldEnd::Read))];
    let options = if mechanism == Mechanism::PosixMq { json!({"message_size": 64}) } else { json!({}) };
    let mut lane = Lane::start();
    lane.open(&Run { copies, stamped: true, options, ..Run::new(mechanism, &holders) });
    lane
}

#[rstest]
#[case(Mechanism::Pipe, "write", "read")]
#[case(Mechanism::UnixStream, "write", "read")]
#[case(Mechanism::PosixMq, "send", "receive")]
fn messages_are_counted_from_zero_in_each_run(#[case] mechanism: Mechanism, #[case] give: &str, #[case] take: &str) {
    let mut lane = stamped(mechanism, 5);
    let write = [json!({give: {"size": 20}}), json!({give: {"size": 20}})];
    let read = if take == "read" { json!({"read": {"size": 20}}) } else { json!({"receive": {}}) };
    lane.process("w").connection.say(&steps(&write, 5, &[("start", &["w", "r"])], true));
    lane.process("r").connection.say(&steps(&[read], 5, &[("start", &["w", "r"])], true));
    assert!(journal(&mut lane, "w", 5, 2).iter().flatten().all(|outcome| *outcome == Outcome::Count(20)));
    for outcomes in journal(&mut lane, "r", 5, 1) {
        let text = format!("{:?}", outcomes[0]);
        assert!(text.contains("Run { from: 1, message: 0, offset: 0, length: 20 }"), "{text}");
    }
    lane.close();
}

#[rstest]
#[case(Mechanism::Pipe, "write", "read")]
#[case(Mechanism::UnixStream, "write", "read")]
#[case(Mechanism::PosixMq, "send", "receive")]
fn a_step_is_done_on_the_copy_of_its_run(#[case] mechanism: Mechanism, #[case] give: &str, #[case] take: &str) {
    let mut lane = stamped(mechanism, 2);
    let take = |size: u64| match take {
        "read" => json!({"read": {"size": size, "nonblocking": true}}),
        _ => json!({"receive": {"nonblocking": true}}),
    };
    assert_eq!(lane.do_step("w", json!({give: {"size": 20}})), Outcome::Count(20));
    lane.turn_to_run(1);
    assert_eq!(lane.do_step("r", take(20)), failed("EAGAIN"));
    assert_eq!(lane.do_step("w", json!({give: {"size": 24}})), Outcome::Count(24));
    // What came is the first message of its run: a process counts anew in each.
    for (run, length) in [(1, 24), (2, 20)] {
        lane.turn_to_run(run);
        let text = format!("{:?}", lane.do_step("r", take(length)));
        assert!(text.contains(&format!("Run {{ from: 1, message: 0, offset: 0, length: {length} }}")), "{text}");
        assert_eq!(lane.do_step("r", take(length)), failed("EAGAIN"));
    }
    lane.close();
}

#[test]
fn meetings_can_go_by_messages() {
    let holders = [("a", Some(HeldEnd::Both)), ("b", Some(HeldEnd::Both))];
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::PosixSem, &holders));
    for process in ["a", "b"] {
        lane.process(process).connection.say(&steps(&[json!({"post": {}})], 1, &[("start", &["a", "b"])], false));
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
    lane.process("a").connection.say(&steps(&script, 1, &[("start", &["a"]), ("never", &["a", "b"])], true));
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
    lane.process("a").connection.say(&steps(&[json!({"read": {}})], 1, &[("start", &["a", "b"])], true));
    let kill = json!({"kill": {"process": "a"}});
    lane.process("b").connection.say(&steps(&[kill], 1, &[("start", &["a", "b"])], true));
    assert!(matches!(lane.process("a").connection.hear(), Some(FromAgent::Begin(_))));
    assert_eq!(lane.exited().process, "a");
    assert!(lane.process("a").connection.hear().is_none());
    assert_eq!(journal(&mut lane, "b", 1, 1), [[Outcome::Done]]);
    lane.close();
}

/// The same steps, with the journal in shared memory.
fn shared(message: ToAgent, renew: Option<&[&str]>) -> ToAgent {
    let ToAgent::Steps(steps) = message else { panic!("no steps") };
    let renew = renew.map(|renew| renew.iter().map(|name| (*name).to_owned()).collect());
    ToAgent::Steps(Steps { shared_journal: true, renew, ..steps })
}

/// Asks the root for all journals.
fn harvest(lane: &mut Lane) -> BTreeMap<String, Journal> {
    let run = lane.run();
    lane.root.say(&ToAgent::Harvest(Harvest { run }));
    let mut journals = BTreeMap::new();
    loop {
        match lane.root.hear() {
            Some(FromAgent::Journal(journal)) => assert!(journals.insert(journal.process.clone(), journal).is_none()),
            Some(FromAgent::Harvested(harvested)) => {
                assert_eq!(harvested.run, run);
                return journals;
            }
            Some(FromAgent::Exited(_)) => {}
            other => panic!("in a harvest stands {other:?}"),
        }
    }
}

/// What the calls of a journal gave, in order.
fn given(journal: &Journal) -> Vec<Outcome> {
    let outcome = |call: &[u64]| journal.outcomes[usize::try_from(call[2]).unwrap()].clone();
    journal.calls.chunks_exact(3).map(outcome).collect()
}

/// One process stores words, the other reads bytes: who makes copies as new waits for all, whatever they do.
#[test]
fn copies_are_used_again_where_not_everybody_accesses_words() {
    let holders = [("a", Some(HeldEnd::Both)), ("b", Some(HeldEnd::Both))];
    let mut lane = Lane::start();
    lane.open(&Run { copies: 3, ..Run::new(Mechanism::PosixShm, &holders) });
    for (process, step) in [("a", json!({"store": {"value": 1}})), ("b", json!({"load": {"at": 8, "size": 4}}))] {
        let message = shared(steps(&[step], 12, &[("start", &["a", "b"])], true), Some(&["c"]));
        lane.process(process).connection.say(&message);
    }
    for process in ["a", "b"] {
        let said = lane.process(process).connection.hear();
        assert!(matches!(said, Some(FromAgent::Finished(finished)) if finished.runs == 12), "{process}");
    }
    assert!(harvest(&mut lane).values().all(|journal| journal.begun == 12));
    lane.close();
}

#[rstest]
#[case(Mechanism::Pipe, json!({"write": {"size": 20}}), json!({"read": {"size": 8}}), 40)]
#[case(Mechanism::UnixStream, json!({"write": {"size": 20}}), json!({"read": {"size": 8}}), 40)]
#[case(Mechanism::PosixMq, json!({"send": {"size": 20}}), json!({"receive": {"nonblocking": true}}), 2)]
#[case(Mechanism::SysvMsg, json!({"send": {"size": 20}}), json!({"receive": {"nonblocking": true}}), 2)]
fn what_is_left_in_a_channel_is_taken_out(
    #[case] mechanism: Mechanism,
    #[case] give: Value,
    #[case] take: Value,
    #[case] sent: u64,
    #[values(false, true)] tells_how_much: bool,
) {
    let holders = [("w", Some(HeldEnd::Write)), ("r", Some(HeldEnd::Read))];
    let mut lane = Lane::start();
    let options = if mechanism == Mechanism::PosixMq { json!({"message_size": 64}) } else { json!({}) };
    lane.open(&Run { copies: 3, stamped: true, options, ..Run::new(mechanism, &holders) });
    let meetings: [(&str, &[&str]); 2] = [("start", &["w", "r"]), ("given", &["w", "r"])];
    let met = json!({"meet": {"meeting": "given"}});
    // Twice as much is given as is taken, and the next run on the same copy finds none of it.
    let giver = steps(&[give.clone(), give, met.clone()], 10, &meetings, true);
    lane.process("w").connection.say(&shared(giver, Some(&[])));
    let ToAgent::Steps(taker) = shared(steps(&[met, take], 10, &meetings, true), Some(&["c"])) else { panic!() };
    let sent = BTreeMap::from_iter(tells_how_much.then(|| ("c".to_owned(), sent)));
    lane.process("r").connection.say(&ToAgent::Steps(Steps { sent, ..taker }));
    for process in ["w", "r"] {
        match lane.process(process).connection.hear() {
            Some(FromAgent::Finished(finished)) => assert_eq!(finished.runs, 10),
            other => panic!("instead of an end came {other:?}"),
        }
    }
    let journals = harvest(&mut lane);
    assert_eq!((journals["w"].begun, journals["r"].begun), (30, 20));
    let taken: Vec<Outcome> = given(&journals["r"]).into_iter().skip(1).step_by(2).collect();
    assert!(taken.iter().all(|outcome| *outcome == taken[0]), "{taken:?}");
    assert!(format!("{:?}", taken[0]).contains("message: 0, offset: 0"), "{taken:?}");
    lane.close();
}

#[rstest]
#[case(Mechanism::PosixShm, json!({"store": {"cell": 3, "value": 7}}), json!({"load": {"cell": 3}}), 7)]
#[case(Mechanism::PosixShm, json!({"fetch_add": {"value": 2}}), json!({"load": {}}), 2)]
#[case(Mechanism::PosixSem, json!({"post": {}}), json!({"value": {}}), 1)]
#[case(Mechanism::SysvSem, json!({"post": {}}), json!({"value": {}}), 1)]
fn cells_and_counters_are_set_back(
    #[case] mechanism: Mechanism,
    #[case] change: Value,
    #[case] look: Value,
    #[case] expected: u64,
) {
    let mut lane = Lane::start();
    lane.open(&Run { copies: 2, ..Run::new(mechanism, &[("a", Some(HeldEnd::Both))]) });
    // Told twice: what is left by the first steps must not be there for the second.
    for _ in 0..2 {
        let message = steps(&[change.clone(), look.clone()], 5, &[("start", &["a"])], true);
        lane.process("a").connection.say(&shared(message, Some(&["c"])));
        assert!(matches!(lane.process("a").connection.hear(), Some(FromAgent::Finished(_))));
        let journal = &harvest(&mut lane)["a"];
        let found: Vec<Outcome> = given(journal).into_iter().skip(1).step_by(2).collect();
        assert_eq!(found, vec![Outcome::Count(expected); 5]);
    }
    lane.close();
}

#[test]
fn accesses_that_follow_one_another_share_their_times() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::PosixShm, &[("a", Some(HeldEnd::Both))]));
    let script = [
        json!({"store": {"at": 2, "bits": 16, "value": 70_000, "order": "relaxed"}}),
        json!({"load": {"at": 2, "bits": 16, "order": "acquire"}}),
        json!({"load": {"at": 0, "bits": 32}}),
        json!({"compare_exchange": {"cell": 0, "expected": 1}}),
    ];
    lane.process("a").connection.say(&shared(steps(&script, 1, &[("start", &["a"])], true), None));
    assert!(matches!(lane.process("a").connection.hear(), Some(FromAgent::Finished(_))));
    let journal = &harvest(&mut lane)["a"];
    let low = 70_000 % 65_536;
    let found = [Outcome::Done, Outcome::Count(low), Outcome::Count(low << 16), Outcome::Count(low << 16)];
    assert_eq!(given(journal), found);
    let times: Vec<&[u64]> = journal.calls.chunks_exact(3).collect();
    assert!(times[1..].iter().all(|call| call[0] == 0 && call[1] == times[0][1]), "{times:?}");
    lane.close();
}

#[test]
fn the_journal_of_a_killed_process_is_not_lost() {
    let holders = [("a", Some(HeldEnd::Read)), ("b", Some(HeldEnd::Write))];
    let mut lane = Lane::start();
    lane.open(&Run { stamped: true, ..Run::new(Mechanism::Pipe, &holders) });
    let meetings: [(&str, &[&str]); 1] = [("start", &["a", "b"])];
    let read = json!({"read": {"size": 4}});
    lane.process("a").connection.say(&shared(steps(&[read.clone(), read], 1, &meetings, true), None));
    lane.process("b").connection.say(&shared(steps(&[json!({"write": {"size": 4}})], 1, &meetings, true), None));
    assert!(matches!(lane.process("b").connection.hear(), Some(FromAgent::Finished(_))));
    lane.blocks("a");
    let journal = &harvest(&mut lane)["a"];
    assert_eq!((journal.calls.len() / 3, journal.begun), (1, 2));
    lane.kill("a");
    assert_eq!(lane.exited().process, "a");
    let after = &harvest(&mut lane)["a"];
    assert_eq!(after, journal);
    lane.close();
}
