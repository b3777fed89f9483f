//! Bytes in order, without boundaries.

use super::{Channel, Result};
use crate::measure::DrivenStream;

/// A stream, or the ends of one that a process holds.
pub trait Stream: Channel + DrivenStream {
    /// Writes; returns how many bytes were taken.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn write(&mut self, bytes: &[u8], nonblocking: bool) -> Result<usize>;

    /// Reads; 0 for a buffer that is not empty means the end. With `peek` what is read stays where it is.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where there is no way to peek.
    fn read(&mut self, buffer: &mut [u8], nonblocking: bool, peek: bool) -> Result<usize>;
}
