//! The wrapped calls, each against the system.

mod memory;
mod process;
mod queue;
mod semaphore;
mod signals;
