//! `report`: a recorded run, rendered again.

use crate::{
    ExitCode,
    command::conform::{self, Format as RunFormat},
    output, runs,
};
use reports::{Portrait, matrix::Matrix};

/// Render a recorded run again.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// A `run.jsonl`, the folder it is in, or the name of a run
    #[arg(default_value = "latest")]
    run: String,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Also show what held
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a person
    #[default]
    Terminal,
    /// One JSON object an instance, the last a summary
    Jsonl,
    /// JUnit XML
    Junit,
    /// KTAP version 1
    Ktap,
    /// The portrait that the run draws
    Portrait,
    /// The guarantee matrix, for a terminal
    Matrix,
    /// The guarantee matrix, in Markdown
    Markdown,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let record = runs::read(&arguments.run)?;
    let whole = |format| conform::render(&record, format, arguments.verbose);
    let text = match arguments.format {
        Format::Terminal => whole(RunFormat::Terminal)?,
        Format::Jsonl => whole(RunFormat::Jsonl)?,
        Format::Junit => whole(RunFormat::Junit)?,
        Format::Ktap => whole(RunFormat::Ktap)?,
        Format::Portrait => Portrait::of(&record).to_text()?,
        Format::Matrix => Matrix::of(&Portrait::of(&record)).terminal(),
        Format::Markdown => Matrix::of(&Portrait::of(&record)).markdown(),
    };
    output::print(&text)?;
    Ok(ExitCode::Success)
}
