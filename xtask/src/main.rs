//! The program: helper of lanes, or the command line.

use clap::Parser as _;
use std::process::ExitCode;
use xtask::{Failure, command, interrupt};

fn main() -> ExitCode {
    // Before anything else: a lane's helper becomes an agent, and that has to begin with nothing blocked.
    interrupt::unblock();
    if let Some(code) = harness::reexec_entry() {
        return code;
    }
    let arguments = match command::CommandLine::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors. That nobody reads them is none either.
            let code = if error.use_stderr() { xtask::ExitCode::Usage } else { xtask::ExitCode::Success };
            let _ = error.print();
            return code.into();
        }
    };
    match arguments.run() {
        Ok(code) => code.into(),
        Err(error) => {
            xtask::output::complain(&format!("{error:#}"));
            error.downcast_ref::<Failure>().map_or(xtask::ExitCode::Failure, |failure| failure.code).into()
        }
    }
}
