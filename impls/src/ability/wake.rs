//! Places to wait until others wake, or until others have come.

use super::{Channel, Failure, Lock, Patience, Result};
use crate::measure::DrivenWake;
use spec::operation;

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
        Err(Failure::senseless("nobody is notified here"))
    }

    /// Wakes who sleeps. Returns how many, where the mechanism tells.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where nobody is notified.
    fn notify(&mut self, _sleepers: Sleepers) -> Result<Option<u64>> {
        Err(Failure::senseless("nobody is notified here"))
    }

    /// As [`Self::wait_on`], for wake-ups that name one of these bits.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where wake-ups name no bits.
    fn wait_for_bits(&mut self, _expected: u64, _patience: Patience, _bits: u64) -> Result<()> {
        Err(Failure::senseless("its wake-ups name no bits"))
    }

    /// As [`Self::notify`], of those who sleep for one of these bits.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where wake-ups name no bits.
    fn notify_bits(&mut self, _sleepers: Sleepers, _bits: u64) -> Result<Option<u64>> {
        Err(Failure::senseless("its wake-ups name no bits"))
    }

    /// Chooses the word that the calls after this one are about; it is the first at the beginning.
    ///
    /// # Errors
    /// Senseless where there is no such word.
    fn choose_word(&mut self, number: u64) -> Result<()> {
        match number {
            0 => Ok(()),
            _ => Err(Failure::Senseless(format!("it has no word {number}"))),
        }
    }

    /// Sleeps on all of these words while each has the expected value, until one is woken. Returns its place among them.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where it has no words.
    fn wait_on_any(&mut self, _words: &[u8], _expected: u64, _patience: Patience) -> Result<u64> {
        Err(Failure::senseless("it has no words"))
    }

    /// Wakes some of those who sleep on one word and has others sleep on another, if the word has the expected value. Returns how
    /// many those are together.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where it has no words.
    fn requeue(&mut self, _requeue: &operation::Requeue<u64>) -> Result<u64> {
        Err(Failure::senseless("it has no words"))
    }

    /// Waits until all have come. Returns whether this process is the one of them that is told so.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where no number is waited for.
    fn arrive(&mut self) -> Result<bool> {
        Err(Failure::senseless("it is no barrier"))
    }

    /// Stores a value in its word.
    ///
    /// # Errors
    /// Senseless where it has none.
    fn store(&mut self, _value: u64) -> Result<()> {
        Err(Failure::senseless("it has no word"))
    }

    /// The value of its word.
    ///
    /// # Errors
    /// Senseless where it has none.
    fn load(&mut self) -> Result<u64> {
        Err(Failure::senseless("it has no word"))
    }

    /// Its mutex.
    fn mutex(&mut self) -> Option<&mut dyn Lock> {
        None
    }
}
