//! How processes and agents end, and that nothing is left when they do.

use crate::lane::{Lane, Run};
use harness_core::wire::{FromAgent, HeldEnd, Outcome, ProcessEnding};
use rstest::rstest;
use serde_json::json;
use spec::{Mechanism, scenario::Attach};
use std::{
    fs,
    time::{Duration, Instant},
};

const ENDS: &[(&str, Option<HeldEnd>)] = &[("w", Some(HeldEnd::Write)), ("r", Some(HeldEnd::Read))];

fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < limit, "not within 10 s: {what}");
        std::thread::yield_now();
    }
}

fn is_gone(pid: i32) -> bool {
    // A zombie is gone as well: whoever is left with it reaps it.
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn a_process_exits_with_its_status() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Pipe, ENDS));
    lane.begin("w", json!({"exit": {"status": 7}}));
    let exited = lane.exited();
    assert_eq!((exited.process.as_str(), exited.ending), ("w", ProcessEnding::Status(7)));
    assert!(lane.process("w").connection.hear().is_none());
    assert_eq!(lane.close().len(), 1);
}

#[test]
fn a_kill_is_reported_at_once_and_releases_the_peer() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Pipe, ENDS));
    lane.begin("r", json!({"read": {}}));
    lane.blocks("r");
    let pid = nix::unistd::Pid::from_raw(lane.process("w").hello.pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    assert_eq!(lane.exited().ending, ProcessEnding::Signal("SIGKILL".parse().unwrap()));
    assert!(crate::lane::is_end(&lane.end("r")));
    lane.close();
}

#[test]
fn a_stopped_process_is_ended_all_the_same() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Signal, &[("a", Some(HeldEnd::Both)), ("b", Some(HeldEnd::Both))]));
    assert_eq!(lane.do_step("a", json!({"kill": {"process": "b", "signal": "SIGSTOP"}})), Outcome::Done);
    assert_eq!(lane.close().len(), 2);
}

#[test]
fn a_process_has_its_ends_and_nothing_more() {
    let mut lane = Lane::start();
    for mechanism in [Mechanism::Pipe, Mechanism::UnixStream, Mechanism::PosixMq, Mechanism::Udp] {
        lane.open(&Run { copies: 3, ..Run::new(mechanism, ENDS) });
        for process in ["w", "r"] {
            let pid = lane.process(process).hello.pid;
            let count = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
            assert_eq!(count, 3 + 1 + 3, "{process} of {mechanism}: the standard three, its connection, three copies");
        }
        lane.close();
    }
}

#[test]
fn a_process_dies_at_the_end_of_its_connection() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Pipe, ENDS));
    lane.close_connection("w");
    let exited = lane.exited();
    assert_eq!((exited.process.as_str(), exited.ending), ("w", ProcessEnding::Status(0)));
    lane.close();
}

#[rstest]
#[case(Mechanism::Pipe, Attach::Inherit)]
#[case(Mechanism::Fifo, Attach::Inherit)]
#[case(Mechanism::PosixMq, Attach::Inherit)]
#[case(Mechanism::PosixShm, Attach::Inherit)]
#[case(Mechanism::PosixNamedSem, Attach::Inherit)]
#[case(Mechanism::Fifo, Attach::ByName)]
#[case(Mechanism::PosixMq, Attach::ByName)]
#[case(Mechanism::PosixShm, Attach::ByName)]
#[case(Mechanism::PosixNamedSem, Attach::ByName)]
#[case(Mechanism::UnixStream, Attach::ByName)]
#[case(Mechanism::UnixDatagram, Attach::ByName)]
fn when_the_harness_goes_everything_goes(#[case] mechanism: Mechanism, #[case] attach: Attach) {
    let holders = [("a", Some(HeldEnd::Both).filter(|_| attach == Attach::Inherit)), ("b", None)];
    let mut lane = Lane::start();
    lane.open(&Run { attach, copies: 2, ..Run::new(mechanism, &holders) });
    if matches!(mechanism, Mechanism::UnixStream | Mechanism::UnixDatagram) {
        assert_eq!(lane.do_step("a", json!({"bind": {}})), Outcome::Done);
    }
    let pids = [lane.process("a").hello.pid, lane.process("b").hello.pid];
    lane.close_root();
    assert_eq!(lane.agent.wait().unwrap().code(), Some(0));
    eventually("the processes are gone", || pids.iter().all(|pid| is_gone(*pid)));
    assert_eq!(lane.leftovers(), Vec::<String>::new());
}

#[rstest]
#[case("SIGTERM")]
#[case("SIGINT")]
fn an_agent_that_is_told_to_end_cleans_up(#[case] signal: &str) {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Fifo, ENDS));
    let pids = [lane.process("w").hello.pid, lane.process("r").hello.pid];
    let agent = nix::unistd::Pid::from_raw(i32::try_from(lane.agent.id()).unwrap());
    nix::sys::signal::kill(agent, signal.parse::<nix::sys::signal::Signal>().unwrap()).unwrap();
    assert_eq!(lane.agent.wait().unwrap().code(), Some(0));
    eventually("the processes are gone", || pids.iter().all(|pid| is_gone(*pid)));
    assert_eq!(lane.leftovers(), Vec::<String>::new());
}

#[test]
fn processes_do_not_survive_their_root() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Pipe, ENDS));
    lane.begin("r", json!({"read": {}}));
    let pids = [lane.process("w").hello.pid, lane.process("r").hello.pid];
    lane.agent.kill().unwrap();
    lane.agent.wait().unwrap();
    eventually("the processes are gone", || pids.iter().all(|pid| is_gone(*pid)));
}

#[rstest]
#[case("this is no JSON\n", "does not understand")]
#[case("{\"dance\":{}}\n", "does not understand")]
#[case("{\"go\":{\"meeting\":\"start\"}}\n", "only a process")]
#[case("{\"close\":{\"run\":9}}\n", "is not open")]
fn a_root_that_is_told_nonsense_says_so_and_ends(#[case] line: &str, #[case] complaint: &str) {
    let mut lane = Lane::start();
    lane.root.say_raw(line);
    let Some(FromAgent::Problem(problem)) = lane.root.hear() else { panic!("no complaint") };
    assert!(problem.message.contains(complaint), "{}", problem.message);
    assert!(lane.root.hear().is_none());
    assert_eq!(lane.agent.wait().unwrap().code(), Some(2));
}

#[rstest]
#[case(json!({"post": {}}), "c", "no such call")]
#[case(json!({"read": {"peek": true}}), "c", "peek")]
#[case(json!({"write": {"text": "x"}}), "d", "holds nothing")]
#[case(json!({"kill": {"process": "nobody"}}), "c", "no process")]
#[case(json!({"meet": {"meeting": "m"}}), "c", "no meetings")]
fn a_process_that_is_told_nonsense_says_so_and_ends(
    #[case] operation: serde_json::Value,
    #[case] channel: &str,
    #[case] complaint: &str,
) {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Pipe, ENDS));
    let step = json!({"do": {"step": 0, "operation": operation, "channel": channel}});
    let connection = &mut lane.process("r").connection;
    connection.say_raw(&format!("{step}\n"));
    let problem = loop {
        match connection.hear() {
            Some(FromAgent::Problem(problem)) => break problem,
            Some(FromAgent::Begin(_)) => {}
            other => panic!("no complaint: {other:?}"),
        }
    };
    assert!(problem.message.contains(complaint), "{}", problem.message);
    let exited = lane.exited();
    assert_eq!((exited.process.as_str(), exited.ending), ("r", ProcessEnding::Status(2)));
    lane.close();
}

#[test]
fn a_root_that_runs_out_of_descriptors_refuses_and_leaves_nothing() {
    let mut lane = Lane::start_with_descriptors(32);
    let refused = lane.try_open(&Run { copies: 64, ..Run::new(Mechanism::Fifo, ENDS) }).unwrap_err();
    assert_eq!(refused.class, harness_core::wire::RefusalClass::Privilege);
    assert!(refused.reason.contains("EMFILE"), "{}", refused.reason);
    assert_eq!(lane.leftovers(), Vec::<String>::new());
    lane.open(&Run::new(Mechanism::Fifo, ENDS));
    lane.close();
}

#[test]
fn the_agent_speaks_of_its_host() {
    let lane = Lane::start();
    assert_eq!(lane.hello.protocol, harness_core::wire::PROTOCOL);
    assert!(lane.hello.agent.starts_with("plumbline-agent "));
    assert!(lane.hello.mechanisms.contains(&"pipe".to_owned()));
    assert_eq!(lane.hello.limits["PIPE_BUF"], 4096);
    assert!(lane.hello.system.contains_key("release"));
}
