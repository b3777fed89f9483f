//! Races side by side with hand-written loops of the same races: iterations a second, and in how many of them the calls overlapped.
//!
//! `cargo bench -p harness --bench race` (a C compiler and two processors are needed), with `-- NAME…` for some of the races alone.
//! The reference agent has to be built: `cargo build --release -p impls`. Both do the same steps, use 64 objects again and again, and
//! are run in turns; of each the fastest round counts, since what else goes on at the machine only slows. C looks at the clock before
//! and after the calls that race, and writes that down in a place that it uses again (in both, words that were cleared are looked at by all before
//! they are used again, so that stores can be passed); Plumbline does so around every call, also one
//! that nothing races with, and keeps all of it, since it has to judge it. `loop` is the time in which processes race; `whole` is
//! everything else as well: processes, channels, journals, judgement.

mod support;

use harness::{Config, Job, Progress, Session};
use harness_core::{
    Plan, Verdict,
    expand::{self, Host},
    race::{Environment, Release},
};
use std::{
    path::{Path, PathBuf},
    process::Command,
};
use support::beside;

/// Iterations of one round.
const RUNS: u32 = 50_000;

/// How often each side has its turn; the fastest counts.
const ROUNDS: usize = 15;

/// A race by its name in `c/race.c`, and as a scenario.
const RACES: [(&str, &str); 5] = [
    (
        "pipe",
        "mechanisms: [pipe]
channels: { line: stream }
processes:
  left: [{ write: { size: size } }, { meet: written }, { read: 16, record: order }]
  right: [{ write: { size: size } }, { meet: written }]
vary: { size: [8] }
must: [complete, exactly_once, whole]
control: { change: { size: 9 }, breaks: complete }
",
    ),
    (
        "mq",
        "mechanisms: [posix_mq]
channels: { mail: { is: queue, capacity: 4, message_size: 8 } }
processes:
  left: [{ send: { size: size } }, { meet: sent }, { receive: 8, record: first }, { receive: 8, record: second }]
  right: [{ send: { size: size } }, { meet: sent }]
vary: { size: [8] }
must: [complete, exactly_once, whole]
control: { change: { size: 9 }, breaks: complete }
",
    ),
    (
        "semop",
        "mechanisms: [sysv_sem]
channels: { gate: { is: counter, size: 1, initial: permits } }
processes:
  left: [{ semop: [{ number: 0, add: -1, nonblocking: true }], record: a }]
  right: [{ semop: [{ number: 0, add: -1, nonblocking: true }], record: b }]
vary: { permits: [1] }
must: finishes
control: { change: { permits: 0 }, breaks: finishes }
",
    ),
    (
        "nonblocking",
        "mechanisms: [pipe]
channels: { line: stream }
processes:
  left: [{ write: { size: size, nonblocking: true }, record: a }]
  right: [{ read: { size: 8, nonblocking: true }, record: b }]
vary: { size: [8] }
must: exactly_once
control: { change: { size: 9 }, breaks: exactly_once }
",
    ),
    (
        "store_buffer",
        "mechanisms: [posix_shm]
channels: { page: memory }
processes:
  left: [{ store: { cell: 0, value: 1, order: relaxed } }, { load: { cell: 16, order: relaxed }, record: a }]
  right: [{ store: { cell: 16, value: 1, order: relaxed } }, { load: { cell: 0, order: relaxed }, record: b }]
must: [{ seen: { a: 0, b: 0 } }]
",
    ),
];

/// What one side made of one round: iterations a second in the loop and as a whole, and the share of overlaps.
#[derive(Clone, Copy, Default)]
struct Figures {
    in_loop: f64,
    whole: f64,
    overlap: f64,
}

#[expect(clippy::print_stdout, reason = "a bench prints what it measured")]
fn main() {
    let program = compiled();
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    println!("{RUNS} iterations a round, the fastest of {ROUNDS} rounds; rates in thousands a second");
    println!(
        "{:<13} {:<8} {:>8} {:>8} {:>6} {:>9} {:>10} {:>10}",
        "race", "release", "C", "loop", "ratio", "whole", "overlap C", "overlap"
    );
    for environment in [Environment::Spin, Environment::Instant] {
        let session = session(environment);
        for (name, text) in
            RACES.into_iter().filter(|(name, _)| asked.is_empty() || asked.iter().any(|one| one == name))
        {
            let plan = plan(&session, text);
            let (mut c, mut own) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                c.push(by_c(&program, name, environment));
                own.push(by_plumbline(&session, &plan, environment));
            }
            let (c, own) = (fastest(&c), fastest(&own));
            println!(
                "{name:<13} {:<8} {:>8.0} {:>8.0} {:>6.2} {:>9.0} {:>8.1} % {:>8.1} %",
                environment.name(),
                c.in_loop / 1e3,
                own.in_loop / 1e3,
                own.in_loop / c.in_loop,
                own.whole / 1e3,
                c.overlap,
                own.overlap
            );
        }
    }
}

/// The round with the highest rate in the loop.
fn fastest(figures: &[Figures]) -> Figures {
    figures.iter().copied().max_by(|one, other| one.in_loop.total_cmp(&other.in_loop)).unwrap_or_default()
}

fn by_c(program: &Path, race: &str, environment: Environment) -> Figures {
    let output = Command::new(program)
        .args([race, environment.name(), &RUNS.to_string()])
        .output()
        .expect("it was just compiled");
    assert!(output.status.success(), "{race} in C failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("it prints numbers")).collect();
    let in_loop = numbers[2] * 1e9 / numbers[0];
    Figures { in_loop, whole: in_loop, overlap: 100.0 * numbers[1] / numbers[2] }
}

fn by_plumbline(session: &Session, plan: &Plan, environment: Environment) -> Figures {
    let mut figures = None;
    session.run(vec![Job { plan: plan.clone(), control: None }], &mut |progress| {
        let Progress::Completed(completion) = progress else { return };
        let judgement = completion.judgement.as_ref().expect("it is not skipped");
        let race = judgement.race.as_ref().expect("it is a race");
        let counts = race.environments.get(&environment).expect("it was asked for");
        assert_eq!((counts.runs, judgement.runs), (RUNS, RUNS), "{:?}", judgement.findings);
        // Fast is nothing where what the race is about does not come to light.
        assert!(environment != Environment::Spin || judgement.verdict == Verdict::Held, "{:?}", judgement.findings);
        let rate = |ns: u64| f64::from(RUNS) * 1e9 / ns as f64;
        let overlap = 100.0 * f64::from(counts.overlapped) / f64::from(RUNS);
        figures = Some(Figures { in_loop: rate(counts.racing_ns), whole: rate(completion.duration_ns), overlap });
    });
    figures.expect("the session completes its job")
}

fn session(environment: Environment) -> Session {
    let release = Some(Release { environment, offsets: Vec::new() });
    let agent = vec![beside("plumbline-agent").into()];
    // What is measured is as many runs as were asked for, whatever they came to.
    let config = Config { jobs: 1, release, extends: false, ..Config::new(agent, beside("examples/helper")) };
    Session::start(config).expect("the reference agent starts")
}

fn plan(session: &Session, text: &str) -> Plan {
    let text = format!("title: Two race\nbecause: It is measured.\ncites: [none]\n{text}runs: {RUNS}\n");
    let scenario = spec::load::text("races/bench", "bench.yaml", &text)
        .unwrap_or_else(|complaints| panic!("{}", complaints.render(false)));
    let facts = session.facts();
    let hello = &facts.hello;
    let host = Host {
        mechanisms: &hello.mechanisms,
        lacks: &hello.lacks,
        capabilities: &hello.capabilities,
        limits: &hello.limits,
        processors: facts.processors,
        platform: "linux",
        machine: std::env::consts::ARCH,
    };
    let mut plan = expand::plan(&scenario, &expand::names(&scenario)[0], &host)
        .unwrap_or_else(|skip| panic!("it cannot be run here: {}", skip.reason));
    plan.within_ns = 60_000_000_000;
    plan
}

/// Compiles `c/race.c`.
fn compiled() -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/c/race.c");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("race");
    let status = Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&program).arg(&source).status();
    assert!(status.is_ok_and(|status| status.success()), "cc cannot compile {}", source.display());
    program
}
