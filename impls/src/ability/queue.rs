//! Messages with boundaries.

use super::{Channel, Failure, Patience, Result};

/// A message as it was received into a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// How many bytes of the buffer it fills.
    pub length: usize,
    /// Its priority, where the mechanism has priorities.
    pub priority: Option<u32>,
    /// Whether it was longer than the buffer and its tail is lost.
    pub truncated: bool,
    /// Whether there was no message but the end: every sender has closed.
    pub ended: bool,
}

/// A queue, or the ends of one that a process holds.
pub trait Queue: Channel {
    /// Sends a message; returns how many bytes of it were taken.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where a priority or a timeout is given to a mechanism without.
    fn send(&mut self, bytes: &[u8], priority: Option<u32>, patience: Patience) -> Result<usize>;

    /// Receives a message. With `peek` it stays where it is.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where there is no timeout, or no way to peek.
    fn receive(&mut self, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message>;

    /// A buffer that is large enough for every message: bytes.
    fn message_size_max(&self) -> usize;

    /// How many messages it holds.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where it does not tell.
    fn attributes(&mut self) -> Result<u64> {
        Err(Failure::Senseless("it does not tell how many messages it holds".to_owned()))
    }
}
