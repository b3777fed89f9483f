//! Signals by name: `SIGUSR1`, `SIGRTMIN`, `SIGRTMIN+1`, `SIGRTMAX-2`. Numbers differ between systems, names do not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The names a scenario may use, besides `SIGRTMIN+n` and `SIGRTMAX-n`.
pub const NAMES: &[&str] = &[
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGSYS",
];

/// A signal, by its canonical name (no spaces).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Signal(String);

impl Signal {
    /// Its canonical name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The offset from `SIGRTMIN` (0 and up) or from `SIGRTMAX` (0 and down), where it is a real-time signal.
    #[must_use]
    pub fn real_time(&self) -> Option<RealTime> {
        let parse = |rest: &str| {
            if rest.is_empty() { Some(0) } else { rest[1..].parse().ok() }
        };
        if let Some(rest) = self.0.strip_prefix("SIGRTMIN") {
            parse(rest).map(RealTime::AboveMinimum)
        } else if let Some(rest) = self.0.strip_prefix("SIGRTMAX") {
            parse(rest).map(RealTime::BelowMaximum)
        } else {
            None
        }
    }
}

/// Where a real-time signal lies in its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealTime {
    /// `SIGRTMIN + n`.
    AboveMinimum(u8),
    /// `SIGRTMAX - n`.
    BelowMaximum(u8),
}

impl std::str::FromStr for Signal {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let name: String = text.chars().filter(|character| !character.is_whitespace()).collect();
        if NAMES.contains(&name.as_str()) {
            return Ok(Self(name));
        }
        for (base, sign) in [("SIGRTMIN", '+'), ("SIGRTMAX", '-')] {
            if let Some(rest) = name.strip_prefix(base) {
                let offset = rest.strip_prefix(sign).and_then(|digits| digits.parse::<u8>().ok());
                if rest.is_empty() || offset.is_some_and(|offset| offset <= 30) {
                    return Ok(Self(name));
                }
            }
        }
        let near = NAMES.iter().min_by_key(|known| strsim::damerau_levenshtein(known, &name));
        Err(match near {
            Some(near) if strsim::damerau_levenshtein(near, &name) <= 3 => {
                format!("`{text}` is no signal: did you mean `{near}`?")
            }
            _ => format!("`{text}` is no signal: use a name as SIGUSR1, SIGRTMIN + 1 or SIGRTMAX - 1"),
        })
    }
}

impl TryFrom<String> for Signal {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.0
    }
}

impl std::fmt::Display for Signal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl JsonSchema for Signal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Signal".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A signal by name: SIGUSR1, SIGRTMIN + 1, SIGRTMAX - 1.",
            "type": "string",
            "anyOf": [{ "enum": NAMES }, { "pattern": "^SIGRT(MIN( ?\\+ ?[0-9]+)?|MAX( ?- ?[0-9]+)?)$" }]
        })
    }
}
