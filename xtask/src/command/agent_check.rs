//! `agent-check`: says what is wrong with somebody's agent, before any verdict on their system.

mod end_of_file;
mod samples;

use crate::{
    ExitCode, Failure, agent,
    command::conform::run::{Runner, Settings, Step, quoted, time_scale},
    output,
    select::Selected,
};
use harness_core::{
    InstanceReport, Verdict, expand,
    wire::{RootHello, capability},
};
use reports::style::count;
use spec::{Mechanism, Scenario};

/// Validate somebody's agent.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// The agent's program and its arguments, as several words or in one
    #[arg(value_name = "CMD", required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    agent: Vec<String>,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let text = match arguments.agent.as_slice() {
        [one] => one.clone(),
        several => several.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    };
    let command = agent::command(Some(&text))?;
    let mut check = Check::default();
    check.note("starts, and ends with its connection", end_of_file::check(&command))?;
    let mut settings = Settings::new(command);
    settings.time_scale = time_scale()?;
    let runner = Runner::start(settings)?;
    let hello = runner.header().agent;
    check.note(&format!("says hello: {}", hello.agent), words_of_hello(&hello))?;
    let mechanisms: Vec<Mechanism> = hello.mechanisms.iter().filter_map(|name| Mechanism::from_name(name)).collect();
    let scenarios = samples::scenarios(&mechanisms)?;
    for report in reports_of(&runner, &scenarios) {
        check.note(&report.id, judged(&report))?;
    }
    check.finish()
}

fn reports_of(runner: &Runner, scenarios: &[Scenario]) -> Vec<InstanceReport> {
    let selected: Vec<Selected<'_>> = scenarios
        .iter()
        .flat_map(|scenario| expand::names(scenario).into_iter().map(move |name| Selected { name, scenario }))
        .collect();
    let mut reports = Vec::new();
    runner.run(&selected, &mut |step| {
        if let Step::Done(report) = step {
            reports.push(*report);
        }
    });
    reports.sort_by(|left, right| left.id.cmp(&right.id));
    reports
}

/// What came of one check: nothing to say, something worth knowing, or what is wrong.
enum Note {
    Fine,
    Skipped(String),
    Wrong(String),
}

/// What is wrong with the words of a hello.
fn words_of_hello(hello: &RootHello) -> Note {
    let mut problems = Vec::new();
    if hello.agent.trim().is_empty() {
        problems.push("`agent` is empty: give a name and a version".to_owned());
    }
    for name in &hello.mechanisms {
        if Mechanism::from_name(name).is_none() {
            problems.push(format!("`{name}` is no mechanism that scenarios know"));
        }
    }
    if hello.mechanisms.is_empty() {
        problems.push("`mechanisms` is empty: every scenario would be skipped".to_owned());
    }
    for name in hello.limits.keys().filter(|name| !spec::limits::is_limit(name)) {
        problems.push(format!("`{name}` is no limit that scenarios know"));
    }
    for name in &hello.capabilities {
        if ![capability::SHARED_MEETING, capability::COPIES, capability::USERS].contains(&name.as_str()) {
            problems.push(format!("`{name}` is no capability of this protocol"));
        }
    }
    for fact in ["os", "machine"] {
        if !hello.system.contains_key(fact) {
            problems.push(format!("`system` lacks `{fact}`, by which portraits are named"));
        }
    }
    if problems.is_empty() { Note::Fine } else { Note::Wrong(problems.join("\n")) }
}

fn judged(report: &InstanceReport) -> Note {
    let findings = report.judgement.iter().flat_map(|judgement| &judgement.findings);
    let wrong = findings.filter(|finding| finding.verdict >= Verdict::Broken);
    let wrong: Vec<String> =
        wrong.map(|finding| format!("expected {}, got {}", finding.expected, finding.got)).collect();
    match report.verdict {
        Verdict::Held => Note::Fine,
        Verdict::Skipped | Verdict::Vacuous => Note::Skipped(
            report.skip.as_ref().map_or_else(|| "nothing could be shown".to_owned(), |skip| skip.reason.clone()),
        ),
        Verdict::Faulty => Note::Wrong(wrong.join("\n")),
        // These are so simple that hardly any system gets them wrong.
        Verdict::Broken => {
            Note::Wrong(format!("{}\n(or the system does; the agent is the likelier one)", wrong.join("\n")))
        }
    }
}

#[derive(Default)]
struct Check {
    wrong: usize,
}

impl Check {
    fn note(&mut self, what: &str, note: Note) -> anyhow::Result<()> {
        let line = match note {
            Note::Fine => format!("     ok {what}\n"),
            Note::Skipped(reason) => format!("skipped {what}: {reason}\n"),
            Note::Wrong(problem) => {
                self.wrong += 1;
                format!(
                    "  wrong {what}\n{}\n",
                    problem.lines().map(|line| format!("          {line}")).collect::<Vec<_>>().join("\n")
                )
            }
        };
        output::print(&line)
    }

    fn finish(self) -> anyhow::Result<ExitCode> {
        if self.wrong == 0 {
            output::print("the agent keeps to the protocol, as far as this can see\n")?;
            return Ok(ExitCode::Success);
        }
        let wrong = count(self.wrong, "thing is wrong", "things are wrong");
        Err(Failure::error(
            ExitCode::Faulty,
            format!("{wrong} with the agent: docs/agent-protocol.md says what is expected"),
        ))
    }
}
