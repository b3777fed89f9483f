//! Systems without namespaces that we know how to use: unique names and clean-up.

use super::{Isolation, NotStarted};
use std::{
    ffi::OsString,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

pub(super) fn candidates() -> &'static [Isolation] {
    &[]
}

pub(super) fn lane(_isolation: Isolation, _parent: i32, agent: &[OsString]) -> Result<ExitCode, NotStarted> {
    let _ = nix::unistd::setsid();
    let Some((program, arguments)) = agent.split_first() else {
        return Err(NotStarted::Agent("no agent was named".to_owned()));
    };
    let error = Command::new(program).args(arguments).exec();
    Err(NotStarted::Agent(format!("cannot start `{}`: {error}", program.to_string_lossy())))
}

pub(super) fn inner(_isolation: Isolation, _agent: &[OsString]) -> Result<ExitCode, NotStarted> {
    Err(NotStarted::World("there are no namespaces on this system".to_owned()))
}
