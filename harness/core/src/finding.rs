//! Findings, judgements and verdicts: what the judge says, and all that reports are made of.

use crate::{
    history::History,
    plan::Parameter,
    race::{Environment, Release},
};
use serde::{Deserialize, Serialize};
use spec::scenario::{Grade, Span};
use std::collections::BTreeMap;

/// What was found about a claim, a step or an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As promised.
    Held,
    /// Not run, with a reason. Never a pass.
    Skipped,
    /// Nothing contradicted it, but nothing could have.
    Vacuous,
    /// Not as promised: the finding shows the events.
    Broken,
    /// The harness or the agent erred; never blamed on the system.
    Faulty,
}

impl Verdict {
    /// All verdicts, in the order of the summary line.
    pub const ALL: [Self; 5] = [Self::Held, Self::Broken, Self::Vacuous, Self::Skipped, Self::Faulty];

    /// The word in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Skipped => "skipped",
            Self::Vacuous => "vacuous",
            Self::Broken => "broken",
            Self::Faulty => "faulty",
        }
    }
}

/// One thing that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The claim's name, or `step` for an expectation, or `deadlock`, `deadline`, `leaked`, `protocol`, `control`.
    pub claim: String,
    /// How much it weighs.
    pub grade: Grade,
    /// What was found.
    pub verdict: Verdict,
    /// Where in the scenario's file.
    pub span: Option<Span>,
    /// What was expected, as a person would say it.
    pub expected: String,
    /// What was got, as a person would say it.
    pub got: String,
    /// The field's name for what went wrong.
    pub anomaly: Option<Anomaly>,
    /// The events that show it: indices into the evidence history.
    pub events: Vec<usize>,
    /// What else a reader should know; what to do next.
    pub notes: Vec<String>,
}

/// Names of what can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    /// Sent and never received.
    Lost,
    /// Received more often than sent.
    Duplicated,
    /// Received in another order than sent.
    Reordered,
    /// One message in several pieces.
    Torn,
    /// Several messages in one piece.
    Merged,
    /// A message's tail is missing.
    Truncated,
    /// Received though nobody sent it, or other bytes than were sent.
    Corrupted,
    /// A message overtaken by one of lower priority.
    PriorityInverted,
    /// A waiter that nobody woke.
    LostWakeUp,
    /// Two in one critical section.
    BrokenExclusion,
    /// An old value where a new one was due.
    Stale,
    /// A value that nobody wrote.
    Phantom,
    /// Another error than was due, or one where none was due.
    WrongError,
    /// Another value than was due.
    WrongValue,
    /// It returned where it had to wait.
    DidNotBlock,
    /// It waits where it had to return.
    Blocked,
    /// Everybody waits.
    Deadlock,
    /// A process ended otherwise than it should.
    WrongEnding,
    /// The time was up.
    Overdue,
    /// Something was left behind.
    Leaked,
}

impl Anomaly {
    /// Whether it says what became of something that was sent, held or stored. The others say how one call or one process differed from
    /// what was due, whatever the cause: each may come of any fault, and is seen, not concluded.
    #[must_use]
    pub fn is_conclusion(self) -> bool {
        match self {
            Self::Lost
            | Self::Duplicated
            | Self::Reordered
            | Self::Torn
            | Self::Merged
            | Self::Truncated
            | Self::Corrupted
            | Self::PriorityInverted
            | Self::BrokenExclusion
            | Self::Stale
            | Self::Phantom
            | Self::Leaked => true,
            Self::LostWakeUp
            | Self::WrongError
            | Self::WrongValue
            | Self::DidNotBlock
            | Self::Blocked
            | Self::Deadlock
            | Self::WrongEnding
            | Self::Overdue => false,
        }
    }

    /// The word in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicated => "duplicated",
            Self::Reordered => "reordered",
            Self::Torn => "torn",
            Self::Merged => "merged",
            Self::Truncated => "truncated",
            Self::Corrupted => "corrupted",
            Self::PriorityInverted => "priority inverted",
            Self::LostWakeUp => "lost wake-up",
            Self::BrokenExclusion => "broken exclusion",
            Self::Stale => "stale",
            Self::Phantom => "phantom",
            Self::WrongError => "wrong error",
            Self::WrongValue => "wrong value",
            Self::DidNotBlock => "did not block",
            Self::Blocked => "blocked",
            Self::Deadlock => "deadlock",
            Self::WrongEnding => "wrong ending",
            Self::Overdue => "overdue",
            Self::Leaked => "leaked",
        }
    }
}

/// What the judge says of the histories of one plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The worst of the findings that gate.
    pub verdict: Verdict,
    /// All that was judged, broken first within their order.
    pub findings: Vec<Finding>,
    /// Recorded values, by name: they go into the portrait.
    pub recorded: BTreeMap<String, String>,
    /// Distinct outcomes of a race, most frequent first.
    pub outcomes: Vec<OutcomeCount>,
    /// How many runs were judged.
    pub runs: u32,
    /// In how many of them calls of different processes overlapped in time.
    pub overlapped: u32,
    /// The history that the findings' events point into: the first broken one, or the last.
    pub evidence: Option<History>,
    /// How a race was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub race: Option<Box<RaceReport>>,
    /// Of `orders: every`, the order that broke something, as the `story:` of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub story: Option<String>,
}

/// How a race was run: what really ran, not what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaceReport {
    /// Whether each process had a processor of its own.
    pub pinned: bool,
    /// Whether the journals lay in shared memory; else they went by messages while the processes ran.
    pub shared_journal: bool,
    /// Whether copies of channels were made as new and used again; else every run had copies that were opened for it.
    pub renewed: bool,
    /// How the runs were released, and what that brought.
    pub environments: BTreeMap<Environment, EnvironmentCount>,
    /// How the run of the evidence was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Release>,
    /// How many kinds of runs there were: runs that differ in what calls gave, or in how the calls' intervals lie to each other.
    pub kinds: u32,
}

/// What one way to release brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvironmentCount {
    /// How many runs.
    pub runs: u32,
    /// In how many of them calls of different processes overlapped in time.
    pub overlapped: u32,
    /// How many distinct outcomes.
    pub outcomes: u32,
    /// How long the processes raced, from the first call of each batch to the return of the last: nanoseconds. What lies between
    /// batches is not in it. 0 where that is not known.
    pub racing_ns: u64,
}

/// One distinct outcome of a race.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeCount {
    /// The named results, or a short description of the outcome.
    pub outcome: String,
    /// How many runs ended so.
    pub count: u32,
    /// In how many of them calls of different processes overlapped in time.
    #[serde(default)]
    pub overlapped: u32,
    /// One of these runs in full; of the rarer outcomes of a race with many none is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<History>,
}

/// Why an instance was not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// The class of the reason.
    pub class: SkipClass,
    /// The reason, as a person would say it.
    pub reason: String,
}

/// Classes of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipClass {
    /// The system or the agent has no such thing.
    Unsupported,
    /// Not for this user, or not within its limits.
    Privilege,
    /// A known difference of this platform: an `elsewhere` note.
    Platform,
}

impl SkipClass {
    /// The word in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::Privilege => "privilege",
            Self::Platform => "platform",
        }
    }
}

/// All that is known of one instance after a run: one line of `run.jsonl`, and what every report is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The instance.
    pub id: String,
    /// Its scenario.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// Where it is promised.
    pub cites: Vec<String>,
    /// What it ran on.
    pub mechanism: String,
    /// Its parameters.
    pub parameters: BTreeMap<String, Parameter>,
    /// The names of its processes, in the plan's order.
    pub processes: Vec<String>,
    /// The labels of its steps for diagrams, in the plan's order: of the story, or by process.
    pub steps: Vec<Vec<String>>,
    /// The file it came from, as a person would type it.
    pub path: String,
    /// The verdict of the whole.
    pub verdict: Verdict,
    /// Why it was skipped.
    pub skip: Option<Skip>,
    /// What was judged; `None` where nothing was run.
    pub judgement: Option<Judgement>,
    /// How long it took, with its control; nanoseconds.
    pub duration_ns: u64,
    /// The command that runs exactly this instance again.
    pub repeat: String,
}
