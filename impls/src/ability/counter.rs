//! A counter with wait and post.

use super::{Channel, Failure, Patience, Result};
use crate::measure::DrivenCounter;
use impls_sys::sysv::Change;
use std::time::Duration;

/// A counter that this process can reach.
pub trait Counter: Channel + DrivenCounter {
    /// Decrements it, waiting while it is zero. Returns how much it took, where the call tells.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn wait(&mut self, patience: Patience) -> Result<Option<u64>>;

    /// Increments it: by one, or by more where that can be chosen.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn post(&mut self, value: u64, patience: Patience) -> Result<()>;

    /// The value of the counter of this number; there is but the first in what is no set.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn value(&mut self, number: u64) -> Result<u64>;

    /// Gives the counter of this number a value at once. Returns whether there is a call for that.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn set_value(&mut self, _number: u64, _value: u64) -> Result<bool> {
        Ok(false)
    }

    /// Changes several counters at once, or none.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where it is no set.
    fn change(&mut self, _changes: &[Change], _timeout: Option<Duration>) -> Result<()> {
        Err(Failure::senseless("it is no set"))
    }
}
