//! Bytes and atomic cells that several processes see.

use super::{Channel, Result};

/// A memory object that this process has mapped. All atomic accesses are sequentially consistent.
pub trait Memory: Channel {
    /// Stores into a cell of eight bytes.
    ///
    /// # Errors
    /// As the call that extends the mapping, where one is needed.
    fn store(&mut self, cell: u64, value: u64) -> Result<()>;

    /// Loads a cell of eight bytes.
    ///
    /// # Errors
    /// As [`Self::store`].
    fn load(&mut self, cell: u64) -> Result<u64>;

    /// Adds to a cell; returns the value before.
    ///
    /// # Errors
    /// As [`Self::store`].
    fn fetch_add(&mut self, cell: u64, value: u64) -> Result<u64>;

    /// Replaces the value of a cell if it is as expected; returns the value before.
    ///
    /// # Errors
    /// As [`Self::store`].
    fn compare_exchange(&mut self, cell: u64, expected: u64, value: u64) -> Result<u64>;

    /// Stores bytes at an offset, one by one.
    ///
    /// # Errors
    /// As [`Self::store`].
    fn store_bytes(&mut self, at: u64, bytes: &[u8]) -> Result<()>;

    /// Loads bytes from an offset, one by one.
    ///
    /// # Errors
    /// As [`Self::store`].
    fn load_bytes(&mut self, at: u64, buffer: &mut [u8]) -> Result<()>;

    /// Sets the size of the object.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn resize(&mut self, size: u64) -> Result<()>;
}
