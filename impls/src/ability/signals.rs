//! Signals between processes. Signals are numbers here: their names belong to the language.

use super::{Action, Arrival, Result};
use std::time::Duration;

/// What a process can do with signals.
pub trait Signals: std::fmt::Debug {
    /// Sends a signal.
    ///
    /// # Errors
    /// As `kill()`.
    fn kill(&mut self, pid: i32, signal: i32) -> Result<()>;

    /// Sends a signal with a value.
    ///
    /// # Errors
    /// As `sigqueue()`.
    fn queue(&mut self, pid: i32, signal: i32, value: u64) -> Result<()>;

    /// Blocks, then unblocks signals.
    ///
    /// # Errors
    /// As `sigprocmask()`.
    fn mask(&mut self, block: &[i32], unblock: &[i32]) -> Result<()>;

    /// Says what a signal does.
    ///
    /// # Errors
    /// As `sigaction()`.
    fn action(&mut self, signal: i32, action: Action, flags: i32, mask: &[i32]) -> Result<()>;

    /// Accepts a pending signal, waiting for one.
    ///
    /// # Errors
    /// As `sigwaitinfo()` or `sigtimedwait()`.
    fn wait(&mut self, signals: &[i32], timeout: Option<Duration>) -> Result<Arrival>;

    /// Waits for a signal with another mask: it returns when a handler has, and always with an error.
    ///
    /// # Errors
    /// As `sigsuspend()`.
    fn suspend(&mut self, mask: &[i32]) -> Result<()>;

    /// Which signals are pending, lowest number first.
    ///
    /// # Errors
    /// As `sigpending()`.
    fn pending(&mut self) -> Result<Vec<i32>>;

    /// Which signals the handlers have caught so far, in order.
    ///
    /// # Errors
    /// Senseless where there were more than could be noted.
    fn caught(&mut self) -> Result<Vec<Arrival>>;
}
