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
    process::{Command, ExitCode},
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

/// What to try for a session's first lane, best first.
pub(crate) fn candidates(choice: IsolationChoice) -> Vec<Isolation> {
    let namespaces = platform::candidates();
    match choice {
        IsolationChoice::None => vec![Isolation::Names],
        IsolationChoice::Namespaces => namespaces.to_vec(),
        IsolationChoice::Auto => namespaces.iter().copied().chain([Isolation::Names]).collect(),
    }
}

/// Why a helper did not become an agent.
#[derive(Debug)]
enum NotStarted {
    /// There is no such world here.
    World(String),
    /// The agent's program cannot be started in it.
    Agent(String),
}

impl From<String> for NotStarted {
    fn from(obstacle: String) -> Self {
        Self::World(obstacle)
    }
}

/// What a helper's words begin with where it cannot enter the world that it was told to.
const NO_WORLD: &str = "plumbline: no world: ";

/// The obstacle, where a helper ended with these words because it cannot enter the world that it was told to.
pub(crate) fn obstacle(isolation: Isolation, words: &str) -> Option<String> {
    let obstacle = words.strip_prefix(NO_WORLD)?;
    Some(format!("{}: {obstacle}", isolation.describe()))
}

/// The command that starts an agent in a world of its own.
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
fn report(result: Result<ExitCode, NotStarted>) -> ExitCode {
    result.unwrap_or_else(|not_started| {
        match not_started {
            NotStarted::World(obstacle) => eprintln!("{NO_WORLD}{obstacle}"),
            NotStarted::Agent(obstacle) => eprintln!("{obstacle}"),
        }
        ExitCode::from(77)
    })
}
