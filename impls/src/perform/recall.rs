//! Calls of a race that give again what they gave before: they are told by the bytes that came, and not decoded anew.
//!
//! A step of a race is done many times, and gives one of a few outcomes. To decode a message, and to say in the words of the protocol
//! what it is, takes about as long as a system call.

use super::{Held, Performer, Problem, Work, attempt, data, outcome_of, patience};
use crate::ability::{Message, Object, Result};
use harness_core::wire::{Outcome, Piece, Received};
use spec::{
    Operation,
    operation::{Read, Receive},
};

/// How many outcomes of a step are looked through.
const RECENT: usize = 4;

/// Longer ones are decoded each time, and not kept: bytes.
const LENGTH_MAX: usize = 1024;

/// What a call gave. An [`Outcome`] has many words, and is not moved about between the calls of a race.
#[derive(Clone, Copy, Debug)]
pub enum Given {
    /// [`Outcome::Done`].
    Done,
    /// [`Outcome::Count`].
    Count(u64),
    /// [`Outcome::Failed`].
    Failed(spec::Errno),
    /// The same as the call that this was said of to [`Recall::keep`].
    Again(u64),
    /// Another outcome: see [`Recall::other`].
    Other,
}

/// What calls of one step have received last.
#[derive(Debug)]
pub struct Recall {
    /// What the last call gave, where it was [`Given::Other`].
    other: Outcome,
    known: Vec<Known>,
    /// What the last call received, where it can be told by that alone.
    latest: Option<Message>,
    /// Which of the known is forgotten next.
    oldest: usize,
}

#[derive(Debug)]
struct Known {
    message: Message,
    bytes: Vec<u8>,
    place: u64,
}

impl Default for Recall {
    fn default() -> Self {
        Self { other: Outcome::Done, known: Vec::new(), latest: None, oldest: 0 }
    }
}

impl Recall {
    /// What the last call gave, where it was [`Given::Other`].
    #[must_use]
    pub fn other(&self) -> &Outcome {
        &self.other
    }

    fn give(&mut self, outcome: Outcome) -> Given {
        match outcome {
            Outcome::Done => Given::Done,
            Outcome::Count(count) => Given::Count(count),
            Outcome::Failed(errno) => Given::Failed(errno),
            other => {
                self.other = other;
                Given::Other
            }
        }
    }

    fn received(&mut self, pieces: Vec<Piece>, ended: bool) -> Given {
        self.other = Outcome::Received(Received { pieces, ended, failed: None });
        Given::Other
    }

    fn find(&self, message: &Message, bytes: &[u8]) -> Option<u64> {
        let is_it = |known: &&Known| known.message == *message && known.bytes == bytes;
        self.known.iter().find(is_it).map(|known| known.place)
    }

    /// Keeps in mind that what the last call received is called `place`. `work` is what it was done with.
    pub fn keep(&mut self, work: &Work, place: u64) {
        let Some(message) = self.latest.take() else { return };
        let known = Known { message, bytes: work.buffer[..message.length].to_vec(), place };
        if self.known.len() < RECENT {
            self.known.push(known);
        } else {
            self.known[self.oldest] = known;
            self.oldest = (self.oldest + 1) % RECENT;
        }
    }
}

/// As [`super::perform`], where calls of the step may have given the same before. `is_own` says whether the step [`super::is_own`].
///
/// # Errors
/// As [`super::perform`].
pub fn perform_again(
    operation: &Operation<u64>,
    is_own: bool,
    mut held: Option<&mut Held>,
    copy: usize,
    performer: &mut Performer,
    work: &mut Work,
    recall: &mut Recall,
) -> std::result::Result<Given, Problem> {
    work.began = 0;
    let given = match (operation, &mut held) {
        (Operation::Read(read), Some(held)) if read.until.is_none() && !read.peek => {
            self::read(read, held, copy, work, recall)
        }
        (Operation::Receive(receive), Some(held)) if is_plain(receive) => {
            self::receive(receive, held, copy, work, recall)
        }
        (Operation::Write(_) | Operation::Send(_), Some(held)) => send(operation, held, copy, work),
        _ => None,
    };
    let given = match given {
        Some(given) => {
            if work.began == 0 {
                // It failed before there was a call to be timed.
                work.instant();
            }
            given
        }
        None => match attempt(operation, is_own, held, copy, performer, work) {
            Ok(outcome) => Ok(recall.give(outcome)),
            Err(failure) => Err(failure),
        },
    };
    given.or_else(|failure| outcome_of(failure, operation).map(|outcome| recall.give(outcome)))
}

/// One call that sends; `None`, and no call made, where it is no channel for that.
fn send(operation: &Operation<u64>, held: &mut Held, copy: usize, work: &mut Work) -> Option<Result<Given>> {
    let Held { copies, sent, .. } = held;
    let length = match (operation, copies.get_mut(copy)) {
        (Operation::Write(write), Some(Object::Stream(stream))) => super::write(write, stream.as_mut(), sent, work),
        (Operation::Send(send), Some(Object::Queue(queue))) => super::send(send, queue.as_mut(), sent, work),
        _ => return None,
    };
    Some(length.map(|length| Given::Count(length as u64)))
}

fn is_plain(receive: &Receive<u64>) -> bool {
    let any = receive.r#type.is_none() && receive.up_to.is_none() && !receive.except && !receive.truncate;
    any && receive.until.is_none() && !receive.peek
}

/// One read of a stream; `None`, and no call made, where it is no stream.
fn read(read: &Read<u64>, held: &mut Held, copy: usize, work: &mut Work, recall: &mut Recall) -> Option<Result<Given>> {
    let Held { stamped, copies, incoming, .. } = held;
    let Some(Object::Stream(stream)) = copies.get_mut(copy) else { return None };
    let asked = work.buffer.len();
    let length = match work.timed(|_, buffer| stream.read(buffer, read.nonblocking, false)) {
        Ok(length) => length,
        Err(failure) => return Some(Err(failure)),
    };
    let mut reader = data::Reader { stamped: *stamped, incoming };
    let bytes = &work.buffer[..length];
    let message = Message { length, ..Message::default() };
    if (1..=LENGTH_MAX).contains(&length) && reader.is_at_beginning() {
        if let Some(place) = recall.find(&message, bytes) {
            reader.skip(bytes);
            return Some(Ok(Given::Again(place)));
        }
        recall.latest = Some(message);
    }
    let ended = length == 0 && asked > 0;
    let pieces = if ended { Vec::new() } else { vec![reader.stream(bytes, false)] };
    Some(Ok(recall.received(pieces, ended)))
}

/// One receive of a message, whatever it is; `None`, and no call made, where it is no queue.
fn receive(
    receive: &Receive<u64>,
    held: &mut Held,
    copy: usize,
    work: &mut Work,
    recall: &mut Recall,
) -> Option<Result<Given>> {
    let Held { stamped, copies, incoming, .. } = held;
    let Some(Object::Queue(queue)) = copies.get_mut(copy) else { return None };
    let patience = patience(receive.nonblocking, receive.timeout);
    let message = match work.timed(|_, buffer| queue.receive(buffer, patience, false)) {
        Ok(message) => message,
        Err(failure) => return Some(Err(failure)),
    };
    let mut reader = data::Reader { stamped: *stamped, incoming };
    let bytes = &work.buffer[..message.length];
    if message.length <= LENGTH_MAX && !message.ended {
        if let Some(place) = recall.find(&message, bytes) {
            reader.skip_message();
            return Some(Ok(Given::Again(place)));
        }
        recall.latest = Some(message);
    }
    let pieces = if message.ended { Vec::new() } else { vec![reader.message(bytes, &message, false)] };
    Some(Ok(recall.received(pieces, message.ended)))
}
