//! Places to wait until others wake, or until others have come.

use super::{Channel, Failure, Lock, Patience, Result};
use crate::measure::DrivenWake;

/// How many to wake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleepers {
    /// So many at most.
    Some(u64),
    /// All.
    All,
}

/// Something that this process can wait on.
pub trait Wake: Channel + DrivenWake {
    /// Sleeps until somebody notifies; where it has a word, only while that has the expected value.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where nobody notifies.
    fn wait_on(&mut self, _expected: u64, _patience: Patience) -> Result<()> {
        Err(Failure::Senseless("nobody is notified here".to_owned()))
    }

    /// Wakes who sleeps. Returns how many, where the mechanism tells.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where nobody is notified.
    fn notify(&mut self, _sleepers: Sleepers) -> Result<Option<u64>> {
        Err(Failure::Senseless("nobody is notified here".to_owned()))
    }

    /// As [`Self::wait_on`], for wake-ups that name one of these bits.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where wake-ups name no bits.
    fn wait_for_bits(&mut self, _expected: u64, _patience: Patience, _bits: u64) -> Result<()> {
        Err(Failure::Senseless("its wake-ups name no bits".to_owned()))
    }

    /// As [`Self::notify`], of those who sleep for one of these bits.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where wake-ups name no bits.
    fn notify_bits(&mut self, _sleepers: Sleepers, _bits: u64) -> Result<Option<u64>> {
        Err(Failure::Senseless("its wake-ups name no bits".to_owned()))
    }

    /// Waits until all have come. Returns whether this process is the one of them that is told so.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where no number is waited for.
    fn arrive(&mut self) -> Result<bool> {
        Err(Failure::Senseless("it is no barrier".to_owned()))
    }

    /// Stores a value in its word.
    ///
    /// # Errors
    /// Senseless where it has none.
    fn store(&mut self, _value: u64) -> Result<()> {
        Err(Failure::Senseless("it has no word".to_owned()))
    }

    /// The value of its word.
    ///
    /// # Errors
    /// Senseless where it has none.
    fn load(&mut self) -> Result<u64> {
        Err(Failure::Senseless("it has no word".to_owned()))
    }

    /// Its mutex.
    fn mutex(&mut self) -> Option<&mut dyn Lock> {
        None
    }
}
