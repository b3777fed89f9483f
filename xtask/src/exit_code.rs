//! The exit codes, which scripts rely on.

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All as expected.
    Success = 0,
    /// The command could not do its work, or found what it checks for (`tidy`, `ci`, `schema --check`).
    Failure = 1,
    /// Arguments that make no sense, or name what is not there.
    Usage = 2,
    /// A scenario does not load.
    Unloadable = 3,
    /// An instance is broken.
    Broken = 10,
    /// An instance is vacuous.
    Vacuous = 11,
    /// The harness or the agent erred.
    Faulty = 12,
    /// Performance regressed.
    Regressed = 13,
    /// The portrait changed.
    PortraitChanged = 14,
    /// Nothing was selected.
    NothingSelected = 15,
    /// Somebody ended the run.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        // A fieldless enum with a `u8` behind it: nothing is lost.
        Self::from(code as u8)
    }
}

/// A failure with an exit code of its own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How the command ends.
    pub code: ExitCode,
    /// What happened, where, and what to do next.
    pub message: String,
}

impl Failure {
    /// A failure with this code.
    pub fn error(code: ExitCode, message: impl Into<String>) -> anyhow::Error {
        Self { code, message: message.into() }.into()
    }

    /// Arguments that make no sense.
    pub fn usage(message: impl Into<String>) -> anyhow::Error {
        Self::error(ExitCode::Usage, message)
    }
}
