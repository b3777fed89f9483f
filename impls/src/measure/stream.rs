//! The loops of streams.

use super::{
    Ends,
    payload::Payload,
    task::{Stopped, Task},
};
use crate::{ability::Stream, clock, perform::Problem};
use harness_core::wire::measure::Task as What;
use std::any::Any;

/// A stream that can be driven: every one.
pub trait DrivenStream {
    /// Does a task.
    ///
    /// # Errors
    /// Why it cannot be done here, or what went wrong.
    fn drive(&mut self, back: Option<&mut dyn Stream>, task: &mut Task<'_>) -> Result<(), Stopped>;
}

impl<S: Stream> DrivenStream for S {
    fn drive(&mut self, back: Option<&mut dyn Stream>, task: &mut Task<'_>) -> Result<(), Stopped> {
        let mut ends = Ends::new(self, back.map(|back| back as &mut dyn Any))?;
        match (task.what(), task.leads()) {
            (What::RoundTrip, true) => ask(&mut ends, task),
            (What::RoundTrip, false) => answer(&mut ends, task),
            (What::OneWay, true) => send(&mut ends, task),
            (What::OneWay, false) => receive(&mut ends, task),
            (What::OpenLoop, true) => send_in_time(&mut ends, task),
            (What::OpenLoop, false) => receive_late(&mut ends, task),
            (what, _) => Err(Problem(format!("a stream has nothing to do with {what:?}")).into()),
        }
    }
}

/// Writes all bytes: a call may take less.
#[inline(always)]
fn write<S: Stream>(stream: &mut S, mut bytes: &[u8]) -> Result<(), Stopped> {
    loop {
        let length = stream.write(bytes, false).map_err(|failure| Stopped::of("write", failure))?;
        if length == bytes.len() {
            return Ok(());
        }
        bytes = &bytes[length..];
    }
}

/// Reads as many bytes as there is room for: a call may bring less.
#[inline(always)]
fn read<S: Stream>(stream: &mut S, mut room: &mut [u8]) -> Result<(), Stopped> {
    loop {
        let length = stream.read(room, false, false).map_err(|failure| Stopped::of("read", failure))?;
        if length == room.len() {
            return Ok(());
        }
        if length == 0 {
            return Err(Problem("the stream ended".to_owned()).into());
        }
        room = &mut room[length..];
    }
}

/// Reads a message, which has to be that of this number.
#[inline(always)]
fn read_message<S: Stream>(stream: &mut S, payload: &mut Payload, number: u64) -> Result<(), Stopped> {
    read(stream, payload.room())?;
    if payload.number() == payload.told(number) { Ok(()) } else { Err(Stopped::wrong(number, payload.number())) }
}

fn ask<S: Stream>(ends: &mut Ends<'_, S>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let (mut sent, mut received) = (Payload::new(task.bytes()), Payload::new(task.bytes()));
    task.timed(|number| {
        write(ends.out, sent.stamp(number))?;
        read_message(ends.back(), &mut received, number)
    })
}

fn answer<S: Stream>(ends: &mut Ends<'_, S>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let (mut sent, mut received) = (Payload::new(task.bytes()), Payload::new(task.bytes()));
    task.untimed(|number| {
        read_message(ends.back(), &mut received, number)?;
        write(ends.out, sent.stamp(number))
    })
}

fn send<S: Stream>(ends: &mut Ends<'_, S>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    task.untimed(|number| write(ends.out, payload.stamp(number)))
}

fn receive<S: Stream>(ends: &mut Ends<'_, S>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    task.sliced(|number| read_message(ends.out, &mut payload, number))
}

fn send_in_time<S: Stream>(ends: &mut Ends<'_, S>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    let interval = task.interval_ns();
    task.begin();
    let mut due = clock::now();
    for _ in 0..task.operations() {
        clock::wait_until(due);
        write(ends.out, payload.stamp(due))?;
        due += interval;
    }
    task.end(task.operations());
    Ok(())
}

fn receive_late<S: Stream>(ends: &mut Ends<'_, S>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    task.begin();
    for _ in 0..task.operations() {
        read(ends.out, payload.room())?;
        task.record_lateness(clock::now().saturating_sub(payload.number()));
    }
    task.end(task.operations());
    Ok(())
}
