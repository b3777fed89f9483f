//! The loops of messages that are written and looked at where they lie, or several at once.
#![expect(clippy::inline_always, reason = "as the ring itself, see there")]

use super::{
    Ends,
    payload::Payload,
    task::{Stopped, Task},
};
use crate::{
    ability::{Failure, Patience, Queue},
    mechanism::{Region, Ring},
    perform::Problem,
};
use harness_core::wire::measure::Task as What;
use nix::errno::Errno;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many messages are sent and received at once.
const BATCH: u64 = 16;

/// Does a task with the ring beneath a queue.
pub(super) fn drive<Q: Queue>(ends: &mut Ends<'_, Q>, task: &mut Task<'_>) -> Result<(), Stopped> {
    match (task.what(), task.leads()) {
        (What::RoundTripInPlace, true) => task.timed(|number| {
            send(ring(ends.out)?, number)?;
            receive(ring(ends.back())?, number)
        }),
        (What::RoundTripInPlace, false) => task.untimed(|number| {
            receive(ring(ends.back())?, number)?;
            send(ring(ends.out)?, number)
        }),
        (What::OneWayInPlace, true) => {
            let ring = ring(ends.out)?;
            task.untimed(|number| send(ring, number))
        }
        (What::OneWayInPlace, false) => {
            let ring = ring(ends.out)?;
            task.sliced(|number| receive(ring, number))
        }
        (What::OneWayFilled, true) => {
            let ring = ring(ends.out)?;
            task.untimed(|number| send_filled(ring, number))
        }
        (What::OneWayFilled, false) => {
            let ring = ring(ends.out)?;
            task.sliced(|number| receive_filled(ring, number))
        }
        (What::OneWayBatch, true) => send_batches(ring(ends.out)?, task),
        (What::OneWayBatch, false) => receive_batches(ring(ends.out)?, task),
        (what, _) => Err(Problem(format!("nothing in place has to do with {what:?}")).into()),
    }
}

/// The ring beneath a queue.
#[inline]
fn ring<Q: Queue>(queue: &mut Q) -> Result<&mut Ring, Stopped> {
    queue.in_place().ok_or_else(|| Stopped::Impossible("its messages are copied by the system".to_owned()))
}

fn reserving(failure: Failure) -> Stopped {
    Stopped::of("reserve", failure)
}

fn looking(failure: Failure) -> Stopped {
    Stopped::of("look", failure)
}

/// The cells of a message.
#[inline]
fn cells(region: Region<'_>) -> Result<&[AtomicU64], Stopped> {
    region.cells().map_err(looking)
}

/// The cell in which a message has its number.
#[inline]
fn number_cell(region: Region<'_>) -> Result<&AtomicU64, Stopped> {
    cells(region)?.first().ok_or_else(|| looking(Failure::Errno(Errno::EMSGSIZE)))
}

#[inline(always)]
fn send(ring: &mut Ring, number: u64) -> Result<(), Stopped> {
    let reservation = ring.reserve(1, Patience::Forever).map_err(reserving)?;
    number_cell(reservation.region(0).map_err(reserving)?)?.store(number, Ordering::Relaxed);
    reservation.commit(1).map_err(reserving)
}

#[inline(always)]
fn receive(ring: &mut Ring, number: u64) -> Result<(), Stopped> {
    let look = ring.look(1, Patience::Forever).map_err(looking)?;
    let found = number_cell(look.region(0).map_err(looking)?)?.load(Ordering::Relaxed);
    look.release(1).map_err(looking)?;
    if found == number { Ok(()) } else { Err(Stopped::wrong(number, found)) }
}

#[inline(always)]
fn send_filled(ring: &mut Ring, number: u64) -> Result<(), Stopped> {
    let reservation = ring.reserve(1, Patience::Forever).map_err(reserving)?;
    for cell in cells(reservation.region(0).map_err(reserving)?)? {
        cell.store(number, Ordering::Relaxed);
    }
    reservation.commit(1).map_err(reserving)
}

#[inline(always)]
fn receive_filled(ring: &mut Ring, number: u64) -> Result<(), Stopped> {
    let look = ring.look(1, Patience::Forever).map_err(looking)?;
    let cells = cells(look.region(0).map_err(looking)?)?;
    // All of it is looked at, also where the beginning is wrong: what is measured does not depend on what is found.
    let differences = cells.iter().fold(0, |all, cell| all | (cell.load(Ordering::Relaxed) ^ number));
    look.release(1).map_err(looking)?;
    if differences == 0 { Ok(()) } else { Err(Stopped::wrong(number, number ^ differences)) }
}

fn send_batches(ring: &mut Ring, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    task.begin();
    let mut number = 0;
    while number < task.operations() {
        let count = BATCH.min(task.operations() - number);
        let mut reservation = ring.reserve(count, Patience::Forever).map_err(reserving)?;
        let count = reservation.count();
        for which in 0..count {
            reservation.copy_in(which, payload.stamp(number + which)).map_err(reserving)?;
        }
        reservation.commit(count).map_err(reserving)?;
        number += count;
    }
    task.end(number);
    Ok(())
}

fn receive_batches(ring: &mut Ring, task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut payload = Payload::new(task.bytes());
    task.begin();
    let mut number = 0;
    while number < task.operations() {
        let mut look = ring.look(BATCH, Patience::Forever).map_err(looking)?;
        let count = look.count();
        for which in 0..count {
            let length = look.copy_out(which, payload.room()).map_err(looking)?;
            if length != payload.room().len() || payload.number() != payload.told(number + which) {
                return Err(Stopped::wrong(number + which, payload.number()));
            }
        }
        look.release(count).map_err(looking)?;
        for _ in 0..count {
            number += 1;
            if number.is_multiple_of(task.slice_operations()) {
                task.lap();
            }
        }
    }
    task.end(number);
    Ok(())
}
