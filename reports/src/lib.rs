//! Findings to text: terminal, diagrams, JSON Lines, JUnit, KTAP, portraits, comparisons, the guarantee matrix.
//!
//! Every report is a pure function of what a run wrote down. Nothing here reads a file, a clock or the environment.

pub mod compare;
pub mod coverage;
pub mod diagram;
pub mod explain;
pub mod instance_id;
pub mod jsonl;
pub mod junit;
pub mod ktap;
pub mod label;
pub mod list;
pub mod matrix;
pub mod performance;
pub mod portrait;
mod race;
pub mod run;
pub mod sabotage;
pub mod style;
pub mod summary;
pub mod terminal;

pub use portrait::Portrait;
pub use run::RunRecord;
pub use style::Color;
pub use summary::Summary;

#[cfg(test)]
mod samples;
