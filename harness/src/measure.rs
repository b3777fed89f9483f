//! Measuring: samples of cells, taken one by one on a lane that has the machine for itself.

use crate::{
    engine::measure::{self, Taken},
    fault::Fault,
    isolation,
    lane::Lane,
    session::Session,
};
use harness_core::{
    measure::{Cell, Placement, Sample},
    wire::capability,
};
use std::{ffi::OsString, process::Stdio, sync::PoisonError};

/// How much is done for a sample. Times are of one sample's own clock, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How long a sample takes.
    pub sample_ns: u64,
    /// How long a batch takes of those before it, which are done until two in a row take equally long.
    pub batch_ns: u64,
    /// For how long that is tried.
    pub warm_up_max_ns: u64,
    /// How long each floor takes, before and after; 0 leaves them out.
    pub floor_ns: u64,
    /// How often a sample is taken anew that strangers have disturbed.
    pub tries: u32,
}

impl Effort {
    /// What figures are made of that are kept.
    pub const FULL: Self =
        Self { sample_ns: 40_000_000, batch_ns: 6_000_000, warm_up_max_ns: 60_000_000, floor_ns: 3_000_000, tries: 4 };

    /// What gives an idea. What strangers disturb is not tried again: where there is time, there is another round.
    pub const QUICK: Self =
        Self { sample_ns: 15_000_000, batch_ns: 3_000_000, warm_up_max_ns: 15_000_000, floor_ns: 1_500_000, tries: 1 };

    /// One of many, to be compared with one that is taken directly before or after: floors say nothing then.
    pub const PAIR: Self =
        Self { sample_ns: 25_000_000, batch_ns: 3_000_000, warm_up_max_ns: 12_000_000, floor_ns: 0, tries: 1 };

    /// What can be spared beside something else.
    pub const BRIEF: Self =
        Self { sample_ns: 6_000_000, batch_ns: 1_500_000, warm_up_max_ns: 6_000_000, floor_ns: 1_000_000, tries: 1 };
}

/// One sample to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// Of what.
    pub cell: Cell,
    /// Which round, from 0. Rounds take turns with the processors.
    pub round: u32,
    /// How much is done for it.
    pub effort: Effort,
    /// Of an open loop: from one message to the next, in nanoseconds.
    pub interval_ns: u64,
    /// How many operations the sample is to have, rather than as many as fill its time.
    pub operations: Option<u64>,
}

impl Order {
    /// A sample as long as the effort says.
    #[must_use]
    pub fn new(cell: Cell, round: u32, effort: Effort) -> Self {
        Self { cell, round, effort, interval_ns: 0, operations: None }
    }
}

/// Why there is no sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmeasured {
    /// It cannot be done here, and why.
    NotApplicable(String),
    /// The harness or the agent erred.
    Failed(String),
}

impl From<Fault> for Unmeasured {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault.to_string())
    }
}

impl Session {
    /// Whether the agent can measure.
    #[must_use]
    pub fn can_measure(&self) -> bool {
        let known = &self.facts().hello.capabilities;
        [capability::MEASURE, capability::SHARED_MEETING].iter().all(|needed| known.iter().any(|known| known == needed))
    }

    /// Takes a sample. Nothing else is to run in this session meanwhile.
    ///
    /// # Errors
    /// Why there is none.
    pub fn measure(&self, order: &Order) -> Result<Sample, Unmeasured> {
        self.on_a_lane(|lane| measure::sample(self.grounds(), lane, order))
    }

    /// Counts the system calls of all parties for one operation of a cell, in a run of its own: being watched takes time. `None` where
    /// the system does not let us watch.
    ///
    /// # Errors
    /// Why they cannot be counted.
    pub fn count_system_calls(&self, cell: Cell) -> Result<Option<f64>, Unmeasured> {
        self.on_a_lane(|lane| measure::count(self.grounds(), lane, cell))
    }

    /// Runs a program in a world like that of a lane and gives what it printed: what it measures is measured where ours is.
    ///
    /// # Errors
    /// When it cannot be started, or ends with another status than 0: the status, if it has one, and what it said.
    pub fn run_beside(&self, program: &[OsString]) -> Result<String, (Option<i32>, String)> {
        let grounds = self.grounds();
        let output = isolation::lane_command(grounds.isolation, &grounds.config.helper, program)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| (None, error.to_string()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err((output.status.code(), String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// The processors that the parties of a cell run on in a round, one after another; none where they are free.
    #[must_use]
    pub fn processors_of(&self, cell: &Cell, round: u32) -> Vec<usize> {
        match cell.placement {
            Placement::Free => Vec::new(),
            placement => measure::places(self.grounds(), placement, round).unwrap_or_default(),
        }
    }

    fn on_a_lane<T>(&self, take: impl FnOnce(&mut Lane) -> Result<Taken<T>, Fault>) -> Result<T, Unmeasured> {
        let spare = self.spare().lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut lane = match spare {
            Some(lane) => lane,
            None => self.new_lane().map_err(|error| Unmeasured::Failed(error.to_string()))?,
        };
        match take(&mut lane) {
            Ok(taken) => {
                self.spare().lock().unwrap_or_else(PoisonError::into_inner).push(lane);
                match taken {
                    Taken::All(taken) => Ok(taken),
                    Taken::Not(reason) => Err(Unmeasured::NotApplicable(reason)),
                }
            }
            Err(fault) => {
                lane.stop();
                Err(fault.into())
            }
        }
    }
}
