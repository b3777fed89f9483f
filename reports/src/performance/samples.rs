//! A bench that tests of reports are about: made up, with figures as a machine gives them.

use super::record::{Header, Line, Record, VERSION};
use harness_core::{
    measure::{Cell, Sample, Shape, floor, sample::Reading, statistics::Random, sweep},
    wire::Measured,
};
use spec::Mechanism;
use std::collections::BTreeMap;

/// The mechanisms that were measured.
const MECHANISMS: [Mechanism; 9] = [
    Mechanism::Pipe,
    Mechanism::Fifo,
    Mechanism::UnixStream,
    Mechanism::Udp,
    Mechanism::PosixMq,
    Mechanism::Memfd,
    Mechanism::Eventfd,
    Mechanism::Flock,
    Mechanism::Signal,
];

/// How many times its floor each takes.
fn multiple(cell: &Cell) -> f64 {
    let own = match cell.mechanism {
        Mechanism::Pipe => 1.10,
        Mechanism::Fifo => 1.12,
        Mechanism::UnixStream => 1.9,
        Mechanism::Udp => 2.4,
        Mechanism::PosixMq => 1.4,
        Mechanism::Memfd => 1.2,
        Mechanism::Eventfd => 0.98,
        Mechanism::Flock => 4.8,
        _ => 1.5,
    };
    if cell.shape == Shape::OneWay { own * 4.0 } else { own * f64::from(cell.parties).max(2.0) / 2.0 }
}

fn floor_ns(floor: harness_core::measure::Floor, cell: &Cell) -> f64 {
    use harness_core::measure::{Floor, Placement};
    match (floor, cell.placement) {
        (Floor::SystemCall, _) => 172.0,
        (Floor::Copy, _) => 2.0 + cell.bytes as f64 / 50.0,
        (Floor::Add, _) => 2.0,
        (Floor::Line, _) => 67.0,
        (Floor::Switch, Placement::OneCore) => 4_500.0,
        (Floor::Switch, Placement::TwoAwake) => 21_000.0,
        (Floor::Switch, _) => 52_000.0,
    }
}

/// A sample of a cell in a round.
pub(super) fn sample(cell: Cell, round: u32, slowdown: f64) -> Sample {
    let mut random = Random::new(u64::from(round) + cell.bytes);
    let burst = 1.0 + random.below(100) as f64 / 1_000.0;
    let floors: Vec<Reading> = floor::measured(&cell)
        .into_iter()
        .map(|floor| {
            let ns = (floor_ns(floor, &cell) * burst * 8.0).round() / 8.0;
            Reading { floor, before_ns: ns, after_ns: ns }
        })
        .collect();
    let floor: f64 = floor::of(&cell).iter().map(|floor| floor_ns(*floor, &cell)).sum();
    let cost = floor * burst * multiple(&cell) * slowdown;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "made-up figures are small")]
    let ns = cost as u64;
    let operations = 4_000;
    let party = Measured {
        operations,
        began: 1_000_000,
        ended: 1_000_000 + ns * operations,
        processor_ns: ns * operations / u64::from(cell.parties),
        voluntary_switches: if cell.shape.is_round_trip() { operations } else { 0 },
        pace_ns: 6_000,
        latencies: vec![ns * 9 / 10, 400, ns, 3_000, ns * 3 / 2, 560, ns * 8, 36, ns * 400, 4],
        slices: vec![ns * 250; 16],
        slice_operations: 250,
        lost: if cell.mechanism == Mechanism::Udp && cell.shape == Shape::OneWay { 1_000 } else { 0 },
        ..Measured::default()
    };
    Sample {
        cell,
        round,
        processors: Vec::new(),
        measured: vec![party; usize::from(cell.parties)],
        delays_ns: Vec::new(),
        floors,
        warm_up_ns: 12_000_000,
        is_steady: true,
        steal_ns: 0,
        voided: u32::from(round == 1 && cell.bytes == 64),
    }
}

/// The bench.
pub(super) fn record() -> Record {
    slowed(&|_| 1.0)
}

/// The same on a machine, or of a build, on which some cells are slower.
pub(super) fn slowed(slowdown: &dyn Fn(&Cell) -> f64) -> Record {
    let header = Header {
        version: VERSION,
        agent: "plumbline-agent 0.0.0".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        command: vec!["bench".to_owned()],
        system: BTreeMap::from([("os".to_owned(), "linux".to_owned()), ("machine".to_owned(), "x86_64".to_owned())]),
        machine: BTreeMap::from([
            ("processor".to_owned(), "AMD EPYC".to_owned()),
            ("hypervisor".to_owned(), "yes".to_owned()),
            ("processors".to_owned(), "2".to_owned()),
        ]),
        isolation: "namespaces".to_owned(),
        is_full: true,
    };
    let mut record = Record { header, complete: true, ..Record::default() };
    for round in 0..5 {
        for cell in MECHANISMS.into_iter().flat_map(sweep::full) {
            if cell.shape == Shape::OneWay && cell.mechanism == Mechanism::PosixMq && cell.bytes > 8_192 {
                record.not_applicable.insert(cell, "mq_open: EINVAL (Invalid argument) on posix_mq".to_owned());
            } else {
                record.samples.push(sample(cell, round, slowdown(&cell)));
            }
        }
    }
    for cell in MECHANISMS.into_iter().flat_map(sweep::quick).filter(|cell| cell.placement.name() == "one_core") {
        let calls = if cell.shape.is_round_trip() { 4.0 } else { 2.0 };
        if !record.not_applicable.contains_key(&cell) {
            record.calls.insert(cell, calls);
        }
    }
    record
}

/// As it is written down.
pub(super) fn lines(record: &Record) -> Vec<Line> {
    let mut lines = vec![Line::Bench(record.header.clone())];
    lines.extend(record.samples.iter().cloned().map(|sample| Line::Sample(Box::new(sample))));
    let reasons = record.not_applicable.iter();
    lines.extend(reasons.map(|(cell, reason)| Line::NotApplicable { cell: *cell, reason: reason.clone() }));
    lines.extend(record.calls.iter().map(|(cell, calls)| Line::SystemCalls { cell: *cell, calls: *calls }));
    lines.push(Line::Complete);
    lines
}
