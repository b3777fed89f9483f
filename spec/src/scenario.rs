//! A scenario as the rest of Plumbline sees it: loaded, checked, with spans, amounts not yet resolved.

use crate::{Ability, Amount, Errno, Mechanism, Operation, Signal, operation::Timeout, vocabulary::Feature};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};

/// One loaded scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its path under `spec/scenarios/` without the suffix, as `ordering/end-of-stream`.
    pub id: String,
    /// The file it came from.
    pub source: Arc<Source>,
    /// One sentence: the guarantee.
    pub title: String,
    /// Why anybody cares.
    pub because: String,
    /// Where it is promised.
    pub cites: Vec<String>,
    /// What it runs on.
    pub mechanisms: Vec<Mechanism>,
    /// How processes come to hold their channels.
    pub attach: Attach,
    /// The channels, by name.
    pub channels: BTreeMap<String, Channel<Amount>>,
    /// Who does what.
    pub body: Body,
    /// How often the whole is run as a race; `None`: once.
    pub runs: Option<Amount>,
    /// The varied parameters, by name.
    pub vary: BTreeMap<String, Vec<Amount>>,
    /// What is owed beyond the expectations of steps.
    pub claims: Vec<GradedClaim>,
    /// What must break a claim.
    pub control: Option<Control>,
    /// Capabilities without which it is skipped.
    pub needs: Vec<Need>,
    /// How long the scenario may take, before scaling; nanoseconds.
    pub within: Timeout,
    /// What is known to differ on other platforms.
    pub elsewhere: Vec<Elsewhere>,
}

/// The default of `within`.
pub const WITHIN_DEFAULT: Timeout = Timeout::from_ns(5_000_000_000);

/// A file and its text, for carets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The path as a person would type it.
    pub path: String,
    /// The whole text.
    pub text: String,
}

/// Bytes `start..end` of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// How processes come to hold their channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attach {
    /// The root opens them, children inherit just the ends they use.
    #[default]
    Inherit,
    /// Each process opens, binds, listens or connects for itself, by steps.
    ByName,
}

/// A channel as declared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de>"))]
pub struct Channel<N> {
    /// What it can do.
    pub is: Ability,
    /// What it is made of, whatever the scenario's mechanisms are; one of those, if left out. Such a channel is
    /// inherited, also where the others are attached by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_of: Option<Mechanism>,
    /// The two processes of a two-way channel: the first holds one end, the second the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<[String; 2]>,
    /// Messages that a queue holds, where that can be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<N>,
    /// Bytes in the longest message, where that can be chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_size: Option<N>,
    /// The value a counter or a futex starts with, 0 if left out; how many a barrier waits for, 2 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<N>,
    /// Bytes in a memory object; 4096, if left out. Semaphores in a set; 1, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<N>,
    /// File locks: all processes share one open file description from the beginning, as after a fork; otherwise each opens the
    /// file for itself. With `attach: by_name` a process may open it beside that.
    #[serde(default, skip_serializing_if = "is_no")]
    pub shared_description: bool,
    /// With `attach: by_name`: whether the object exists before the first step.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub exists: bool,
}

impl<N> Channel<N> {
    /// A channel of which nothing but its ability is said.
    #[must_use]
    pub const fn plain(is: Ability) -> Self {
        Self {
            is,
            made_of: None,
            between: None,
            capacity: None,
            message_size: None,
            initial: None,
            size: None,
            shared_description: false,
            exists: true,
        }
    }
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_no(value: &bool) -> bool {
    !*value
}

/// Who does what.
#[derive(Clone, Debug)]
pub enum Body {
    /// One line after another.
    Story(Vec<Line>),
    /// Each process its own list, all at once.
    Processes {
        /// The processes, in the order of the file.
        processes: Vec<Process>,
        /// Which orders of their steps are run.
        orders: Orders,
    },
}

/// Which orders of the steps of `processes` are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Orders {
    /// All at once: whatever the system makes of it.
    #[default]
    Free,
    /// Every interleaving, one by one.
    Every,
}

/// One line of a story.
#[derive(Clone, Debug)]
pub struct Line {
    /// Who acts.
    pub process: String,
    /// What it does, or what is asked about a call it began before.
    pub action: Action,
    /// What is expected.
    pub expect: Expect<Amount>,
    /// The result's name in the portrait or in litmus claims.
    pub record: Option<String>,
    /// The whole line in the file.
    pub span: Span,
    /// The expectation's key and value, for the caret of a finding; the whole line where there is none.
    pub expect_span: Span,
}

/// What a line of a story does.
#[expect(clippy::large_enum_variant, reason = "there is one a line of a scenario, and most are read once")]
#[derive(Clone, Debug)]
pub enum Action {
    /// Begin an operation on a channel (none for operations of the process itself).
    Do {
        /// The operation.
        operation: Operation<Amount>,
        /// The channel it is about.
        channel: Option<String>,
    },
    /// The call blocked under this name must have returned by now.
    Resumes(String),
    /// The call blocked under this name must still be waiting.
    Still(String),
}

/// One kind of process of a `processes:` body.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// How many of this kind run.
    pub count: Amount,
    /// Its steps.
    pub steps: Vec<Step>,
    /// The name in the file.
    pub span: Span,
}

/// One entry of a process's list.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all steps are the large one")]
pub enum Step {
    /// One operation. Its line's `process` is the process's name.
    One(Line),
    /// Steps done several times.
    Repeat {
        /// How often.
        times: Amount,
        /// What.
        steps: Vec<Step>,
        /// The whole in the file.
        span: Span,
    },
}

/// What is expected of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect<N> {
    /// Nothing was said: it succeeds, in full, and does not block.
    Succeeds,
    /// It gives this.
    Gives(Expected<N>),
    /// It fails with one of these.
    Fails(Vec<Errno>),
    /// It is proven to wait, and is known by this name from then on.
    Blocks(String),
    /// It ends the process with this signal.
    Dies(Signal),
    /// No verdict (`record:` alone).
    Anything,
}

/// A value that is expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected<N> {
    /// This text.
    Text(String),
    /// This number: bytes or messages counted, a value.
    Number(N),
    /// The end of the stream.
    End,
    /// A result with these parts; parts that are not named are not judged.
    Parts(Parts<N>),
    /// These, in this order.
    List(Vec<Expected<N>>),
}

/// Parts of a result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de>"))]
pub struct Parts<N> {
    /// The text of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Bytes received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<N>,
    /// The process that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Its priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<N>,
    /// Its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<N>,
    /// Whether the message was longer than the buffer and its tail was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    /// A signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// The value that came with a signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<N>,
    /// How a signal was sent: `SI_USER`, `SI_QUEUE`, `SI_MESGQ`, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Whether the handler of a signal ran on its own stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_stack: Option<bool>,
    /// A number of at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<N>,
    /// A number of at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<N>,
}

/// How much a claim weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Promised by the cited clause: gates.
    Must,
    /// Expected: warns.
    Should,
    /// Left open: recorded, never judged.
    May,
}

/// A claim, its grade and its place.
#[derive(Clone, Debug)]
pub struct GradedClaim {
    /// How much it weighs.
    pub grade: Grade,
    /// What is claimed.
    pub claim: Claim<Amount>,
    /// Where.
    pub span: Span,
}

/// What may be claimed of a whole history. In a file: a word, or a one-key map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim<N> {
    /// Nothing that was sent is missing at the end.
    Complete(ClaimOn),
    /// Nothing is received twice, nothing is received that was not sent.
    ExactlyOnce(ClaimOn),
    /// What one sender sent is received in the order it was sent.
    InOrder(ClaimOn),
    /// What one call sent is received in one piece, neither torn nor merged.
    Whole(ClaimOn),
    /// A message is never received while one of higher priority is known to wait.
    ByPriority(ClaimOn),
    /// No two processes are in this critical section at once.
    Excludes(String),
    /// How each named process ends: an exit status or a signal.
    Ends(BTreeMap<String, Ending<N>>),
    /// These results are never seen together in one run.
    Never(BTreeMap<String, NamedResult<N>>),
    /// These results are seen together in at least one run.
    Seen(BTreeMap<String, NamedResult<N>>),
    /// All the processes have finished their steps at the end.
    Finishes,
}

impl<N> Claim<N> {
    /// The word in scenario files and reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Complete(_) => "complete",
            Self::ExactlyOnce(_) => "exactly_once",
            Self::InOrder(_) => "in_order",
            Self::Whole(_) => "whole",
            Self::ByPriority(_) => "by_priority",
            Self::Excludes(_) => "excludes",
            Self::Ends(_) => "ends",
            Self::Never(_) => "never",
            Self::Seen(_) => "seen",
            Self::Finishes => "finishes",
        }
    }
}

/// The channel a claim is about (filled in by the loader where there is but one).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimOn {
    /// The channel's name.
    pub channel: String,
}

/// What `never` and `seen` say that a step gave under the name of its `record:`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NamedResult<N> {
    /// This error.
    Failed(Errno),
    /// Success, of a call that gives nothing.
    Done(Done),
    /// This number.
    Number(N),
}

/// The word `done`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// The call succeeded.
    Done,
}

impl<N: std::fmt::Display> std::fmt::Display for NamedResult<N> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(errno) => errno.fmt(formatter),
            Self::Done(Done::Done) => formatter.write_str("done"),
            Self::Number(number) => number.fmt(formatter),
        }
    }
}

/// How a process ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending<N> {
    /// With this exit status.
    Status(N),
    /// By this signal.
    Signal(Signal),
}

/// A change after which a claim has to break.
#[derive(Clone, Debug)]
pub struct Control {
    /// Parameters of `vary` and their values in the control.
    pub change: BTreeMap<String, Amount>,
    /// The claim that has to break, by its name.
    pub breaks: String,
    /// Where.
    pub span: Span,
}

/// A capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    /// The mechanism must offer a feature.
    Feature(Feature),
    /// The agent must announce this capability, as `shared_meeting`.
    Capability(String),
    /// More than one processor.
    Processors(u64),
}

/// What is known to differ on a platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// The platform: a system (`linux`, `freebsd`, `macos`, `netbsd`, `openbsd`, `gvisor`, `qemu_user`, `musl`) or a machine
    /// (`x86_64`, `aarch64`, `riscv64`).
    pub r#where: String,
    /// What differs.
    pub because: String,
    /// Who says so: a link or a manual page.
    pub source: String,
    /// The mechanisms it is about; all, if left out.
    #[serde(default)]
    pub mechanisms: Vec<Mechanism>,
    /// What to do there.
    /// Do not run it there. Either this or `expect`.
    #[serde(default)]
    pub skip: bool,
    /// Run it there, and complain if it holds: the note is stale.
    #[serde(default)]
    pub expect: Option<ExpectBroken>,
}

/// The only word after `expect:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectBroken {
    /// The claim is broken there; that it holds is news.
    Broken,
}
