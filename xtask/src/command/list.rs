//! `list`: what would run.

use crate::{ExitCode, Failure, output, select::Selection};
use harness_core::expand::InstanceName;
use reports::list::{self, Listed};

/// Say what would run.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A line an instance
    #[default]
    Terminal,
    /// A JSON object an instance
    Jsonl,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (corpus, sorted) = arguments.selection.load()?;
    let selected = arguments.selection.apply(&corpus, &sorted);
    if selected.is_empty() {
        let words = arguments.selection.words().join(" ");
        return Err(Failure::error(ExitCode::NothingSelected, format!("no instance matches {words}")));
    }
    let names: Vec<(&InstanceName, &spec::Scenario)> =
        selected.iter().map(|selected| (&selected.name, selected.scenario)).collect();
    let listed: &[Listed<'_>] = &names;
    output::print(&match arguments.format {
        Format::Terminal => list::terminal(listed, output::color()),
        Format::Jsonl => list::jsonl(listed),
    })?;
    Ok(ExitCode::Success)
}
