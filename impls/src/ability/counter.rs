//! A counter with wait and post.

use super::{Channel, Patience, Result};

/// A counter that this process can reach.
pub trait Counter: Channel {
    /// Decrements it, waiting while it is zero.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn wait(&mut self, patience: Patience) -> Result<()>;

    /// Increments it.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn post(&mut self) -> Result<()>;

    /// Its value.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn value(&mut self) -> Result<u64>;
}
