//! How many histories, and how long ones, are judged a second.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use harness_core::model::long_queue::{Found, Interval, Passage, by_arrival, by_priority};
use std::{cell::Cell, hint::black_box};

/// A generator that gives the same numbers each time.
struct Numbers(Cell<u64>);

impl Numbers {
    fn below(&self, bound: u64) -> u64 {
        let next = self.0.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0.set(next);
        (next >> 33) % bound
    }
}

/// The history of a correct queue: four processes send, four receive, and calls overlap. `length` is the number of calls.
fn history(length: usize, priorities: u64) -> Vec<Passage> {
    let numbers = Numbers(Cell::new(7));
    let mut free = [0_u64; 8];
    let mut now = 1000;
    let mut passages: Vec<Passage> = Vec::new();
    let mut waiting: std::collections::BTreeMap<(std::cmp::Reverse<u64>, usize), ()> =
        std::collections::BTreeMap::new();
    let mut stretch = |process: usize, now: u64| {
        let began = now.saturating_sub(numbers.below(100)).max(free[process] + 1);
        let ended = now.max(began) + numbers.below(100);
        free[process] = ended;
        (began <= now).then_some(Interval { began, ended })
    };
    let mut calls = 0;
    while calls < length {
        now += 1 + numbers_step(calls);
        let process = calls % 8;
        let Some(interval) = stretch(process, now) else {
            now += 200;
            continue;
        };
        if process < 4 || waiting.is_empty() {
            let priority = passages.len() as u64 * 7919 % priorities;
            waiting.insert((std::cmp::Reverse(priority), passages.len()), ());
            passages.push(Passage { priority, sent: interval, received: None });
        } else if let Some(((_, message), ())) = waiting.pop_first() {
            passages[message].received = Some(interval);
        }
        calls += 1;
    }
    passages
}

fn numbers_step(call: usize) -> u64 {
    (call as u64 * 31) % 40
}

fn long_histories(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("calls");
    group.sample_size(10);
    for (name, length, priorities) in [("fifo of 1000000", 1_000_000, 1), ("priority of 100000", 100_000, 32_768)] {
        let passages = history(length, priorities);
        group.throughput(Throughput::Elements(length as u64));
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (),
                |()| {
                    let passages = black_box(&passages);
                    let found = if priorities == 1 { by_arrival(passages, &[]) } else { by_priority(passages) };
                    assert_eq!(found, Found::Nothing, "the history is a correct one");
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, long_histories);
criterion_main!(benches);
