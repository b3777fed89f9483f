//! The agent protocol: JSON Lines over a stream socket. `docs/agent-protocol.md` explains it.
//!
//! An agent connects to the socket named by [`SOCKET_VARIABLE`] and says [`Hello`]. Its first connection is
//! the root's: it is told to open channels and to start processes, and reports how they end. Each scenario process
//! connects for itself, says [`Hello`] with its name, and is told what to do. The end of a connection means: die.

pub mod measure;

pub use measure::{Measure, Measured};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use spec::{
    Errno, Mechanism, Operation, Signal,
    scenario::{Attach, Channel},
};
use std::collections::BTreeMap;

/// The version of this protocol. A harness refuses an agent of another.
pub const PROTOCOL: u32 = 1;

/// The environment variable that names the harness's socket.
pub const SOCKET_VARIABLE: &str = "PLUMBLINE_SOCKET";

/// The longest line either side may send, in bytes.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// What an agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FromAgent {
    /// First on every connection.
    Hello(Hello),
    /// Root: the channels are open and the processes started.
    Opened(Opened),
    /// Root: the channels cannot be opened; nothing was left behind.
    Refused(Refused),
    /// Root: a process has ended.
    Exited(Exited),
    /// Root: everything of a run is closed, ended and removed.
    Closed(Closed),
    /// Root: what one process has written into its shared journal.
    Journal(Journal),
    /// Root: all journals of a harvest were sent.
    Harvested(Harvested),
    /// Process: the next thing it does is this call.
    Begin(Begin),
    /// Process: the call has returned.
    End(End),
    /// Process: it waits at a meeting that the harness is to release (only where meetings go by messages).
    Met(Met),
    /// Process: it has done all of its steps.
    Finished(Finished),
    /// Process: what it was told to measure took so long.
    Measured(Box<Measured>),
    /// Either: the agent cannot do what it was told. The run is faulty.
    Problem(Problem),
}

/// What the harness says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ToAgent {
    /// To the root: open channels, start processes.
    Open(Open),
    /// To the root: end the processes that are left, close and remove everything.
    Close(Close),
    /// To the root: send what the processes have written into their shared journals so far.
    Harvest(Harvest),
    /// To a process, together with its first command: who the others are.
    Peers(Peers),
    /// To a process: do this step now.
    Do(Do),
    /// To a process: do all these steps, as often as `runs` says.
    Steps(Steps),
    /// To a process that waits at a meeting: all are there.
    Go(Go),
    /// To a process: do one thing many times, and say what it took.
    Measure(Measure),
}

/// The first line of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Hello {
    /// The agent's root.
    Root(RootHello),
    /// A process of a run.
    Process(ProcessHello),
}

/// What a root says of itself and its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RootHello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Its name and version.
    pub agent: String,
    /// The mechanisms it offers, by name.
    pub mechanisms: Vec<String>,
    /// What it can do beyond the least: see [`capability`].
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Operations that it does not offer, by name: scenarios that need them are skipped.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// The limits of its host, by name; those it does not know are absent.
    #[serde(default)]
    pub limits: BTreeMap<String, u64>,
    /// The system it runs on: `os`, `release`, `machine`, `libc`, and what else it knows.
    #[serde(default)]
    pub system: BTreeMap<String, String>,
}

/// Capabilities that an agent may announce.
pub mod capability {
    /// Processes meet in shared memory, without the harness: races overlap, and many runs go without a message.
    pub const SHARED_MEETING: &str = "shared_meeting";
    /// `open` may ask for many copies of each channel, and `steps` and `do` for as many runs.
    pub const COPIES: &str = "copies";
    /// Processes write what they do into memory that the root shares with them, and the root sends it in bulk when it is told to
    /// `harvest`; copies of channels can be renewed, and meetings left at an instant. Goes with the two others.
    pub const SHARED_JOURNAL: &str = "shared_journal";
    /// Processes can become a user without privileges (the step `change_user`).
    pub const USERS: &str = "users";
    /// Processes do one thing many times, and say what it took. Goes with [`SHARED_MEETING`]: they meet in shared memory.
    pub const MEASURE: &str = "measure";
}

/// What a process says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessHello {
    /// The run it belongs to.
    pub run: u64,
    /// Its name.
    pub process: String,
    /// Its process id, as its peers know it.
    pub pid: i32,
    /// The descriptor of this connection, by which a wait for commands is told from a wait in a call.
    #[serde(default)]
    pub control_fd: Option<i32>,
}

/// Open channels and start processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The number of this run; higher than all before.
    pub run: u64,
    /// What the channels are made of.
    pub mechanism: Mechanism,
    /// Whether the root opens for all, or each process for itself.
    pub attach: Attach,
    /// A directory for FIFOs and sockets, empty before and after.
    pub directory: String,
    /// What every name in a name space of the system (queues, segments, semaphores) begins with, without the slash: then come the
    /// channel, `-`, and the number of the copy.
    pub prefix: String,
    /// The channels.
    pub channels: Vec<OpenChannel>,
    /// The processes.
    pub processes: Vec<OpenProcess>,
    /// How many copies of every channel to open: run `r` uses copy `r % copies`. 1 without [`capability::COPIES`].
    pub copies: u32,
    /// The processors to run on, where the harness pins; empty otherwise. Advice: the harness pins the processes itself.
    #[serde(default)]
    pub processors: Vec<u32>,
}

/// One channel to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenChannel {
    /// Its name in the scenario.
    pub name: String,
    /// How it was declared.
    pub options: Channel<u64>,
    /// Whether its payloads are stamped: what is received is then reported as runs.
    pub stamped: bool,
}

/// One process to start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenProcess {
    /// Its name, unique in the run.
    pub name: String,
    /// Its number, from 1 to 15: the sender in its stamps.
    pub number: u8,
    /// The ends it holds; it has no other descriptors of the channels.
    pub holds: Vec<Hold>,
    /// Whether another process forks it (the step `fork`), so that the root does not start it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forked: bool,
}

/// An end of a channel that a process holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The channel.
    pub channel: String,
    /// Which end.
    pub end: HeldEnd,
}

/// Which end of a channel a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeldEnd {
    /// The end that is read or received from.
    Read,
    /// The end that is written or sent to.
    Write,
    /// Both ends, or the whole object where it has no ends (queues of the system, memory, counters).
    Both,
    /// The first of a two-way channel.
    First,
    /// The second of a two-way channel.
    Second,
    /// No end of it, until one is received over another channel.
    Nothing,
}

/// The channels are open and the processes started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Opened {
    /// The run.
    pub run: u64,
}

/// The channels cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The run.
    pub run: u64,
    /// Why, as a reason to skip: it is then `skipped` with this class.
    pub class: RefusalClass,
    /// What went wrong, as a person would say it: the call and its error.
    pub reason: String,
}

/// Why an agent refuses to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalClass {
    /// The system or the agent has no such thing.
    Unsupported,
    /// The system has it, but not for this user or within its limits.
    Privilege,
    /// Something went wrong that ought not to: the run is faulty.
    Fault,
}

/// A process has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exited {
    /// The run.
    pub run: u64,
    /// Its name.
    pub process: String,
    /// How.
    pub ending: ProcessEnding,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProcessEnding {
    /// It exited with this status.
    Status(i32),
    /// This signal ended it.
    Signal(Signal),
    /// Only the process that forked it can tell how. Said by no agent.
    Unseen,
}

/// End what is left of a run and remove everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// The run.
    pub run: u64,
}

/// Everything of a run is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// The run.
    pub run: u64,
    /// What the agent itself saw left over and removed, as a person would say it.
    #[serde(default)]
    pub leaked: Vec<String>,
}

/// Who the processes of a run are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    /// Process ids by name, this process included.
    pub pids: BTreeMap<String, i32>,
}

/// Do one step now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Do {
    /// The step's number, repeated in `begin` and `end`.
    pub step: u32,
    /// Which run it belongs to, repeated in `begin` and `end`: it is done on copy `run % copies` of its channel, and with each run stamps
    /// begin anew. Another than 0 only with [`capability::COPIES`], and never in `steps`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub run: u32,
    /// What to do.
    pub operation: Operation<u64>,
    /// On which channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// Do all these steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// The steps, in order; their numbers are their indices.
    pub steps: Vec<Do>,
    /// How often to do them all; before each, all processes of the run meet.
    pub runs: u32,
    /// Who comes to each meeting, by its name. The meeting before each run is called `start`.
    pub meetings: BTreeMap<String, Vec<String>>,
    /// Whether meetings are in shared memory rather than by messages.
    pub shared_meeting: bool,
    /// Meetings that all leave at a common instant of the clock rather than as soon as they see that all are there. Only with
    /// [`capability::SHARED_JOURNAL`], as everything from here on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instants: Vec<String>,
    /// How long after that instant this process goes on: nanoseconds; run `r` uses entry `r` modulo their number. None: at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offsets: Vec<u32>,
    /// Whether begin and end of the steps go into the shared journal rather than over the connection.
    #[serde(default, skip_serializing_if = "is_false")]
    pub shared_journal: bool,
    /// Channels all of whose calls are non-blocking: their flag is set once, before the first run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nonblocking: Vec<String>,
    /// What this process makes new after every so many runs as there are copies, when all have come to the end of them, so that
    /// copies can be used again: channels that it empties or sets back. Absent where there are not more runs than copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew: Option<Vec<String>>,
    /// How much one run sends at most on channels that are made new: bytes of a stream, messages of a queue. A copy from which this
    /// process has received as much in a run is as new.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sent: BTreeMap<String, u64>,
}

/// Send the shared journals of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Harvest {
    /// The run.
    pub run: u64,
}

/// All shared journals of a run were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Harvested {
    /// The run.
    pub run: u64,
}

/// What a process has written into its shared journal since it was told its steps.
///
/// A process does its steps in order, so that the place of a call in the journal tells its run and its step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The run.
    pub run: u64,
    /// Whose it is.
    pub process: String,
    /// What calls gave, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
    /// Three numbers for each call that has returned: nanoseconds from the beginning of the call before to its own (for the first
    /// from 0 of `CLOCK_MONOTONIC`); nanoseconds from there to its return; and which of `outcomes` it gave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<u64>,
    /// How many steps were begun, of all runs together: more than have returned where it is in one.
    pub begun: u64,
}

/// A process is about to make a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The step.
    pub step: u32,
    /// Which of the runs; of a step by `do` what that said.
    #[serde(default)]
    pub run: u32,
    /// When, in nanoseconds of `CLOCK_MONOTONIC`. (After a meeting the call begins later; `end` says when.)
    pub at: u64,
}

/// A call has returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// The step.
    pub step: u32,
    /// Which of the runs; of a step by `do` what that said.
    #[serde(default)]
    pub run: u32,
    /// When the call began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub began: u64,
    /// When it returned.
    pub ended: u64,
    /// What it gave.
    pub outcome: Outcome,
}

/// What a call gave. That it failed is an outcome, not an exception.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It succeeded and there is nothing to say.
    Done,
    /// Bytes or messages written, a value, a number loaded or counted.
    Count(u64),
    /// What was read or received.
    Received(Received),
    /// A text loaded from memory.
    Text(String),
    /// Signals: the one accepted, those caught, those pending.
    Signals(Vec<SignalReport>),
    /// It failed.
    Failed(Errno),
}

/// What reads or receives brought, one piece a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Received {
    /// What each call brought.
    pub pieces: Vec<Piece>,
    /// Whether the last call reported the end of the stream.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ended: bool,
    /// How the last call failed, where several were made and the last one failed otherwise than asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Errno>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// What one read or receive brought.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Piece {
    /// How many bytes.
    pub length: u64,
    /// Which.
    pub data: Data,
    /// The priority that came with a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u64>,
    /// The type that came with a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#type: Option<u64>,
    /// Whether a message was cut: `MSG_TRUNC`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub truncated: bool,
}

/// The bytes of a piece.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// A text, where the channel carries texts.
    Text(String),
    /// Stamped bytes, as runs.
    Runs(Vec<Run>),
    /// Any bytes, two hexadecimal digits a byte. The harness makes texts or runs of them.
    Hex(String),
}

/// Consecutive bytes of one stamped message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The number of the process that sent them; 0 for bytes that no stamp explains.
    pub from: u8,
    /// Which of its messages on this channel, counted from 0 in each run.
    pub message: u32,
    /// Where in the message they begin.
    pub offset: u32,
    /// How many bytes.
    pub length: u32,
}

/// A signal as its receiver saw it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalReport {
    /// Which.
    pub signal: Signal,
    /// The value that came with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// How it was sent: `SI_USER`, `SI_QUEUE`, …; the number, where it has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Whether its handler ran on the stack of `sigaltstack()`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub own_stack: bool,
    /// Who sent it: a process's name, or a process id that is none of theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A process waits at a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Met {
    /// The meeting's name.
    pub meeting: String,
    /// Which of the runs.
    pub run: u32,
}

/// All are at the meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Go {
    /// The meeting's name.
    pub meeting: String,
}

/// A process has done all of its steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// How many runs it did: as many as it was told, or fewer, the same for all, where the shared journal has no room for more.
    pub runs: u32,
}

/// An agent cannot do what it was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// What went wrong, as a person would say it.
    pub message: String,
}
