//! The harness starts its own program again for work that has to happen in a process of its own: entering namespaces before
//! an agent, and cleaning up after a harness that was killed.

use crate::{isolation, warden};
use std::{
    ffi::OsString,
    process::{Command, ExitCode},
};

/// The first argument of such a process.
pub(crate) const MARK: &str = "__plumbline_helper";

/// To be called first in `main` of every program that starts a [`crate::Session`]: where this process is a helper, does the
/// helper's work and returns its exit code; `None` in every other process.
#[must_use]
pub fn reexec_entry() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != MARK {
        return None;
    }
    let role = arguments.next().unwrap_or_default();
    let rest: Vec<OsString> = arguments.collect();
    Some(match role.to_str() {
        Some("lane") => isolation::lane_main(&rest),
        Some("inner") => isolation::inner_main(&rest),
        Some("warden") => warden::main(&rest),
        _ => ExitCode::from(2),
    })
}

/// A command that starts a helper of this role.
pub(crate) fn command(program: &std::path::Path, role: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(MARK).arg(role);
    command
}
