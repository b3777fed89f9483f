//! The loops of queues.

use super::{
    Ends, in_place,
    payload::Payload,
    task::{Stopped, Task},
};
use crate::{
    ability::{Failure, Patience, Queue},
    clock,
    perform::Problem,
};
use harness_core::wire::measure::Task as What;
use nix::errno::Errno;
use std::any::Any;

/// A queue that can be driven: every one.
pub trait DrivenQueue {
    /// Does a task.
    ///
    /// # Errors
    /// Why it cannot be done here, or what went wrong.
    fn drive(&mut self, back: Option<&mut dyn Queue>, task: &mut Task<'_>) -> Result<(), Stopped>;
}

impl<Q: Queue> DrivenQueue for Q {
    fn drive(&mut self, back: Option<&mut dyn Queue>, task: &mut Task<'_>) -> Result<(), Stopped> {
        let mut ends = Ends::new(self, back.map(|back| back as &mut dyn Any))?;
        match (task.what(), task.leads()) {
            (What::RoundTrip, true) => ask(&mut ends, task),
            (What::RoundTrip, false) => answer(&mut ends, task),
            (What::OneWay, true) if task.is_lossy() => send_lossy(ends.out, task),
            (What::OneWay, false) if task.is_lossy() => receive_lossy(ends.out, task),
            (What::OneWay, true) => send(ends.out, task),
            (What::OneWay, false) => receive(ends.out, task),
            (What::OpenLoop, true) => send_in_time(ends.out, task),
            (What::OpenLoop, false) => receive_late(ends.out, task),
            (What::RoundTripInPlace | What::OneWayInPlace | What::OneWayFilled | What::OneWayBatch, _) => {
                in_place::drive(&mut ends, task)
            }
            (what, _) => Err(Problem(format!("a queue has nothing to do with {what:?}")).into()),
        }
    }
}

/// Sends the message of this number.
#[inline(always)]
fn send_message<Q: Queue>(queue: &mut Q, payload: &mut Payload, number: u64) -> Result<(), Stopped> {
    let whole = payload.stamp(number).len();
    let length =
        queue.send_frame(payload.frame(), Patience::Forever).map_err(|failure| Stopped::of("send", failure))?;
    if length == whole { Ok(()) } else { Err(Stopped::Impossible(in_pieces(whole, length))) }
}

/// Receives a message, which has to be whole.
#[inline(always)]
fn receive_whole<Q: Queue>(queue: &mut Q, payload: &mut Payload) -> Result<(), Stopped> {
    let whole = payload.room().len();
    let message =
        queue.receive_frame(payload.frame(), Patience::Forever).map_err(|failure| Stopped::of("receive", failure))?;
    if message.length == whole { Ok(()) } else { Err(Stopped::Impossible(in_pieces(whole, message.length))) }
}

/// Receives a message, which has to be that of this number.
#[inline(always)]
fn receive_message<Q: Queue>(queue: &mut Q, payload: &mut Payload, number: u64) -> Result<(), Stopped> {
    receive_whole(queue, payload)?;
    if payload.number() == payload.told(number) { Ok(()) } else { Err(Stopped::wrong(number, payload.number())) }
}

#[cold]
fn in_pieces(whole: usize, piece: usize) -> String {
    format!("a message of {whole} bytes is taken as one of {piece}")
}

fn ask<Q: Queue>(ends: &mut Ends<'_, Q>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let (mut sent, mut received) = (Payload::new(task.bytes()), Payload::new(task.bytes()));
    task.timed(|number| {
        send_message(ends.out, &mut sent, number)?;
        receive_message(ends.back(), &mut received, number)
    })
}

fn answer<Q: Queue>(ends: &mut Ends<'_, Q>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let (mut sent, mut received) = (Payload::new(task.bytes()), Payload::new(task.bytes()));
    task.untimed(|number| {
        receive_message(ends.back(), &mut received, number)?;
        send_message(ends.out, &mut sent, number)
    })
}

fn send<Q: Queue>(queue: &mut Q, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    task.untimed(|number| send_message(queue, &mut payload, number))
}

fn receive<Q: Queue>(queue: &mut Q, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    task.sliced(|number| receive_message(queue, &mut payload, number))
}

/// Says that there are no more messages, by an empty one, until the other says that it has seen that: what may be lost may be lost
/// now as well.
fn send_end<Q: Queue>(queue: &mut Q, task: &mut Task<'_>, room: &mut [u8]) -> Result<(), Stopped> {
    loop {
        queue.send(&[], None, Patience::Forever).map_err(|failure| Stopped::of("send", failure))?;
        match queue.receive(room, Patience::Never, false) {
            Ok(_) => break,
            Err(Failure::Errno(Errno::EAGAIN)) => {
                // A failed yield only makes this loop turn at once.
                let _ = nix::sched::sched_yield();
            }
            Err(failure) => return Err(Stopped::of("receive", failure)),
        }
    }
    task.end(task.operations());
    Ok(())
}

fn send_lossy<Q: Queue>(queue: &mut Q, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    task.begin();
    for number in 0..task.operations() {
        send_message(queue, &mut payload, number)?;
    }
    send_end(queue, task, payload.room())
}

/// Receives what comes until the end does, and answers that.
fn until_end<Q: Queue>(
    queue: &mut Q,
    task: &mut Task<'_>,
    mut each: impl FnMut(&mut Task<'_>, u64) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    let mut received = 0_u64;
    task.begin();
    loop {
        let message = queue
            .receive(payload.room(), Patience::Forever, false)
            .map_err(|failure| Stopped::of("receive", failure))?;
        if message.length > 0 {
            received += 1;
            each(task, payload.number())?;
        } else if received > 0 {
            break;
        }
        // Before the first message it is the end of the task before: it may have been said once more than was needed.
    }
    task.end_of_many(received);
    queue.send(&[1], None, Patience::Forever).map_err(|failure| Stopped::of("send", failure))?;
    task.wait_for_all();
    Ok(())
}

/// Messages may be missing, but none may come twice or after one that was sent later.
fn receive_lossy<Q: Queue>(queue: &mut Q, task: &mut Task<'_>) -> Result<(), Stopped> {
    let tells_all = task.bytes() >= 8;
    let (mut received, mut due) = (0_u64, 0_u64);
    until_end(queue, task, |task, number| {
        if tells_all && number < due {
            return Err(Stopped::wrong(due, number));
        }
        due = number + 1;
        received += 1;
        if received.is_multiple_of(task.slice_operations()) {
            task.lap();
        }
        Ok(())
    })
}

fn send_in_time<Q: Queue>(queue: &mut Q, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    let interval = task.interval_ns();
    task.begin();
    let mut due = clock::now();
    for _ in 0..task.operations() {
        clock::wait_until(due);
        send_message(queue, &mut payload, due)?;
        due += interval;
    }
    if task.is_lossy() {
        return send_end(queue, task, payload.room());
    }
    task.end(task.operations());
    Ok(())
}

fn receive_late<Q: Queue>(queue: &mut Q, task: &mut Task<'_>) -> Result<(), Stopped> {
    if task.is_lossy() {
        return until_end(queue, task, |task, due| {
            task.record_lateness(clock::now().saturating_sub(due));
            Ok(())
        });
    }
    let mut payload = Payload::new(task.bytes());
    task.begin();
    for _ in 0..task.operations() {
        receive_whole(queue, &mut payload)?;
        task.record_lateness(clock::now().saturating_sub(payload.number()));
    }
    task.end(task.operations());
    Ok(())
}
