//! Faults of queues of messages.

use super::{
    Ground,
    over::{self, QueueFault},
};
use crate::ability::{Failure, Filter, Message, Object, Patience, Queue, Result};
use nix::{errno::Errno, sched::sched_yield};
use spec::{Mechanism, Operation, scenario::Channel};

/// What becomes of every second message of a process.
#[derive(Clone, Copy)]
enum Second {
    Lost,
    Doubled,
}

struct EverySecond {
    second: Second,
    sends: u64,
}

impl EverySecond {
    fn counted(&mut self, length: usize, mut send: impl FnMut(bool) -> Result<usize>) -> Result<usize> {
        self.sends += 1;
        match self.second {
            _ if !self.sends.is_multiple_of(2) => send(false),
            Second::Lost => Ok(length),
            Second::Doubled => {
                let sent = send(false)?;
                let _ = send(true);
                Ok(sent)
            }
        }
    }
}

impl QueueFault for EverySecond {
    fn send(
        &mut self,
        queue: &mut dyn Queue,
        bytes: &[u8],
        priority: Option<u32>,
        patience: Patience,
    ) -> Result<usize> {
        self.counted(bytes.len(), |again| queue.send(bytes, priority, if again { Patience::Never } else { patience }))
    }

    fn send_typed(&mut self, queue: &mut dyn Queue, bytes: &[u8], kind: u64, patience: Patience) -> Result<usize> {
        self.counted(bytes.len(), |again| queue.send_typed(bytes, kind, if again { Patience::Never } else { patience }))
    }
}

pub(super) fn lose(object: Object, _: &Ground) -> Object {
    over::queue(object, EverySecond { second: Second::Lost, sends: 0 })
}

pub(super) fn double(object: Object, _: &Ground) -> Object {
    // The first as well: many processes send but one.
    over::queue(object, EverySecond { second: Second::Doubled, sends: 1 })
}

/// Leaves empty messages unsent.
struct LoseEmpty;

impl QueueFault for LoseEmpty {
    fn send(
        &mut self,
        queue: &mut dyn Queue,
        bytes: &[u8],
        priority: Option<u32>,
        patience: Patience,
    ) -> Result<usize> {
        if bytes.is_empty() { Ok(0) } else { queue.send(bytes, priority, patience) }
    }

    fn send_typed(&mut self, queue: &mut dyn Queue, bytes: &[u8], kind: u64, patience: Patience) -> Result<usize> {
        if bytes.is_empty() { Ok(0) } else { queue.send_typed(bytes, kind, patience) }
    }
}

pub(super) fn lose_empty(object: Object, _: &Ground) -> Object {
    over::queue(object, LoseEmpty)
}

/// What a sender does to the bytes of a message.
struct Spoil {
    spoil: fn(&[u8]) -> Vec<Vec<u8>>,
}

impl Spoil {
    fn spoiled(&self, bytes: &[u8], mut send: impl FnMut(&[u8]) -> Result<usize>) -> Result<usize> {
        for message in (self.spoil)(bytes) {
            send(&message)?;
        }
        Ok(bytes.len())
    }
}

impl QueueFault for Spoil {
    fn send(
        &mut self,
        queue: &mut dyn Queue,
        bytes: &[u8],
        priority: Option<u32>,
        patience: Patience,
    ) -> Result<usize> {
        self.spoiled(bytes, |bytes| queue.send(bytes, priority, patience))
    }

    fn send_typed(&mut self, queue: &mut dyn Queue, bytes: &[u8], kind: u64, patience: Patience) -> Result<usize> {
        self.spoiled(bytes, |bytes| queue.send_typed(bytes, kind, patience))
    }
}

pub(super) fn truncate(object: Object, _: &Ground) -> Object {
    let spoil = |bytes: &[u8]| vec![bytes[..if bytes.len() > 1 { bytes.len() - 1 } else { bytes.len() }].to_vec()];
    over::queue(object, Spoil { spoil })
}

pub(super) fn tear(object: Object, _: &Ground) -> Object {
    let spoil = |bytes: &[u8]| {
        if bytes.len() < 2 {
            return vec![bytes.to_vec()];
        }
        let (first, second) = bytes.split_at(bytes.len() / 2);
        vec![first.to_vec(), second.to_vec()]
    };
    over::queue(object, Spoil { spoil })
}

pub(super) fn corrupt(object: Object, _: &Ground) -> Object {
    let spoil = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        if let Some(last) = bytes.last_mut() {
            // Without the half that tells who sent it.
            *last &= 15;
        }
        vec![bytes]
    };
    over::queue(object, Spoil { spoil })
}

/// Gives the message behind the first one first, where there is one.
#[derive(Default)]
struct Swap {
    kept: Option<(Vec<u8>, Message)>,
}

impl Swap {
    fn swapped(
        &mut self,
        buffer: &mut [u8],
        patience: Patience,
        mut receive: impl FnMut(&mut [u8], Patience) -> Result<Message>,
    ) -> Result<Message> {
        if let Some((bytes, message)) = self.kept.take() {
            buffer[..bytes.len()].copy_from_slice(&bytes);
            return Ok(message);
        }
        let first = receive(buffer, patience)?;
        if first.ended {
            return Ok(first);
        }
        let mut behind = vec![0; buffer.len()];
        match receive(&mut behind, Patience::Never) {
            Ok(second) if !second.ended => {
                self.kept = Some((buffer[..first.length].to_vec(), first));
                buffer[..second.length].copy_from_slice(&behind[..second.length]);
                Ok(second)
            }
            _ => Ok(first),
        }
    }
}

impl QueueFault for Swap {
    fn receive(&mut self, queue: &mut dyn Queue, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        self.swapped(buffer, patience, |buffer, patience| queue.receive(buffer, patience, peek))
    }

    fn receive_filtered(
        &mut self,
        queue: &mut dyn Queue,
        buffer: &mut [u8],
        filter: Filter,
        patience: Patience,
    ) -> Result<Message> {
        self.swapped(buffer, patience, |buffer, patience| queue.receive_filtered(buffer, filter, patience))
    }
}

pub(super) fn swap(object: Object, _: &Ground) -> Object {
    over::queue(object, Swap::default())
}

/// Gives the next two messages as one, where there are two.
struct Merge;

impl Merge {
    fn merged(
        buffer: &mut [u8],
        patience: Patience,
        mut receive: impl FnMut(&mut [u8], Patience) -> Result<Message>,
    ) -> Result<Message> {
        let first = receive(buffer, patience)?;
        let mut behind = vec![0; buffer.len()];
        let room = buffer.len() - first.length;
        if first.ended || first.truncated || room == 0 {
            return Ok(first);
        }
        let Ok(second) = receive(&mut behind, Patience::Never) else { return Ok(first) };
        let fits = second.length.min(room);
        let length = first.length + fits;
        buffer[first.length..length].copy_from_slice(&behind[..fits]);
        Ok(Message { length, ..first })
    }
}

impl QueueFault for Merge {
    fn receive(&mut self, queue: &mut dyn Queue, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        if peek {
            return queue.receive(buffer, patience, peek);
        }
        Self::merged(buffer, patience, |buffer, patience| queue.receive(buffer, patience, false))
    }

    fn receive_filtered(
        &mut self,
        queue: &mut dyn Queue,
        buffer: &mut [u8],
        filter: Filter,
        patience: Patience,
    ) -> Result<Message> {
        Self::merged(buffer, patience, |buffer, patience| queue.receive_filtered(buffer, filter, patience))
    }
}

pub(super) fn merge(object: Object, _: &Ground) -> Object {
    over::queue(object, Merge)
}

/// A mark before messages whose priority was left out of account: the priority follows it.
const MARK: [u8; 4] = *b"\xffpri";

/// Bytes before such a message.
const HEAD: usize = MARK.len() + size_of::<u32>();

/// Sends messages as if they had no priority, and tells the receiver which one they should have had.
struct IgnorePriority {
    /// Only where so many wait already.
    above: u64,
}

impl QueueFault for IgnorePriority {
    fn send(
        &mut self,
        queue: &mut dyn Queue,
        bytes: &[u8],
        priority: Option<u32>,
        patience: Patience,
    ) -> Result<usize> {
        let waiting = queue.attributes()?;
        // What is too long, or has no such priority, the system refuses itself; what leaves no room for the mark keeps its order.
        let fits = bytes.len() + HEAD <= queue.message_size_max();
        let known = priority.filter(|priority| *priority < 32_768);
        match known {
            Some(priority) if fits && waiting >= self.above => {
                let message = [MARK.as_slice(), &priority.to_ne_bytes(), bytes].concat();
                queue.send(&message, Some(0), patience).map(|_| bytes.len())
            }
            _ => queue.send(bytes, priority, patience),
        }
    }

    fn receive(&mut self, queue: &mut dyn Queue, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        let message = queue.receive(buffer, patience, peek)?;
        let Some((head, rest)) =
            buffer[..message.length].split_at_checked(HEAD).filter(|(head, _)| head.starts_with(&MARK))
        else {
            return Ok(message);
        };
        let priority = head[MARK.len()..].try_into().map(u32::from_ne_bytes).ok();
        let length = rest.len();
        buffer.copy_within(HEAD..HEAD + length, 0);
        Ok(Message { length, priority, ..message })
    }
}

pub(super) fn ignore_priority(object: Object, _: &Ground) -> Object {
    over::queue(object, IgnorePriority { above: 0 })
}

pub(super) fn ignore_priority_above_eight(object: Object, _: &Ground) -> Object {
    over::queue(object, IgnorePriority { above: 8 })
}

/// Does not tell that a message was cut.
struct CutInSilence;

impl QueueFault for CutInSilence {
    fn receive(&mut self, queue: &mut dyn Queue, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        queue.receive(buffer, patience, peek).map(|message| Message { truncated: false, ..message })
    }
}

pub(super) fn cut_in_silence(object: Object, _: &Ground) -> Object {
    over::queue(object, CutInSilence)
}

/// Looks at a message first, and takes one then.
struct PeekThenTake;

impl QueueFault for PeekThenTake {
    fn receive(&mut self, queue: &mut dyn Queue, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        let seen = queue.receive(buffer, patience, true)?;
        if !peek {
            let _ = sched_yield();
            let mut taken = vec![0; buffer.len()];
            let _ = queue.receive(&mut taken, Patience::Never, false);
        }
        Ok(seen)
    }
}

pub(super) fn peek_then_take(object: Object, _: &Ground) -> Object {
    over::queue(object, PeekThenTake)
}

/// Says that a wait was too long though it brought something.
struct TimeOutTooLate;

impl QueueFault for TimeOutTooLate {
    fn send(
        &mut self,
        queue: &mut dyn Queue,
        bytes: &[u8],
        priority: Option<u32>,
        patience: Patience,
    ) -> Result<usize> {
        match (patience, queue.send(bytes, priority, Patience::Never)) {
            (Patience::For(_), Err(Failure::Errno(Errno::EAGAIN))) => {
                queue.send(bytes, priority, patience)?;
                Err(Errno::ETIMEDOUT.into())
            }
            (Patience::Forever, Err(Failure::Errno(Errno::EAGAIN))) => queue.send(bytes, priority, patience),
            (_, sent) => sent,
        }
    }

    fn receive(&mut self, queue: &mut dyn Queue, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        if !matches!(patience, Patience::For(_)) {
            return queue.receive(buffer, patience, peek);
        }
        match queue.receive(buffer, Patience::Never, peek) {
            Err(Failure::Errno(Errno::EAGAIN)) => {
                queue.receive(buffer, patience, peek)?;
                Err(Errno::ETIMEDOUT.into())
            }
            received => received,
        }
    }
}

pub(super) fn time_out_too_late(object: Object, _: &Ground) -> Object {
    over::queue(object, TimeOutTooLate)
}

/// A queue that takes one message more than it was made for.
pub(super) fn one_more(mechanism: Mechanism, options: &mut Channel<u64>) -> Mechanism {
    options.capacity = options.capacity.map(|capacity| capacity + 1);
    mechanism
}

/// A queue that takes longer messages than it was made for.
pub(super) fn longer(mechanism: Mechanism, options: &mut Channel<u64>) -> Mechanism {
    options.message_size = options.message_size.map(|size| size + 64);
    mechanism
}

/// Asks for any message.
pub(super) fn ask_for_any(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Receive(receive) = operation {
        receive.r#type = None;
        receive.up_to = None;
        receive.except = false;
    }
}

/// Asks for what was to be left out.
pub(super) fn ask_for_the_exception(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Receive(receive) = operation {
        receive.except = false;
    }
}

/// Asks for types below the bound alone.
pub(super) fn ask_below_the_bound(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Receive(receive) = operation {
        receive.up_to = receive.up_to.map(|bound| bound.saturating_sub(1).max(1));
    }
}

/// Takes what was to be looked at.
pub(super) fn take_instead_of_peek(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    match operation {
        Operation::Read(read) => read.peek = false,
        Operation::Receive(receive) => receive.peek = false,
        _ => {}
    }
}
