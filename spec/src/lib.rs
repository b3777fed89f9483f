//! The scenario language: its types, the loader that reads them from YAML, the checks, and the schema.
//!
//! Pure but for [`load::file`] and [`load::directory`], which read files.

pub mod amount;
pub mod errno;
pub mod limits;
pub mod load;
pub mod operation;
pub mod parallel;
pub mod scaffold;
pub mod scenario;
pub mod schema;
pub mod signal;
pub mod vocabulary;

pub use amount::Amount;
pub use errno::Errno;
pub use operation::Operation;
pub use scenario::Scenario;
pub use signal::Signal;
pub use vocabulary::{Ability, Feature, Mechanism};
