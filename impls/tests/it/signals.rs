//! Signals between processes of a run.

use crate::lane::{Lane, Run, failed, is_end};
use harness_core::wire::{HeldEnd, Outcome, ProcessEnding, SignalReport};
use serde_json::json;
use spec::Mechanism;

const BOTH: &[(&str, Option<HeldEnd>)] = &[("a", Some(HeldEnd::Both)), ("b", Some(HeldEnd::Both))];

fn report(signal: &str, value: Option<u64>, code: &str, from: &str) -> SignalReport {
    let (code, from) = (Some(code.to_owned()), Some(from.to_owned()));
    SignalReport { signal: signal.parse().unwrap(), value, code, own_stack: false, from }
}

#[test]
fn queued_signals_wait_with_their_values() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Signal, BOTH));
    let signals = json!(["SIGRTMIN+1", "SIGUSR1", "SIGRTMAX"]);
    assert_eq!(lane.do_step("b", json!({"sigmask": {"block": signals}})), Outcome::Done);
    for value in [7, u64::from(u32::MAX) + 1] {
        let queue = json!({"sigqueue": {"process": "b", "signal": "SIGRTMIN+1", "value": value}});
        assert_eq!(lane.do_step("a", queue), Outcome::Done);
    }
    assert_eq!(lane.do_step("a", json!({"kill": {"process": "b", "signal": "SIGUSR1"}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"kill": {"process": "b", "signal": "SIGRTMAX"}})), Outcome::Done);
    let Outcome::Signals(pending) = lane.do_step("b", json!({"sigpending": {}})) else { panic!("no signals") };
    let names: Vec<&str> = pending.iter().map(|report| report.signal.name()).collect();
    assert_eq!(names, ["SIGUSR1", "SIGRTMIN+1", "SIGRTMAX"], "in the words of the mask");
    let wait = |signals| json!({"sigwait": {"signals": signals}});
    for expected in [
        report("SIGUSR1", None, "SI_USER", "a"),
        report("SIGRTMIN+1", Some(7), "SI_QUEUE", "a"),
        report("SIGRTMIN+1", Some(u64::from(u32::MAX) + 1), "SI_QUEUE", "a"),
        report("SIGRTMAX", None, "SI_USER", "a"),
    ] {
        assert_eq!(lane.do_step("b", wait(signals.clone())), Outcome::Signals(vec![expected]));
    }
    assert_eq!(lane.do_step("b", json!({"sigwait": {"signals": signals, "timeout": 1_000_000}})), failed("EAGAIN"));
    lane.close();
}

#[test]
fn handlers_note_what_they_catch_in_order() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Signal, BOTH));
    for signal in ["SIGUSR1", "SIGUSR2"] {
        assert_eq!(lane.do_step("b", json!({"sigaction": {"signal": signal, "action": "catch"}})), Outcome::Done);
    }
    assert_eq!(lane.do_step("b", json!({"caught": {}})), Outcome::Signals(Vec::new()));
    for signal in ["SIGUSR2", "SIGUSR1", "SIGUSR2"] {
        assert_eq!(lane.do_step("a", json!({"kill": {"process": "b", "signal": signal}})), Outcome::Done);
        // Its answer comes after the handler: signals are delivered before a call returns.
        assert!(matches!(lane.do_step("b", json!({"caught": {}})), Outcome::Signals(_)));
    }
    let Outcome::Signals(caught) = lane.do_step("b", json!({"caught": {}})) else { panic!("no signals") };
    let names: Vec<&str> = caught.iter().map(|report| report.signal.name()).collect();
    assert_eq!(names, ["SIGUSR2", "SIGUSR1", "SIGUSR2"]);
    assert!(caught.iter().all(|report| report.from.as_deref() == Some("a")));
    lane.begin("b", json!({"sigsuspend": {"block": []}}));
    lane.blocks("b");
    assert_eq!(lane.do_step("a", json!({"kill": {"process": "b", "signal": "SIGUSR1"}})), Outcome::Done);
    assert_eq!(lane.end("b"), failed("EINTR"));
    lane.close();
}

#[test]
fn a_handler_interrupts_a_call_unless_it_restarts() {
    let mut lane = Lane::start();
    let ends = [("a", Some(HeldEnd::Write)), ("b", Some(HeldEnd::Read))];
    lane.open(&Run::new(Mechanism::Pipe, &ends));
    let action = |flags| json!({"sigaction": {"signal": "SIGUSR1", "action": "catch", "flags": flags}});
    let kill = json!({"kill": {"process": "b", "signal": "SIGUSR1"}});
    assert_eq!(lane.do_step("b", action(json!([]))), Outcome::Done);
    lane.begin("b", json!({"read": {}}));
    lane.blocks("b");
    assert_eq!(lane.do_step("a", kill.clone()), Outcome::Done);
    assert_eq!(lane.end("b"), failed("EINTR"));
    assert_eq!(lane.do_step("b", action(json!(["SA_RESTART"]))), Outcome::Done);
    lane.begin("b", json!({"read": {}}));
    assert_eq!(lane.do_step("a", kill), Outcome::Done);
    lane.blocks("b");
    assert_eq!(lane.do_step("a", json!({"close": {}})), Outcome::Done);
    assert!(is_end(&lane.end("b")));
    lane.close();
}

#[test]
fn processes_begin_with_default_dispositions() {
    let mut lane = Lane::start();
    let ends = [("a", Some(HeldEnd::Write)), ("b", Some(HeldEnd::Read))];
    lane.open(&Run::new(Mechanism::Pipe, &ends));
    assert_eq!(lane.do_step("b", json!({"close": {}})), Outcome::Done);
    lane.begin("a", json!({"write": {"text": "x"}}));
    let exited = lane.exited();
    assert_eq!((exited.process.as_str(), exited.ending), ("a", ProcessEnding::Signal("SIGPIPE".parse().unwrap())));
    lane.open_again(Mechanism::Pipe, &ends);
    assert_eq!(lane.do_step("a", json!({"sigaction": {"signal": "SIGPIPE", "action": "ignore"}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"close": {}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"write": {"text": "x"}})), failed("EPIPE"));
    lane.close();
}

#[test]
#[cfg(target_os = "linux")]
fn a_signal_is_read_from_a_descriptor() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Signal, BOTH));
    assert_eq!(lane.do_step("b", json!({"sigmask": {"block": ["SIGRTMIN"]}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"signalfd": {"signals": ["SIGRTMIN"]}})), Outcome::Done);
    let read = || json!({"signalfd_read": {"nonblocking": true}});
    assert_eq!(lane.do_step("b", read()), failed("EAGAIN"));
    let queue = json!({"sigqueue": {"process": "b", "signal": "SIGRTMIN", "value": 3}});
    assert_eq!(lane.do_step("a", queue), Outcome::Done);
    assert_eq!(lane.do_step("b", read()), Outcome::Signals(vec![report("SIGRTMIN", Some(3), "SI_QUEUE", "a")]));
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_goes_on_as_the_same_after_an_exec() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Signal, BOTH));
    let ignore = json!({"sigaction": {"signal": "SIGUSR1", "action": "ignore"}});
    assert_eq!(lane.do_step("b", ignore), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"sigaction": {"signal": "SIGUSR2", "action": "catch"}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"exec": {}})), Outcome::Done);
    // Ignored still; what was caught is as at the start, and the next is caught anew by the new program.
    assert_eq!(lane.do_step("a", json!({"kill": {"process": "b", "signal": "SIGUSR1"}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"sigaction": {"signal": "SIGUSR2", "action": "catch"}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"kill": {"process": "b", "signal": "SIGUSR2"}})), Outcome::Done);
    let caught = lane.do_step("b", json!({"caught": {}}));
    assert_eq!(caught, Outcome::Signals(vec![report("SIGUSR2", None, "SI_USER", "a")]));
}
