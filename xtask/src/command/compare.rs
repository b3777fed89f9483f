//! `compare`: portraits and runs side by side.

use crate::{ExitCode, Failure, corpus::Corpus, output, portraits, runs};
use reports::compare::{Clauses, Side, compare};
use std::path::Path;

/// Lay portraits and runs side by side.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Portraits (a file, or the name of a system) and runs (a record, its folder, or its name)
    #[arg(required = true, num_args = 2.., value_name = "PORTRAIT|RUN")]
    sides: Vec<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal
    #[default]
    Terminal,
    /// Tables in Markdown
    Markdown,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let sides = arguments.sides.iter().map(|name| side(name)).collect::<anyhow::Result<Vec<Side>>>()?;
    // Clauses are a help: what was recorded elsewhere can be compared without the scenarios.
    let clauses = Corpus::own().map_or_else(|_| Clauses::new(), |corpus| corpus.clauses());
    let comparison = compare(&sides, &clauses);
    output::print(&match arguments.format {
        Format::Terminal => comparison.terminal(output::color()),
        Format::Markdown => comparison.markdown(),
    })?;
    Ok(ExitCode::Success)
}

fn side(name: &str) -> anyhow::Result<Side> {
    let path = Path::new(name);
    let is_yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    if is_yaml {
        return Ok(Side::of_portrait(name, portraits::read(path)?));
    }
    if runs::find(name).is_some() {
        return Ok(Side::of_run(name, &runs::read(name)?));
    }
    if let Some(portrait) = portraits::committed(name)? {
        return Ok(Side::of_portrait(name, portrait));
    }
    let subjects = portraits::subjects()?;
    let known = if subjects.is_empty() { "none yet".to_owned() } else { subjects.join(", ") };
    Err(Failure::usage(format!(
        "`{name}` is neither a portrait nor a run: give a portrait's file, the name of one ({known}), a `run.jsonl`, \
         the folder it is in, or `latest`"
    )))
}
