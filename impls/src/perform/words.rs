//! Atomic accesses to words of shared memory, each with its width and its order.
//!
//! Consecutive accesses of a race are made one after another with nothing in between, not even a look at the clock, which would
//! give a processor the time to do what it had put off: see [`Access`] and [`Access::make`].

use crate::ability::{Failure, Memory, Result};
use impls_sys::memory::Mapping;
use nix::errno::Errno;
use spec::{Operation, operation::Order};
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence};

/// A word of memory.
#[derive(Clone, Copy, Debug)]
enum Word<'m> {
    Byte(&'m AtomicU8),
    Half(&'m AtomicU16),
    Single(&'m AtomicU32),
    Double(&'m AtomicU64),
}

/// An access that is ready to be made.
#[derive(Clone, Copy, Debug)]
pub struct Access<'m>(Ready<'m>);

#[derive(Clone, Copy, Debug)]
enum Ready<'m> {
    Fence(Ordering),
    Store(Word<'m>, u64, Ordering),
    Load(Word<'m>, Ordering),
    Add(&'m AtomicU64, u64),
    Exchange(&'m AtomicU64, u64, u64),
    Sabotaged(Sabotaged<'m>),
}

/// What saboteurs make of accesses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sabotaged<'m> {
    /// It was made before it was due, and found this.
    Known(u64),
    /// A store into a cell, as two stores of four bytes.
    Halves(&'m AtomicU32, &'m AtomicU32, u64),
    /// A store into a narrow word: the cell that it lies in is loaded, changed (under this mask) and stored.
    Neighbours(&'m AtomicU64, u64, u64),
    /// A compare-and-exchange as a load and a store.
    Apart(&'m AtomicU64, u64, u64),
}

/// How long a saboteur leaves between two halves of what should be one: so many turns.
const TURNS_APART: u32 = 60;

impl Sabotaged<'_> {
    fn make(self) -> u64 {
        let apart = || (0..TURNS_APART).for_each(|_| std::hint::spin_loop());
        match self {
            Self::Known(value) => value,
            Self::Halves(first, second, value) => {
                let [low, high] = [value & u64::from(u32::MAX), value >> 32];
                first.store(u32::try_from(low).unwrap_or(0), Ordering::SeqCst);
                apart();
                second.store(u32::try_from(high).unwrap_or(0), Ordering::SeqCst);
                0
            }
            Self::Neighbours(cell, mask, value) => {
                let before = cell.load(Ordering::SeqCst);
                apart();
                cell.store(before & !mask | value & mask, Ordering::SeqCst);
                0
            }
            Self::Apart(cell, expected, value) => {
                let before = cell.load(Ordering::SeqCst);
                apart();
                if before == expected {
                    cell.store(value, Ordering::SeqCst);
                }
                before
            }
        }
    }
}

impl<'m> From<Sabotaged<'m>> for Access<'m> {
    fn from(access: Sabotaged<'m>) -> Self {
        Self(Ready::Sabotaged(access))
    }
}

/// A fence, as an access that needs no memory.
pub const NOTHING: Access<'static> = Access(Ready::Fence(Ordering::Relaxed));

/// Whether an operation is an access to a word, or a fence.
#[must_use]
pub fn is_access(operation: &Operation<u64>) -> bool {
    match operation {
        Operation::Store(store) => store.text.is_none(),
        Operation::Load(load) => load.size.is_none(),
        Operation::FetchAdd(add) => !add.torn,
        Operation::CompareExchange(_) | Operation::Fence(_) => true,
        _ => false,
    }
}

/// Where the word of an access lies: its offset and its size in bytes. A cell has eight.
pub(crate) fn place(operation: &Operation<u64>) -> Result<(u64, u64)> {
    let (cell, at, bits) = match operation {
        Operation::Store(store) => (store.cell, store.at, store.bits),
        Operation::Load(load) => (load.cell, load.at, load.bits),
        Operation::FetchAdd(add) => (add.cell, None, None),
        Operation::CompareExchange(exchange) => (exchange.cell, None, None),
        _ => (None, None, None),
    };
    match bits {
        None => Ok((cell.unwrap_or(0).checked_mul(8).ok_or(Errno::EFAULT)?, 8)),
        Some(8 | 16 | 32 | 64) => Ok((at.unwrap_or(0), bits.unwrap_or(8) / 8)),
        Some(bits) => Err(Failure::Senseless(format!("there are no words of {bits} bits"))),
    }
}

/// Sees to it that the word of an access is mapped, as far as that can be.
///
/// # Errors
/// As [`Memory::reach`]; senseless for a word that is not aligned.
pub fn reach(operation: &Operation<u64>, memory: &mut dyn Memory) -> Result<()> {
    let (at, size) = place(operation)?;
    if !at.is_multiple_of(size) {
        return Err(Failure::Senseless(format!("a word of {size} bytes at the offset {at} is not aligned")));
    }
    memory.reach(at, size).map(drop)
}

impl<'m> Access<'m> {
    /// An access to what is mapped. A fence needs no memory.
    ///
    /// # Errors
    /// As [`reach`]; `EFAULT` where the word is not mapped.
    pub fn new(operation: &Operation<u64>, mapping: Option<&'m Mapping>) -> Result<Self> {
        if let Operation::Fence(fence) = operation {
            return Ok(Self(Ready::Fence(ordering(fence.order, Ordering::AcqRel))));
        }
        let mapping = mapping.ok_or(Errno::EFAULT)?;
        let (at, size) = place(operation)?;
        let at = usize::try_from(at).map_err(|_| Errno::EFAULT)?;
        let cell = || mapping.cell(at).ok_or(Errno::EFAULT);
        let word = || {
            let word = match size {
                1 => mapping.byte(at).map(Word::Byte),
                2 => mapping.half_word(at).map(Word::Half),
                4 => mapping.word(at).map(Word::Single),
                _ => mapping.cell(at).map(Word::Double),
            };
            word.ok_or(Errno::EFAULT)
        };
        Ok(Self(match operation {
            Operation::Store(store) => Ready::Store(
                word()?,
                store.value.unwrap_or(0),
                ordering(store.order.unwrap_or_default(), Ordering::Release),
            ),
            Operation::Load(load) => Ready::Load(word()?, ordering(load.order.unwrap_or_default(), Ordering::Acquire)),
            Operation::FetchAdd(add) => Ready::Add(cell()?, add.value.unwrap_or(1)),
            Operation::CompareExchange(exchange) => {
                Ready::Exchange(cell()?, exchange.expected.unwrap_or(0), exchange.value.unwrap_or(1))
            }
            _ => return Err(Failure::senseless("it is no access to memory")),
        }))
    }

    /// Makes the access. Returns what it found; 0 where it looked at nothing.
    #[inline]
    #[must_use]
    pub fn make(self) -> u64 {
        match self.0 {
            Ready::Store(word, value, order) => {
                word.store(value, order);
                0
            }
            Ready::Load(word, order) => word.load(order),
            Ready::Fence(Ordering::Relaxed) => 0,
            Ready::Fence(order) => {
                fence(order);
                0
            }
            Ready::Add(cell, value) => cell.fetch_add(value, Ordering::SeqCst),
            Ready::Exchange(cell, expected, value) => cell
                .compare_exchange(expected, value, Ordering::SeqCst, Ordering::SeqCst)
                .unwrap_or_else(|before| before),
            Ready::Sabotaged(access) => access.make(),
        }
    }

    /// Looks at the word without making the access.
    pub fn look(self) {
        match self.0 {
            Ready::Store(word, ..) | Ready::Load(word, _) => {
                word.load(Ordering::Relaxed);
            }
            Ready::Add(cell, _) | Ready::Exchange(cell, ..) => {
                cell.load(Ordering::Relaxed);
            }
            // What a saboteur does in an access's stead it does where it finds the line.
            Ready::Fence(_) | Ready::Sabotaged(_) => {}
        }
    }

    /// Whether it tells what it found.
    #[must_use]
    pub fn tells(self) -> bool {
        !matches!(
            self.0,
            Ready::Store(..) | Ready::Fence(_) | Ready::Sabotaged(Sabotaged::Halves(..) | Sabotaged::Neighbours(..))
        )
    }
}

/// The order of an access that can have `own` beside `relaxed` and `seq_cst`; a fence can have both. What an access cannot have is
/// never made weaker than it was asked for.
fn ordering(order: Order, own: Ordering) -> Ordering {
    match (order, own) {
        (Order::Relaxed, _) => Ordering::Relaxed,
        (Order::Acquire, Ordering::Acquire | Ordering::AcqRel) => Ordering::Acquire,
        (Order::Release, Ordering::Release | Ordering::AcqRel) => Ordering::Release,
        _ => Ordering::SeqCst,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a store into a narrow word keeps the low bits, as in C")]
impl Word<'_> {
    fn store(self, value: u64, order: Ordering) {
        match self {
            Self::Byte(word) => word.store(value as u8, order),
            Self::Half(word) => word.store(value as u16, order),
            Self::Single(word) => word.store(value as u32, order),
            Self::Double(word) => word.store(value, order),
        }
    }

    fn load(self, order: Ordering) -> u64 {
        match self {
            Self::Byte(word) => word.load(order).into(),
            Self::Half(word) => word.load(order).into(),
            Self::Single(word) => word.load(order).into(),
            Self::Double(word) => word.load(order),
        }
    }
}
