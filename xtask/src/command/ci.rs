//! `ci`: everything that has to pass, stage by stage. `.ci/run` and the workflow call it.

mod ordinary_user;

use crate::{
    ExitCode, Failure, agent,
    command::{schema, tidy},
    output, workspace,
};
use std::time::Instant;
use xshell::{Shell, cmd};

/// Everything that has to pass.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only these stages
    #[arg(value_enum, value_name = "STAGE")]
    stages: Vec<Name>,
}

/// The stages, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// Formatting
    Format,
    /// Clippy, with warnings as errors
    Clippy,
    /// All tests, one of them each instance
    Test,
    /// Documentation, with broken links as errors, and the examples in it
    Documentation,
    /// The walls, the words and the generated files
    Tidy,
    /// The corpus, as this user
    Conform,
    /// The suite against its saboteurs
    Sabotage,
    /// The corpus, as an ordinary user
    OrdinaryUser,
    /// The Python agent: its own tests, its validation, and the corpus as far as it goes
    Python,
}

impl Name {
    const ALL: [Self; 9] = [
        Self::Format,
        Self::Clippy,
        Self::Test,
        Self::Documentation,
        Self::Tidy,
        Self::Conform,
        Self::Sabotage,
        Self::OrdinaryUser,
        Self::Python,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Clippy => "clippy",
            Self::Test => "test",
            Self::Documentation => "documentation",
            Self::Tidy => "tidy",
            Self::Conform => "conform",
            Self::Sabotage => "the suite against its saboteurs",
            Self::OrdinaryUser => "conform as an ordinary user",
            Self::Python => "conform with the Python agent",
        }
    }
}

/// How a stage ended.
enum Outcome {
    Passed,
    /// It cannot be done here, and why.
    Skipped(String),
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let stages: &[Name] = if arguments.stages.is_empty() { &Name::ALL } else { &arguments.stages };
    let shell = Shell::new()?;
    shell.change_dir(workspace::root());
    // Snapshots are compared, never taken.
    shell.set_var("INSTA_UPDATE", "no");
    let (mut passed, mut failed) = (0, 0);
    for stage in stages {
        output::print(&format!("── {}\n", stage.words()))?;
        let started = Instant::now();
        let result = stage.run(&shell);
        let seconds = started.elapsed().as_secs_f64();
        let line = match result {
            Ok(Outcome::Passed) => {
                passed += 1;
                format!("   passed in {seconds:.1} s")
            }
            Ok(Outcome::Skipped(reason)) => format!("   skipped: {reason}"),
            Err(error) => {
                failed += 1;
                format!("   FAILED after {seconds:.1} s: {error:#}")
            }
        };
        output::print(&format!("{line}\n"))?;
    }
    output::print(&format!("{passed} passed, {failed} failed\n"))?;
    Ok(if failed == 0 { ExitCode::Success } else { ExitCode::Failure })
}

impl Name {
    fn run(self, shell: &Shell) -> anyhow::Result<Outcome> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        match self {
            Self::Format => cmd!(shell, "{cargo} fmt --all --check").quiet().run()?,
            Self::Clippy => {
                cmd!(shell, "{cargo} clippy --quiet --workspace --all-targets -- -D warnings").quiet().run()?;
            }
            Self::Test => test(shell, &cargo)?,
            Self::Documentation => {
                let doc = ["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"];
                cmd!(shell, "{cargo} {doc...}").env("RUSTDOCFLAGS", "-D warnings").quiet().run()?;
                cmd!(shell, "{cargo} test --quiet --workspace --doc").quiet().run()?;
            }
            Self::Tidy => tidy()?,
            Self::Conform => {
                let program = workspace::this_program()?;
                cmd!(shell, "{program} conform").quiet().run()?;
            }
            Self::Sabotage => {
                let program = workspace::this_program()?;
                cmd!(shell, "{program} sabotage").quiet().run()?;
            }
            Self::OrdinaryUser => return ordinary_user::run(shell),
            Self::Python => return python(shell),
        }
        Ok(Outcome::Passed)
    }
}

/// All but the instances of scenarios.
const TESTS: &str = "not binary(conformance)";

/// With nextest where it is installed: each test is a process of its own there, and all run side by side. Instances of scenarios
/// share the lanes of one process: starting lanes takes longer than most of them.
fn test(shell: &Shell, cargo: &std::ffi::OsString) -> anyhow::Result<()> {
    if cmd!(shell, "{cargo} nextest --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        // Tests of the harness start these programs; nextest does not build them.
        cmd!(shell, "{cargo} build --quiet --workspace --examples").quiet().run()?;
        cmd!(shell, "{cargo} nextest run --workspace --profile ci -E {TESTS}").quiet().run()?;
        cmd!(shell, "{cargo} test --quiet --package xtask --test conformance -- --quiet").quiet().run()?;
    } else {
        cmd!(shell, "{cargo} test --quiet --workspace --lib --bins --tests --examples").quiet().run()?;
    }
    Ok(())
}

fn tidy() -> anyhow::Result<()> {
    let mut problems = tidy::problems()?;
    problems.extend(schema::stale()?.iter().map(|file| format!("{} is stale", workspace::shown(&file.path))));
    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(()) } else { Err(Failure::error(ExitCode::Failure, problems.join("\n"))) }
}

fn python(shell: &Shell) -> anyhow::Result<Outcome> {
    let folder = workspace::root().join("impls/foreign/python");
    if cmd!(shell, "python3 --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        return Ok(Outcome::Skipped("there is no python3 here".to_owned()));
    }
    let program = workspace::this_program()?;
    let agent = format!("python3 {}", folder.join("plumbline_agent.py").display());
    {
        let _folder = shell.push_dir(&folder);
        cmd!(shell, "python3 -m unittest --quiet").quiet().run()?;
    }
    cmd!(shell, "{program} agent-check {agent}").quiet().run()?;
    cmd!(shell, "{program} conform --agent {agent}").quiet().run()?;
    Ok(Outcome::Passed)
}

/// The reference agent, built.
fn built_agent() -> anyhow::Result<std::path::PathBuf> {
    agent::reference()
}
