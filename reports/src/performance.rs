//! The performance report: what mechanisms cost, beside the least that the machine takes for the same.
//!
//! A pure function of the samples that were written down: tables for the terminal, pictures, advice, the snapshot that is committed, and
//! the comparison with it.

pub mod advice;
pub mod bucket;
pub mod change;
pub mod cost;
pub mod figure;
pub mod page;
pub mod picture;
pub mod record;
pub mod snapshot;
pub mod tables;
pub mod twins;

#[cfg(test)]
mod samples;

pub use record::{Line, Record};
pub use snapshot::Snapshot;
