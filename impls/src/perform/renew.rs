//! Making copies of channels as new, so that a race can use them again: what is left in them is taken out, counters and cells
//! are set back.

use super::{Held, Problem};
use crate::ability::{Counter, Failure, Object, Patience};
use impls_sys::{readiness, sysv::Change};
use nix::errno::Errno;
use spec::{Operation, operation::End};
use std::{collections::BTreeSet, sync::atomic::Ordering};

/// How many bytes are taken out at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A set of semaphores is set back if it has no more than this many.
const SEMAPHORES_MAX: u64 = 64;

/// What a channel was like when it was new.
#[derive(Debug, Default)]
pub struct Fresh {
    /// The values of a counter, or of all semaphores of a set; the same for all copies.
    values: Vec<u64>,
    is_set: bool,
    /// The bytes of memory that this process writes to, eight by eight; they were zero.
    written: Vec<usize>,
}

impl Fresh {
    /// Has a look at what is new still, and at what this process is going to do to it.
    pub fn of<'o>(held: &mut Held, steps: impl Iterator<Item = &'o Operation<u64>>) -> Self {
        let (is_set, values) = match held.copies.first_mut() {
            Some(Object::Counter(counter)) => all_values(counter.as_mut()),
            _ => (false, Vec::new()),
        };
        let written: BTreeSet<usize> = steps.flat_map(cells_written).collect();
        Self { values, is_set, written: written.into_iter().collect() }
    }
}

/// The cells of eight bytes that a step may change.
fn cells_written(operation: &Operation<u64>) -> std::ops::Range<usize> {
    let (at, size) = match operation {
        Operation::Store(store) => match (&store.text, store.bits) {
            (Some(text), _) => (store.at.unwrap_or(0), text.len() as u64),
            (None, Some(_)) => (store.at.unwrap_or(0), 1),
            (None, None) => (store.cell.unwrap_or(0).saturating_mul(8), 8),
        },
        Operation::FetchAdd(add) => (add.cell.unwrap_or(0).saturating_mul(8), 8),
        Operation::CompareExchange(exchange) => (exchange.cell.unwrap_or(0).saturating_mul(8), 8),
        _ => (0, 0),
    };
    let cell = |byte: u64| usize::try_from(byte).unwrap_or(usize::MAX);
    cell(at / 8)..cell(at.saturating_add(size).div_ceil(8))
}

/// Whether a counter is a set, and the values of all there are.
fn all_values(counter: &mut dyn Counter) -> (bool, Vec<u64>) {
    // A set refuses a change of nothing by an error of its own.
    let is_set = !matches!(counter.change(&[], None), Err(Failure::Senseless(_)));
    let count = if is_set { SEMAPHORES_MAX } else { 1 };
    (is_set, (0..count).map_while(|number| counter.value(number).ok()).collect())
}

/// Makes the memory of all copies as new, as far as this process writes to it. No process may access them.
pub fn clear(held: &Held, fresh: &Fresh) {
    for copy in &held.copies {
        let Object::Memory(memory) = copy else { continue };
        let cells = memory.mapped().and_then(|mapping| mapping.cells(0, mapping.length() / 8));
        for cell in fresh.written.iter().filter_map(|cell| cells?.get(*cell)) {
            cell.store(0, Ordering::Relaxed);
        }
    }
}

/// Makes those copies of a channel as new that something may be left in. No process may be in a call on one of them.
///
/// # Errors
/// Where a copy cannot be made as new.
pub fn renew(held: &mut Held, fresh: &Fresh, copies: &[usize]) -> Result<(), Problem> {
    if held.is_memory() {
        clear(held, fresh);
        return Ok(());
    }
    let mut buffer = Vec::new();
    for place in dirty(held, copies) {
        let Some(copy) = held.copies.get_mut(place) else { continue };
        let renewed = match copy {
            Object::Stream(stream) => {
                buffer.resize(BUFFER_BYTES, 0);
                drain(|| stream.read(&mut buffer, true, false).map(|length| length > 0))
            }
            Object::Queue(queue) => {
                buffer.resize(queue.message_size_max().max(1), 0);
                drain(|| queue.receive(&mut buffer, Patience::Never, false).map(|message| !message.ended))
            }
            Object::Counter(counter) => set_back(counter.as_mut(), fresh),
            Object::Memory(_) | Object::Lock(_) | Object::Wake(_) | Object::Signals => Ok(()),
        };
        renewed.map_err(|failure| Problem(format!("cannot make a copy of `{}` as new: {failure:?}", held.name)))?;
    }
    Ok(())
}

/// Which of these copies have something left in them, where the system tells of all at once.
fn dirty(held: &Held, copies: &[usize]) -> Vec<usize> {
    if copies.is_empty() {
        return Vec::new();
    }
    let reading: Option<Vec<i32>> = copies
        .iter()
        .map(|copy| match held.copies.get(*copy)? {
            Object::Stream(stream) => stream.descriptor(Some(End::Read)),
            Object::Queue(queue) => queue.descriptor(Some(End::Read)),
            _ => None,
        })
        .collect();
    match reading.and_then(|descriptors| readiness::readable(&descriptors).ok()) {
        Some(readable) => {
            copies.iter().zip(readable).filter(|(_, readable)| *readable).map(|(copy, _)| *copy).collect()
        }
        None => copies.to_vec(),
    }
}

/// Takes out until nothing is left.
fn drain(mut take: impl FnMut() -> super::Result<bool>) -> super::Result<()> {
    loop {
        match take() {
            Ok(true) => {}
            // Nothing left, the end, or an end that this process cannot read from.
            Ok(false) | Err(Failure::Errno(Errno::EAGAIN | Errno::ENOMSG | Errno::EBADF)) => return Ok(()),
            Err(failure) => return Err(failure),
        }
    }
}

/// Sets all values of a set, where there is a call for that.
fn set_all(counter: &mut dyn Counter, values: &[u64]) -> super::Result<bool> {
    for (number, value) in (0..).zip(values) {
        if !counter.set_value(number, *value)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn set_back(counter: &mut dyn Counter, Fresh { values: fresh, is_set, .. }: &Fresh) -> super::Result<()> {
    if *is_set && set_all(counter, fresh)? {
        return Ok(());
    }
    let now = (0..).zip(fresh).map(|(number, _)| counter.value(number)).collect::<super::Result<Vec<u64>>>()?;
    if now == *fresh {
        return Ok(());
    }
    if *is_set {
        let changes: Vec<Change> = (0..)
            .zip(now.iter().zip(fresh))
            .filter(|(_, (now, fresh))| now != fresh)
            .map(|(number, (now, fresh))| {
                let value = |value: &u64| i16::try_from(*value).unwrap_or(i16::MAX);
                let add = value(fresh).saturating_sub(value(now));
                Change { number, add, undo: false, nonblocking: true }
            })
            .collect();
        return counter.change(&changes, None);
    }
    let (now, fresh) = (now.first().copied().unwrap_or(0), fresh.first().copied().unwrap_or(0));
    for _ in fresh..now {
        counter.wait(Patience::Never)?;
    }
    for _ in now..fresh {
        counter.post(1, Patience::Never)?;
    }
    Ok(())
}
