//! Whether an outcome is what a step was expected to give.

use crate::wire::{Data, Outcome, Piece, Received, SignalReport};
use spec::{
    Operation,
    scenario::{Expect, Expected, Parts},
};

/// What a mismatch is called, or `None` where the outcome is as expected. `name` gives a process's name by its number in stamps.
pub(super) fn mismatch(
    operation: &Operation<u64>,
    expect: &Expect<u64>,
    outcome: &Outcome,
    name: &dyn Fn(u8) -> Option<String>,
) -> Option<Mismatch> {
    match (expect, outcome) {
        (Expect::Anything, _) => None,
        (Expect::Fails(errors), Outcome::Failed(errno)) if errors.contains(errno) => None,
        (Expect::Fails(_), _) | (Expect::Succeeds | Expect::Gives(_), Outcome::Failed(_)) => Some(Mismatch::Error),
        (Expect::Succeeds, outcome) => (!in_full(operation, outcome)).then_some(Mismatch::Value),
        (Expect::Gives(expected), outcome) => (!gives(expected, outcome, name)).then_some(Mismatch::Value),
        (Expect::Blocks(_), _) => Some(Mismatch::DidNotBlock),
        (Expect::Dies(_), _) => Some(Mismatch::Survived),
    }
}

/// How an outcome differs from what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// An error where none was due, none where one was, or another.
    Error,
    /// Another value.
    Value,
    /// It returned where it had to wait.
    DidNotBlock,
    /// It returned where it had to end its process.
    Survived,
}

/// Success in full: all that was to be written or sent was taken, something was read.
fn in_full(operation: &Operation<u64>, outcome: &Outcome) -> bool {
    let length =
        |text: Option<&String>, size: Option<u64>| size.unwrap_or_else(|| text.map_or(0, |text| text.len() as u64));
    match (operation, outcome) {
        (Operation::Write(write), Outcome::Count(count)) => *count == length(write.text.as_ref(), write.size),
        (Operation::Send(send), Outcome::Count(count)) => *count == length(send.text.as_ref(), send.size),
        (_, Outcome::Received(received)) => received.failed.is_none(),
        _ => true,
    }
}

fn gives(expected: &Expected<u64>, outcome: &Outcome, name: &dyn Fn(u8) -> Option<String>) -> bool {
    match (expected, outcome) {
        (Expected::Number(number), Outcome::Count(count)) => number == count,
        (Expected::Text(expected), Outcome::Text(text)) => expected == text,
        (Expected::Parts(parts), Outcome::Count(count)) => {
            *parts == Parts { at_least: parts.at_least, at_most: parts.at_most, ..Parts::default() }
                && in_range(parts, *count)
        }
        (Expected::Parts(parts), Outcome::Text(text)) => {
            *parts == Parts { text: parts.text.clone(), ..Parts::default() } && parts.text.as_ref() == Some(text)
        }
        (expected, Outcome::Received(received)) => received_matches(expected, received, name),
        (Expected::List(list), Outcome::Signals(signals)) => {
            list.len() == signals.len()
                && list.iter().zip(signals).all(|(expected, signal)| signal_matches(expected, signal))
        }
        (expected, Outcome::Signals(signals)) => match signals.as_slice() {
            [signal] => signal_matches(expected, signal),
            _ => false,
        },
        _ => false,
    }
}

fn received_matches(expected: &Expected<u64>, received: &Received, name: &dyn Fn(u8) -> Option<String>) -> bool {
    if received.failed.is_some() {
        return false;
    }
    match expected {
        Expected::End => received.ended && received.pieces.is_empty(),
        Expected::List(list) => {
            let (ends, pieces) = match list.split_last() {
                Some((Expected::End, pieces)) => (true, pieces),
                _ => (received.ended, list.as_slice()),
            };
            ends == received.ended
                && pieces.len() == received.pieces.len()
                && pieces.iter().zip(&received.pieces).all(|(expected, piece)| piece_matches(expected, piece, name))
        }
        expected => match received.pieces.as_slice() {
            [piece] => piece_matches(expected, piece, name),
            // Reads until the end or until empty: the sum counts, texts are joined.
            [] => matches!(expected, Expected::Number(0)) && !received.ended,
            pieces => piece_matches(expected, &joined(pieces), name),
        },
    }
}

fn joined(pieces: &[Piece]) -> Piece {
    let texts: Option<String> = pieces
        .iter()
        .map(|piece| match &piece.data {
            Data::Text(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    let runs = pieces.iter().flat_map(|piece| match &piece.data {
        Data::Runs(runs) => runs.clone(),
        _ => Vec::new(),
    });
    Piece {
        length: pieces.iter().map(|piece| piece.length).sum(),
        data: texts.map_or_else(|| Data::Runs(runs.collect()), Data::Text),
        priority: None,
        r#type: None,
        truncated: pieces.iter().any(|piece| piece.truncated),
    }
}

fn piece_matches(expected: &Expected<u64>, piece: &Piece, name: &dyn Fn(u8) -> Option<String>) -> bool {
    let text_is = |text: &String| matches!(&piece.data, Data::Text(got) if got == text);
    match expected {
        Expected::Text(text) => text_is(text),
        Expected::Number(number) => piece.length == *number && intact(piece),
        Expected::End | Expected::List(_) => false,
        Expected::Parts(parts) => {
            parts.text.as_ref().is_none_or(text_is)
                && parts.size.is_none_or(|size| size == piece.length)
                && parts.priority.is_none_or(|priority| piece.priority == Some(priority))
                && parts.r#type.is_none_or(|r#type| piece.r#type == Some(r#type))
                && parts.truncated.is_none_or(|truncated| truncated == piece.truncated)
                && parts.from.as_ref().is_none_or(|from| sender(piece).and_then(name).as_ref() == Some(from))
                && parts.signal.is_none()
                && parts.value.is_none()
                && parts.code.is_none()
                && in_range(parts, piece.length)
                && intact(piece)
        }
    }
}

/// Whether somebody sent every byte of a stamped piece.
fn intact(piece: &Piece) -> bool {
    match &piece.data {
        Data::Runs(runs) => runs.iter().all(|run| run.from != 0),
        _ => true,
    }
}

/// The one sender of a piece.
fn sender(piece: &Piece) -> Option<u8> {
    match &piece.data {
        Data::Runs(runs) => {
            let first = runs.first()?.from;
            runs.iter().all(|run| run.from == first).then_some(first)
        }
        _ => None,
    }
}

fn in_range(parts: &Parts<u64>, number: u64) -> bool {
    parts.at_least.is_none_or(|least| number >= least) && parts.at_most.is_none_or(|most| number <= most)
}

fn signal_matches(expected: &Expected<u64>, report: &SignalReport) -> bool {
    match expected {
        Expected::Text(name) => name.parse::<spec::Signal>().is_ok_and(|signal| signal == report.signal),
        Expected::Number(value) => report.value == Some(*value),
        Expected::Parts(parts) => {
            parts.signal.as_ref().is_none_or(|signal| *signal == report.signal)
                && parts.value.is_none_or(|value| report.value == Some(value))
                && parts.code.as_ref().is_none_or(|code| report.code.as_ref() == Some(code))
                && parts.from.as_ref().is_none_or(|from| report.from.as_ref() == Some(from))
                && parts.own_stack.is_none_or(|own_stack| report.own_stack == own_stack)
                && parts.text.is_none()
                && parts.size.is_none()
                && parts.priority.is_none()
                && parts.r#type.is_none()
                && parts.truncated.is_none()
        }
        Expected::End | Expected::List(_) => false,
    }
}
