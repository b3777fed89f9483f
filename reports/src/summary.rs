//! How many instances got which verdict: the last line of every run.

use harness_core::{InstanceReport, Verdict};
use serde::{Deserialize, Serialize};

/// Counts of instances by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// As promised.
    pub held: usize,
    /// Not as promised.
    pub broken: usize,
    /// Nothing contradicted them, but nothing could have.
    pub vacuous: usize,
    /// Not run.
    pub skipped: usize,
    /// The harness or the agent erred.
    pub faulty: usize,
}

impl Summary {
    /// The counts of these instances.
    #[must_use]
    pub fn of(instances: &[InstanceReport]) -> Self {
        let mut summary = Self::default();
        for instance in instances {
            summary.add(instance.verdict);
        }
        summary
    }

    /// Counts one more.
    pub fn add(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Held => self.held += 1,
            Verdict::Broken => self.broken += 1,
            Verdict::Vacuous => self.vacuous += 1,
            Verdict::Skipped => self.skipped += 1,
            Verdict::Faulty => self.faulty += 1,
        }
    }

    /// All of them together.
    #[must_use]
    pub fn total(&self) -> usize {
        self.held + self.broken + self.vacuous + self.skipped + self.faulty
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { held, broken, vacuous, skipped, faulty } = self;
        write!(formatter, "{held} held, {broken} broken, {vacuous} vacuous, {skipped} skipped, {faulty} faulty")
    }
}
