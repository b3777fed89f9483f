//! How many histories, and how long ones, are judged a second: the patterns of long queues alone, and by model all that a judge does
//! with a history.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use harness_core::{
    Event, History, Plan,
    model::{
        self,
        long_queue::{Found, Interval, Passage, by_arrival, by_priority},
    },
    plan::{PlanChannel, PlanProcess, PlanStep},
    wire::{Data, HeldEnd, Outcome, Piece, Received, Run},
};
use spec::{
    Ability, Mechanism, Operation,
    scenario::{Attach, Channel, Expect, Orders, Span},
};
use std::{cell::Cell, collections::BTreeMap, hint::black_box};

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
    let mut waiting: BTreeMap<(std::cmp::Reverse<u64>, usize), ()> = BTreeMap::new();
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

/// How many processes make the calls of a history that is judged by its model.
const PROCESSES: usize = 8;

/// A correct history on one object, call by call: who makes the next call, what it is and what it gives.
trait Object {
    fn mechanism(&self) -> Mechanism;
    /// The next call of this process; `None` where it would have to wait.
    fn call(&mut self, process: usize) -> Option<(String, Outcome)>;
}

/// A queue: the first four processes send, the others receive.
#[derive(Default)]
struct QueueObject {
    priorities: u64,
    sent: [u32; PROCESSES],
    content: Vec<(u64, usize, u32)>,
    number: u64,
}

impl Object for QueueObject {
    fn mechanism(&self) -> Mechanism {
        if self.priorities > 1 { Mechanism::PosixMq } else { Mechanism::UnixSeqpacket }
    }

    fn call(&mut self, process: usize) -> Option<(String, Outcome)> {
        if process < PROCESSES / 2 {
            self.number += 1;
            let priority = self.number * 7919 % self.priorities.max(1);
            self.content.push((priority, process, self.sent[process]));
            self.sent[process] += 1;
            let priority = if self.priorities > 1 { format!(r#","priority":{priority}"#) } else { String::new() };
            return Some((format!(r#"{{"send":{{"size":64{priority}}}}}"#), Outcome::Count(64)));
        }
        let best = self.content.iter().map(|message| message.0).max()?;
        let place = self.content.iter().position(|message| message.0 == best)?;
        let (priority, from, message) = self.content.remove(place);
        let run = Run { from: u8::try_from(from + 1).unwrap_or(0), message, offset: 0, length: 64 };
        let priority = (self.priorities > 1).then_some(priority);
        let piece = Piece { length: 64, data: Data::Runs(vec![run]), priority, r#type: None, truncated: false };
        let received = Received { pieces: vec![piece], ended: false, failed: None };
        Some((r#"{"receive":{}}"#.to_owned(), Outcome::Received(received)))
    }
}

/// A semaphore: the first four processes post, the others wait.
#[derive(Default)]
struct SemaphoreObject(u64);

impl Object for SemaphoreObject {
    fn mechanism(&self) -> Mechanism {
        Mechanism::PosixSem
    }

    fn call(&mut self, process: usize) -> Option<(String, Outcome)> {
        if process < PROCESSES / 2 {
            self.0 += 1;
            return Some((r#"{"post":{}}"#.to_owned(), Outcome::Done));
        }
        self.0 = self.0.checked_sub(1)?;
        Some((r#"{"wait":{}}"#.to_owned(), Outcome::Done))
    }
}

/// A mutex that each takes and gives back in turn.
#[derive(Default)]
struct MutexObject(Option<usize>);

impl Object for MutexObject {
    fn mechanism(&self) -> Mechanism {
        Mechanism::PthreadMutex
    }

    fn call(&mut self, process: usize) -> Option<(String, Outcome)> {
        match self.0 {
            None => {
                self.0 = Some(process);
                Some((r#"{"lock":{}}"#.to_owned(), Outcome::Done))
            }
            Some(owner) if owner == process => {
                self.0 = None;
                Some((r#"{"unlock":{}}"#.to_owned(), Outcome::Done))
            }
            Some(_) => None,
        }
    }
}

/// A cell that all add to.
#[derive(Default)]
struct CellObject(u64);

impl Object for CellObject {
    fn mechanism(&self) -> Mechanism {
        Mechanism::PosixShm
    }

    fn call(&mut self, _: usize) -> Option<(String, Outcome)> {
        self.0 += 1;
        Some((r#"{"fetch_add":{}}"#.to_owned(), Outcome::Count(self.0 - 1)))
    }
}

/// A plan and a history of so many calls. Each call takes effect at an instant of its own, and its interval reaches to others'.
fn calls_on(object: &mut dyn Object, length: usize) -> (Plan, History) {
    let numbers = Numbers(Cell::new(7));
    let mut processes: Vec<Vec<PlanStep>> = vec![Vec::new(); PROCESSES];
    let (mut free, mut now) = ([0_u64; PROCESSES], 1_000);
    let mut events: Vec<(u64, Event)> = Vec::new();
    let mut done = 0;
    while done < length {
        now += 20 + numbers.below(20);
        let process = usize::try_from(numbers.below(PROCESSES as u64)).unwrap_or(0);
        let began = now.saturating_sub(numbers.below(60)).max(free[process] + 1);
        if began > now {
            continue;
        }
        let Some((operation, outcome)) = object.call(process) else { continue };
        let operation: Operation<u64> = serde_json::from_str(&operation).expect("the bench knows operations");
        let ended = now + numbers.below(60);
        free[process] = ended;
        let step = processes[process].len();
        let (expect, span) = (Expect::Succeeds, Span::default());
        let planned = PlanStep { operation, channel: Some(0), expect, record: None, span, expect_span: span };
        processes[process].push(planned);
        events.push((began, Event::Began { process, step, at: began }));
        events.push((ended, Event::Returned { process, step, began, ended, outcome }));
        done += 1;
    }
    events.sort_by_key(|(at, _)| *at);
    let history = History { run: 0, events: events.into_iter().map(|(_, event)| event).collect() };
    (plan(object.mechanism(), processes), history)
}

fn plan(mechanism: Mechanism, processes: Vec<Vec<PlanStep>>) -> Plan {
    let row = spec::vocabulary::MECHANISMS.iter().find(|row| row.name == mechanism.name());
    let ability = row.map_or(Ability::Queue, |row| row.ability);
    let channel = PlanChannel { name: "object".to_owned(), mechanism, options: Channel::plain(ability), stamped: true };
    Plan {
        id: "ordering/bench[object]".to_owned(),
        scenario: "ordering/bench".to_owned(),
        mechanism,
        parameters: BTreeMap::new(),
        title: String::new(),
        cites: Vec::new(),
        attach: Attach::Inherit,
        channels: vec![channel],
        processes: (1..)
            .zip(processes)
            .map(|(number, steps)| PlanProcess {
                name: format!("process.{number}"),
                kind: "process".to_owned(),
                number,
                forked_by: None,
                holds: vec![(0, HeldEnd::Both)],
                steps,
            })
            .collect(),
        story: Vec::new(),
        runs: 1,
        race: false,
        orders: Orders::Free,
        claims: Vec::new(),
        must_break: None,
        expect_broken: None,
        within_ns: 1,
        source: None,
    }
}

fn by_model(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("model");
    group.sample_size(10);
    for length in [100, 1_000, 10_000] {
        let queue = |priorities| QueueObject { priorities, ..QueueObject::default() };
        let mut objects: [(&str, Box<dyn Object>); 5] = [
            ("fifo", Box::new(queue(1))),
            ("priority", Box::new(queue(32))),
            ("semaphore", Box::<SemaphoreObject>::default()),
            ("mutex", Box::<MutexObject>::default()),
            ("cell", Box::<CellObject>::default()),
        ];
        for (name, object) in &mut objects {
            let (plan, history) = calls_on(&mut **object, length);
            group.throughput(Throughput::Elements(length as u64));
            group.bench_function(BenchmarkId::new(*name, length), |bencher| {
                bencher.iter(|| {
                    let opinion = model::judge(black_box(&plan), black_box(&history));
                    assert_eq!((opinion.judged, opinion.violations.len()), (1, 0), "{:?}", opinion.unjudged);
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, long_histories, by_model);
criterion_main!(benches);
