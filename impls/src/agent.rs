//! The agent: a root that opens channels and starts processes, and the processes that do the steps.
//!
//! The root has one thread and forks. Everything a process says or hears goes over a connection of its own; the end of a
//! connection is the order to die.

mod control;
#[cfg(target_os = "linux")]
mod exec;
mod host;
mod journal;
mod measure;
mod meeting;
mod process;
mod race;
mod root;
mod team;

#[cfg(target_os = "linux")]
pub use exec::{GO_ON, go_on};
pub use root::run;
