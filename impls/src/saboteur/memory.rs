//! Faults of memory.

use super::{
    Ground,
    over::{self, MemoryFault},
};
use crate::{
    ability::{Memory, Object, Result},
    perform::words::{self, Access, Sabotaged},
};
use impls_sys::memory::Mapping;
use spec::{
    Mechanism, Operation,
    operation::{Order, SealKind},
};
use std::{cell::Cell, sync::atomic::Ordering};

/// What a private copy has beyond the object: it may grow.
const BEYOND: usize = 1 << 20;

/// A copy that nobody else sees.
struct PrivateCopy(Option<Mapping>);

impl MemoryFault for PrivateCopy {
    fn instead(&self) -> Option<&Mapping> {
        self.0.as_ref()
    }
}

pub(super) fn private_copy(object: Object, _: &Ground) -> Object {
    let copy = match &object {
        Object::Memory(memory) => memory.mapped().and_then(|mapped| Mapping::anonymous(mapped.length() + BEYOND).ok()),
        _ => None,
    };
    over::memory(object, PrivateCopy(copy))
}

/// Makes every second load before it is due.
#[derive(Default)]
struct LoadEarly {
    loads: Cell<u64>,
}

impl MemoryFault for LoadEarly {
    fn access<'m>(&'m self, memory: &'m dyn Memory, operation: &Operation<u64>) -> Result<Access<'m>> {
        let access = memory.access(operation)?;
        if !matches!(operation, Operation::Load(_)) {
            return Ok(access);
        }
        self.loads.set(self.loads.get() + 1);
        Ok(if self.loads.get().is_multiple_of(2) { Sabotaged::Known(access.make()).into() } else { access })
    }
}

pub(super) fn load_early(object: Object, _: &Ground) -> Object {
    over::memory(object, LoadEarly::default())
}

/// Makes every store before it is due.
struct StoreEarly;

impl MemoryFault for StoreEarly {
    fn access<'m>(&'m self, memory: &'m dyn Memory, operation: &Operation<u64>) -> Result<Access<'m>> {
        let access = memory.access(operation)?;
        if !matches!(operation, Operation::Store(_)) {
            return Ok(access);
        }
        let _ = access.make();
        Ok(words::NOTHING)
    }
}

pub(super) fn store_early(object: Object, _: &Ground) -> Object {
    over::memory(object, StoreEarly)
}

/// Where a word lies in its cell: the cell's offset, and how many bits lie before it.
fn place(operation: &Operation<u64>) -> Option<(usize, u32, u64)> {
    let (at, size) = words::place(operation).ok()?;
    let before = u32::try_from(at % 8 * 8).ok()?;
    let mask = if size < 8 { ((1_u64 << (size * 8)) - 1) << before } else { u64::MAX };
    Some((usize::try_from(at - at % 8).ok()?, before, mask))
}

/// What a fault makes of an access that it does not leave alone.
type Instead = for<'m> fn(&'m Mapping, &Operation<u64>) -> Option<Sabotaged<'m>>;

struct Made {
    instead: Instead,
}

impl MemoryFault for Made {
    fn access<'m>(&'m self, memory: &'m dyn Memory, operation: &Operation<u64>) -> Result<Access<'m>> {
        match memory.mapped().and_then(|mapped| (self.instead)(mapped, operation)) {
            Some(sabotaged) => Ok(sabotaged.into()),
            None => memory.access(operation),
        }
    }
}

/// Stores the two halves of a cell one after another.
fn halves<'m>(mapped: &'m Mapping, operation: &Operation<u64>) -> Option<Sabotaged<'m>> {
    let Operation::Store(store) = operation else { return None };
    let (cell, _, mask) = place(operation)?;
    let halves = (mapped.word(cell)?, mapped.word(cell + 4)?);
    (mask == u64::MAX).then(|| Sabotaged::Halves(halves.0, halves.1, store.value.unwrap_or(0)))
}

pub(super) fn tear_stores(object: Object, _: &Ground) -> Object {
    over::memory(object, Made { instead: halves })
}

/// Stores a narrow word together with its neighbours, as they were.
fn neighbours<'m>(mapped: &'m Mapping, operation: &Operation<u64>) -> Option<Sabotaged<'m>> {
    let Operation::Store(store) = operation else { return None };
    let (cell, before, mask) = place(operation)?;
    let value = store.value.unwrap_or(0).checked_shl(before)?;
    let cell = mapped.cell(cell)?;
    (mask != u64::MAX).then_some(Sabotaged::Neighbours(cell, mask, value))
}

pub(super) fn overwrite_neighbours(object: Object, _: &Ground) -> Object {
    over::memory(object, Made { instead: neighbours })
}

/// Compares, and exchanges later.
fn apart<'m>(mapped: &'m Mapping, operation: &Operation<u64>) -> Option<Sabotaged<'m>> {
    let Operation::CompareExchange(exchange) = operation else { return None };
    let (cell, ..) = place(operation)?;
    let (expected, value) = (exchange.expected.unwrap_or(0), exchange.value.unwrap_or(1));
    Some(Sabotaged::Apart(mapped.cell(cell)?, expected, value))
}

pub(super) fn compare_then_exchange(object: Object, _: &Ground) -> Object {
    over::memory(object, Made { instead: apart })
}

/// How many cells a saboteur fills of memory that should be empty.
const FILLED_CELLS: usize = 1024;

struct Filled;

impl MemoryFault for Filled {}

/// Finds something in new memory.
pub(super) fn find_filled(object: Object, ground: &Ground) -> Object {
    if let Object::Memory(memory) = &object
        && let Some(mapped) = memory.mapped()
        && ground.word(0).swap(1, Ordering::SeqCst) == 0
    {
        let cells = mapped.cells(0, (mapped.length() / 8).min(FILLED_CELLS)).unwrap_or_default();
        cells.iter().for_each(|cell| cell.store(1, Ordering::SeqCst));
    }
    over::memory(object, Filled)
}

/// Adds by a load and a store.
pub(super) fn add_torn(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::FetchAdd(add) = operation {
        add.torn = true;
    }
}

/// Orders nothing.
pub(super) fn relax(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    match operation {
        Operation::Store(store) if store.text.is_none() => store.order = Some(Order::Relaxed),
        Operation::Load(load) if load.size.is_none() => load.order = Some(Order::Relaxed),
        Operation::Fence(fence) => fence.order = Order::Relaxed,
        _ => {}
    }
}

/// Stores a text without its last letter.
pub(super) fn store_less(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Store(store) = operation
        && let Some(text) = &mut store.text
    {
        text.pop();
    }
}

/// Makes an object one page smaller than it was asked to.
pub(super) fn resize_to_less(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Resize(resize) = operation {
        resize.size = resize.size.map(|size| size.saturating_sub(4096));
    }
}

/// Seals against everything but writing.
pub(super) fn let_writes_through(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Seal(seal) = operation {
        seal.seals.retain(|seal| *seal != SealKind::Write);
    }
}
