//! Stamps: payload bytes that tell who sent them, in which message, at which offset.
//!
//! Every byte holds its writer (1 to 15) in the upper half. In the lower half the upper bit tells *codes*, those whose offset leaves
//! 7 when divided by 8, from all others. The three bits below it are, of all others, the message's number modulo 8; of the first four
//! codes the higher digits of the number, in eights; of later codes the offset divided by 8, modulo 8.
//!
//! So a byte alone tells its writer, messages that follow one another differ in all but their codes, and 32 bytes tell a number up
//! to 32,767.

use crate::wire::Run;
use std::cmp::Reverse;

/// Writers are numbered from 1 to this.
pub const WRITERS_MAX: u8 = 15;

/// Every so many bytes the last one is a code.
const BLOCK: u32 = 8;

/// The bit of codes.
const CODE: u8 = 8;

/// How many of a message's codes are digits of its number.
const DIGITS: u32 = 4;

/// As many bytes after the end of a message can look like more of it, where its like comes behind it: later codes count up from 4, and
/// the digits of a number may do so as well.
pub const ALIKE: usize = (DIGITS as usize + 1) * BLOCK as usize - 1;

/// The byte at an offset of a message.
#[must_use]
pub fn byte(writer: u8, message: u32, offset: u32) -> u8 {
    let block = offset / BLOCK;
    let is_code = offset % BLOCK == BLOCK - 1;
    let (flag, digit) = match (is_code, block) {
        (false, _) => (0, message),
        (true, block) if block < DIGITS => (CODE, message >> (3 * (block + 1))),
        (true, block) => (CODE, block),
    };
    (writer << 4) | flag | octal(digit)
}

/// The lowest octal digit.
fn octal(number: u32) -> u8 {
    u8::try_from(number & 7).unwrap_or(0)
}

/// How many messages of one writer, in whatever order they come, their first `length` bytes tell apart.
#[must_use]
pub fn distinct(length: u64) -> u32 {
    if length == 0 {
        return 1;
    }
    let codes = u32::try_from(length / u64::from(BLOCK)).unwrap_or(u32::MAX).min(DIGITS);
    1 << (3 * (codes + 1))
}

/// The same where several receivers share a stream: what a decoder has seen before has it look both ways.
///
/// A message's end is not told, and the digits of numbers from 4,008 on (octal 7650 and a last digit) can look like the codes that
/// would follow a message that has ended.
#[must_use]
pub fn distinct_in_a_shared_stream(length: u64) -> u32 {
    (distinct(length) / 2).min(4_000)
}

/// Bytes after which a message repeats itself, once its digits are over.
const PERIOD: usize = 64;

/// Fills a buffer with a message.
pub fn fill(writer: u8, message: u32, buffer: &mut [u8]) {
    for (offset, place) in (0..).zip(buffer.iter_mut().take(2 * PERIOD)) {
        *place = byte(writer, message, offset);
    }
    let mut filled = 2 * PERIOD;
    while filled < buffer.len() {
        // All from one period on is a number of periods: what is there already is as much of the rest as fits.
        let length = (filled - PERIOD).min(buffer.len() - filled);
        buffer.copy_within(PERIOD..PERIOD + length, filled);
        filled += length;
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
    /// How many bytes came last that tell no writer.
    unknown: u32,
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
            let mut run = self.next(&bytes[at..]);
            self.note(&run);
            let overrun = self.overrun(&run, &bytes[at..]);
            if overrun > 0 {
                run.length -= overrun;
                self.note(&run);
            }
            at += run.length as usize;
            match runs.last_mut() {
                Some(last) if continues(last, &run) => last.length += run.length,
                _ => runs.push(run),
            }
        }
        runs
    }

    /// The run at the beginning of these bytes, of at least one byte: the rest of the writer's last message, or the beginning of
    /// another. Where several receivers share a stream both may fit at first; then it is the one that explains more bytes.
    fn next(&self, bytes: &[u8]) -> Run {
        let from = bytes[0] >> 4;
        if from == 0 {
            return Run { from, message: 0, offset: 0, length: 1 };
        }
        let last = self.writers[usize::from(from)];
        let message = self.number(from, bytes);
        let started = Run { from, message, offset: 0, length: matching(from, message, 0, bytes) };
        let resumed = |offset: u32| {
            let length = if last.seen { matching(from, last.message, offset, bytes) } else { 0 };
            Run { from, message: last.message, offset, length }
        };
        // What tells no writer may stand in the place of as many bytes of this one.
        let behind_unknown = resumed(last.offset.saturating_add(self.unknown));
        // Of equals the last is taken.
        let best = [started, resumed(last.offset), behind_unknown].into_iter().max_by_key(|run| run.length);
        // Bytes that begin no message are told by their writer alone.
        best.filter(|run| run.length > 0).unwrap_or(Run { length: 1, ..started })
    }

    /// How many of a run's last bytes begin what comes next: as few as let that be as long as possible, and of a number as near as
    /// possible. The decoder has noted the run, and the bytes begin with it.
    fn overrun(&self, run: &Run, bytes: &[u8]) -> u32 {
        let end = run.length as usize;
        if run.from == 0 || end == bytes.len() {
            return 0;
        }
        // What comes next is told by more bytes than can look alike, or by all there are: nothing of it was taken for this run's.
        let near = &bytes[end..bytes.len().min(end + ALIKE + 1)];
        if self.next(near).length as usize == near.len() {
            return 0;
        }
        let reach = |back: &u32| {
            let mut decoder = self.clone();
            decoder.writers[usize::from(run.from)].offset -= back;
            let next = decoder.next(&bytes[end - *back as usize..]);
            (next.length - back, Reverse(next.message.abs_diff(run.message)))
        };
        let alike = u32::try_from(ALIKE.min(end - 1)).unwrap_or(0);
        (0..=alike).rev().max_by_key(reach).unwrap_or(0)
    }

    /// The number of a message that begins here: told by its digits where they are there, else the nearest that fits.
    fn number(&self, writer: u8, bytes: &[u8]) -> u32 {
        let progress = self.writers[usize::from(writer)];
        let expected = if progress.seen { progress.message + 1 } else { 0 };
        let mut number = u32::from(bytes[0] & 7);
        let mut known = 8;
        for block in bytes.chunks_exact(BLOCK as usize).take(DIGITS as usize) {
            let [rest @ .., code] = block else { break };
            if rest.iter().any(|byte| *byte != bytes[0]) || code >> 4 != writer || code & CODE == 0 {
                break;
            }
            number += u32::from(code & 7) * known;
            known *= 8;
        }
        // The nearest number to the expected one with these digits: up to half of what the digits tell below it.
        let base = expected.saturating_sub(known / 2);
        let offset = (number + known - base % known) % known;
        base + offset
    }

    /// Notes that this run is the next one, or how long it is in truth.
    fn note(&mut self, run: &Run) {
        if run.from == 0 {
            self.unknown = self.unknown.saturating_add(run.length);
            return;
        }
        self.unknown = 0;
        let progress = &mut self.writers[usize::from(run.from)];
        *progress = Progress { seen: true, message: run.message, offset: run.offset.saturating_add(run.length) };
    }
}

/// How many bytes agree with a message from an offset on.
fn matching(writer: u8, message: u32, offset: u32, bytes: &[u8]) -> u32 {
    let first = &bytes[..bytes.len().min(2 * PERIOD)];
    let agree = (offset..).zip(first).take_while(|(offset, actual)| byte(writer, message, *offset) == **actual).count();
    if agree < 2 * PERIOD {
        return short(agree);
    }
    // From here on all repeats itself.
    let mut agree = agree;
    for (chunk, before) in bytes[2 * PERIOD..].chunks(PERIOD).zip(bytes[PERIOD..].chunks(PERIOD)) {
        if chunk == &before[..chunk.len()] {
            agree += chunk.len();
        } else {
            return short(agree + chunk.iter().zip(before).take_while(|(one, other)| one == other).count());
        }
    }
    short(agree)
}

fn short(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn continues(last: &Run, run: &Run) -> bool {
    last.from == run.from && (run.from == 0 || (last.message == run.message && last.offset + last.length == run.offset))
}

#[cfg(test)]
mod tests {
    use super::{Decoder, byte, distinct, distinct_in_a_shared_stream, fill, matching, message};
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
            let torn: Vec<u8> = [&first[..cut], &second[..], &first[cut..]].concat();
            let runs = decode(&torn, &[torn.len()]);
            let total = |from| runs.iter().filter(|run| run.from == from).map(|run| run.length as usize).sum::<usize>();
            prop_assert_eq!((total(1), total(2)), (left, right));
            prop_assert_eq!(runs.len(), 3);
        }

        #[test]
        fn torn_messages_are_told_wherever_reads_end(
            (left, right) in (8_usize..100, 8_usize..100),
            (cut, other_cut) in (1_usize..100, 1_usize..100),
            cuts in prop::collection::vec(1_usize..40, 1..8),
        ) {
            let (first, second) = (encode(&[(1, left)]).0, encode(&[(2, right)]).0);
            let (cut, other_cut) = (cut.min(left - 1), other_cut.min(right - 1));
            let torn: Vec<u8> = [&first[..cut], &second[..other_cut], &first[cut..], &second[other_cut..]].concat();
            let part = |from, from_byte: usize, to: usize| Run {
                from,
                message: 0,
                offset: u32::try_from(from_byte).unwrap(),
                length: u32::try_from(to - from_byte).unwrap(),
            };
            let expected =
                vec![part(1, 0, cut), part(2, 0, other_cut), part(1, cut, left), part(2, other_cut, right)];
            prop_assert_eq!(decode(&torn, &cuts), expected);
        }

        #[test]
        fn receivers_that_share_a_stream_tell_whole_messages(
            numbers in prop::collection::vec(0_u32..distinct_in_a_shared_stream(32), 1..60),
            size in 32_usize..200,
        ) {
            let mut bytes = vec![0; size * numbers.len()];
            for (number, message) in numbers.iter().zip(bytes.chunks_exact_mut(size)) {
                fill(5, *number, message);
            }
            let got: Vec<(u32, u32)> = decode(&bytes, &[size]).iter().map(|run| (run.message, run.offset)).collect();
            let mut expected: Vec<(u32, u32)> = numbers.iter().map(|number| (*number, 0)).collect();
            expected.dedup();
            prop_assume!(expected.len() == numbers.len());
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn as_many_messages_as_are_distinct_differ(length in 0_u64..40, one in any::<u32>(), other in any::<u32>()) {
            let (one, other) = (one % distinct(length), other % distinct(length));
            let bytes = |number| {
                let mut buffer = vec![0; usize::try_from(length).unwrap()];
                fill(1, number, &mut buffer);
                buffer
            };
            prop_assert_eq!(bytes(one) == bytes(other), one == other);
        }

        #[test]
        fn any_bytes_are_told_somehow(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let runs = decode(&bytes, &[300]);
            prop_assert_eq!(runs.iter().map(|run| run.length as usize).sum::<usize>(), bytes.len());
        }

        #[test]
        fn a_message_that_comes_twice_is_told_twice(
            (before, size, behind) in (1_usize..4, 39_usize..300, 1_usize..4),
            number in 0_u32..1000,
        ) {
            let message = |number| {
                let mut buffer = vec![0; size];
                fill(3, number, &mut buffer);
                buffer
            };
            let numbers: Vec<u32> =
                (0..before).chain([before, before]).chain(before + 1..=before + behind).map(|one| number + u32::try_from(one).unwrap()).collect();
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| message(*number)).collect();
            let got: Vec<(u32, u32, u32)> =
                decode(&bytes, &[bytes.len()]).iter().map(|run| (run.message, run.offset, run.length)).collect();
            let length = u32::try_from(size).unwrap();
            let expected: Vec<(u32, u32, u32)> = numbers.iter().map(|number| (*number, 0, length)).collect();
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn a_byte_that_tells_nobody_hides_nothing_else(
            sizes in prop::collection::vec(2_usize..200, 1..10),
            (hidden, within) in any::<(prop::sample::Index, prop::sample::Index)>(),
            cuts in prop::collection::vec(1_usize..300, 1..8),
        ) {
            let messages: Vec<(u8, usize)> = sizes.iter().map(|size| (2, *size)).collect();
            let (mut bytes, mut expected) = encode(&messages);
            // Not the first byte of a message: it begins one of which nothing is known yet.
            let hidden = hidden.index(sizes.len());
            let within = 1 + within.index(sizes[hidden] - 1);
            bytes[sizes[..hidden].iter().sum::<usize>() + within] &= 15;
            let run = expected[hidden];
            let within = u32::try_from(within).unwrap();
            let rest = Run { offset: within + 1, length: run.length - within - 1, ..run };
            let parts = [Run { length: within, ..run }, Run { from: 0, message: 0, offset: 0, length: 1 }, rest];
            expected.splice(hidden..=hidden, parts.into_iter().filter(|run| run.length > 0));
            prop_assert_eq!(decode(&bytes, &cuts), expected);
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

    proptest! {
        #[test]
        fn long_messages_are_filled_and_matched_byte_by_byte(
            message in any::<u32>(),
            length in 0_usize..2_000,
            from in 0_u32..300,
            wrong in prop::option::of(0_usize..2_000),
        ) {
            let mut buffer = vec![0; length];
            fill(9, message, &mut buffer);
            let expected: Vec<u8> = (0..).take(length).map(|offset| byte(9, message, offset)).collect();
            prop_assert_eq!(&buffer, &expected);
            let mut rest: Vec<u8> = (from..).take(length).map(|offset| byte(9, message, offset)).collect();
            if let Some(place) = wrong.and_then(|wrong| rest.get_mut(wrong)) {
                *place ^= 0xff;
            }
            let expected = (from..).zip(&rest).take_while(|(offset, got)| byte(9, message, *offset) == **got).count();
            prop_assert_eq!(matching(9, message, from, &rest) as usize, expected);
        }
    }

    #[test]
    fn codes_and_stamps_differ() {
        for offset in 0..64 {
            let is_code = byte(15, 0o77777, offset) & 8 != 0;
            assert_eq!(is_code, offset % 8 == 7, "offset {offset}");
        }
    }

    #[test]
    fn a_message_of_a_queue_tells_its_number() {
        let mut buffer = [0; 32];
        fill(2, 0o71234, &mut buffer);
        assert_eq!(message(&buffer), vec![Run { from: 2, message: 0o71234, offset: 0, length: 32 }]);
    }
}
