//! Faults: the harness or the agent erred. A fault ends a scenario as `faulty` and is never blamed on the system.

use std::{io, path::PathBuf};

/// Why a scenario could not be run to a verdict.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The agent broke the protocol, or a promise it made in it.
    #[error("{who}: {what}")]
    Agent {
        /// The root, or a process.
        who: String,
        /// What it did.
        what: String,
    },
    /// The agent did not answer in time.
    #[error("{who} did not {what} within {limit_ms} ms")]
    Silent {
        /// The root, or a process.
        who: String,
        /// What it was asked for.
        what: &'static str,
        /// How long it had.
        limit_ms: u64,
    },
    /// The agent reported a problem of its own.
    #[error("{who} reports: {message}")]
    Problem {
        /// The root, or a process.
        who: String,
        /// Its words.
        message: String,
    },
    /// The machine had no time for a scenario.
    #[error(
        "the machine kept it from running for {kept_ms} of {waited_ms} ms: let less run beside it, or raise PLUMBLINE_TIME_SCALE"
    )]
    Starved {
        /// How long it was waited for.
        waited_ms: u64,
        /// How much of it nobody ran, who could have.
        kept_ms: u64,
    },
    /// The agent said that everything is closed, and left something behind.
    #[error("the agent left behind: {}", .0.join(", "))]
    Leaked(Vec<String>),
    /// A call of the harness failed.
    #[error("the harness cannot {what}: {error}")]
    Io {
        /// What it tried.
        what: String,
        /// How it failed.
        error: io::Error,
    },
}

impl Fault {
    pub(crate) fn agent(who: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Agent { who: who.into(), what: what.into() }
    }

    pub(crate) fn io(what: impl Into<String>, error: impl Into<io::Error>) -> Self {
        Self::Io { what: what.into(), error: error.into() }
    }
}

/// Why a session cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The agent's program cannot be started.
    #[error("cannot start the agent `{program}`: {reason}")]
    Agent {
        /// What was to be started.
        program: String,
        /// Why it could not, or what it did instead of saying hello.
        reason: String,
    },
    /// The agent speaks another version of the protocol.
    #[error("the agent speaks protocol {theirs}, this harness speaks {ours}: use an agent of the same version")]
    Protocol {
        /// The agent's.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// Isolation was demanded and cannot be had.
    #[error("namespaces cannot be had here: {0}")]
    Isolation(String),
    /// The directory of the run cannot be made.
    #[error("cannot make a directory for the run in {}: {error}", directory.display())]
    Directory {
        /// Where.
        directory: PathBuf,
        /// Why not.
        error: io::Error,
    },
}
