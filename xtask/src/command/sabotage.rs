//! `sabotage`: the suite against its saboteurs. The tester is tested: each is the reference agent with one planted fault, and has to
//! be found out, and called what it is.

mod choice;
pub(super) mod exceptions;

use crate::{
    ExitCode, Failure, agent,
    command::conform::{
        progress::Live,
        run::{Runner, Settings, Step, quoted, time_scale},
    },
    corpus::Corpus,
    output, workspace,
};
use anyhow::{Context as _, bail};
use harness_core::sabotage::{Saboteur, ShownBy};
use reports::sabotage::{Attempt, Sabotage, Shown};
use spec::scenario::{Body, Grade};
use std::{collections::BTreeSet, path::Path, process::Command, time::Instant};

/// What does nothing wrong but in races may need so many runs, and more than a race that is only to hold: the first that breaks is the
/// last.
const PATIENCE: u32 = 4_000;

/// What bounds of time are multiplied by: some saboteurs wait until a bound is over, and nothing but that can come of it.
const IMPATIENCE: f64 = 0.4;

/// The suite against its saboteurs.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Of each scenario that can show it, a saboteur meets two instances: the first mechanism that it spoils with the \
                  first values of what is varied, and the last with the last. Which scenarios must be broken by somebody is asked \
                  only where all saboteurs run; exceptions stand in spec/sabotage-exceptions.yaml. Exit codes: 0 every saboteur was \
                  found out and called what it is, and every scenario that must hold was broken by one; 1 otherwise; 2 usage."
)]
pub(super) struct Arguments {
    /// Only these saboteurs; all, if left out
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Lanes side by side; two a processor, if left out
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    jobs: Option<u16>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A matrix of words
    #[default]
    Terminal,
    /// A table in Markdown, with counts
    Markdown,
    /// One JSON object a saboteur, the last a summary
    Jsonl,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let agent = agent::reference()?;
    let all = saboteurs(&agent)?;
    let chosen = choose(&all, &arguments.names)?;
    let corpus = Corpus::own()?;
    let exceptions = exceptions::read()?;
    let live = Live::start(chosen.len());
    let mut attempts = Vec::with_capacity(chosen.len());
    for saboteur in &chosen {
        live.started(&saboteur.name);
        let attempt = attempt(saboteur, &agent, &corpus, arguments.jobs)?;
        live.step();
        for wrong in attempt.wrong().iter().take(1) {
            live.say(&format!("{}: {}", saboteur.name, reports::sabotage::what(wrong)));
        }
        attempts.push(attempt);
    }
    live.finish();
    let sabotage = if arguments.names.is_empty() {
        let exceptions = exceptions.into_keys().collect();
        Sabotage::of_all(attempts, &must(&corpus), &exceptions)
    } else {
        Sabotage::of_some(attempts)
    };
    output::print(&match arguments.format {
        Format::Terminal => sabotage.terminal(output::color()),
        Format::Markdown => sabotage.markdown(),
        Format::Jsonl => sabotage.jsonl(),
    })?;
    Ok(if sabotage.is_complete() { ExitCode::Success } else { ExitCode::Failure })
}

/// The saboteurs of an agent, as it prints them.
fn saboteurs(agent: &Path) -> anyhow::Result<Vec<Saboteur>> {
    let shown = workspace::shown(agent);
    let listed = Command::new(agent)
        .arg("--list-saboteurs")
        .output()
        .with_context(|| format!("cannot start `{shown} --list-saboteurs`"))?;
    if !listed.status.success() {
        bail!("`{shown} --list-saboteurs` failed ({})", listed.status);
    }
    String::from_utf8_lossy(&listed.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str(line)
                .with_context(|| format!("`{shown} --list-saboteurs` prints a line that is none: {line}"))
        })
        .collect()
}

/// Those that were named, in the order of the list.
fn choose(all: &[Saboteur], names: &[String]) -> anyhow::Result<Vec<Saboteur>> {
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|saboteur| saboteur.name != **name)) {
        let nearest = all
            .iter()
            .map(|saboteur| (strsim::jaro_winkler(unknown, &saboteur.name), &saboteur.name))
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .filter(|(likeness, _)| *likeness > 0.7);
        let hint = nearest.map_or_else(
            || "`plumbline-agent --list-saboteurs` prints them all".to_owned(),
            |(_, name)| format!("did you mean `{name}`?"),
        );
        return Err(Failure::usage(format!("there is no saboteur `{unknown}`: {hint}")));
    }
    let is_chosen = |saboteur: &&Saboteur| names.is_empty() || names.contains(&saboteur.name);
    Ok(all.iter().filter(is_chosen).cloned().collect())
}

/// Runs one saboteur's scenarios.
fn attempt(saboteur: &Saboteur, agent: &Path, corpus: &Corpus, jobs: Option<u16>) -> anyhow::Result<Attempt> {
    let started = Instant::now();
    let mut settings = Settings::new(vec![agent.into(), "--sabotage".into(), saboteur.name.clone().into()]);
    settings.jobs = jobs.map_or(0, usize::from);
    settings.time_scale = time_scale()? * IMPATIENCE;
    settings.until_failure = true;
    settings.controls = false;
    settings.runs_at_least = if saboteur.shown_by == ShownBy::Races { PATIENCE } else { 1 };
    let command = format!("{} --sabotage {}", workspace::shown(agent), saboteur.name);
    settings.repeat = format!(" --agent {}", quoted(&command));
    let selected = choice::instances(corpus, saboteur);
    let is_story = |body: &Body| matches!(body, Body::Story(_));
    let stories: BTreeSet<&str> = selected
        .iter()
        .filter(|selected| is_story(&selected.scenario.body))
        .map(|selected| selected.scenario.id.as_str())
        .collect();
    let mut shown = Vec::with_capacity(selected.len());
    Runner::start(settings)?.run(&selected, &mut |step| {
        if let Step::Done(report) = step {
            shown.push(Shown::of(&report, stories.contains(report.scenario.as_str())));
        }
    });
    shown.sort_by(|left, right| left.id.cmp(&right.id));
    let duration_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    Ok(Attempt { saboteur: saboteur.clone(), shown, duration_ns })
}

/// The scenarios that promise something.
fn must(corpus: &Corpus) -> BTreeSet<String> {
    let promises = corpus.scenarios.iter().filter(|scenario| reports::list::grade(scenario) == Grade::Must);
    promises.map(|scenario| scenario.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::choose;
    use harness_core::{
        Verdict,
        finding::Anomaly,
        sabotage::{Saboteur, ShownBy},
    };
    use spec::Ability;

    fn saboteur(name: &str) -> Saboteur {
        Saboteur {
            name: name.to_owned(),
            abilities: vec![Ability::Stream],
            mechanisms: Vec::new(),
            operations: Vec::new(),
            what: "Does something".to_owned(),
            anomalies: vec![Anomaly::Lost],
            shown_by: ShownBy::All,
            refuses: false,
            caught_as: Verdict::Broken,
        }
    }

    #[test]
    fn names_choose_in_the_order_of_the_list() {
        let all = ["one", "two", "three"].map(saboteur);
        let chosen = choose(&all, &["three".to_owned(), "one".to_owned()]).unwrap();
        assert_eq!(chosen.iter().map(|saboteur| saboteur.name.as_str()).collect::<Vec<_>>(), ["one", "three"]);
        assert_eq!(choose(&all, &[]).unwrap().len(), 3);
    }

    #[test]
    fn a_name_that_is_none_gets_a_suggestion() {
        let all = ["lost-writes", "torn-stores"].map(saboteur);
        let error = choose(&all, &["lost-write".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("did you mean `lost-writes`?"), "{error}");
        let error = choose(&all, &["xyz".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("--list-saboteurs"), "{error}");
    }
}
