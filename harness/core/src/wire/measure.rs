//! The messages of [`super::capability::MEASURE`]: do one thing many times, and say what it took.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Do one thing many times, and say what it took.
///
/// All parties are told the same, but for the channels they use. They meet before the first operation and after the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// What is done.
    pub task: Task,
    /// The channel that it is done with; of two, the one that this process sends on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The channel on which the other one's messages come, where that is not the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<String>,
    /// Memory in which the parties check one another: that a lock excludes, that who waits is woken by what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Who takes part, by name. The first one begins: it asks, or sends.
    pub parties: Vec<String>,
    /// How often it is done: by each party that takes, else by all together.
    pub operations: u64,
    /// Bytes in a message.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Of [`Task::OpenLoop`]: from one message to the next, in nanoseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interval_ns: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// A message to the other and one back; with a counter a post and a wait; with what wakes a wake-up and one back; with memory
    /// a store that the other sees, and one back. Times of each are reported by the first party.
    RoundTrip,
    /// Messages from the first party to the second, as fast as they go. Reported by the second party.
    OneWay,
    /// As [`Self::RoundTrip`], but messages are neither copied in nor out: only their number is written and looked at where they lie.
    RoundTripInPlace,
    /// As [`Self::OneWay`], but messages are neither copied in nor out: only their number is written and looked at where they lie.
    OneWayInPlace,
    /// As [`Self::OneWay`], but messages are not copied: every eight bytes of them are written, and looked at, where they lie.
    OneWayFilled,
    /// As [`Self::OneWay`], but as many as sixteen messages are sent at once, and received at once.
    OneWayBatch,
    /// One message every `interval_ns`, whether or not the one before has arrived. The second party reports how long after its due
    /// time each came.
    OpenLoop,
    /// Takes a lock, or a counter of 1, and gives it back; adds to a cell of memory. All parties do, until the first of them
    /// is through.
    Take,
    /// The same with a lock that several can hold.
    TakeShared,
    /// A round trip of `kill()`, accepted by `sigwaitinfo()`.
    Sigwait,
    /// A round trip of `sigqueue()`, accepted by `sigwaitinfo()` with its value.
    Sigqueue,
    /// A round trip of `kill()`, read from a `signalfd()`.
    Signalfd,
    /// A round trip of `kill()`, caught by a handler while `sigsuspend()` waits.
    Handler,
    /// The floor: a system call that does nothing.
    SystemCall,
    /// The floor: `bytes` copied within the memory of this process.
    Copy,
    /// The floor: an atomic addition that nobody else makes.
    Add,
    /// The floor: one cache line handed to the other, which looks at it all the time, and back. `channel` is memory.
    Line,
    /// The floor: the other woken by a futex, and back. `channel` is memory.
    Switch,
    /// Keeps a processor from going to sleep, at the lowest priority, until this process is told `go`.
    KeepAwake,
}

/// What it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// Why it cannot be done, as a person would say it: the call and its error. Nothing else is said then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impossible: Option<String>,
    /// How many operations this process did, or saw done.
    pub operations: u64,
    /// When the first began, in nanoseconds of `CLOCK_MONOTONIC`.
    pub began: u64,
    /// When the last was over.
    pub ended: u64,
    /// The processor time of this process in between: nanoseconds.
    pub processor_ns: u64,
    /// How often it gave its processor up by itself.
    pub voluntary_switches: u64,
    /// How often its processor was taken from it.
    pub involuntary_switches: u64,
    /// The processors that it was seen on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processors: Vec<u32>,
    /// How long a fixed piece of arithmetic took afterwards: nanoseconds. What slows the processor slows this.
    pub pace_ns: u64,
    /// Two numbers for each length of time that was seen: nanoseconds, and how often. The cost of looking at the clock is taken off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latencies: Vec<u64>,
    /// How long each of equal parts of all operations took, in order: nanoseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<u64>,
    /// How many operations are in a slice.
    pub slice_operations: u64,
    /// Messages that were sent and did not arrive, where the mechanism may lose them.
    pub lost: u64,
}
