//! What has to lie in proportion, whatever the machine: two ways to the same object cost alike, and what does more costs more.
//!
//! A benchmark that loses data, clamps sizes or measures its own harness breaks one of these first. They are about steady figures alone.

use super::{cell::Cell, summary::Row};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Two figures that are alike may differ by so much.
const ALIKE_WITHIN: f64 = 1.35;

/// What is not more may be more by so much: both were measured, and measuring errs.
const NOT_MORE_WITHIN: f64 = 1.1;

/// How two cells lie to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// They cost about the same.
    Alike,
    /// The first does not cost more than the second.
    NotMore,
}

/// The relations: the ids of two cells, and how they lie to one another.
const RELATIONS: &[(&str, Order, &str)] = &[
    ("pipe/round_trip/64/one_core", Order::Alike, "fifo/round_trip/64/one_core"),
    ("unix_stream/round_trip/64/one_core", Order::Alike, "unix_abstract_stream/round_trip/64/one_core"),
    ("unix_datagram/round_trip/64/one_core", Order::Alike, "unix_seqpacket/round_trip/64/one_core"),
    ("tcp/round_trip/64/one_core", Order::Alike, "tcp6/round_trip/64/one_core"),
    ("udp/round_trip/64/one_core", Order::Alike, "udp6/round_trip/64/one_core"),
    ("posix_sem/round_trip/0/one_core", Order::Alike, "posix_named_sem/round_trip/0/one_core"),
    ("eventfd/round_trip/0/one_core", Order::Alike, "eventfd_semaphore/round_trip/0/one_core"),
    ("posix_shm/round_trip/64/one_core", Order::Alike, "memfd/round_trip/64/one_core"),
    ("posix_shm/round_trip/64/one_core", Order::Alike, "sysv_shm/round_trip/64/one_core"),
    ("posix_shm/round_trip/64/one_core", Order::Alike, "mapped_file/round_trip/64/one_core"),
    ("posix_shm/round_trip/64/one_core", Order::Alike, "anonymous_memory/round_trip/64/one_core"),
    ("eventfd/round_trip/0/one_core", Order::NotMore, "pipe/round_trip/64/one_core"),
    ("pipe/round_trip/64/one_core", Order::NotMore, "unix_stream/round_trip/64/one_core"),
    ("unix_stream/round_trip/64/one_core", Order::NotMore, "tcp/round_trip/64/one_core"),
    ("pipe/round_trip/64/one_core", Order::NotMore, "pty/round_trip/64/one_core"),
    ("pthread_spinlock/take/1/one_core", Order::NotMore, "pthread_mutex/take/1/one_core"),
    ("pthread_mutex/take/1/one_core", Order::NotMore, "flock/take/1/one_core"),
    ("posix_sem/take/1/one_core", Order::NotMore, "sysv_sem/take/1/one_core"),
    ("pipe/one_way/64/one_core", Order::NotMore, "pipe/one_way/4096/one_core"),
    ("pipe/one_way/4096/one_core", Order::NotMore, "pipe/one_way/65536/one_core"),
];

/// A relation as it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    /// The first cell.
    pub left: Cell,
    /// Between the two, as a person would write it: `≈` or `≤`.
    pub sign: String,
    /// The second cell.
    pub right: Cell,
    /// Whether it holds.
    pub holds: bool,
    /// The first figure divided by the second.
    pub quotient: f64,
}

/// The relations whose cells were both measured without being disturbed.
#[must_use]
pub fn check(rows: &BTreeMap<Cell, Row>) -> Vec<Relation> {
    let row = |id: &str| {
        let cell: Cell = id.parse().ok()?;
        rows.get(&cell).filter(|row| row.disturbed < row.rounds).map(|row| (cell, row))
    };
    RELATIONS
        .iter()
        .filter_map(|(left, order, right)| {
            let ((left, one), (right, other)) = (row(left)?, row(right)?);
            let quotient = in_proportion(one, other);
            let (sign, holds) = match order {
                Order::Alike => ("≈", (1.0 / ALIKE_WITHIN..=ALIKE_WITHIN).contains(&quotient)),
                Order::NotMore => ("≤", quotient <= NOT_MORE_WITHIN),
            };
            Some(Relation { left, sign: sign.to_owned(), right, holds, quotient })
        })
        .collect()
}

/// One figure divided by the other: as multiples of their floors where those are the same, since each was measured beside its own.
fn in_proportion(one: &Row, other: &Row) -> f64 {
    let alike = super::floor::of(&one.cell) == super::floor::of(&other.cell) && one.cell.bytes == other.cell.bytes;
    if alike && one.ratio > 0.0 && other.ratio > 0.0 {
        one.ratio / other.ratio
    } else {
        one.cost_ns / other.cost_ns.max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::{RELATIONS, check};
    use crate::measure::{Cell, Row, sample::Latencies, statistics::Interval, sweep};
    use std::collections::BTreeMap;

    fn row(id: &str, cost_ns: f64) -> (Cell, Row) {
        let cell: Cell = id.parse().unwrap();
        let around = Interval { low: cost_ns, high: cost_ns };
        let row = Row {
            cell,
            rounds: 3,
            disturbed: 0,
            voided: 0,
            cost_ns,
            cost_interval: around,
            floor_ns: 1.0,
            ratio: cost_ns,
            ratio_interval: around,
            latency: None,
            latencies: Latencies::default(),
            processor_ns: 0.0,
            switches: 0.0,
            system_calls: None,
            loss: 0.0,
            line_ns: 0.0,
        };
        (cell, row)
    }

    #[test]
    fn a_pipe_that_is_not_like_a_fifo_is_seen() {
        let pipe = row("pipe/round_trip/64/one_core", 5_000.0);
        let rows = |fifo: f64| BTreeMap::from([pipe.clone(), row("fifo/round_trip/64/one_core", fifo)]);
        assert!(check(&rows(5_500.0))[0].holds);
        assert!(!check(&rows(9_000.0))[0].holds);
        assert_eq!(check(&BTreeMap::from([pipe.clone()])), []);
    }

    #[test]
    fn relations_are_about_cells_that_are_measured() {
        for (left, _, right) in RELATIONS {
            for id in [left, right] {
                let cell: Cell = id.parse().unwrap();
                assert!(cell.placement.is_steady() && sweep::quick(cell.mechanism).contains(&cell), "{id}");
            }
        }
    }
}
