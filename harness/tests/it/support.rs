//! Plans from YAML, and sessions with the test agents of `harness/examples/`.

use harness::{Completion, Config, IsolationChoice, Job, Progress, Session, StartError};
use harness_core::{
    Plan,
    expand::{self, Host},
};
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// A program among the examples, which `cargo test` builds beside the tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("tests lie in target/PROFILE/deps");
    let path = profile.join("examples").join(name);
    assert!(path.exists(), "{} is missing: run `cargo build -p harness --examples`", path.display());
    path
}

/// The plan of a scenario for pipes, every amount plain.
pub(crate) fn plan(text: &str) -> Plan {
    let scenario = spec::load::text("ordering/test", "test.yaml", text).unwrap_or_else(|complaints| {
        panic!("the test's own scenario does not load:\n{}", complaints.render(false));
    });
    let mechanisms = vec!["pipe".to_owned()];
    let limits: BTreeMap<String, u64> = BTreeMap::new();
    let host = Host {
        mechanisms: &mechanisms,
        lacks: &[],
        capabilities: &[],
        limits: &limits,
        processors: 2,
        platform: "linux",
        machine: std::env::consts::ARCH,
    };
    let names = expand::names(&scenario);
    expand::plan(&scenario, &names[0], &host).expect("the test's own scenario has a plan")
}

/// A session with the wayward agent.
pub(crate) fn session(misbehaviour: &str) -> Result<Session, StartError> {
    let agent = vec![example("wayward_agent").into_os_string(), misbehaviour.into()];
    Session::start(Config {
        jobs: 1,
        isolation: IsolationChoice::None,
        patience: Duration::from_millis(1500),
        ..Config::new(agent, example("helper"))
    })
}

/// Runs plans one after another.
pub(crate) fn run(session: &Session, plans: Vec<Plan>) -> Vec<Completion> {
    let jobs: Vec<Job> = plans.into_iter().map(|plan| Job { plan, control: None }).collect();
    let mut completions = Vec::new();
    session.run(jobs, &mut |progress| {
        if let Progress::Completed(completion) = progress {
            completions.push(*completion);
        }
    });
    completions
}

/// A story that a well-behaved agent of pipes holds.
pub(crate) const HELLO: &str = "
title: A reader gets what a writer wrote
because: It is the least that a pipe can do.
cites: [POSIX.1-2024 read()]
mechanisms: [pipe]
channels: { line: stream }
within: 1s
story:
  - writer: { write: hello }
  - reader: { read: 64, gives: hello }
";
