//! Measuring: which cells there are, how each is laid out, what a sample of one holds, and what samples come to.
//!
//! A cell is one thing that can be measured of one mechanism, by so many processes in one placement. The harness takes samples of
//! it, round by round; everything after that is here, and pure.

pub mod cell;
pub mod change;
pub mod floor;
pub mod layout;
pub mod relations;
pub mod sample;
pub mod statistics;
pub mod summary;
pub mod sweep;

pub use cell::{Cell, Placement, Shape};
pub use floor::Floor;
pub use sample::Sample;
pub use summary::Row;
