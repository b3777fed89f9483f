//! The shell: starts processes, proves blocking, releases meetings, keeps deadlines, collects journals, cleans up.
//!
//! It never links an implementation: it starts agents and speaks the protocol of `docs/agent-protocol.md` with them.

mod clock;
mod connection;
mod engine;
mod fault;
mod helper;
mod host;
mod isolation;
mod jobs;
mod lane;
mod lane_processes;
mod leftovers;
mod listener;
pub mod machine;
pub mod measure;
mod reply;
mod session;
mod spawner;
mod sweep;
mod warden;

pub use fault::StartError;
pub use helper::reexec_entry;
pub use isolation::IsolationChoice;
pub use session::{Completion, Config, Facts, Job, Progress, Session};
