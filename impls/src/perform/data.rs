//! What was received, in the words of the protocol: texts, or runs of stamps.

use crate::ability::Message;
use harness_core::{
    stamp::{self, Decoder},
    wire::{Data, Piece},
};

/// What a process has received on one channel in this run, as far as it takes to tell what comes next.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    decoder: Decoder,
    /// Whether the decoder has seen something of this run.
    decoded: bool,
    /// What came first and was not decoded, since it was known already: see [`Reader::skip`].
    skipped: Vec<u8>,
    /// Bytes of a stream, or messages.
    amount: u64,
}

impl Incoming {
    /// How much was received: bytes of a stream, or messages.
    pub(super) fn amount(&self) -> u64 {
        self.amount
    }

    /// Begins a run: nothing was received.
    pub(super) fn begin_run(&mut self) {
        self.skipped.clear();
        self.amount = 0;
        if self.decoded {
            self.decoder = Decoder::new();
            self.decoded = false;
        }
    }

    /// The decoder, which has seen all that came.
    fn decoder(&mut self) -> &mut Decoder {
        self.decoded = true;
        if !self.skipped.is_empty() {
            let _ = self.decoder.stream(&self.skipped);
            self.skipped.clear();
        }
        &mut self.decoder
    }
}

/// Makes pieces of what a process receives on one channel.
pub(super) struct Reader<'h> {
    pub(super) stamped: bool,
    pub(super) incoming: &'h mut Incoming,
}

impl Reader<'_> {
    /// What one read of a stream brought. What is only peeked at is read again later.
    pub(super) fn stream(&mut self, bytes: &[u8], peek: bool) -> Piece {
        self.incoming.amount += if peek { 0 } else { bytes.len() as u64 };
        let data = match (self.stamped, peek) {
            (true, true) => Data::Runs(self.incoming.decoder().clone().stream(bytes)),
            (true, false) => Data::Runs(self.incoming.decoder().stream(bytes)),
            (false, _) => text(bytes),
        };
        Piece { length: bytes.len() as u64, data, priority: None, r#type: None, truncated: false }
    }

    /// Whether the bytes of the next read alone tell what they are: what was read before in the run does not matter.
    pub(super) fn is_at_beginning(&self) -> bool {
        !self.stamped || !self.incoming.decoded && self.incoming.skipped.is_empty()
    }

    /// Takes in what a read brought without decoding it, where it [`is_at_beginning`](Self::is_at_beginning).
    pub(super) fn skip(&mut self, bytes: &[u8]) {
        self.incoming.amount += bytes.len() as u64;
        if self.stamped {
            self.incoming.skipped.extend_from_slice(bytes);
        }
    }

    /// Takes in a message without decoding it.
    pub(super) fn skip_message(&mut self) {
        self.incoming.amount += 1;
    }

    /// A message. One that is only peeked at is received again later.
    pub(super) fn message(&mut self, bytes: &[u8], message: &Message, peek: bool) -> Piece {
        self.incoming.amount += u64::from(!peek);
        let data = if self.stamped { Data::Runs(stamp::message(bytes)) } else { text(bytes) };
        Piece {
            length: bytes.len() as u64,
            data,
            priority: message.priority.map(u64::from),
            r#type: message.r#type,
            truncated: message.truncated,
        }
    }
}

fn text(bytes: &[u8]) -> Data {
    Data::Text(String::from_utf8_lossy(bytes).into_owned())
}

/// A text in memory ends before the first NUL, or with the buffer.
pub(super) fn text_up_to_nul(bytes: &[u8]) -> String {
    let length = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{Incoming, Reader, text_up_to_nul};
    use harness_core::stamp;

    #[test]
    fn what_comes_after_skipped_bytes_is_told_as_if_they_had_been_decoded() {
        let mut message = [0; 40];
        stamp::fill(3, 0, &mut message);
        let (mut one, mut other) = (Incoming::default(), Incoming::default());
        for run in 0..3 {
            one.begin_run();
            other.begin_run();
            let mut decoding = Reader { stamped: true, incoming: &mut one };
            let mut skipping = Reader { stamped: true, incoming: &mut other };
            assert!(skipping.is_at_beginning());
            decoding.stream(&message[..16], false);
            skipping.skip(&message[..16]);
            assert!(!skipping.is_at_beginning() && !decoding.is_at_beginning());
            assert_eq!((one.amount(), other.amount()), (16, 16));
            let mut decoding = Reader { stamped: true, incoming: &mut one };
            let mut skipping = Reader { stamped: true, incoming: &mut other };
            if run < 2 {
                let (peek, rest) = (&message[16..24], &message[16..]);
                assert_eq!(skipping.stream(peek, true), decoding.stream(peek, true));
                assert_eq!(skipping.stream(rest, false), decoding.stream(rest, false));
                assert_eq!((one.amount(), other.amount()), (40, 40));
            }
        }
    }

    #[test]
    fn a_text_in_memory_ends_before_its_nul() {
        assert_eq!(text_up_to_nul(b"hello\0\0\0"), "hello");
        assert_eq!(text_up_to_nul(b"hello"), "hello");
        assert_eq!(text_up_to_nul(b"\0hello"), "");
    }
}
