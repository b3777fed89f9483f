//! The model of shared memory: bytes that keep what was stored last.
//!
//! Rules: a load gives what the last store left (POSIX `mmap()`, `MAP_SHARED`; C11 7.17.3 for the order of atomic ones); a cell is
//! never torn; an addition and a compare-and-exchange happen as a whole (C11 7.17.7); a new object is zero (POSIX
//! `shm_open()`, `ftruncate()`).

use super::{Call, Known, Model, Said, Trace, check};
use crate::{Plan, finding::Anomaly, plan::PlanChannel, wire::Outcome};
use spec::{Operation, operation::Order, scenario::Attach};
use std::collections::BTreeMap;

/// Bytes in a cell.
const CELL: u64 = 8;

struct Memory;

/// Bytes that are not zero, by their offsets.
type Bytes = BTreeMap<u64, u8>;

#[derive(Debug)]
enum Action {
    Store {
        cell: u64,
        value: u64,
    },
    Load {
        cell: u64,
        value: u64,
    },
    /// Loads one value and stores another, in one.
    Exchange {
        cell: u64,
        before: u64,
        after: u64,
    },
    StoreText {
        at: u64,
        text: Vec<u8>,
    },
    LoadText {
        at: u64,
        text: Vec<u8>,
    },
    /// Bytes from here on are gone.
    Cut(u64),
}

pub(super) fn judge(plan: &Plan, channel: &PlanChannel, trace: &Trace<'_>) -> Said {
    if plan.attach == Attach::ByName && channel.options.made_of.is_none() && !channel.options.exists {
        return Said::Undecided("processes make it themselves".to_owned());
    }
    match trace.calls.iter().map(|call| actions(plan, call)).collect::<Result<Vec<_>, _>>() {
        Ok(actions) => check(&Memory, trace, &actions),
        Err(why) => Said::Undecided(why),
    }
}

fn actions(plan: &Plan, call: &Call<'_>) -> Result<Known<Action>, String> {
    let unknown = |operation: &Operation<u64>| format!("its model does not know this `{}`", operation.name());
    if let Some(Outcome::Failed(_)) = call.outcome {
        return Ok(Known::All(Vec::new()));
    }
    // A text is stored byte by byte: only where nobody else is at work is that one action.
    let texts = plan.is_story();
    let told = match call.outcome {
        Some(Outcome::Count(value)) => Some(*value),
        _ => None,
    };
    if is_weak(call.operation) {
        return Err("weak memory orders are judged by `never` and `seen`".to_owned());
    }
    let actions = match (call.operation, told) {
        (Operation::Store(store), _) => match (&store.text, store.value) {
            (Some(text), _) if texts => {
                vec![Action::StoreText { at: store.at.unwrap_or(0), text: text.as_bytes().to_vec() }]
            }
            (None, Some(value)) => vec![Action::Store { cell: store.cell.unwrap_or(0), value }],
            _ => return Err(unknown(call.operation)),
        },
        (Operation::Load(load), Some(value)) if load.size.is_none() => {
            vec![Action::Load { cell: load.cell.unwrap_or(0), value }]
        }
        (Operation::Load(load), None) if load.size.is_some() && texts => match call.outcome {
            // The agent gives a text up to its first zero.
            Some(Outcome::Text(text)) => {
                let mut text = text.as_bytes().to_vec();
                if (text.len() as u64) < load.size.unwrap_or(0) {
                    text.push(0);
                }
                vec![Action::LoadText { at: load.at.unwrap_or(0), text }]
            }
            _ => Vec::new(),
        },
        (Operation::Load(_), _) if call.outcome.is_none() => Vec::new(),
        (Operation::FetchAdd(add), Some(before)) if !add.torn => {
            let after = before.wrapping_add(add.value.unwrap_or(1));
            vec![Action::Exchange { cell: add.cell.unwrap_or(0), before, after }]
        }
        // What it adds is known, what it found is not: two actions that any store may come between.
        (Operation::FetchAdd(add), Some(before)) => {
            let (cell, after) = (add.cell.unwrap_or(0), before.wrapping_add(add.value.unwrap_or(1)));
            vec![Action::Load { cell, value: before }, Action::Store { cell, value: after }]
        }
        (Operation::CompareExchange(exchange), Some(before)) => {
            let cell = exchange.cell.unwrap_or(0);
            let expected = exchange.expected.unwrap_or(0);
            let after = if before == expected { exchange.value.unwrap_or(1) } else { before };
            vec![Action::Exchange { cell, before, after }]
        }
        (Operation::Resize(resize), _) => vec![Action::Cut(resize.size.unwrap_or(0))],
        (Operation::Close(_), _) => Vec::new(),
        (Operation::Open(open), _) if !open.create => Vec::new(),
        (operation, _) => return Err(unknown(operation)),
    };
    Ok(if call.outcome.is_some() { Known::All(actions) } else { Known::Some(actions) })
}

/// Whether an access is no sequentially consistent one of a whole cell: this model is of those alone.
fn is_weak(operation: &Operation<u64>) -> bool {
    let (bits, order) = match operation {
        Operation::Store(store) => (store.bits, store.order),
        Operation::Load(load) => (load.bits, load.order),
        _ => return false,
    };
    bits.is_some() || order.is_some_and(|order| order != Order::SeqCst)
}

fn cell_of(bytes: &Bytes, cell: u64) -> u64 {
    let mut value = [0; 8];
    for (byte, at) in value.iter_mut().zip(cell.saturating_mul(CELL)..) {
        *byte = bytes.get(&at).copied().unwrap_or(0);
    }
    u64::from_ne_bytes(value)
}

fn stored(bytes: &Bytes, at: u64, new: &[u8]) -> Bytes {
    let mut bytes = bytes.clone();
    for (byte, at) in new.iter().zip(at..) {
        if *byte == 0 {
            bytes.remove(&at)
        } else {
            bytes.insert(at, *byte)
        };
    }
    bytes
}

impl Model for Memory {
    type State = Bytes;
    type Action = Action;

    fn start(&self) -> Bytes {
        Bytes::new()
    }

    fn apply(&self, bytes: &Bytes, _: usize, action: &Action) -> Vec<Bytes> {
        let store = |cell: &u64, value: &u64| stored(bytes, cell.saturating_mul(CELL), &value.to_ne_bytes());
        let next = match action {
            Action::Store { cell, value } => Some(store(cell, value)),
            Action::Load { cell, value } => (cell_of(bytes, *cell) == *value).then(|| bytes.clone()),
            Action::Exchange { cell, before, after } => (cell_of(bytes, *cell) == *before).then(|| store(cell, after)),
            Action::StoreText { at, text } => Some(stored(bytes, *at, text)),
            Action::LoadText { at, text } => {
                let same = text.iter().zip(*at..).all(|(byte, at)| bytes.get(&at).copied().unwrap_or(0) == *byte);
                same.then(|| bytes.clone())
            }
            Action::Cut(size) => Some(bytes.range(..size).map(|(at, byte)| (*at, *byte)).collect()),
        };
        next.into_iter().collect()
    }

    fn nearest(&self, bytes: &Bytes, _: usize, action: &Action) -> Option<Bytes> {
        let store = |cell: &u64, value: &u64| stored(bytes, cell.saturating_mul(CELL), &value.to_ne_bytes());
        Some(match action {
            Action::Load { cell, value } => store(cell, value),
            Action::Exchange { cell, after, .. } => store(cell, after),
            Action::LoadText { at, text } => stored(bytes, *at, text),
            Action::Store { .. } | Action::StoreText { .. } | Action::Cut(_) => bytes.clone(),
        })
    }

    fn may_sleep(&self, _: &Bytes, _: usize, _: &Call<'_>, _: usize) -> bool {
        false
    }

    fn explain(&self, states: &[Bytes], _: usize, action: &Action) -> (Anomaly, String) {
        let (cell, got) = match action {
            Action::Load { cell, value } | Action::Store { cell, value } => (*cell, *value),
            Action::Exchange { cell, before, .. } => (*cell, *before),
            Action::StoreText { .. } | Action::LoadText { .. } | Action::Cut(_) => {
                return (Anomaly::Stale, "what was stored there last".to_owned());
            }
        };
        let mut values: Vec<u64> = states.iter().map(|bytes| cell_of(bytes, cell)).collect();
        values.sort_unstable();
        values.dedup();
        let texts: Vec<String> = values.iter().map(u64::to_string).collect();
        let anomaly =
            if got == 0 || values.iter().all(|value| got < *value) { Anomaly::Stale } else { Anomaly::WrongValue };
        (anomaly, format!("{} in cell {cell}", texts.join(" or ")))
    }

    fn describe(&self, bytes: &Bytes) -> String {
        format!("{} bytes are not zero", bytes.len())
    }
}
