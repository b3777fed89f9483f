//! The wrapped calls, each against the system.

mod futex;
mod memory;
mod process;
mod pthread;
mod queue;
mod semaphore;
mod signals;
