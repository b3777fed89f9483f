//! Messages with boundaries.

use super::{Channel, Failure, Patience, Result};
use crate::{measure::DrivenQueue, mechanism::Ring};

/// A message as it was received into a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// How many bytes of the buffer it fills.
    pub length: usize,
    /// Its priority, where the mechanism has priorities.
    pub priority: Option<u32>,
    /// Its type, where the mechanism has types.
    pub r#type: Option<u64>,
    /// Whether it was longer than the buffer and its tail is lost.
    pub truncated: bool,
    /// Whether there was no message but the end: every sender has closed.
    pub ended: bool,
}

/// Bytes before a message in a frame, see [`Queue::send_frame`]: a cache line, so that a message is aligned as well as its frame.
pub const HEAD: usize = 64;

/// Which messages are asked for; all, if nothing is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this type.
    pub kind: Option<u64>,
    /// Of the lowest type that is not above this.
    pub up_to: Option<u64>,
    /// Of all types but `kind`.
    pub except: bool,
    /// A message that is longer than the buffer is cut.
    pub truncate: bool,
}

/// A queue, or the ends of one that a process holds.
pub trait Queue: Channel + DrivenQueue {
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

    /// Sends the message that comes after the [`HEAD`] bytes of a frame. A mechanism whose call wants something before a message puts
    /// it there, and copies nothing.
    ///
    /// # Errors
    /// As [`Self::send`].
    #[inline(always)]
    fn send_frame(&mut self, frame: &mut [u8], patience: Patience) -> Result<usize> {
        self.send(frame.get(HEAD..).unwrap_or_default(), None, patience)
    }

    /// Receives a message behind the [`HEAD`] bytes of a frame, as [`Self::send_frame`] sends one.
    ///
    /// # Errors
    /// As [`Self::receive`].
    #[inline(always)]
    fn receive_frame(&mut self, frame: &mut [u8], patience: Patience) -> Result<Message> {
        self.receive(frame.get_mut(HEAD..).unwrap_or_default(), patience, false)
    }

    /// Sends a message of a type.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where there are no types.
    fn send_typed(&mut self, _bytes: &[u8], _kind: u64, _patience: Patience) -> Result<usize> {
        Err(Failure::senseless("its messages have no type"))
    }

    /// Receives a message of certain types.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where there are no types.
    fn receive_filtered(&mut self, _buffer: &mut [u8], _filter: Filter, _patience: Patience) -> Result<Message> {
        Err(Failure::senseless("its messages have no type"))
    }

    /// Asks for a signal, with a value, when a message comes to the empty queue; without a signal takes that back.
    ///
    /// # Errors
    /// As `mq_notify()`; senseless where nobody can be asked.
    fn notify(&mut self, _request: Option<(i32, u64)>) -> Result<()> {
        Err(Failure::senseless("it tells nobody when a message comes"))
    }

    /// A buffer that is large enough for every message: bytes.
    fn message_size_max(&self) -> usize;

    /// How many messages it holds.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where it does not tell.
    fn attributes(&mut self) -> Result<u64> {
        Err(Failure::senseless("it does not tell how many messages it holds"))
    }

    /// The ring beneath, where messages can be written and looked at where they lie, and several at once; `None` where they are copied by the
    /// system.
    fn in_place(&mut self) -> Option<&mut Ring> {
        None
    }
}
