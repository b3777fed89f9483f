//! The floors: what the machine itself takes for the least that a mechanism cannot do without.
//!
//! They are measured in every sample, in the same processes and the same placement, directly before and after. A figure divided by its
//! floor says how much a mechanism adds, and can be laid beside that of another machine.

use super::cell::{Cell, Placement, Shape};
use crate::wire::measure::Task;
use serde::{Deserialize, Serialize};
use spec::{Ability, Mechanism};
use std::fmt;

/// One floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Floor {
    /// A system call that does nothing.
    SystemCall,
    /// The bytes of a message, copied within one process.
    Copy,
    /// An atomic addition that nobody else makes.
    Add,
    /// A cache line, handed to another processor and back.
    Line,
    /// Another process, woken by a futex, and back.
    Switch,
}

impl Floor {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 5] = [Self::SystemCall, Self::Switch, Self::Line, Self::Copy, Self::Add];

    /// As agents are told.
    #[must_use]
    pub fn task(self) -> Task {
        match self {
            Self::SystemCall => Task::SystemCall,
            Self::Copy => Task::Copy,
            Self::Add => Task::Add,
            Self::Line => Task::Line,
            Self::Switch => Task::Switch,
        }
    }

    /// Whether two parties take part; the others are done by the first alone.
    #[must_use]
    pub fn takes_two(self) -> bool {
        matches!(self, Self::Line | Self::Switch)
    }

    /// The words in reports.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::SystemCall => "empty system call",
            Self::Copy => "memory copy",
            Self::Add => "atomic addition",
            Self::Line => "cache line there and back",
            Self::Switch => "futex wake-up there and back",
        }
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.words())
    }
}

/// Whether its parties share memory and make a system call only where they wait.
#[must_use]
pub fn is_in_memory(mechanism: Mechanism) -> bool {
    mechanism == Mechanism::ShmRing || mechanism.ability() == Ability::Memory
}

/// Whether taking it and giving it back are system calls, also where nobody waits.
fn is_taken_by_calls(mechanism: Mechanism) -> bool {
    matches!(
        mechanism,
        Mechanism::Flock
            | Mechanism::RecordLock
            | Mechanism::OfdLock
            | Mechanism::SysvSem
            | Mechanism::Eventfd
            | Mechanism::EventfdSemaphore
    )
}

/// The floors whose sum a figure of this cell is divided by.
#[must_use]
pub fn of(cell: &Cell) -> &'static [Floor] {
    let is_in_memory = is_in_memory(cell.mechanism);
    match cell.shape {
        shape if shape.is_one_way() && is_in_memory => &[Floor::Copy],
        shape if shape.is_one_way() => &[Floor::SystemCall, Floor::Copy],
        Shape::Take | Shape::TakeShared if is_taken_by_calls(cell.mechanism) => &[Floor::SystemCall],
        Shape::Take | Shape::TakeShared if cell.parties == 1 || cell.placement == Placement::OneCore => &[Floor::Add],
        Shape::Take | Shape::TakeShared => &[Floor::Line],
        // Where both look at memory all the time nobody has to be woken.
        _ if is_in_memory && cell.placement != Placement::OneCore => &[Floor::Line],
        _ => &[Floor::Switch],
    }
}

/// The floors that are measured in each sample of a cell: its own, and between two processors the cache line, which tells how far
/// apart they are just now.
#[must_use]
pub fn measured(cell: &Cell) -> Vec<Floor> {
    let mut floors = of(cell).to_vec();
    if cell.parties > 1 && cell.placement != Placement::OneCore && !floors.contains(&Floor::Line) {
        floors.push(Floor::Line);
    }
    floors
}

#[cfg(test)]
mod tests {
    use super::{Floor, measured, of};
    use rstest::rstest;

    #[rstest]
    #[case("pipe/round_trip/64/one_core", &[Floor::Switch], 1)]
    #[case("pipe/round_trip/64/two_awake", &[Floor::Switch], 2)]
    #[case("memfd/round_trip/64/two_cores", &[Floor::Line], 1)]
    #[case("memfd/round_trip/64/one_core", &[Floor::Switch], 1)]
    #[case("shm_ring/one_way/64/two_cores", &[Floor::Copy], 2)]
    #[case("tcp/one_way/64/one_core", &[Floor::SystemCall, Floor::Copy], 2)]
    #[case("flock/take/1/one_core", &[Floor::SystemCall], 1)]
    #[case("pthread_mutex/take/1/one_core", &[Floor::Add], 1)]
    #[case("pthread_mutex/take/2/two_cores", &[Floor::Line], 1)]
    fn each_cell_has_its_floor(#[case] cell: &str, #[case] floors: &[Floor], #[case] in_all: usize) {
        let cell = cell.parse().unwrap();
        assert_eq!(of(&cell), floors);
        assert_eq!(measured(&cell).len(), in_all);
    }
}
