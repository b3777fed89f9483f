//! What was received, in the words of the protocol: texts, or runs of stamps.

use crate::ability::Message;
use harness_core::{
    stamp::{self, Decoder},
    wire::{Data, Piece},
};

/// Makes pieces of what a process receives on one channel.
pub(super) struct Reader<'h> {
    pub(super) stamped: bool,
    pub(super) decoder: &'h mut Decoder,
}

impl Reader<'_> {
    /// What one read of a stream brought. What is only peeked at is read again later.
    pub(super) fn stream(&mut self, bytes: &[u8], peek: bool) -> Piece {
        let data = match (self.stamped, peek) {
            (true, true) => Data::Runs(self.decoder.clone().stream(bytes)),
            (true, false) => Data::Runs(self.decoder.stream(bytes)),
            (false, _) => text(bytes),
        };
        Piece { length: bytes.len() as u64, data, priority: None, r#type: None, truncated: false }
    }

    /// A message.
    pub(super) fn message(&mut self, bytes: &[u8], message: &Message) -> Piece {
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
    use super::text_up_to_nul;

    #[test]
    fn a_text_in_memory_ends_before_its_nul() {
        assert_eq!(text_up_to_nul(b"hello\0\0\0"), "hello");
        assert_eq!(text_up_to_nul(b"hello"), "hello");
        assert_eq!(text_up_to_nul(b"\0hello"), "");
    }
}
