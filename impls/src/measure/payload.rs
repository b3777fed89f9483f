//! Messages that tell their number, so that none can be lost, doubled or exchanged without being seen.

use crate::ability::HEAD;

/// Bytes of a number, where there is room for it.
const NUMBER_BYTES: usize = 8;

/// Where messages begin: at a line of the cache, for a copy from elsewhere takes up to a tenth longer.
const LINE_BYTES: usize = 64;

/// A message, or the room for one.
#[derive(Debug)]
pub(super) struct Payload {
    memory: Vec<u8>,
    /// Where in it the message begins; before it stand the other bytes of its frame.
    message: usize,
}

impl Payload {
    /// Of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        // Every page of it is there before the first message is sent.
        let mut memory = vec![0xa5; LINE_BYTES + HEAD + bytes];
        let message = HEAD + memory[HEAD..].as_ptr().align_offset(LINE_BYTES).min(LINE_BYTES);
        memory.truncate(message + bytes);
        Self { memory, message }
    }

    /// Makes it the message of this number.
    #[inline]
    pub(super) fn stamp(&mut self, number: u64) -> &[u8] {
        let message = self.room();
        stamp(message, number);
        message
    }

    /// The room.
    #[inline]
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.memory[self.message..]
    }

    /// The message with what is before it.
    #[inline]
    pub(super) fn frame(&mut self) -> &mut [u8] {
        &mut self.memory[self.message - HEAD..]
    }

    /// The number of the message in it; of short ones its last eight bits.
    #[inline]
    pub(super) fn number(&self) -> u64 {
        number(&self.memory[self.message..])
    }

    /// What the number of a message is told as.
    #[inline]
    pub(super) fn told(&self, number: u64) -> u64 {
        if self.memory.len() - self.message >= NUMBER_BYTES { number } else { number & 0xff }
    }
}

/// Writes a number where messages have it.
#[inline]
pub(super) fn stamp(bytes: &mut [u8], number: u64) {
    if let Some(head) = bytes.first_chunk_mut::<NUMBER_BYTES>() {
        *head = number.to_le_bytes();
    } else if let Some(first) = bytes.first_mut() {
        *first = number.to_le_bytes()[0];
    }
}

/// Reads it.
#[inline]
pub(super) fn number(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<NUMBER_BYTES>() {
        Some(head) => u64::from_le_bytes(*head),
        None => bytes.first().copied().map_or(0, u64::from),
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAD, LINE_BYTES, Payload};
    use rstest::rstest;

    #[rstest]
    #[case(1, 0x1ff, 0xff)]
    #[case(7, 0x1ff, 0xff)]
    #[case(8, 0x1ff, 0x1ff)]
    #[case(4096, u64::MAX, u64::MAX)]
    fn numbers_are_told_as_far_as_there_is_room(#[case] bytes: usize, #[case] number: u64, #[case] told: u64) {
        let mut sent = Payload::new(bytes);
        let mut received = Payload::new(bytes);
        assert!(received.room().as_ptr().addr().is_multiple_of(LINE_BYTES));
        assert_eq!(received.frame().len(), HEAD + bytes);
        received.room().copy_from_slice(sent.stamp(number));
        assert_eq!((received.number(), received.told(number)), (told, told));
    }
}
