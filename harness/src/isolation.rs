//! Worlds of their own: the namespaces that a lane's agent is started in, and what stands in for them where they cannot be had.
//!
//! A lane's agent is started through two helpers. The outer one unshares and waits; the inner one is the first process of
//! the new process-id namespace, makes the private mounts, brings the loopback interface up, and becomes the agent. When the
//! harness dies, the kernel kills the outer helper, then the inner one, and with it everything in the namespace.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as platform;

use crate::helper;
use std::{
    ffi::OsString,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

/// What a person asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IsolationChoice {
    /// Namespaces where they can be had, names of our own where not.
    #[default]
    Auto,
    /// Namespaces, or no run.
    Namespaces,
    /// No namespaces.
    None,
}

/// What is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Namespaces by privilege.
    Privileged,
    /// Namespaces by a user namespace.
    User,
    /// Unique names, a session, a subreaper, and cleaning up.
    Names,
}

impl Isolation {
    /// For the facts of a run.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Privileged => "namespaces (pid, ipc, mount, network)",
            Self::User => "namespaces (user, pid, ipc, mount, network)",
            Self::Names => "unique names and clean-up, no namespaces",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Privileged => "privileged",
            Self::User => "user",
            Self::Names => "names",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Privileged, Self::User, Self::Names].into_iter().find(|isolation| isolation.word() == word)
    }
}

/// Finds out what can be had, by trying it with a program that does nothing.
///
/// # Errors
/// What stands in the way, where namespaces were demanded.
pub(crate) fn choose(choice: IsolationChoice, helper: &Path) -> Result<Isolation, String> {
    if choice == IsolationChoice::None {
        return Ok(Isolation::Names);
    }
    let mut obstacles = Vec::new();
    for isolation in platform::candidates() {
        match try_out(*isolation, helper) {
            Ok(()) => return Ok(*isolation),
            Err(obstacle) => obstacles.push(obstacle),
        }
    }
    match choice {
        IsolationChoice::Namespaces => Err(obstacles.join("; ")),
        _ => Ok(Isolation::Names),
    }
}

fn try_out(isolation: Isolation, helper: &Path) -> Result<(), String> {
    let output = lane_command(isolation, helper, &[])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start {}: {error}", helper.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("{}: {}", isolation.describe(), words.trim()))
}

/// The command that starts an agent in a world of its own. Without an agent the helpers do all but that, and exit.
pub(crate) fn lane_command(isolation: Isolation, helper: &Path, agent: &[OsString]) -> Command {
    let mut command = helper::command(helper, "lane");
    command.arg(isolation.word()).arg(std::process::id().to_string()).args(agent);
    command
}

/// The outer helper's main. Arguments: isolation, the harness's process id, the agent's command.
pub(crate) fn lane_main(arguments: &[OsString]) -> ExitCode {
    let [isolation, parent, agent @ ..] = arguments else { return ExitCode::from(2) };
    let (Some(isolation), Some(parent)) =
        (isolation.to_str().and_then(Isolation::from_word), parent.to_str().and_then(|parent| parent.parse().ok()))
    else {
        return ExitCode::from(2);
    };
    report(platform::lane(isolation, parent, agent))
}

/// The inner helper's main. Arguments: isolation, the agent's command.
pub(crate) fn inner_main(arguments: &[OsString]) -> ExitCode {
    let [isolation, agent @ ..] = arguments else { return ExitCode::from(2) };
    let Some(isolation) = isolation.to_str().and_then(Isolation::from_word) else { return ExitCode::from(2) };
    report(platform::inner(isolation, agent))
}

#[expect(clippy::print_stderr, reason = "a helper's only way to say why it could not start an agent")]
fn report(result: Result<ExitCode, String>) -> ExitCode {
    result.unwrap_or_else(|obstacle| {
        eprintln!("{obstacle}");
        ExitCode::from(77)
    })
}
