//! What the harness costs: a step of a story, a scenario that does almost nothing, and beside them the least that the protocol asks for, and
//! a bare fork and wait.
//!
//! `cargo bench -p harness` (a C compiler is needed). The reference agent has to be built: `cargo build --release -p impls`.

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use harness::{Config, Job, Session};
use harness_core::{
    Plan,
    expand::{self, Host},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};
use support::beside;

fn session() -> Session {
    let config = Config { jobs: 1, ..Config::new(vec![beside("plumbline-agent").into()], beside("examples/helper")) };
    Session::start(config).expect("the reference agent starts")
}

/// A story of one writer and one reader with so many rounds.
fn story(session: &Session, rounds: usize) -> Plan {
    let mut text = String::from(
        "title: A message goes through a pipe\nbecause: It is measured.\ncites: [POSIX.1-2024 read()]\nmechanisms: [pipe]\nchannels: { line: stream }\nstory:\n",
    );
    for _ in 0..rounds {
        text.push_str("  - writer: { write: x }\n  - reader: { read: 64, gives: x }\n");
    }
    let scenario = spec::load::text("ordering/bench", "bench.yaml", &text).expect("the bench's scenario loads");
    let hello = &session.facts().hello;
    let host = Host {
        mechanisms: &hello.mechanisms,
        lacks: &hello.lacks,
        capabilities: &hello.capabilities,
        limits: &hello.limits,
        processors: session.facts().processors,
        platform: "linux",
        machine: std::env::consts::ARCH,
    };
    expand::plan(&scenario, &expand::names(&scenario)[0], &host).expect("the bench's scenario has a plan")
}

fn run_many(session: &Session, plan: &Plan, times: u64) -> Duration {
    let jobs: Vec<Job> = (0..times).map(|_| Job { plan: plan.clone(), control: None }).collect();
    let start = Instant::now();
    session.run(jobs, &mut |_| {});
    start.elapsed()
}

/// Compiles a program of `benches/c`.
fn compiled(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/c").join(name).with_extension("c");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let status = Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&program).arg(&source).status();
    assert!(status.is_ok_and(|status| status.success()), "cc cannot compile {}", source.display());
    program
}

/// The time that a program printed.
fn nanoseconds(command: &mut Command) -> Duration {
    let output = command.output().expect("it was just compiled");
    assert!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8_lossy(&output.stdout);
    Duration::from_nanos(text.trim().parse().expect("it prints nanoseconds"))
}

fn cost(criterion: &mut Criterion) {
    let session = session();
    let (short, long) = (story(&session, 1), story(&session, 101));
    let mut group = criterion.benchmark_group("harness");
    group.sample_size(20);
    group.bench_function("scenario of two processes and two steps", |bencher| {
        bencher.iter_custom(|times| run_many(&session, &short, times));
    });
    group.bench_function("step of a story", |bencher| {
        bencher.iter_custom(|times| {
            let whole = run_many(&session, &long, times);
            let empty = run_many(&session, &short, times);
            whole.saturating_sub(empty) / 200
        });
    });
    let protocol = compiled("protocol");
    group.bench_function("the least that the protocol asks for in that scenario, in C", |bencher| {
        bencher.iter_custom(|times| nanoseconds(Command::new(&protocol).arg(times.to_string())));
    });
    let fork_and_wait = compiled("fork_and_wait");
    group.bench_function("fork and wait of two processes, in C", |bencher| {
        bencher.iter_custom(|times| nanoseconds(Command::new(&fork_and_wait).args([&times.to_string(), "2"])));
    });
    group.finish();
}

criterion_group!(benches, cost);
criterion_main!(benches);
