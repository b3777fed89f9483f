//! The composition root: joins the language, the harness and the reports, and is the command line.

pub mod agent;
pub mod command;
pub mod corpus;
pub mod exit_code;
pub mod interrupt;
pub mod output;
pub mod portraits;
pub mod runs;
pub mod select;
pub mod time;
pub mod workspace;

pub use exit_code::{ExitCode, Failure};
