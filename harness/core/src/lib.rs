//! The pure core: plans, wire messages, histories, claims, verdicts. No I/O, no clock, no platform.

pub mod describe;
pub mod expand;
pub mod finding;
pub mod history;
pub mod judge;
pub mod measure;
pub mod model;
pub mod orders;
pub mod plan;
pub mod race;
pub mod sabotage;
#[cfg(test)]
mod samples;
pub mod stamp;
pub mod wire;
pub mod wire_schema;

pub use finding::{Finding, InstanceReport, Judgement, Verdict};
pub use history::{Event, History};
pub use plan::Plan;
