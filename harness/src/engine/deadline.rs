//! The bound of a scenario's time, in which nothing counts that the machine kept from it.
//!
//! On a busy machine a process that could run may wait for a processor for seconds. That is not the scenario's doing, and says nothing
//! about the system: so such time is taken off. Who spins runs, and its time counts.

use super::team::Member;
use crate::{clock, fault::Fault, host, lane::Grounds};
use harness_core::Plan;
use std::collections::HashMap;

/// How often the time is told: nanoseconds. The system may tell what a process ran only every few milliseconds.
const TELL_NS: u64 = 20_000_000;

/// How many times its bound a scenario may take before it is given up.
const PATIENCE: u64 = 20;

/// The bound of one scenario.
#[derive(Debug)]
pub(super) struct Deadline {
    started: u64,
    within: u64,
    /// How long somebody could have run, and nobody did.
    kept_from: u64,
    /// When that was told last.
    told: u64,
    /// How long each process had run then.
    ran: HashMap<i32, u64>,
    /// How long this thread had waited for a processor then; not known before the time was told once.
    own_delay: Option<u64>,
}

impl Deadline {
    /// The bound of a plan that begins now.
    pub(super) fn new(grounds: &Grounds, plan: &Plan) -> Self {
        let now = clock::now();
        let within = grounds.config.scaled_ns(plan.within_ns);
        Self { started: now, within, kept_from: 0, told: now, ran: HashMap::new(), own_delay: None }
    }

    /// When the time is up if the machine has time for us.
    pub(super) fn at(&self) -> u64 {
        self.started.saturating_add(self.within)
    }

    /// Whether the time is up. To be asked again and again.
    ///
    /// # Errors
    /// Where the machine keeps a scenario from running for so long that there is no use in waiting.
    pub(super) fn is_over(&mut self, members: &[Member]) -> Result<bool, Fault> {
        let now = clock::now();
        if now.saturating_sub(self.told) >= TELL_NS {
            self.tell(now, members);
        }
        let taken = now.saturating_sub(self.started);
        if taken <= self.within.saturating_add(self.kept_from) {
            let hopeless = taken / PATIENCE > self.within;
            return if hopeless {
                Err(Fault::Starved { waited_ms: taken / 1_000_000, kept_ms: self.kept_from / 1_000_000 })
            } else {
                Ok(false)
            };
        }
        // What happened since the time was told last may be the machine's doing as well.
        self.tell(now, members);
        Ok(taken > self.within.saturating_add(self.kept_from))
    }

    fn tell(&mut self, now: u64, members: &[Member]) {
        let passed = now.saturating_sub(self.told);
        let (mut somebody_could, mut ran) = (false, 0);
        for member in members.iter().filter(|member| member.ending.is_none()) {
            let (runs, time) = member.looker.run_time();
            somebody_could |= runs;
            ran += time.saturating_sub(self.ran.insert(member.pid, time).unwrap_or(0));
        }
        let own_delay = host::own_delay_ns();
        let own = self.own_delay.map_or(0, |before| own_delay.saturating_sub(before));
        self.kept_from += kept_from(passed, somebody_could, ran, own);
        (self.told, self.own_delay) = (now, Some(own_delay));
    }
}

/// How much of some time the machine kept a scenario from running: that in which somebody could have run and nobody did, or that in
/// which the harness, for which they wait, had no processor.
fn kept_from(passed: u64, somebody_could: bool, ran: u64, own_delay: u64) -> u64 {
    let starved = if somebody_could { passed.saturating_sub(ran) } else { 0 };
    starved.max(own_delay.min(passed))
}

#[cfg(test)]
mod tests {
    use super::kept_from;
    use rstest::rstest;

    #[rstest]
    #[case::asleep_by_itself(false, 0, 0, 0)]
    #[case::spins(true, 20, 0, 0)]
    #[case::two_spin(true, 40, 0, 0)]
    #[case::another_spins_beside_it(true, 10, 0, 10)]
    #[case::starves(true, 0, 0, 20)]
    #[case::the_harness_starves(false, 0, 15, 15)]
    #[case::longer_ago(false, 0, 90, 20)]
    fn what_the_machine_keeps_is_taken_off(
        #[case] somebody_could: bool,
        #[case] ran: u64,
        #[case] own_delay: u64,
        #[case] expected: u64,
    ) {
        assert_eq!(kept_from(20, somebody_could, ran, own_delay), expected);
    }
}
