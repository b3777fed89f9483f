//! The loops of memory: who waits looks all the time, or lets others run where there is but one processor.

use super::{
    payload::Payload,
    task::{Stopped, Task},
};
use crate::{
    ability::{Failure, Memory},
    perform::Problem,
};
use harness_core::wire::measure::Task as What;
use impls_sys::memory::Mapping;
use nix::errno::Errno;
use std::{
    hint,
    sync::atomic::{AtomicU64, Ordering},
};

/// Memory that can be driven: all of it.
pub trait DrivenMemory {
    /// Does a task.
    ///
    /// # Errors
    /// Why it cannot be done here, or what went wrong.
    fn drive(&mut self, task: &mut Task<'_>) -> Result<(), Stopped>;
}

// Where things lie. What different processes write does not share a line, nor two neighbouring ones, which a processor may fetch together.
const PLACES: [usize; 2] = [0, 1024];
const SENT: usize = 2048;
const RECEIVED: usize = 2304;
const ADDED: usize = 2560;
const SLOTS: usize = 4096;
/// In a place the message comes after its number.
const PLACE_HEAD: usize = 64;
/// Bytes of a line.
const LINE: usize = 64;

impl<M: Memory> DrivenMemory for M {
    fn drive(&mut self, task: &mut Task<'_>) -> Result<(), Stopped> {
        let length = (SLOTS + task.bytes().next_multiple_of(LINE).max(LINE)) as u64;
        let mapping = self.reach(0, length).map_err(|failure| Stopped::of("mmap", failure))?;
        match (task.what(), task.leads()) {
            (What::RoundTrip, true) => ask(mapping, task),
            (What::RoundTrip, false) => answer(mapping, task),
            (What::OneWay, true) => send(&Slots::new(mapping, task)?, task),
            (What::OneWay, false) => receive(&Slots::new(mapping, task)?, task),
            (What::Take, _) => add(mapping, task),
            (what, _) => Err(Problem(format!("memory has nothing to do with {what:?}")).into()),
        }
    }
}

fn cell(mapping: &Mapping, at: usize) -> Result<&AtomicU64, Stopped> {
    mapping.cell(at).ok_or_else(out_of_bounds)
}

#[cold]
fn out_of_bounds() -> Stopped {
    Stopped::of("mmap", Failure::Errno(Errno::EFAULT))
}

/// Looks at a cell until it has a value that will do.
#[inline]
pub(super) fn look_until(cell: &AtomicU64, crowded: bool, will_do: impl Fn(u64) -> bool) -> u64 {
    loop {
        let value = cell.load(Ordering::Acquire);
        if will_do(value) {
            return value;
        }
        if crowded {
            // A failed yield only makes this loop turn at once.
            let _ = nix::sched::sched_yield();
        } else {
            hint::spin_loop();
        }
    }
}

/// Writes a message and then its number.
#[inline]
fn put(mapping: &Mapping, place: usize, sequence: &AtomicU64, number: u64, payload: &[u8]) -> Result<(), Stopped> {
    mapping.copy_in(place + PLACE_HEAD, payload).ok_or_else(out_of_bounds)?;
    sequence.store(number + 1, Ordering::Release);
    Ok(())
}

/// Waits for the message of this number.
#[inline]
fn get(
    mapping: &Mapping,
    place: usize,
    sequence: &AtomicU64,
    number: u64,
    crowded: bool,
    payload: &mut Payload,
) -> Result<(), Stopped> {
    look_until(sequence, crowded, |value| value == number + 1);
    mapping.copy_out(place + PLACE_HEAD, payload.room()).ok_or_else(out_of_bounds)?;
    if payload.number() == payload.told(number) { Ok(()) } else { Err(Stopped::wrong(number, payload.number())) }
}

fn ask(mapping: &Mapping, task: &mut Task<'_>) -> Result<(), Stopped> {
    let (mut sent, mut received) = (Payload::new(task.bytes()), Payload::new(task.bytes()));
    let (own, other) = (cell(mapping, PLACES[0])?, cell(mapping, PLACES[1])?);
    let crowded = task.is_crowded();
    own.store(0, Ordering::SeqCst);
    other.store(0, Ordering::SeqCst);
    task.timed(|number| {
        put(mapping, PLACES[0], own, number, sent.stamp(number))?;
        get(mapping, PLACES[1], other, number, crowded, &mut received)
    })
}

fn answer(mapping: &Mapping, task: &mut Task<'_>) -> Result<(), Stopped> {
    let (mut sent, mut received) = (Payload::new(task.bytes()), Payload::new(task.bytes()));
    let (own, other) = (cell(mapping, PLACES[1])?, cell(mapping, PLACES[0])?);
    let crowded = task.is_crowded();
    task.untimed(|number| {
        get(mapping, PLACES[0], other, number, crowded, &mut received)?;
        put(mapping, PLACES[1], own, number, sent.stamp(number))
    })
}

/// Messages in slots, one after another: how much was sent and how much received is told by two cells.
struct Slots<'m> {
    mapping: &'m Mapping,
    sent: &'m AtomicU64,
    received: &'m AtomicU64,
    stride: usize,
    count: u64,
    crowded: bool,
}

impl<'m> Slots<'m> {
    fn new(mapping: &'m Mapping, task: &Task<'_>) -> Result<Self, Stopped> {
        let stride = task.bytes().next_multiple_of(LINE).max(LINE);
        let (sent, received) = (cell(mapping, SENT)?, cell(mapping, RECEIVED)?);
        if task.leads() {
            sent.store(0, Ordering::SeqCst);
            received.store(0, Ordering::SeqCst);
        }
        let count = ((mapping.length() - SLOTS) / stride) as u64;
        Ok(Self { mapping, sent, received, stride, count, crowded: task.is_crowded() })
    }

    #[inline]
    fn place(&self, number: u64) -> usize {
        SLOTS + usize::try_from(number % self.count).unwrap_or(0) * self.stride
    }
}

fn send(slots: &Slots<'_>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    // What the other was seen to have received: its cell is looked at only where that is not enough.
    let mut received = 0;
    task.untimed(|number| {
        if number - received >= slots.count {
            received = look_until(slots.received, slots.crowded, |received| number - received < slots.count);
        }
        slots.mapping.copy_in(slots.place(number), payload.stamp(number)).ok_or_else(out_of_bounds)?;
        slots.sent.store(number + 1, Ordering::Release);
        Ok(())
    })
}

fn receive(slots: &Slots<'_>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    let mut sent = 0;
    task.sliced(|number| {
        if number >= sent {
            sent = look_until(slots.sent, slots.crowded, |sent| sent > number);
        }
        slots.mapping.copy_out(slots.place(number), payload.room()).ok_or_else(out_of_bounds)?;
        slots.received.store(number + 1, Ordering::Release);
        if payload.number() == payload.told(number) { Ok(()) } else { Err(Stopped::wrong(number, payload.number())) }
    })
}

fn add(mapping: &Mapping, task: &mut Task<'_>) -> Result<(), Stopped> {
    let added = cell(mapping, ADDED)?;
    if task.leads() {
        added.store(0, Ordering::SeqCst);
    }
    let total = task.together(|| {
        added.fetch_add(1, Ordering::SeqCst);
        Ok(())
    })?;
    let counted = added.load(Ordering::SeqCst);
    if counted == total { Ok(()) } else { Err(Stopped::wrong(total, counted)) }
}
