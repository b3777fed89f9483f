//! Every mechanism through the protocol: open, some steps in real processes, close.

use crate::lane::{Lane, Run, failed, is_end, texts};
use harness_core::wire::{Data, FromAgent, HeldEnd, Outcome, Received};
use rstest::rstest;
use serde_json::json;
use spec::{Mechanism, vocabulary::Feature};

const ONE_WAY: &[(&str, Option<HeldEnd>)] = &[("w", Some(HeldEnd::Write)), ("r", Some(HeldEnd::Read))];
const TWO_WAY: &[(&str, Option<HeldEnd>)] = &[("a", Some(HeldEnd::First)), ("b", Some(HeldEnd::Second))];
const SHARED: &[(&str, Option<HeldEnd>)] = &[("a", Some(HeldEnd::Both)), ("b", Some(HeldEnd::Both))];

/// From, first offset, length of every run of every piece.
fn runs(outcome: &Outcome) -> Vec<(u8, u32, u32, u32)> {
    let Outcome::Received(Received { pieces, .. }) = outcome else { panic!("nothing was received: {outcome:?}") };
    pieces
        .iter()
        .flat_map(|piece| match &piece.data {
            Data::Runs(runs) => runs.clone(),
            other => panic!("no runs: {other:?}"),
        })
        .map(|run| (run.from, run.message, run.offset, run.length))
        .collect()
}

#[rstest]
#[case(Mechanism::Pipe)]
#[case(Mechanism::Fifo)]
#[case(Mechanism::UnixStream)]
#[case(Mechanism::Tcp)]
#[case(Mechanism::Tcp6)]
#[case(Mechanism::UnixAbstractStream)]
fn a_stream_carries_bytes_and_ends(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&Run::new(mechanism, ONE_WAY));
    assert_eq!(lane.do_step("w", json!({"write": {"text": "hello"}})), Outcome::Count(5));
    assert_eq!(texts(&lane.do_step("r", json!({"read": {"size": 3}}))), ["hel"]);
    assert_eq!(texts(&lane.do_step("r", json!({"read": {"size": 64}}))), ["lo"]);
    assert_eq!(lane.do_step("r", json!({"read": {"size": 64, "nonblocking": true}})), failed("EAGAIN"));
    lane.begin("r", json!({"read": {"size": 64}}));
    lane.blocks("r");
    assert_eq!(lane.do_step("w", json!({"write": {"text": "more"}})), Outcome::Count(4));
    assert_eq!(texts(&lane.end("r")), ["more"]);
    lane.begin("r", json!({"read": {"size": 64}}));
    assert_eq!(lane.do_step("w", json!({"close": {}})), Outcome::Done);
    assert!(is_end(&lane.end("r")));
    assert_eq!(lane.do_step("w", json!({"close": {}})), failed("EBADF"));
    assert_eq!(lane.do_step("w", json!({"write": {"text": "x"}})), failed("EBADF"));
    assert_eq!(lane.close().len(), 2);
}

#[rstest]
#[case(Mechanism::Pipe)]
#[case(Mechanism::Fifo)]
#[case(Mechanism::UnixStream)]
#[case(Mechanism::Tcp)]
#[case(Mechanism::Tcp6)]
#[case(Mechanism::UnixAbstractStream)]
fn stamps_tell_who_sent_what(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&Run { stamped: true, ..Run::new(mechanism, ONE_WAY) });
    for _ in 0..2 {
        assert_eq!(lane.do_step("w", json!({"write": {"size": 100}})), Outcome::Count(100));
    }
    let read = lane.do_step("r", json!({"read": {"size": 150}}));
    assert_eq!(runs(&read), [(1, 0, 0, 100), (1, 1, 0, 50)]);
    assert_eq!(lane.do_step("w", json!({"close": {}})), Outcome::Done);
    let rest = lane.do_step("r", json!({"read": {"until": "end"}}));
    assert_eq!(runs(&rest), [(1, 1, 50, 50)]);
    assert!(matches!(rest, Outcome::Received(received) if received.ended));
    lane.close();
}

#[rstest]
#[case(Mechanism::Pipe)]
#[case(Mechanism::Fifo)]
#[case(Mechanism::UnixStream)]
#[case(Mechanism::Tcp)]
#[case(Mechanism::Tcp6)]
#[case(Mechanism::UnixAbstractStream)]
fn a_stream_is_filled_and_emptied(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&Run { stamped: true, ..Run::new(mechanism, ONE_WAY) });
    let Outcome::Count(filled) = lane.do_step("w", json!({"fill": {"size": 4096}})) else { panic!("not filled") };
    assert!(filled >= 4096, "{filled} bytes");
    if mechanism == Mechanism::Pipe {
        assert_eq!(filled, 65_536);
    }
    assert_eq!(lane.do_step("w", json!({"write": {"size": 4096, "nonblocking": true}})), failed("EAGAIN"));
    lane.begin("w", json!({"write": {"size": 1}}));
    let mut emptied = 0;
    while emptied < filled {
        let Outcome::Received(received) = lane.do_step("r", json!({"read": {"until": "empty"}})) else {
            panic!("nothing")
        };
        assert!(!received.ended && received.failed.is_none());
        emptied += received.pieces.iter().map(|piece| piece.length).sum::<u64>();
    }
    assert_eq!(lane.end("w"), Outcome::Count(1));
    lane.close();
}

#[test]
fn a_terminal_carries_bytes_both_ways() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Pty, TWO_WAY));
    assert_eq!(lane.do_step("a", json!({"write": {"text": "to the subsidiary"}})), Outcome::Count(17));
    assert_eq!(texts(&lane.do_step("b", json!({"read": {"size": 64}}))), ["to the subsidiary"]);
    assert_eq!(lane.do_step("b", json!({"write": {"text": "and back"}})), Outcome::Count(8));
    assert_eq!(texts(&lane.do_step("a", json!({"read": {"size": 64}}))), ["and back"]);
    lane.begin("a", json!({"read": {"size": 64}}));
    lane.blocks("a");
    assert_eq!(lane.do_step("b", json!({"close": {}})), Outcome::Done);
    assert_eq!(lane.end("a"), failed("EIO"));
    lane.close();
}

#[rstest]
#[case(Mechanism::UnixDatagram, false)]
#[case(Mechanism::UnixSeqpacket, true)]
#[case(Mechanism::Udp, false)]
#[case(Mechanism::Udp6, false)]
#[case(Mechanism::PosixMq, false)]
#[case(Mechanism::PacketPipe, true)]
#[case(Mechanism::ShmRing, false)]
fn a_queue_keeps_messages_apart(#[case] mechanism: Mechanism, #[case] ends: bool) {
    let mut lane = Lane::start();
    lane.open(&Run::new(mechanism, ONE_WAY));
    assert_eq!(lane.do_step("w", json!({"send": {"text": "one"}})), Outcome::Count(3));
    assert_eq!(lane.do_step("w", json!({"send": {"text": "two!"}})), Outcome::Count(4));
    assert_eq!(texts(&lane.do_step("r", json!({"receive": {}}))), ["one"]);
    assert_eq!(texts(&lane.do_step("r", json!({"receive": {"until": "empty"}}))), ["two!"]);
    assert_eq!(lane.do_step("r", json!({"receive": {"nonblocking": true}})), failed("EAGAIN"));
    lane.begin("r", json!({"receive": {}}));
    lane.blocks("r");
    assert_eq!(lane.do_step("w", json!({"send": {"text": "three"}})), Outcome::Count(5));
    assert_eq!(texts(&lane.end("r")), ["three"]);
    if ends {
        assert_eq!(lane.do_step("w", json!({"close": {}})), Outcome::Done);
        assert!(is_end(&lane.do_step("r", json!({"receive": {}}))));
    }
    lane.close();
}

#[rstest]
#[case(Mechanism::UnixDatagram)]
#[case(Mechanism::UnixSeqpacket)]
#[case(Mechanism::Udp)]
#[case(Mechanism::Udp6)]
fn a_message_longer_than_the_buffer_is_cut(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&Run { stamped: true, ..Run::new(mechanism, ONE_WAY) });
    assert_eq!(lane.do_step("w", json!({"send": {"size": 100}})), Outcome::Count(100));
    let peeked = lane.do_step("r", json!({"receive": {"size": 40, "peek": true}}));
    let received = lane.do_step("r", json!({"receive": {"size": 40}}));
    assert_eq!(peeked, received);
    assert_eq!(runs(&received), [(1, 0, 0, 40)]);
    assert!(matches!(received, Outcome::Received(received) if received.pieces[0].truncated));
    assert_eq!(lane.do_step("r", json!({"receive": {"nonblocking": true}})), failed("EAGAIN"));
    lane.close();
}

#[rstest]
#[case(Mechanism::UnixDatagram)]
#[case(Mechanism::Udp)]
#[case(Mechanism::Udp6)]
fn an_empty_datagram_is_a_message(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&Run::new(mechanism, ONE_WAY));
    assert_eq!(lane.do_step("w", json!({"send": {"text": ""}})), Outcome::Count(0));
    assert_eq!(texts(&lane.do_step("r", json!({"receive": {}}))), [""]);
    lane.close();
}

#[rstest]
#[case(Mechanism::UnixStream, "write", "read")]
#[case(Mechanism::Tcp, "write", "read")]
#[case(Mechanism::Tcp6, "write", "read")]
#[case(Mechanism::UnixAbstractStream, "write", "read")]
#[case(Mechanism::UnixDatagram, "send", "receive")]
#[case(Mechanism::UnixSeqpacket, "send", "receive")]
#[case(Mechanism::Udp, "send", "receive")]
#[case(Mechanism::Udp6, "send", "receive")]
fn both_ends_of_a_two_way_channel_speak(#[case] mechanism: Mechanism, #[case] give: &str, #[case] take: &str) {
    let mut lane = Lane::start();
    lane.open(&Run { options: json!({"between": ["a", "b"]}), ..Run::new(mechanism, TWO_WAY) });
    for (from, to) in [("a", "b"), ("b", "a")] {
        assert_eq!(lane.do_step(from, json!({give: {"text": from}})), Outcome::Count(1));
        assert_eq!(texts(&lane.do_step(to, json!({take: {}}))), [from]);
    }
    lane.close();
}

#[rstest]
#[case(Mechanism::UnixStream, "write", "read")]
#[case(Mechanism::Tcp, "write", "read")]
#[case(Mechanism::Tcp6, "write", "read")]
#[case(Mechanism::UnixAbstractStream, "write", "read")]
#[case(Mechanism::UnixSeqpacket, "send", "receive")]
fn a_direction_can_be_shut_down(#[case] mechanism: Mechanism, #[case] give: &str, #[case] take: &str) {
    let mut lane = Lane::start();
    lane.open(&Run { options: json!({"between": ["a", "b"]}), ..Run::new(mechanism, TWO_WAY) });
    assert_eq!(lane.do_step("a", json!({"shutdown": {"direction": "write"}})), Outcome::Done);
    assert!(is_end(&lane.do_step("b", json!({take: {}}))));
    assert_eq!(lane.do_step("b", json!({give: {"text": "still"}})), Outcome::Count(5));
    assert_eq!(texts(&lane.do_step("a", json!({take: {}}))), ["still"]);
    lane.close();
}

#[test]
fn a_message_queue_has_priorities_limits_and_timeouts() {
    let mut lane = Lane::start();
    lane.open(&Run { options: json!({"capacity": 2, "message_size": 8}), ..Run::new(Mechanism::PosixMq, SHARED) });
    assert_eq!(lane.do_step("a", json!({"send": {"text": "low", "priority": 1}})), Outcome::Count(3));
    assert_eq!(lane.do_step("a", json!({"send": {"text": "high", "priority": 9}})), Outcome::Count(4));
    assert_eq!(lane.do_step("b", json!({"attributes": {}})), Outcome::Count(2));
    assert_eq!(lane.do_step("a", json!({"send": {"text": "x", "timeout": 0}})), failed("ETIMEDOUT"));
    assert_eq!(lane.do_step("a", json!({"send": {"text": "x", "nonblocking": true}})), failed("EAGAIN"));
    assert_eq!(lane.do_step("a", json!({"send": {"text": "much too long", "nonblocking": true}})), failed("EMSGSIZE"));
    let received = lane.do_step("b", json!({"receive": {}}));
    assert_eq!(texts(&received), ["high"]);
    assert!(matches!(received, Outcome::Received(received) if received.pieces[0].priority == Some(9)));
    assert_eq!(texts(&lane.do_step("b", json!({"receive": {}}))), ["low"]);
    assert_eq!(lane.do_step("b", json!({"receive": {"timeout": 1_000_000}})), failed("ETIMEDOUT"));
    assert_eq!(lane.do_step("b", json!({"receive": {"size": 7}})), failed("EMSGSIZE"));
    assert_eq!(lane.do_step("a", json!({"send": {"text": "x", "priority": 32_768}})), failed("EINVAL"));
    assert_eq!(lane.do_step("a", json!({"fill": {}})), Outcome::Count(2));
    lane.close();
}

#[rstest]
#[case(Mechanism::Pipe, "read")]
#[case(Mechanism::Fifo, "read")]
#[case(Mechanism::UnixStream, "read")]
#[case(Mechanism::Tcp, "read")]
#[case(Mechanism::Tcp6, "read")]
#[case(Mechanism::UnixAbstractStream, "read")]
#[case(Mechanism::UnixDatagram, "receive")]
#[case(Mechanism::UnixSeqpacket, "receive")]
#[case(Mechanism::Udp, "receive")]
#[case(Mechanism::Udp6, "receive")]
#[case(Mechanism::PosixMq, "receive")]
fn the_flag_holds_until_it_is_cleared(#[case] mechanism: Mechanism, #[case] take: &str) {
    let mut lane = Lane::start();
    lane.open(&Run::new(mechanism, ONE_WAY));
    assert_eq!(lane.do_step("r", json!({"set_nonblocking": {}})), Outcome::Done);
    assert_eq!(lane.do_step("r", json!({take: {}})), failed("EAGAIN"));
    // A single call that does not wait leaves the flag as it was.
    assert_eq!(lane.do_step("r", json!({take: {"nonblocking": true}})), failed("EAGAIN"));
    assert_eq!(lane.do_step("r", json!({take: {}})), failed("EAGAIN"));
    assert_eq!(lane.do_step("r", json!({"set_nonblocking": {"clear": true}})), Outcome::Done);
    lane.begin("r", json!({take: {}}));
    lane.blocks("r");
    lane.close();
}

#[test]
fn memory_is_shared() {
    let mut lane = Lane::start();
    lane.open(&Run { options: json!({"size": 64}), ..Run::new(Mechanism::PosixShm, SHARED) });
    assert_eq!(lane.do_step("a", json!({"store": {"value": 7, "cell": 2}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"load": {"cell": 2}})), Outcome::Count(7));
    assert_eq!(lane.do_step("b", json!({"fetch_add": {"cell": 2, "value": 5}})), Outcome::Count(7));
    assert_eq!(lane.do_step("a", json!({"fetch_add": {"cell": 2, "torn": true}})), Outcome::Count(12));
    assert_eq!(
        lane.do_step("a", json!({"compare_exchange": {"cell": 2, "expected": 12, "value": 1}})),
        Outcome::Count(13)
    );
    assert_eq!(
        lane.do_step("a", json!({"compare_exchange": {"cell": 2, "expected": 13, "value": 1}})),
        Outcome::Count(13)
    );
    assert_eq!(lane.do_step("b", json!({"load": {"cell": 2}})), Outcome::Count(1));
    assert_eq!(lane.do_step("a", json!({"store": {"text": "hello", "at": 3}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"load": {"size": 8, "at": 3}})), Outcome::Text("hello".to_owned()));
    assert_eq!(lane.do_step("b", json!({"load": {"size": 2, "at": 3}})), Outcome::Text("he".to_owned()));
    assert_eq!(lane.do_step("a", json!({"resize": {"size": 1 << 20}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"store": {"value": 3, "cell": 100_000}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"load": {"cell": 100_000}})), Outcome::Count(3));
    assert_eq!(lane.do_step("b", json!({"resize": {"size": 4096}})), Outcome::Done);
    lane.begin("a", json!({"load": {"cell": 100_000}}));
    assert_eq!(lane.exited().ending, harness_core::wire::ProcessEnding::Signal("SIGBUS".parse().unwrap()));
    assert_eq!(lane.do_step("b", json!({"close": {}})), Outcome::Done);
    assert_eq!(lane.close().len(), 1);
}

#[rstest]
#[case(Mechanism::PosixSem)]
#[case(Mechanism::PosixNamedSem)]
fn a_counter_counts_and_waits(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&Run { options: json!({"initial": 1}), ..Run::new(mechanism, SHARED) });
    assert_eq!(lane.do_step("a", json!({"wait": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"value": {}})), Outcome::Count(0));
    assert_eq!(lane.do_step("b", json!({"wait": {"nonblocking": true}})), failed("EAGAIN"));
    assert_eq!(lane.do_step("b", json!({"wait": {"timeout": 0}})), failed("ETIMEDOUT"));
    lane.begin("b", json!({"wait": {}}));
    lane.blocks("b");
    assert_eq!(lane.do_step("a", json!({"post": {}})), Outcome::Done);
    assert_eq!(lane.end("b"), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"close": {}})), Outcome::Done);
    lane.close();
}

#[rstest]
#[case(Mechanism::PthreadMutex, "EBUSY")]
#[case(Mechanism::PthreadMutexErrorcheck, "EBUSY")]
#[case(Mechanism::PthreadMutexRecursive, "EBUSY")]
#[case(Mechanism::PthreadMutexRobust, "EBUSY")]
#[case(Mechanism::PthreadMutexPi, "EBUSY")]
#[case(Mechanism::PthreadRwlock, "EBUSY")]
#[case(Mechanism::Flock, "EAGAIN")]
#[case(Mechanism::RecordLock, "EAGAIN")]
#[case(Mechanism::OfdLock, "EAGAIN")]
#[case(Mechanism::FutexLock, "EBUSY")]
fn a_lock_excludes_and_waits(#[case] mechanism: Mechanism, #[case] held: &str) {
    let mut lane = Lane::start();
    lane.open(&Run::new(mechanism, SHARED));
    assert_eq!(lane.do_step("a", json!({"lock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {"nonblocking": true}})), failed(held));
    if mechanism.has(Feature::Timeout) {
        assert_eq!(lane.do_step("b", json!({"lock": {"timeout": 1_000_000}})), failed("ETIMEDOUT"));
    }
    lane.begin("b", json!({"lock": {}}));
    lane.blocks("b");
    assert_eq!(lane.do_step("a", json!({"unlock": {}})), Outcome::Done);
    assert_eq!(lane.end("b"), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"lock": {"nonblocking": true}})), failed(held));
    assert_eq!(lane.do_step("b", json!({"unlock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"lock": {"nonblocking": true}})), Outcome::Done);
    // Held at the close, also where the system keeps a list of what is held.
    assert_eq!(lane.do_step("a", json!({"close": {}})), Outcome::Done);
    lane.close();
}

#[rstest]
#[case(Mechanism::PthreadRwlock, "EBUSY")]
#[case(Mechanism::Flock, "EAGAIN")]
#[case(Mechanism::RecordLock, "EAGAIN")]
#[case(Mechanism::OfdLock, "EAGAIN")]
fn readers_share_a_lock(#[case] mechanism: Mechanism, #[case] held: &str) {
    let mut lane = Lane::start();
    lane.open(&Run::new(mechanism, SHARED));
    assert_eq!(lane.do_step("a", json!({"lock": {"mode": "shared"}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {"mode": "shared", "nonblocking": true}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"unlock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {"nonblocking": true}})), failed(held));
    assert_eq!(lane.do_step("a", json!({"unlock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {"nonblocking": true}})), Outcome::Done);
    lane.close();
}

#[test]
fn a_spin_lock_excludes() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::PthreadSpinlock, SHARED));
    assert_eq!(lane.do_step("a", json!({"lock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {"nonblocking": true}})), failed("EBUSY"));
    assert_eq!(lane.do_step("a", json!({"unlock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {}})), Outcome::Done);
    lane.close();
}

/// What POSIX leaves undefined is refused, and not tried.
#[rstest]
#[case(Mechanism::PthreadMutex)]
#[case(Mechanism::PthreadMutexPi)]
#[case(Mechanism::PthreadRwlock)]
#[case(Mechanism::PthreadSpinlock)]
#[case(Mechanism::FutexLock)]
fn a_release_without_a_meaning_is_refused(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&Run::new(mechanism, SHARED));
    assert_eq!(lane.do_step("a", json!({"lock": {}})), Outcome::Done);
    lane.begin("b", json!({"unlock": {}}));
    let Some(FromAgent::Problem(problem)) = lane.process("b").connection.hear() else { panic!("no complaint") };
    assert!(problem.message.contains("does not hold it"), "{}", problem.message);
    lane.exited();
    lane.close();
}

#[rstest]
#[case(Mechanism::RecordLock)]
#[case(Mechanism::OfdLock)]
fn a_lock_covers_a_range(#[case] mechanism: Mechanism) {
    let mut lane = Lane::start();
    lane.open(&Run::new(mechanism, SHARED));
    assert_eq!(lane.do_step("a", json!({"lock": {"start": 0, "length": 10}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {"start": 10, "nonblocking": true}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {"start": 9, "length": 1, "nonblocking": true}})), failed("EAGAIN"));
    assert_eq!(lane.do_step("a", json!({"unlock": {"start": 9, "length": 1}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {"start": 9, "length": 1, "nonblocking": true}})), Outcome::Done);
    let too_far = json!({"lock": {"start": 1_u64 << 63, "nonblocking": true}});
    assert_eq!(lane.do_step("b", too_far), failed("EOVERFLOW"));
    lane.close();
}

#[test]
fn a_robust_mutex_survives_its_owner() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::PthreadMutexRobust, SHARED));
    assert_eq!(lane.do_step("a", json!({"lock": {}})), Outcome::Done);
    lane.begin("a", json!({"exit": {}}));
    lane.exited();
    assert_eq!(lane.do_step("b", json!({"lock": {}})), failed("EOWNERDEAD"));
    assert_eq!(lane.do_step("b", json!({"consistent": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"unlock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {}})), Outcome::Done);
    lane.close();
}

#[rstest]
#[case(Mechanism::Flock, true)]
#[case(Mechanism::OfdLock, true)]
#[case(Mechanism::RecordLock, false)]
fn a_description_can_be_shared(#[case] mechanism: Mechanism, #[case] lock_is_shared: bool) {
    let mut lane = Lane::start();
    lane.open(&Run { options: json!({"shared_description": true}), ..Run::new(mechanism, SHARED) });
    assert_eq!(lane.do_step("a", json!({"lock": {}})), Outcome::Done);
    let other = lane.do_step("b", json!({"lock": {"nonblocking": true}}));
    assert_eq!(other, if lock_is_shared { Outcome::Done } else { failed("EAGAIN") });
    lane.close();
}

#[test]
fn a_condition_variable_is_waited_on_with_its_mutex() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Condvar, SHARED));
    assert_eq!(lane.do_step("a", json!({"wait_on": {}})), failed("EPERM"));
    assert_eq!(lane.do_step("a", json!({"lock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"wait_on": {"timeout": 1_000_000}})), failed("ETIMEDOUT"));
    lane.begin("a", json!({"wait_on": {}}));
    lane.blocks("a");
    assert_eq!(lane.do_step("b", json!({"lock": {}})), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"notify": {}})), Outcome::Done);
    lane.blocks("a");
    assert_eq!(lane.do_step("b", json!({"unlock": {}})), Outcome::Done);
    assert_eq!(lane.end("a"), Outcome::Done);
    assert_eq!(lane.do_step("b", json!({"lock": {"nonblocking": true}})), failed("EBUSY"));
    lane.close();
}

#[test]
fn a_barrier_waits_for_all() {
    let mut lane = Lane::start();
    lane.open(&Run::new(Mechanism::Barrier, SHARED));
    lane.begin("a", json!({"arrive": {}}));
    lane.blocks("a");
    let last = lane.do_step("b", json!({"arrive": {}}));
    let mut both = [last, lane.end("a")];
    both.sort_by_key(|outcome| matches!(outcome, Outcome::Count(1)));
    assert_eq!(both, [Outcome::Count(0), Outcome::Count(1)]);
    lane.close();
}

#[test]
fn a_futex_sleeps_while_its_word_is_as_expected() {
    let mut lane = Lane::start();
    lane.open(&Run { options: json!({"initial": 3}), ..Run::new(Mechanism::Futex, SHARED) });
    assert_eq!(lane.do_step("a", json!({"wait_on": {}})), failed("EAGAIN"));
    assert_eq!(lane.do_step("a", json!({"load": {}})), Outcome::Count(3));
    assert_eq!(lane.do_step("a", json!({"wait_on": {"expected": 3, "timeout": 1_000_000}})), failed("ETIMEDOUT"));
    lane.begin("a", json!({"wait_on": {"expected": 3}}));
    lane.blocks("a");
    assert_eq!(lane.do_step("b", json!({"store": {"value": 4}})), Outcome::Done);
    lane.blocks("a");
    assert_eq!(lane.do_step("b", json!({"notify": {"all": true}})), Outcome::Count(1));
    assert_eq!(lane.end("a"), Outcome::Done);
    assert_eq!(lane.do_step("a", json!({"load": {}})), Outcome::Count(4));
    lane.close();
}

#[test]
fn runs_follow_each_other_in_one_agent() {
    let mut lane = Lane::start();
    for mechanism in spec::vocabulary::MECHANISMS.iter().map(|row| row.mechanism) {
        let holders = match mechanism.ability() {
            spec::Ability::Stream | spec::Ability::Queue => ONE_WAY,
            _ => SHARED,
        };
        for copies in [1, 4] {
            lane.open(&Run { copies, ..Run::new(mechanism, holders) });
            assert_eq!(lane.close().len(), 2, "{mechanism}");
        }
    }
}
