//! Reference implementations of every mechanism behind abilities, and the agent that offers them through the protocol.
//!
//! `ability` holds the traits, `mechanism` a file a mechanism, `registry` the list of them, `perform` the one function that
//! joins a step to an ability, `agent` the root and the processes, and `saboteur` faults to be planted in all that.

pub mod ability;
pub mod agent;
mod clock;
pub mod errno;
pub mod measure;
pub mod mechanism;
pub mod perform;
pub mod registry;
pub mod saboteur;
pub mod signal_name;
