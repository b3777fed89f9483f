//! The subcommands: one file each.

mod agent_check;
mod bench;
mod ci;
mod compare;
pub mod conform;
mod explain;
mod list;
mod new;
mod report;
mod sabotage;
pub mod schema;
pub mod tidy;

use crate::ExitCode;

/// A conformance suite for inter-process communication.
#[derive(Debug, clap::Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 all as expected, 1 failed, 2 usage, 3 a scenario does not load, 10 broken, 11 vacuous, \
                        12 faulty, 13 performance regressed, 14 portrait changed, 15 nothing selected."
)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Run scenarios and judge them
    Conform(conform::Arguments),
    /// Say what would run, with abilities, clause and grade
    List(list::Arguments),
    /// Explain a scenario or a mechanism: promise, clause, evidence
    Explain(explain::Arguments),
    /// Measure what mechanisms cost
    Bench(bench::Arguments),
    /// Lay two or more portraits or runs side by side, differences first
    Compare(compare::Arguments),
    /// Render a recorded run again
    Report(report::Arguments),
    /// Run the suite against its saboteurs: each has to be found out
    Sabotage(sabotage::Arguments),
    /// Validate somebody's agent, before any verdict on their system
    AgentCheck(agent_check::Arguments),
    /// Scaffold a scenario that loads
    New(new::Arguments),
    /// Generate the schemas and the README's table, or check that they are fresh
    Schema(schema::Arguments),
    /// Check the walls, the words and the generated files
    Tidy,
    /// Everything that has to pass
    Ci(ci::Arguments),
}

impl CommandLine {
    /// Does what it says.
    ///
    /// # Errors
    /// With a [`crate::Failure`] where there is an exit code for it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Conform(arguments) => conform::run(&arguments),
            Command::List(arguments) => list::run(&arguments),
            Command::Explain(arguments) => explain::run(&arguments),
            Command::Bench(arguments) => bench::run(&arguments),
            Command::Compare(arguments) => compare::run(&arguments),
            Command::Report(arguments) => report::run(&arguments),
            Command::Sabotage(arguments) => sabotage::run(&arguments),
            Command::AgentCheck(arguments) => agent_check::run(&arguments),
            Command::New(arguments) => new::run(&arguments),
            Command::Schema(arguments) => schema::run(&arguments),
            Command::Tidy => tidy::run(),
            Command::Ci(arguments) => ci::run(&arguments),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CommandLine;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }
}
