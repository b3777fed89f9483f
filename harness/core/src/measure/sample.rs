//! A sample: one round of one cell, as it was measured, with its floors and with what disturbed it.

use super::{
    cell::{Cell, Placement, Shape},
    floor::{self, Floor},
    statistics::median,
};
use crate::wire::Measured;
use serde::{Deserialize, Serialize};
use spec::vocabulary::Feature;
use std::collections::BTreeMap;

/// A sample is disturbed when strangers had more than this part of its processors.
const FOREIGN_MAX: f64 = 0.1;

/// A floor, measured directly before and after.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Which.
    pub floor: Floor,
    /// Nanoseconds before.
    pub before_ns: f64,
    /// Nanoseconds after.
    pub after_ns: f64,
}

impl Reading {
    /// What it was while the sample was taken.
    #[must_use]
    pub fn ns(&self) -> f64 {
        f64::midpoint(self.before_ns, self.after_ns)
    }
}

/// One round of one cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Of what.
    pub cell: Cell,
    /// Which round, from 0.
    pub round: u32,
    /// The processors that the parties were bound to; none where they were free, or could not be bound.
    pub processors: Vec<u32>,
    /// What each party says, the first one first.
    pub measured: Vec<Measured>,
    /// How long each party was ready to run and did not: nanoseconds. Empty where the system does not tell.
    pub delays_ns: Vec<u64>,
    /// The floors.
    pub floors: Vec<Reading>,
    /// How long it was done before it counted: nanoseconds.
    pub warm_up_ns: u64,
    /// Whether it had become steady by then.
    pub is_steady: bool,
    /// Time that the hypervisor gave to others: nanoseconds.
    pub steal_ns: u64,
    /// How many samples before this one were thrown away because strangers disturbed them.
    pub voided: u32,
}

impl Sample {
    /// Who reports how long things took.
    #[must_use]
    pub fn reporter(&self) -> Option<&Measured> {
        match self.cell.shape {
            Shape::OpenLoop(_) => self.measured.get(1),
            shape if shape.is_one_way() => self.measured.get(1),
            _ => self.measured.first(),
        }
    }

    /// What came of all operations together.
    #[must_use]
    pub fn operations(&self) -> u64 {
        if self.cell.shape.is_taking() {
            sum(self.measured.iter().map(|party| party.operations))
        } else {
            self.reporter().map_or(0, |party| party.operations)
        }
    }

    /// How long it took: nanoseconds.
    #[must_use]
    pub fn elapsed_ns(&self) -> u64 {
        let span = |party: &Measured| party.ended.saturating_sub(party.began);
        if self.cell.shape.is_taking() {
            let began = self.measured.iter().map(|party| party.began).min().unwrap_or(0);
            let ended = self.measured.iter().map(|party| party.ended).max().unwrap_or(0);
            ended.saturating_sub(began)
        } else {
            self.reporter().map_or(0, span)
        }
    }

    /// The sample's one figure, see [`Shape::unit`]: nanoseconds.
    #[must_use]
    pub fn cost_ns(&self) -> f64 {
        let Some(reporter) = self.reporter() else { return 0.0 };
        match self.cell.shape {
            // Where all take turns on one processor, what they use of it is what it takes, whoever else is there.
            shape if shape.is_one_way() && self.is_alone_on_its_core() => self.processor_ns(),
            shape if shape.is_one_way() => one_slice_ns(reporter),
            Shape::Take | Shape::TakeShared if self.cell.parties == 1 => one_slice_ns(reporter),
            Shape::Take | Shape::TakeShared => self.elapsed_ns() as f64 / self.operations().max(1) as f64,
            _ => self.latencies().quantile(0.5),
        }
    }

    /// Whether nothing but its parties works for it, all on one processor. Whose time the kernel's own threads use is not told.
    fn is_alone_on_its_core(&self) -> bool {
        self.cell.placement == Placement::OneCore && !self.cell.mechanism.has(Feature::Deferred)
    }

    /// The floor of the cell: nanoseconds; `None` where it was not measured.
    #[must_use]
    pub fn floor_ns(&self) -> Option<f64> {
        let mut sum = 0.0;
        for floor in floor::of(&self.cell) {
            sum += self.reading(*floor)?.ns();
        }
        (sum > 0.0).then_some(sum)
    }

    /// The figure as a multiple of its floor.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        Some(self.cost_ns() / self.floor_ns()?)
    }

    /// What was read of a floor.
    #[must_use]
    pub fn reading(&self, floor: Floor) -> Option<&Reading> {
        self.floors.iter().find(|reading| reading.floor == floor)
    }

    /// The lengths of time that its reporter saw.
    #[must_use]
    pub fn latencies(&self) -> Latencies {
        self.reporter().map_or_else(Latencies::default, |party| Latencies::of(&party.latencies))
    }

    /// Processor time of all parties for one operation: nanoseconds.
    #[must_use]
    pub fn processor_ns(&self) -> f64 {
        self.per_operation(|party| party.processor_ns)
    }

    /// Context switches of all parties for one operation.
    #[must_use]
    pub fn switches(&self) -> f64 {
        self.per_operation(|party| party.voluntary_switches.saturating_add(party.involuntary_switches))
    }

    fn per_operation(&self, of: impl Fn(&Measured) -> u64) -> f64 {
        sum(self.measured.iter().map(of)) as f64 / self.operations().max(1) as f64
    }

    /// Messages that did not arrive, of all that were sent.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.reporter()
            .map_or(0.0, |party| party.lost as f64 / party.lost.saturating_add(party.operations).max(1) as f64)
    }

    /// The part of the processors that strangers had; `None` where it cannot be told.
    #[must_use]
    pub fn foreign(&self) -> Option<f64> {
        // Whose work a thread of the kernel does is not told, and nobody knows where the free ones run.
        if self.cell.placement == Placement::Free || self.cell.mechanism.has(Feature::Deferred) {
            return None;
        }
        let cores = if self.cell.placement == Placement::OneCore { 1 } else { 2 };
        let whole = self.elapsed_ns() as f64 * cores as f64;
        if whole <= 0.0 {
            return None;
        }
        let is_busy_throughout = cores == 1 || (self.cell.shape.is_taking() && u64::from(self.cell.parties) > cores);
        let foreign = if is_busy_throughout {
            let ours = sum(self.measured.iter().map(|party| party.processor_ns));
            whole - ours as f64
        } else if self.delays_ns.is_empty() {
            return None;
        } else {
            sum(self.delays_ns.iter().copied()) as f64
        };
        Some((foreign / whole).clamp(0.0, 1.0))
    }

    /// Whether a party was seen on a processor that it was not bound to.
    #[must_use]
    pub fn is_misplaced(&self) -> bool {
        !self.processors.is_empty()
            && self.measured.iter().flat_map(|party| &party.processors).any(|seen| !self.processors.contains(seen))
    }

    /// Whether it says little: strangers had too much of the processors, or it did not run where it was to.
    #[must_use]
    pub fn is_disturbed(&self) -> bool {
        self.foreign().is_some_and(|foreign| foreign > FOREIGN_MAX) || self.is_misplaced()
    }
}

/// What numbers come to that an agent says, or a file: they may be any, and what is too much is the most.
fn sum(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

/// One operation in the median slice: nanoseconds. The first slice is the one in which the sender gets ahead.
fn one_slice_ns(party: &Measured) -> f64 {
    let slices: Vec<f64> = party.slices.iter().skip(1).map(|slice| *slice as f64).collect();
    if slices.is_empty() || party.slice_operations == 0 {
        return party.ended.saturating_sub(party.began) as f64 / party.operations.max(1) as f64;
    }
    median(&slices) / party.slice_operations as f64
}

/// Lengths of time, and how often each was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    counts: BTreeMap<u64, u64>,
}

impl Latencies {
    /// As agents send them: length, count, length, count, and so on.
    #[must_use]
    pub fn of(pairs: &[u64]) -> Self {
        let mut latencies = Self::default();
        for pair in pairs.chunks_exact(2) {
            latencies.count_in(pair[0], pair[1]);
        }
        latencies
    }

    /// Adds all of another.
    pub fn add(&mut self, other: &Self) {
        for (length, count) in &other.counts {
            self.count_in(*length, *count);
        }
    }

    fn count_in(&mut self, length: u64, count: u64) {
        let counted = self.counts.entry(length).or_default();
        *counted = counted.saturating_add(count);
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        sum(self.counts.values().copied())
    }

    /// The longest: nanoseconds.
    #[must_use]
    pub fn maximum(&self) -> u64 {
        self.counts.keys().next_back().copied().unwrap_or(0)
    }

    /// The length that this part of all does not exceed: nanoseconds.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        let all = self.count();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and `all`")]
        let wanted = ((part.clamp(0.0, 1.0) * all as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (length, count) in &self.counts {
            seen = u64::saturating_add(seen, *count);
            if seen >= wanted {
                return *length as f64;
            }
        }
        0.0
    }

    /// Lengths and counts, shortest first.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counts.iter().map(|(length, count)| (*length, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::{Latencies, Reading, Sample};
    use crate::{measure::Floor, wire::Measured};
    use proptest::prelude::*;
    use rstest::rstest;

    fn sample(cell: &str, measured: Vec<Measured>) -> Sample {
        Sample {
            cell: cell.parse().unwrap(),
            round: 0,
            processors: vec![0],
            measured,
            delays_ns: Vec::new(),
            floors: vec![Reading { floor: Floor::Switch, before_ns: 4_000.0, after_ns: 6_000.0 }],
            warm_up_ns: 0,
            is_steady: true,
            steal_ns: 0,
            voided: 0,
        }
    }

    fn party(processor_ns: u64) -> Measured {
        Measured {
            operations: 100,
            began: 1_000,
            ended: 1_001_000,
            processor_ns,
            voluntary_switches: 100,
            processors: vec![0],
            latencies: vec![9_000, 30, 10_000, 40, 50_000, 30],
            ..Measured::default()
        }
    }

    #[test]
    fn a_round_trip_is_told_by_who_asked() {
        let sample = sample("pipe/round_trip/64/one_core", vec![party(500_000), party(480_000)]);
        assert_eq!((sample.cost_ns(), sample.floor_ns(), sample.ratio()), (10_000.0, Some(5_000.0), Some(2.0)));
        assert_eq!((sample.switches(), sample.processor_ns()), (2.0, 9_800.0));
        assert!(!sample.is_disturbed());
    }

    #[rstest]
    #[case::quiet(500_000, 0, false)]
    #[case::busy(300_000, 0, true)]
    #[case::elsewhere(500_000, 1, true)]
    fn what_disturbs_is_seen(#[case] processor_ns: u64, #[case] processor: u32, #[case] expected: bool) {
        let mut measured = vec![party(processor_ns), party(480_000)];
        measured[1].processors.push(processor);
        assert_eq!(sample("pipe/round_trip/64/one_core", measured).is_disturbed(), expected);
    }

    #[test]
    fn what_is_sent_one_way_is_told_by_the_median_slice_of_the_receiver() {
        let receiver = Measured { slices: vec![9_000, 1_000, 1_000, 70_000, 1_100], slice_operations: 10, ..party(1) };
        assert!((sample("pipe/one_way/64/two_cores", vec![party(1), receiver]).cost_ns() - 105.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_sent_one_way_on_one_core_is_told_by_the_processor_time_of_both() {
        let sample = sample("pipe/one_way/64/one_core", vec![party(30_000), party(20_000)]);
        assert!((sample.cost_ns() - 500.0).abs() < 1e-9);
    }

    #[test]
    fn all_that_take_count_from_the_first_to_the_last() {
        let late = Measured { began: 3_000, ended: 2_001_000, operations: 300, ..party(1) };
        assert!((sample("flock/take/2/two_cores", vec![party(1), late]).cost_ns() - 5_000.0).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn quantiles_are_lengths_that_were_seen(pairs in prop::collection::vec((1..1_000_000_u64, 1..100_u64), 1..50), part in 0.0..1.0_f64) {
            let flat: Vec<u64> = pairs.iter().flat_map(|(length, count)| [*length, *count]).collect();
            let latencies = Latencies::of(&flat);
            let quantile = latencies.quantile(part);
            prop_assert!(pairs.iter().any(|(length, _)| (*length as f64 - quantile).abs() < 0.5));
            let below: u64 = latencies.iter().filter(|(length, _)| *length as f64 <= quantile).map(|(_, count)| count).sum();
            prop_assert!(below as f64 >= part * latencies.count() as f64 - 1e-6);
        }
    }
}
