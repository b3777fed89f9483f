//! Checks what a process says of a call: an answer that cannot be is the agent's fault, not the system's.

use crate::fault::Fault;
use harness_core::{
    stamp,
    wire::{Data, End, Outcome, Piece, Received},
};
use spec::Operation;

/// What is known of the call that a reply is about.
#[derive(Debug)]
pub(crate) struct Asked<'o> {
    pub(crate) who: &'o str,
    pub(crate) operation: &'o Operation<u64>,
    /// Whether the channel carries stamped bytes.
    pub(crate) stamped: bool,
    /// When the harness asked, or the earliest that the call can have begun.
    pub(crate) earliest: u64,
    /// When the harness heard of the return.
    pub(crate) latest: u64,
}

/// Checks times and shape of a reply, and turns raw bytes into texts or runs.
pub(crate) fn check(asked: &Asked<'_>, end: End, decoder: &mut stamp::Decoder) -> Result<End, Fault> {
    let fault = |what: String| Fault::agent(asked.who, what);
    let name = asked.operation.name();
    if end.began < asked.earliest || end.ended < end.began || end.ended > asked.latest {
        return Err(fault(format!(
            "says that its {name} (step {}) began at {} and ended at {}, which lies outside {}..{}: times are nanoseconds of CLOCK_MONOTONIC",
            end.step, end.began, end.ended, asked.earliest, asked.latest,
        )));
    }
    if !fits(asked.operation, &end.outcome) {
        return Err(fault(format!(
            "answers a {name} (step {}) with {:?}, which no {name} gives",
            end.step, end.outcome
        )));
    }
    let outcome = match end.outcome {
        Outcome::Received(received) => Outcome::Received(normalize(asked, received, decoder)?),
        outcome => outcome,
    };
    Ok(End { outcome, ..end })
}

/// Whether an operation can give such an outcome at all.
fn fits(operation: &Operation<u64>, outcome: &Outcome) -> bool {
    match (operation, outcome) {
        (Operation::Exit(_), _) => false,
        (Operation::Enter(_) | Operation::Leave(_) | Operation::Meet(_) | Operation::Caught(_), Outcome::Failed(_)) => {
            false
        }
        (_, Outcome::Failed(_)) => true,
        (Operation::Write(write), Outcome::Count(count)) => {
            *count <= write.size.unwrap_or_else(|| length(write.text.as_deref()))
        }
        (Operation::Send(send), Outcome::Count(count)) => {
            *count <= send.size.unwrap_or_else(|| length(send.text.as_deref()))
        }
        (Operation::Send(_), Outcome::Done) => true,
        (Operation::Read(read), Outcome::Received(received)) => {
            within(received, read.size) && (read.until.is_some() || received.pieces.len() <= 1)
        }
        (Operation::Receive(receive), Outcome::Received(received)) => {
            within(received, receive.size) && (receive.until.is_some() || received.pieces.len() <= 1)
        }
        // A condition variable does not tell how many it woke.
        (Operation::Notify(_), Outcome::Count(_) | Outcome::Done) => true,
        (Operation::Requeue(_), outcome) => matches!(outcome, Outcome::Count(_)),
        (Operation::WaitOnAny(wait), Outcome::Count(place)) => *place < wait.words.len() as u64,
        (Operation::Arrive(_), Outcome::Count(count)) => *count <= 1,
        (
            Operation::Fill(_)
            | Operation::Attributes(_)
            | Operation::Value(_)
            | Operation::FetchAdd(_)
            | Operation::CompareExchange(_)
            | Operation::Unread(_)
            | Operation::SetCapacity(_),
            Outcome::Count(_),
        ) => true,
        (Operation::Load(load), Outcome::Count(_)) => load.size.is_none(),
        (Operation::Load(load), Outcome::Text(_)) => load.size.is_some(),
        (Operation::Wait(_), Outcome::Count(_)) => true,
        (
            Operation::Poll(_)
            | Operation::EpollWait(_)
            | Operation::Waitpid(_)
            | Operation::PidfdPoll(_)
            | Operation::ReceiveCredentials(_)
            | Operation::PeerCredentials(_),
            Outcome::Text(_),
        ) => true,
        (Operation::ReceiveHandle(_), Outcome::Count(count)) => *count <= 1,
        (Operation::Sigwait(_) | Operation::SignalfdRead(_), Outcome::Signals(signals)) => signals.len() == 1,
        (Operation::Sigpending(_) | Operation::Caught(_), Outcome::Signals(_)) => true,
        (
            Operation::Write(_)
            | Operation::Read(_)
            | Operation::Receive(_)
            | Operation::Fill(_)
            | Operation::Attributes(_)
            | Operation::Value(_)
            | Operation::FetchAdd(_)
            | Operation::CompareExchange(_)
            | Operation::Load(_)
            | Operation::Poll(_)
            | Operation::EpollWait(_)
            | Operation::Waitpid(_)
            | Operation::ReceiveHandle(_)
            | Operation::PidfdPoll(_)
            | Operation::ReceiveCredentials(_)
            | Operation::PeerCredentials(_)
            | Operation::Unread(_)
            | Operation::SetCapacity(_)
            | Operation::SignalfdRead(_)
            | Operation::Arrive(_)
            | Operation::Sigwait(_)
            | Operation::Sigpending(_)
            | Operation::Caught(_),
            _,
        ) => false,
        (_, Outcome::Done) => true,
        _ => false,
    }
}

fn length(text: Option<&str>) -> u64 {
    text.map_or(0, |text| text.len() as u64)
}

/// Whether no piece is longer than the buffer.
fn within(received: &Received, size: Option<u64>) -> bool {
    size.is_none_or(|size| received.pieces.iter().all(|piece| piece.length <= size))
}

fn normalize(asked: &Asked<'_>, received: Received, decoder: &mut stamp::Decoder) -> Result<Received, Fault> {
    let is_stream = matches!(asked.operation, Operation::Read(_));
    let mut pieces = Vec::with_capacity(received.pieces.len());
    for piece in received.pieces {
        let data = match piece.data {
            Data::Hex(hex) => {
                let bytes = unhex(&hex)
                    .ok_or_else(|| Fault::agent(asked.who, format!("sent `{hex:.40}` as hexadecimal digits")))?;
                if bytes.len() as u64 != piece.length {
                    return Err(wrong_length(asked, piece.length, bytes.len() as u64));
                }
                match (asked.stamped, is_stream) {
                    (true, true) => Data::Runs(decoder.stream(&bytes)),
                    (true, false) => Data::Runs(stamp::message(&bytes)),
                    (false, _) => Data::Text(String::from_utf8_lossy(&bytes).into_owned()),
                }
            }
            Data::Runs(runs) => {
                let total: u64 = runs.iter().map(|run| u64::from(run.length)).sum();
                if total != piece.length {
                    return Err(wrong_length(asked, piece.length, total));
                }
                Data::Runs(runs)
            }
            Data::Text(text) => {
                // Bytes that are no UTF-8 are replaced in a text, so its length says little then.
                if !text.contains('\u{fffd}') && text.len() as u64 != piece.length {
                    return Err(wrong_length(asked, piece.length, text.len() as u64));
                }
                Data::Text(text)
            }
        };
        pieces.push(Piece { data, ..piece });
    }
    Ok(Received { pieces, ..received })
}

fn wrong_length(asked: &Asked<'_>, said: u64, got: u64) -> Fault {
    Fault::agent(asked.who, format!("says that a {} brought {said} bytes, and reports {got}", asked.operation.name()))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
