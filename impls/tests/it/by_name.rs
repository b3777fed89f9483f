//! Processes that open, bind and connect for themselves.

use crate::lane::{Lane, Run, failed, is_end, texts};
use harness_core::wire::{HeldEnd, Outcome, RefusalClass};
use rstest::rstest;
use serde_json::{Value, json};
use spec::{Mechanism, scenario::Attach};

const STRANGERS: &[(&str, Option<HeldEnd>)] = &[("a", None), ("b", None)];

fn run(mechanism: Mechanism, options: Value) -> Run<'static> {
    Run { attach: Attach::ByName, options, ..Run::new(mechanism, STRANGERS) }
}

#[test]
fn a_fifo_waits_for_its_other_end() {
    let mut lane = Lane::start();
    lane.open(&run(Mechanism::Fifo, json!({})));
    lane.begin("a", json!({"open": {"for": "read"}}));
    lane.blocks("a");
    assert_eq!(lane.do_step("b", json!({"open": {"for": "write"}})), Outcome::Done);
    assert_eq!(lane.end("a"), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"write": {"text": "hi"}})), Outcome::Count(2));
    assert_eq!(texts(&lane.do_step("a", json!({"read": {}}))), ["hi"]);
    assert_eq!(lane.do_step("b", json!({"close": {}})), Outcome::Done);
    assert!(is_end(&lane.do_step("a", json!({"read": {}}))));
    assert_eq!(lane.do_step("b", json!({"open": {"for": "both"}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"write": {"text": "self"}})), Outcome::Count(4));
    assert_eq!(texts(&lane.do_step("b", json!({"read": {}}))), ["self"]);
    lane.close();
}

#[rstest]
#[case(Mechanism::Fifo)]
#[case(Mechanism::PosixMq)]
#[case(Mechanism::PosixShm)]
#[case(Mechanism::PosixNamedSem)]
fn names_are_made_found_and_removed(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&run(mechanism, json!({"exists": false})));
    assert_eq!(lane.do_step("a", json!({"open": {"for": "both"}})), failed("ENOENT"));
    assert_eq!(lane.do_step("a", json!({"unlink": {}})), failed("ENOENT"));
    assert_eq!(lane.do_step("a", json!({"open": {"for": "both", "create": true, "exclusive": true}})), Outcome::Done);
    assert_eq!(
        lane.do_step("b", json!({"open": {"for": "both", "create": true, "exclusive": true}})),
        failed("EEXIST")
    );
    assert_eq!(lane.do_step("b", json!({"open": {"for": "both"}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"unlink": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"open": {"for": "both"}})), failed("ENOENT"));
    // Left to the root.
    assert_eq!(lane.do_step("a", json!({"open": {"for": "both", "create": true}})), Outcome::Done);
    assert_ne!(lane.leftovers(), Vec::<String>::new());
    lane.close();
}

#[test]
fn a_queue_that_exists_is_found_by_name() {
    let mut lane = Lane::start();
    lane.open(&run(Mechanism::PosixMq, json!({"capacity": 1})));
    assert_eq!(lane.do_step("a", json!({"open": {"for": "write", "nonblocking": true}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"open": {"for": "read"}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"send": {"text": "x"}})), Outcome::Count(1));
    assert_eq!(lane.do_step("a", json!({"send": {"text": "y"}})), failed("EAGAIN"));
    assert_eq!(lane.do_step("a", json!({"receive": {"size": 8192}})), failed("EBADF"));
    assert_eq!(texts(&lane.do_step("b", json!({"receive": {}}))), ["x"]);
    lane.close();
}

#[test]
fn memory_and_counters_are_found_by_name() {
    let mut lane = Lane::start();
    lane.open(&run(Mechanism::PosixShm, json!({"exists": false})));
    assert_eq!(lane.do_step("a", json!({"open": {"create": true, "for": "both"}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"resize": {"size": 4096}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"store": {"value": 9}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"open": {"for": "read"}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"load": {}})), Outcome::Count(9));
    lane.close();
    lane.open(&run(Mechanism::PosixNamedSem, json!({"initial": 3})));
    assert_eq!(lane.do_step("a", json!({"open": {"for": "both"}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"value": {}})), Outcome::Count(3));
    lane.close();
}

/// What was opened last is what is locked and closed; only record locks go with any descriptor of their process.
#[rstest]
#[case(Mechanism::Flock, true, "EAGAIN")]
#[case(Mechanism::OfdLock, true, "EAGAIN")]
#[case(Mechanism::RecordLock, false, "")]
fn a_locked_file_is_opened_again_and_closed(
    #[case] mechanism: Mechanism,
    #[case] is_of_description: bool,
    #[case] held: &str,
) {
    let mut lane = Lane::start();
    lane.open(&run(mechanism, json!({"exists": false})));
    assert_eq!(lane.do_step("a", json!({"lock": {}})), failed("EBADF"));
    assert_eq!(lane.do_step("a", json!({"open": {"create": true, "exclusive": true, "for": "both"}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"lock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"open": {"for": "both"}})), Outcome::Done);
    let again = lane.do_step("a", json!({"lock": {"nonblocking": true}}));
    assert_eq!(again, if is_of_description { failed(held) } else { Outcome::Done });
    assert_eq!(lane.do_step("a", json!({"close": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"open": {"for": "both"}})), Outcome::Done);
    let other = lane.do_step("b", json!({"lock": {"nonblocking": true}}));
    assert_eq!(other, if is_of_description { failed(held) } else { Outcome::Done });
    assert_eq!(lane.do_step("a", json!({"close": {}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"close": {}})), failed("EBADF"));
    assert_eq!(lane.do_step("b", json!({"lock": {"nonblocking": true}})), Outcome::Done);
    lane.close();
}

#[rstest]
#[case(Mechanism::UnixStream, "write", "read")]
#[case(Mechanism::Tcp, "write", "read")]
#[case(Mechanism::Tcp6, "write", "read")]
#[case(Mechanism::UnixAbstractStream, "write", "read")]
#[case(Mechanism::UnixSeqpacket, "send", "receive")]
fn server_and_client_meet(#[case] mechanism: Mechanism, #[case] give: &str, #[case] take: &str) {
    let mut lane = Lane::start();
    lane.open(&run(mechanism, json!({"exists": false})));
    // A path leads to nothing; a port and an abstract name are only ever what somebody listens at.
    let refused = match mechanism {
        Mechanism::Tcp | Mechanism::Tcp6 | Mechanism::UnixAbstractStream => "ECONNREFUSED",
        _ => "ENOENT",
    };
    assert_eq!(lane.do_step("b", json!({"connect": {}})), failed(refused));
    assert_eq!(lane.do_step("a", json!({"bind": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"bind": {}})), failed("EADDRINUSE"));
    assert_eq!(lane.do_step("b", json!({"connect": {}})), failed("ECONNREFUSED"));
    assert_eq!(lane.do_step("a", json!({"listen": {}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"accept": {"nonblocking": true}})), failed("EAGAIN"));
    lane.begin("a", json!({"accept": {}}));
    lane.blocks("a");
    assert_eq!(lane.do_step("b", json!({"connect": {}})), Outcome::Done);
    assert_eq!(lane.end("a"), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({give: {"text": "hi"}})), Outcome::Count(2));
    assert_eq!(texts(&lane.do_step("a", json!({take: {}}))), ["hi"]);
    assert_eq!(lane.do_step("a", json!({"close": {"end": "listener"}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({give: {"text": "yo"}})), Outcome::Count(2));
    assert_eq!(texts(&lane.do_step("b", json!({take: {}}))), ["yo"]);
    assert_eq!(lane.do_step("a", json!({"close": {}})), Outcome::Done);
    assert!(is_end(&lane.do_step("b", json!({take: {}}))));
    lane.close();
}

#[rstest]
#[case(Mechanism::UnixDatagram)]
#[case(Mechanism::Udp)]
#[case(Mechanism::Udp6)]
fn a_datagram_socket_is_bound_and_found(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&run(mechanism, json!({"exists": false})));
    assert_eq!(lane.do_step("a", json!({"bind": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"connect": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"send": {"text": "hi"}})), Outcome::Count(2));
    assert_eq!(texts(&lane.do_step("a", json!({"receive": {}}))), ["hi"]);
    lane.close();
}

#[rstest]
#[case(Mechanism::Pipe)]
#[case(Mechanism::PosixSem)]
fn what_has_no_name_is_refused(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    let refused = lane.try_open(&run(mechanism, json!({}))).unwrap_err();
    assert_eq!(refused.class, RefusalClass::Unsupported);
    // And the agent goes on.
    lane.open(&run(Mechanism::Fifo, json!({})));
    lane.close();
}
