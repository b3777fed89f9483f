//! Stamps: payload bytes that tell who sent them, in which message, at which offset.
//!
//! Every byte of a message is one of two kinds. Where its offset leaves 7 when divided by 8 it is a *code*, below 16: the
//! higher digits of the message's number in the first three, then the offset divided by 8, all modulo 16. All others hold
//! the writer (1 to 15) in the upper and the message's number modulo 16 in the lower half, and so are at least 16.
//! A message of one byte still tells its sender; one of 24 bytes tells its number up to 65,535.

use crate::wire::Run;

/// Writers are numbered from 1 to this.
pub const WRITERS_MAX: u8 = 15;

/// The byte at an offset of a message.
#[must_use]
pub fn byte(writer: u8, message: u32, offset: u32) -> u8 {
    let block = offset / 8;
    let digit = match (offset % 8, block) {
        (7, 0) => message >> 4,
        (7, 1) => message >> 8,
        (7, 2) => message >> 12,
        (7, _) => block,
        _ => return (writer << 4) | low(message),
    };
    low(digit)
}

fn low(number: u32) -> u8 {
    u8::try_from(number & 15).unwrap_or(0)
}

/// Fills a buffer with a message.
pub fn fill(writer: u8, message: u32, buffer: &mut [u8]) {
    for (offset, place) in (0..).zip(buffer.iter_mut()) {
        *place = byte(writer, message, offset);
    }
}

/// One message of a queue, in isolation.
#[must_use]
pub fn message(bytes: &[u8]) -> Vec<Run> {
    Decoder::new().stream(bytes)
}

/// Makes runs of the bytes that one receiver of a stream gets, in the order in which it gets them.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// What is known of each writer, by its number.
    writers: [Progress; WRITERS_MAX as usize + 1],
    /// Who sent the byte before, where it was explained.
    current: Option<u8>,
}

/// How far one writer's bytes were received.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Whether anything of it was received.
    seen: bool,
    /// The message that was received last.
    message: u32,
    /// The next byte of it.
    offset: u32,
}

impl Decoder {
    /// A decoder that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes the next bytes.
    pub fn stream(&mut self, bytes: &[u8]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let run = self.next(&bytes[at..]);
            at += run.length as usize;
            match runs.last_mut() {
                Some(last) if continues(last, &run) => last.length += run.length,
                _ => runs.push(run),
            }
        }
        runs
    }

    /// The run at the beginning of these bytes, of at least one byte.
    fn next(&mut self, bytes: &[u8]) -> Run {
        // The message that was being received goes on, if it can.
        if let Some(writer) = self.current
            && let Some(run) = self.resume(writer, bytes)
        {
            return run;
        }
        let first = bytes[0];
        if first >= 16 {
            return self.start(first >> 4, bytes);
        }
        // A code: only a message that was left at a code's place explains it; the one it explains longest.
        let best = (1..=WRITERS_MAX)
            .filter_map(|writer| {
                let progress = self.writers[usize::from(writer)];
                (progress.seen && progress.offset % 8 == 7)
                    .then(|| (matching(writer, progress.message, progress.offset, bytes), writer))
            })
            .filter(|(length, _)| *length > 0)
            .max_by_key(|(length, writer)| (*length, std::cmp::Reverse(*writer)));
        match best {
            Some((_, writer)) => {
                self.resume(writer, bytes).unwrap_or(Run { from: 0, message: 0, offset: 0, length: 1 })
            }
            None => {
                self.current = None;
                Run { from: 0, message: 0, offset: 0, length: 1 }
            }
        }
    }

    /// Goes on with the last message of a writer, where the bytes agree.
    fn resume(&mut self, writer: u8, bytes: &[u8]) -> Option<Run> {
        let progress = self.writers[usize::from(writer)];
        if !progress.seen {
            return None;
        }
        let Progress { message, offset, .. } = progress;
        let length = self.extent(writer, message, offset, bytes);
        // Two messages in a row never look alike: their numbers differ modulo 16, and codes are below all other bytes.
        (length > 0).then(|| self.take(writer, message, offset, length))
    }

    /// How many bytes are this message's. A code at the end could be another writer's, whose message goes on with it: it
    /// is, where that one explains the byte after it as well. (With a read that ends between the two nothing tells; a
    /// message would have to be torn at such an offset, and systems tear at pages.)
    fn extent(&self, writer: u8, message: u32, offset: u32, bytes: &[u8]) -> usize {
        let length = matching(writer, message, offset, bytes);
        if length == 0 || length == bytes.len() || bytes[length - 1] >= 16 {
            return length;
        }
        let of_another = (1..=WRITERS_MAX).filter(|other| *other != writer).any(|other| {
            let progress = self.writers[usize::from(other)];
            progress.seen && matching(other, progress.message, progress.offset, &bytes[length - 1..]) > 1
        });
        length - usize::from(of_another)
    }

    /// Begins with a byte that names its writer: the rest of that writer's message, or the beginning of another.
    fn start(&mut self, writer: u8, bytes: &[u8]) -> Run {
        if let Some(run) = self.resume(writer, bytes) {
            return run;
        }
        let message = self.number(writer, bytes);
        let length = self.extent(writer, message, 0, bytes).max(1);
        self.take(writer, message, 0, length)
    }

    /// The number of a message that begins here: told by its codes where they are there, else the nearest that fits.
    fn number(&self, writer: u8, bytes: &[u8]) -> u32 {
        let progress = self.writers[usize::from(writer)];
        let expected = if progress.seen { progress.message + 1 } else { 0 };
        let mut number = u32::from(bytes[0] & 15);
        let mut known = 16;
        for block in 0..3_usize {
            let place = block * 8 + 7;
            let whole = bytes.get(place).filter(|code| {
                **code < 16
                    && bytes[..place].iter().enumerate().all(|(offset, byte)| offset % 8 == 7 || *byte == bytes[0])
            });
            let Some(code) = whole else { break };
            number += u32::from(*code) * known;
            known *= 16;
        }
        // The nearest number to the expected one with these digits: up to half of what the digits tell below it.
        let base = expected.saturating_sub(known / 2);
        let offset = (number + known - base % known) % known;
        base + offset
    }

    fn take(&mut self, writer: u8, message: u32, offset: u32, length: usize) -> Run {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.writers[usize::from(writer)] = Progress { seen: true, message, offset: offset + length };
        self.current = Some(writer);
        Run { from: writer, message, offset, length }
    }
}

/// How many bytes agree with a message from an offset on.
fn matching(writer: u8, message: u32, offset: u32, bytes: &[u8]) -> usize {
    (offset..).zip(bytes).take_while(|(offset, actual)| byte(writer, message, *offset) == **actual).count()
}

fn continues(last: &Run, run: &Run) -> bool {
    last.from == run.from && (run.from == 0 || (last.message == run.message && last.offset + last.length == run.offset))
}

#[cfg(test)]
mod tests {
    use super::{Decoder, byte, fill, message};
    use crate::wire::Run;
    use proptest::prelude::*;

    /// Messages of several writers in some order, each whole.
    fn messages() -> impl Strategy<Value = Vec<(u8, usize)>> {
        prop::collection::vec((1_u8..=4, 1_usize..=200), 1..40)
    }

    /// The bytes of these messages and the runs they are.
    fn encode(messages: &[(u8, usize)]) -> (Vec<u8>, Vec<Run>) {
        let mut numbers = [0_u32; 16];
        let (mut bytes, mut runs) = (Vec::new(), Vec::new());
        for (writer, size) in messages {
            let number = &mut numbers[usize::from(*writer)];
            let mut buffer = vec![0; *size];
            fill(*writer, *number, &mut buffer);
            bytes.extend(buffer);
            runs.push(Run { from: *writer, message: *number, offset: 0, length: u32::try_from(*size).unwrap() });
            *number += 1;
        }
        (bytes, runs)
    }

    /// Decodes in pieces and joins the runs that a piece's end cut.
    fn decode(bytes: &[u8], cuts: &[usize]) -> Vec<Run> {
        let mut decoder = Decoder::new();
        let mut runs: Vec<Run> = Vec::new();
        let mut rest = bytes;
        let mut cuts = cuts.iter().cycle();
        while !rest.is_empty() {
            let length = cuts.next().copied().unwrap_or(1).clamp(1, rest.len());
            for run in decoder.stream(&rest[..length]) {
                match runs.last_mut() {
                    Some(last)
                        if last.from == run.from
                            && last.message == run.message
                            && last.offset + last.length == run.offset =>
                    {
                        last.length += run.length;
                    }
                    _ => runs.push(run),
                }
            }
            rest = &rest[length..];
        }
        runs
    }

    proptest! {
        #[test]
        fn whole_messages_are_told_exactly(
            messages in messages(),
            cuts in prop::collection::vec(1_usize..300, 1..8),
        ) {
            let (bytes, runs) = encode(&messages);
            prop_assert_eq!(decode(&bytes, &cuts), runs);
        }

        #[test]
        fn torn_messages_keep_their_bytes(
            (left, right) in (8_usize..400, 8_usize..400),
            cut in 1_usize..400,
        ) {
            let (first, second) = (encode(&[(1, left)]).0, encode(&[(2, right)]).0);
            let cut = cut.min(left - 1);
            // One code alone at the end may be of either writer, see `Decoder::extent`.
            prop_assume!(!(cut == left - 1 && cut % 8 == 7 && right % 8 == 7));
            let torn: Vec<u8> = [&first[..cut], &second[..], &first[cut..]].concat();
            let runs = decode(&torn, &[torn.len()]);
            let total = |from| runs.iter().filter(|run| run.from == from).map(|run| run.length as usize).sum::<usize>();
            prop_assert_eq!((total(1), total(2)), (left, right));
            prop_assert_eq!(runs.len(), 3);
        }

        #[test]
        fn any_bytes_are_told_somehow(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let runs = decode(&bytes, &[300]);
            prop_assert_eq!(runs.iter().map(|run| run.length as usize).sum::<usize>(), bytes.len());
        }

        #[test]
        fn a_lost_message_is_missed(size in 1_usize..200, lost in 0_u32..30) {
            let (mut bytes, mut expected) = (Vec::new(), Vec::new());
            for number in (0..32).filter(|number| *number != lost) {
                let mut buffer = vec![0; size];
                fill(3, number, &mut buffer);
                bytes.extend(buffer);
                expected.push(number);
            }
            let got: Vec<u32> = decode(&bytes, &[7]).iter().map(|run| run.message).collect();
            prop_assert_eq!(got, expected);
        }
    }

    #[test]
    fn codes_and_stamps_differ() {
        for offset in 0..64 {
            let is_code = byte(15, 0xffff, offset) < 16;
            assert_eq!(is_code, offset % 8 == 7, "offset {offset}");
        }
    }

    #[test]
    fn a_message_of_a_queue_tells_its_number() {
        let mut buffer = [0; 32];
        fill(2, 0xabcd, &mut buffer);
        assert_eq!(message(&buffer), vec![Run { from: 2, message: 0xabcd, offset: 0, length: 32 }]);
    }
}
