//! Sweeps: which cells of a mechanism are measured, from everything down to the one figure that says most.

use super::cell::{Cell, Placement, Shape};
use spec::{Ability, Mechanism, vocabulary::Feature};

/// Message sizes of round trips: bytes.
const ROUND_TRIP_BYTES: [u64; 2] = [1, 64];

/// Message sizes of one-way figures: bytes.
pub const ONE_WAY_BYTES: [u64; 8] = [1, 64, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];

/// The same where there is little time.
const ONE_WAY_BYTES_FEW: [u64; 3] = [64, 4 << 10, 64 << 10];

/// At how many percent of what goes through messages are sent without waiting for answers.
const LOADS: [u8; 3] = [10, 50, 80];

/// By how many a lock is contended for.
const CONTENDERS: [u8; 2] = [2, 4];

/// The least that a message has in it: what figures without a size are about.
const SMALL: u64 = 64;

/// The shapes of a mechanism that are round trips, with the sizes that they have.
fn round_trips(mechanism: Mechanism) -> Vec<(Shape, u64)> {
    match mechanism.ability() {
        Ability::Stream | Ability::Queue | Ability::Memory => {
            ROUND_TRIP_BYTES.into_iter().map(|bytes| (Shape::RoundTrip, bytes)).collect()
        }
        Ability::Counter | Ability::Wake => vec![(Shape::RoundTrip, 0)],
        Ability::Signals => {
            [Shape::Sigwait, Shape::Sigqueue, Shape::Signalfd, Shape::Handler].map(|shape| (shape, 0)).to_vec()
        }
        Ability::Lock => Vec::new(),
    }
}

/// Whether messages go through it one after another.
fn has_one_way(mechanism: Mechanism) -> bool {
    matches!(mechanism.ability(), Ability::Stream | Ability::Queue | Ability::Memory)
}

/// The ways in which it can be taken and given back.
fn takings(mechanism: Mechanism) -> Vec<Shape> {
    match mechanism.ability() {
        Ability::Lock if mechanism.has(Feature::Shared) => vec![Shape::Take, Shape::TakeShared],
        Ability::Lock | Ability::Counter | Ability::Memory => vec![Shape::Take],
        _ => Vec::new(),
    }
}

/// Everything.
#[must_use]
pub fn full(mechanism: Mechanism) -> Vec<Cell> {
    let mut cells = Vec::new();
    for placement in Placement::ALL {
        for (shape, bytes) in round_trips(mechanism) {
            cells.push(Cell::between_two(mechanism, shape, bytes, placement));
        }
        if has_one_way(mechanism) {
            cells.extend(ONE_WAY_BYTES.map(|bytes| Cell::between_two(mechanism, Shape::OneWay, bytes, placement)));
        }
        // Messages that nobody waits for need a sender that keeps its time, and so a processor of its own.
        let has_open_loop = has_one_way(mechanism) && mechanism.ability() != Ability::Memory;
        if has_open_loop && matches!(placement, Placement::TwoCores | Placement::TwoAwake) {
            cells.extend(LOADS.map(|load| Cell::between_two(mechanism, Shape::OpenLoop(load), SMALL, placement)));
        }
    }
    for shape in takings(mechanism) {
        cells.push(Cell::of_takers(mechanism, shape, 1, Placement::OneCore));
        for placement in [Placement::OneCore, Placement::TwoCores, Placement::Free] {
            cells.extend(CONTENDERS.map(|parties| Cell::of_takers(mechanism, shape, parties, placement)));
        }
    }
    cells
}

/// What the ring in shared memory is laid beside queues of others with: on two processors that are awake, since those never sleep.
/// There are none of other mechanisms.
#[must_use]
pub fn beside_peers(mechanism: Mechanism) -> Vec<Cell> {
    let mut cells = Vec::new();
    if mechanism != Mechanism::ShmRing {
        return cells;
    }
    let cell = |shape, bytes| Cell::between_two(mechanism, shape, bytes, Placement::TwoAwake);
    for bytes in ONE_WAY_BYTES_FEW {
        cells.extend([Shape::RoundTrip, Shape::RoundTripInPlace].map(|shape| cell(shape, bytes)));
        cells.extend([Shape::OneWay, Shape::OneWayInPlace, Shape::OneWayFilled].map(|shape| cell(shape, bytes)));
    }
    cells.extend([SMALL, 4 << 10].map(|bytes| cell(Shape::OneWayBatch, bytes)));
    cells
}

/// What can be had in a minute for all mechanisms.
#[must_use]
pub fn quick(mechanism: Mechanism) -> Vec<Cell> {
    full(mechanism)
        .into_iter()
        .filter(|cell| match cell.shape {
            Shape::OpenLoop(_) => false,
            Shape::OneWay => cell.placement.is_steady() && ONE_WAY_BYTES_FEW.contains(&cell.bytes),
            Shape::Take | Shape::TakeShared => cell.parties == 1 || is_duel(cell),
            _ => cell.placement.is_steady() && cell.bytes != 1,
        })
        .collect()
}

/// Of two that contend on two processors.
fn is_duel(cell: &Cell) -> bool {
    cell.parties == 2 && cell.placement == Placement::TwoCores
}

/// What two builds are compared by: steady, and few enough to be measured often.
#[must_use]
pub fn compared(mechanism: Mechanism) -> Vec<Cell> {
    quick(mechanism)
        .into_iter()
        .filter(|cell| match cell.shape {
            Shape::OneWay => cell.bytes != 4 << 10,
            Shape::Take | Shape::TakeShared => cell.parties == 1,
            _ => true,
        })
        .collect()
}

/// The one figure that says most about a mechanism: a round trip on one core, or taking it alone.
#[must_use]
pub fn brief(mechanism: Mechanism) -> Option<Cell> {
    let cells = full(mechanism);
    let is_round_trip = |cell: &&Cell| cell.shape.is_round_trip() && cell.bytes != 1;
    let cell = cells.iter().find(is_round_trip).or_else(|| cells.iter().find(|cell| cell.parties == 1));
    cell.copied()
}

#[cfg(test)]
mod tests {
    use super::{brief, compared, full, quick};
    use crate::measure::Cell;
    use rstest::rstest;
    use spec::{Mechanism, vocabulary::MECHANISMS};
    use std::collections::BTreeSet;

    #[test]
    fn every_mechanism_is_measured_and_no_cell_twice() {
        for row in MECHANISMS {
            let cells = full(row.mechanism);
            assert!(!cells.is_empty(), "{}", row.name);
            assert_eq!(cells.iter().collect::<BTreeSet<_>>().len(), cells.len(), "{}", row.name);
            assert!(quick(row.mechanism).iter().all(|cell| cells.contains(cell)));
            assert!(!compared(row.mechanism).is_empty(), "{}", row.name);
            assert!(compared(row.mechanism).iter().all(|cell| cells.contains(cell)));
        }
    }

    #[rstest]
    #[case(Mechanism::Pipe, "pipe/round_trip/64/one_core")]
    #[case(Mechanism::PosixSem, "posix_sem/round_trip/0/one_core")]
    #[case(Mechanism::Flock, "flock/take/1/one_core")]
    #[case(Mechanism::Signal, "signal/sigwait/0/one_core")]
    fn one_figure_says_most(#[case] mechanism: Mechanism, #[case] expected: &str) {
        assert_eq!(brief(mechanism), expected.parse::<Cell>().ok());
    }
}
