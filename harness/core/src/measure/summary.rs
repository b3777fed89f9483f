//! What the samples of a cell come to: one row.

use super::{
    cell::Cell,
    floor::Floor,
    sample::{Latencies, Sample},
    statistics::{Interval, interval, median},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Of fewer lengths of time the highest thousandth says nothing.
const THOUSANDTHS_MIN: u64 = 10_000;

/// How long things took: nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50: f64,
    /// What 90 of 100 do not exceed.
    pub p90: f64,
    /// What 99 of 100 do not exceed.
    pub p99: f64,
    /// What 999 of 1000 do not exceed, where enough were seen.
    pub p999: Option<f64>,
    /// The longest.
    pub maximum: f64,
    /// How many were seen.
    pub count: u64,
}

impl Latency {
    fn of(latencies: &Latencies) -> Self {
        let count = latencies.count();
        Self {
            p50: latencies.quantile(0.5),
            p90: latencies.quantile(0.9),
            p99: latencies.quantile(0.99),
            p999: (count >= THOUSANDTHS_MIN).then(|| latencies.quantile(0.999)),
            maximum: latencies.maximum() as f64,
            count,
        }
    }
}

/// What the samples of a cell come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Of what.
    pub cell: Cell,
    /// How many rounds.
    pub rounds: usize,
    /// How many of them were disturbed and could not be had better.
    pub disturbed: usize,
    /// How many samples were thrown away.
    pub voided: u32,
    /// The figure, see [`super::Shape::unit`]: nanoseconds.
    pub cost_ns: f64,
    /// Its 95 % interval over rounds.
    pub cost_interval: Interval,
    /// Its floor: nanoseconds.
    pub floor_ns: f64,
    /// The figure as a multiple of its floor, each round's own.
    pub ratio: f64,
    /// Its 95 % interval over rounds.
    pub ratio_interval: Interval,
    /// How long each took, where each was timed.
    pub latency: Option<Latency>,
    /// Lengths of time that were seen, for pictures.
    #[serde(default, skip_serializing_if = "Latencies::is_empty")]
    pub latencies: Latencies,
    /// Processor time of all parties for one operation: nanoseconds.
    pub processor_ns: f64,
    /// Context switches of all parties for one operation.
    pub switches: f64,
    /// System calls of all parties for one operation, where they were counted.
    pub system_calls: Option<f64>,
    /// Messages that did not arrive, of all that were sent.
    pub loss: f64,
    /// The cache line between two processors, there and back: nanoseconds; 0 where it was not looked at.
    pub line_ns: f64,
}

impl Row {
    /// Operations a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        if self.cost_ns > 0.0 { 1e9 / self.cost_ns } else { 0.0 }
    }

    /// Bytes a second, of messages that go one way.
    #[must_use]
    pub fn bytes_per_second(&self) -> f64 {
        self.rate() * self.cell.bytes as f64
    }

    /// What the samples of a cell come to; `None` of none. Disturbed ones count where there are no others.
    #[must_use]
    pub fn of(samples: &[&Sample]) -> Option<Self> {
        let first = samples.first()?;
        let quiet: Vec<&Sample> = samples.iter().copied().filter(|sample| !sample.is_disturbed()).collect();
        let used = if quiet.is_empty() { samples } else { &quiet };
        let costs: Vec<f64> = used.iter().map(|sample| sample.cost_ns()).collect();
        let ratios: Vec<f64> = used.iter().filter_map(|sample| sample.ratio()).collect();
        let floors: Vec<f64> = used.iter().filter_map(|sample| sample.floor_ns()).collect();
        let middle = |of: &dyn Fn(&Sample) -> f64| median(&used.iter().map(|sample| of(sample)).collect::<Vec<_>>());
        let mut latencies = Latencies::default();
        if !first.cell.shape.is_one_way() && !first.cell.shape.is_taking() {
            used.iter().for_each(|sample| latencies.add(&sample.latencies()));
        }
        let lines: Vec<f64> = used.iter().filter_map(|sample| Some(sample.reading(Floor::Line)?.ns())).collect();
        Some(Self {
            cell: first.cell,
            rounds: samples.len(),
            disturbed: samples.len() - quiet.len(),
            voided: samples.iter().map(|sample| sample.voided).sum(),
            cost_ns: median(&costs),
            cost_interval: interval(&costs),
            floor_ns: median(&floors),
            ratio: median(&ratios),
            ratio_interval: interval(&ratios),
            latency: (latencies.count() > 0).then(|| Latency::of(&latencies)),
            latencies,
            processor_ns: middle(&Sample::processor_ns),
            switches: middle(&Sample::switches),
            system_calls: None,
            loss: middle(&Sample::loss),
            line_ns: median(&lines),
        })
    }
}

/// A cell and how it came out, over all rounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It was measured.
    Measured(Box<Row>),
    /// It cannot be done, and why.
    NotApplicable(String),
    /// It could be done and came to nothing, and why: a fault.
    Failed(String),
}

/// Makes rows of samples, in the order of their cells.
#[must_use]
pub fn rows(samples: &[Sample]) -> BTreeMap<Cell, Row> {
    let mut groups: BTreeMap<Cell, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        groups.entry(sample.cell).or_default().push(sample);
    }
    groups.into_iter().filter_map(|(cell, samples)| Some((cell, Row::of(&samples)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::Row;
    use crate::{
        measure::{Sample, sample::Reading},
        wire::Measured,
    };

    fn sample(round: u32, latency: u64, floor: f64, busy: bool) -> Sample {
        let party = Measured {
            operations: 20_000,
            began: 0,
            ended: latency * 20_000,
            processor_ns: if busy { latency * 8_000 } else { latency * 10_000 },
            voluntary_switches: 20_000,
            latencies: vec![latency, 19_000, latency * 3, 1_000],
            ..Measured::default()
        };
        Sample {
            cell: "pipe/round_trip/64/one_core".parse().unwrap(),
            round,
            processors: Vec::new(),
            measured: vec![party.clone(), party],
            delays_ns: Vec::new(),
            floors: vec![Reading { floor: super::Floor::Switch, before_ns: floor, after_ns: floor }],
            warm_up_ns: 0,
            is_steady: true,
            steal_ns: 0,
            voided: 0,
        }
    }

    #[test]
    fn each_round_is_compared_with_its_own_floor() {
        let samples =
            [sample(0, 5_000, 4_000.0, false), sample(1, 7_500, 6_000.0, false), sample(2, 5_000, 4_000.0, false)];
        let row = Row::of(&samples.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!(
            (row.cost_ns, row.ratio, row.ratio_interval.low, row.ratio_interval.high),
            (5_000.0, 1.25, 1.25, 1.25)
        );
        let latency = row.latency.unwrap();
        assert_eq!(
            (latency.p50, latency.p99, latency.p999, latency.count),
            (5_000.0, 22_500.0, Some(22_500.0), 60_000)
        );
        assert!((row.switches - 2.0).abs() < 1e-9);
    }

    #[test]
    fn disturbed_rounds_do_not_count_where_there_are_others() {
        let samples = [sample(0, 5_000, 4_000.0, false), sample(1, 90_000, 4_000.0, true)];
        let row = Row::of(&samples.iter().collect::<Vec<_>>()).unwrap();
        assert_eq!((row.cost_ns, row.rounds, row.disturbed), (5_000.0, 2, 1));
        let only = Row::of(&[&samples[1]]).unwrap();
        assert_eq!((only.cost_ns, only.disturbed), (90_000.0, 1));
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert!(Row::of(&[]).is_none());
    }
}
