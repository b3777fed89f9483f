//! Locks: held by one alone, or by several readers.

use super::{Channel, Failure, Patience, Result};
use crate::measure::DrivenLock;
use spec::operation::Mode;

/// The bytes that a lock covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    /// The first; `None` where nothing was said.
    pub start: Option<u64>,
    /// How many; 0 is up to the end of the file, wherever that comes to be; `None` where nothing was said.
    pub length: Option<u64>,
}

impl Bytes {
    /// Of a lock that covers no bytes but one thing.
    ///
    /// # Errors
    /// Senseless where bytes were named.
    #[inline]
    pub(crate) fn none_named(self) -> Result<()> {
        if self == Self::default() { Ok(()) } else { Err(Failure::senseless("it covers no range of bytes")) }
    }
}

/// A lock that this process can reach.
pub trait Lock: Channel + DrivenLock {
    /// Takes it, waiting while others hold it.
    ///
    /// # Errors
    /// As the mechanism's call. `EOWNERDEAD` says that the owner of a robust mutex has died: the caller holds it nevertheless.
    /// Senseless where it cannot be held like this.
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()>;

    /// Releases it.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where releasing what is not held has no meaning.
    fn unlock(&mut self, bytes: Bytes) -> Result<()>;

    /// Marks what it protects as consistent again, after `EOWNERDEAD`.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where the death of an owner is not told.
    fn consistent(&mut self) -> Result<()> {
        Err(Failure::senseless("it does not tell that an owner has died"))
    }
}

/// Of a lock that only one can hold.
///
/// # Errors
/// Senseless for the other mode.
#[inline]
pub(crate) fn exclusive_only(mode: Mode) -> Result<()> {
    match mode {
        Mode::Exclusive => Ok(()),
        Mode::Shared => Err(Failure::senseless("only one can hold it")),
    }
}

/// The complaint about a release that POSIX leaves undefined: there is no outcome to report.
#[cold]
pub(crate) fn not_held() -> Failure {
    Failure::senseless("this process does not hold it, and what the call does then is undefined")
}
