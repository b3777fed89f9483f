//! A history: what happened in one run, as it was written down.
//!
//! Events stand in the order in which the harness learned of them; times are the processes' own, in nanoseconds of
//! `CLOCK_MONOTONIC`, one clock for all.

use crate::wire::{Outcome, ProcessEnding};
use serde::{Deserialize, Serialize};

/// What happened in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Which of the runs of a race; 0 for a story.
    pub run: u32,
    /// The events.
    pub events: Vec<Event>,
}

/// One event. `process` is an index of the plan's processes; `step` is the line of a story, or the step of that process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A story has come to this line; every process is at rest (idle, proven blocked, stopped, or ended).
    Line {
        /// Which.
        line: usize,
        /// When, by the harness's clock.
        at: u64,
    },
    /// A process was about to make a call.
    Began {
        /// Who.
        process: usize,
        /// Which step.
        step: usize,
        /// When.
        at: u64,
    },
    /// A call returned.
    Returned {
        /// Who.
        process: usize,
        /// Which step.
        step: usize,
        /// When the call began.
        began: u64,
        /// When it returned.
        ended: u64,
        /// What it gave.
        outcome: Outcome,
    },
    /// A call is proven to wait, with all others at rest.
    Blocked {
        /// Who.
        process: usize,
        /// Which step.
        step: usize,
        /// When that was proven, by the harness's clock.
        at: u64,
        /// The system call it sleeps in, as `read`, where the system tells.
        call: String,
    },
    /// A process ended.
    Ended {
        /// Who.
        process: usize,
        /// When the harness learned of it.
        at: u64,
        /// How.
        ending: ProcessEnding,
    },
    /// All are at rest and somebody has not finished: nothing can happen any more.
    Stuck {
        /// When that was proven, by the harness's clock.
        at: u64,
        /// Who waits in what.
        waiting: Vec<Waiting>,
    },
    /// The time was up.
    Overdue {
        /// When, by the harness's clock.
        at: u64,
        /// Who was doing what; the call is empty for a process that was running.
        waiting: Vec<Waiting>,
    },
}

/// A process in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Who.
    pub process: usize,
    /// In which step.
    pub step: usize,
    /// The system call it sleeps in; empty where it runs or the system does not tell.
    pub call: String,
}
