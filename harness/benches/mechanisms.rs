//! What mechanisms cost, by criterion: the same loops, processes and placement as `cargo xtask bench`, one figure a mechanism.
//!
//! `cargo bench -p harness --bench mechanisms [FILTER]` (`cargo build --release -p impls; cargo build --release -p harness --examples` first). As
//! many operations as criterion asks for are one sample, measured in the agent. Distributions, floors and comparisons are in `cargo xtask bench`.

mod support;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use harness::{
    Config, Session,
    measure::{Effort, Order, Unmeasured},
};
use harness_core::measure::{Cell, Placement, Shape, sweep};
use spec::vocabulary::MECHANISMS;
use std::time::Duration;
use support::beside;

/// Sizes of messages that throughput is shown of: bytes.
const BYTES: [u64; 2] = [64, 65_536];

fn main() {
    let mut criterion = Criterion::default()
        .configure_from_args()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    let session = session();
    for cell in MECHANISMS.iter().flat_map(|row| cells(row.mechanism)) {
        bench(&mut criterion, &session, cell);
    }
    criterion.final_summary();
}

/// The figure that says most about a mechanism, and its throughput on one processor.
fn cells(mechanism: spec::Mechanism) -> Vec<Cell> {
    let throughput = |cell: &Cell| {
        cell.shape == Shape::OneWay && cell.placement == Placement::OneCore && BYTES.contains(&cell.bytes)
    };
    sweep::brief(mechanism).into_iter().chain(sweep::full(mechanism).into_iter().filter(throughput)).collect()
}

fn bench(criterion: &mut Criterion, session: &Session, cell: Cell) {
    // Criterion has its own rounds, and its own look at what strays; a cell warms up for itself once in each sample.
    let effort = Effort { floor_ns: 0, batch_ns: 1_000_000, warm_up_max_ns: 3_000_000, tries: 1, ..Effort::QUICK };
    if let Err(Unmeasured::NotApplicable(_)) = session.measure(&Order::new(cell, 0, effort)) {
        return;
    }
    let mut group = criterion.benchmark_group(cell.shape.to_string());
    group.sampling_mode(SamplingMode::Flat);
    if cell.shape == Shape::OneWay {
        group.throughput(Throughput::Bytes(cell.bytes));
    }
    group.bench_function(BenchmarkId::from_parameter(cell), |bencher| {
        bencher.iter_custom(|operations| {
            let order = Order { operations: Some(operations), ..Order::new(cell, 0, effort) };
            let sample = session.measure(&order).unwrap_or_else(|problem| panic!("{cell}: {problem:?}"));
            // What the agent did, not what it was asked for: the two agree unless messages were lost.
            let each = sample.elapsed_ns() as f64 / sample.operations().max(1) as f64;
            Duration::from_secs_f64(each * operations as f64 / 1e9)
        });
    });
    group.finish();
}

fn session() -> Session {
    let config = Config { jobs: 1, ..Config::new(vec![beside("plumbline-agent").into()], beside("examples/helper")) };
    Session::start(config).expect("the reference agent starts")
}
