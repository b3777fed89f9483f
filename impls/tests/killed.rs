//! A process that is killed while it holds room in the ring, or looks at a message there: it has sent nothing and received nothing, and nobody
//! else is kept from either.
//!
//! A test of its own without a harness: processes are forked.
#![expect(clippy::print_stdout, reason = "who runs tests asks for their names")]

use harness_core::wire::HeldEnd;
use impls::{
    ability::{Object, Patience, Queue},
    mechanism::{Mechanism as _, Place, Ring, ShmRing},
};
use impls_sys::process::{Ending, fork, reap};
use nix::sys::signal::{Signal, raise};
use spec::{Ability, scenario::Channel};
use std::path::PathBuf;

const NAME: &str = "who_is_killed_with_a_reservation_or_a_look_has_sent_and_received_nothing";

/// A ring for short messages that two processes hold, both of which send and receive.
fn ring() -> Box<dyn Queue> {
    let options = Channel { capacity: Some(4), message_size: Some(64), ..Channel::plain(Ability::Queue) };
    let place = Place { directory: PathBuf::new(), prefix: String::new(), channel: String::new(), copy: 0 };
    let mut opened = ShmRing.open(&place, &options).unwrap();
    opened.held_by(2, 2);
    match opened.hold(HeldEnd::Both).unwrap() {
        Object::Queue(queue) => queue,
        other => panic!("{other:?} is no queue"),
    }
}

/// Has another process do this with the ring, and be killed before anything that it holds is given back.
fn killed_with(queue: &mut dyn Queue, hold: impl FnOnce(&mut Ring)) {
    let ring = queue.in_place().unwrap();
    let child = fork(|| {
        hold(ring);
        1
    });
    let ending = reap(Some(child.unwrap()), true).unwrap().map(|(_, ending)| ending);
    assert_eq!(ending, Some(Ending::Signal(Signal::SIGKILL as i32)));
}

fn send(queue: &mut dyn Queue, text: &[u8]) {
    assert_eq!(queue.send(text, None, Patience::Never), Ok(text.len()));
}

fn receive(queue: &mut dyn Queue) -> Vec<u8> {
    let mut buffer = vec![0; queue.message_size_max()];
    let length = queue.receive(&mut buffer, Patience::Never, false).unwrap().length;
    buffer.truncate(length);
    buffer
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            println!("{NAME}: test");
        }
        return;
    }
    let mut queue = ring();
    send(queue.as_mut(), b"first");
    killed_with(queue.as_mut(), |ring| {
        let mut reservation = ring.reserve(2, Patience::Never).unwrap();
        reservation.copy_in(0, b"never").unwrap();
        reservation.copy_in(1, b"sent").unwrap();
        raise(Signal::SIGKILL).unwrap();
    });
    killed_with(queue.as_mut(), |ring| {
        let look = ring.look(1, Patience::Never).unwrap();
        assert_eq!(look.region(0).unwrap().length(), 5);
        raise(Signal::SIGKILL).unwrap();
    });
    assert_eq!(queue.attributes(), Ok(1));
    send(queue.as_mut(), b"second, longer");
    assert_eq!(receive(queue.as_mut()), b"first");
    assert_eq!(receive(queue.as_mut()), b"second, longer");
    assert_eq!(queue.attributes(), Ok(0));
}
