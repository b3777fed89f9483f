//! Calls of a race that give again what they gave before: they are told by the bytes that came, and not decoded anew.
//!
//! A step of a race is done many times, and gives one of a few outcomes. To decode a message, and to say in the words of the protocol
//! what it is, takes about as long as a system call.

use super::{Held, Performer, Problem, Work, data, outcome_of, patience, perform_known};
use crate::ability::{Message, Object, Result};
use harness_core::wire::{Outcome, Received};
use spec::{
    Operation,
    operation::{Read, Receive},
};

/// How many outcomes of a step are looked through.
const RECENT: usize = 4;

/// Longer ones are decoded each time, and not kept: bytes.
const LENGTH_MAX: usize = 1024;

/// What a call gave.
#[derive(Debug)]
pub enum Given {
    /// This.
    Outcome(Outcome),
    /// The same as the call that this was said of to [`Recall::keep`].
    Again(u64),
}

/// What calls of one step have received last.
#[derive(Debug, Default)]
pub struct Recall {
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

impl Recall {
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

/// As [`perform_known`], where calls of the step may have given the same before.
///
/// # Errors
/// As [`perform_known`].
pub fn perform_again(
    operation: &Operation<u64>,
    is_own: bool,
    mut held: Option<&mut Held>,
    copy: usize,
    performer: &mut Performer,
    work: &mut Work,
    recall: &mut Recall,
) -> std::result::Result<Given, Problem> {
    recall.latest = None;
    let given = match (operation, held.as_deref_mut()) {
        (Operation::Read(read), Some(held)) if read.until.is_none() && !read.peek => {
            self::read(read, held, copy, work, recall)
        }
        (Operation::Receive(receive), Some(held)) if is_plain(receive) => {
            self::receive(receive, held, copy, work, recall)
        }
        _ => None,
    };
    match given {
        Some(Ok(given)) => Ok(given),
        Some(Err(failure)) => outcome_of(failure, operation).map(Given::Outcome),
        None => perform_known(operation, is_own, held, copy, performer, work).map(Given::Outcome),
    }
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
    Some(Ok(Given::Outcome(Outcome::Received(Received { pieces, ended, failed: None }))))
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
            return Some(Ok(Given::Again(place)));
        }
        recall.latest = Some(message);
    }
    let pieces = if message.ended { Vec::new() } else { vec![reader.message(bytes, &message)] };
    Some(Ok(Given::Outcome(Outcome::Received(Received { pieces, ended: message.ended, failed: None }))))
}
