//! Bounds of time, in which nothing counts that the machine kept from those who are waited for.
//!
//! On a busy machine a process that could run may wait for a processor for seconds. That is not the scenario's doing, nor the agent's, and
//! says nothing about the system: so such time is taken off. Who spins runs, and its time counts.

use super::team::Member;
use crate::{
    clock,
    fault::Fault,
    host::{self, Looker},
    lane::Grounds,
};
use harness_core::Plan;
use std::collections::HashMap;

/// How often the time is told: nanoseconds. The system may tell what a process ran only every few milliseconds.
const TELL_NS: u64 = 20_000_000;

/// How many times its bound somebody is waited for before it is given up.
const PATIENCE: u64 = 20;

/// One bound.
#[derive(Debug)]
pub(crate) struct Deadline {
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

/// What a process was seen to be at.
#[derive(Clone, Copy, Debug)]
struct RunTime {
    pid: i32,
    /// Whether it runs, or waits for a processor.
    runs: bool,
    /// For how long it ran so far: nanoseconds.
    ran: u64,
}

impl RunTime {
    fn of(pid: i32, looker: &Looker) -> Self {
        let (runs, ran) = looker.run_time();
        Self { pid, runs, ran }
    }
}

impl Deadline {
    /// The bound of a plan that begins now.
    pub(super) fn new(grounds: &Grounds, plan: &Plan) -> Self {
        Self::from(clock::now(), grounds.config.scaled_ns(plan.within_ns))
    }

    /// The bound of an answer that an agent owes from now on, and that needs no waiting for others.
    pub(crate) fn of_an_answer(grounds: &Grounds) -> Self {
        Self::from(clock::now(), grounds.patience_ns())
    }

    fn from(started: u64, within: u64) -> Self {
        Self { started, within, kept_from: 0, told: started, ran: HashMap::new(), own_delay: None }
    }

    /// When the time is up if the machine has time for us.
    pub(super) fn at(&self) -> u64 {
        self.started.saturating_add(self.within)
    }

    /// Whether the time is up for a team. To be asked again and again.
    ///
    /// # Errors
    /// Where the machine keeps it from running for so long that there is no use in waiting.
    pub(super) fn is_over(&mut self, members: &[Member]) -> Result<bool, Fault> {
        let alive = || members.iter().filter(|member| member.ending.is_none());
        self.is_over_at(clock::now(), || alive().map(|member| RunTime::of(member.pid, &member.looker)).collect())
    }

    /// Whether the time is up for the agent with this root, whichever of its processes it is that owes the answer.
    ///
    /// # Errors
    /// As [`Self::is_over`].
    pub(crate) fn is_over_for(&mut self, root: i32) -> Result<bool, Fault> {
        let family = || host::family(root).into_iter().map(|pid| RunTime::of(pid, &Looker::new(pid))).collect();
        self.is_over_at(clock::now(), family)
    }

    /// What is wrong once the time is up.
    pub(crate) fn silence(&self, who: impl Into<String>, what: &'static str) -> Fault {
        Fault::Silent { who: who.into(), what, limit_ms: self.within / 1_000_000 }
    }

    fn is_over_at(&mut self, now: u64, run_times: impl Fn() -> Vec<RunTime>) -> Result<bool, Fault> {
        if now.saturating_sub(self.told) >= TELL_NS {
            self.tell(now, &run_times());
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
        self.tell(now, &run_times());
        Ok(taken > self.within.saturating_add(self.kept_from))
    }

    fn tell(&mut self, now: u64, run_times: &[RunTime]) {
        let passed = now.saturating_sub(self.told);
        let (mut somebody_could, mut ran) = (false, 0);
        for process in run_times {
            somebody_could |= process.runs;
            ran += process.ran.saturating_sub(self.ran.insert(process.pid, process.ran).unwrap_or(0));
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
    use super::{Deadline, PATIENCE, RunTime, TELL_NS, kept_from};
    use crate::fault::Fault;
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

    /// Asks every 20 ms about a process that is ready to run from the start and gets this share of the time; returns when the time was up.
    fn asked_about(within: u64, runs: bool, share_percent: u64) -> Result<u64, Fault> {
        let mut deadline = Deadline::from(0, within);
        for now in (0..).step_by(usize::try_from(TELL_NS).unwrap()) {
            let run_times = || vec![RunTime { pid: 7, runs, ran: now * share_percent / 100 }];
            if deadline.is_over_at(now, run_times)? {
                return Ok(now / within);
            }
        }
        unreachable!("it goes on without end")
    }

    #[rstest]
    #[case::it_sleeps(false, 0, 1)]
    #[case::it_spins(true, 100, 1)]
    #[case::it_gets_half_of_the_time(true, 50, 2)]
    #[case::it_gets_a_tenth(true, 10, 10)]
    fn a_bound_counts_what_a_process_gets(#[case] runs: bool, #[case] share_percent: u64, #[case] times: u64) {
        let taken = asked_about(1_000_000_000, runs, share_percent).unwrap();
        assert!((times..=times + 1).contains(&taken), "{taken} times its bound, where it was to be {times}");
    }

    #[test]
    fn who_never_gets_to_run_is_given_up_and_is_not_called_silent() {
        let fault = asked_about(1_000_000_000, true, 0).unwrap_err();
        let Fault::Starved { waited_ms, .. } = fault else { panic!("{fault}") };
        assert!(waited_ms >= PATIENCE * 1000, "{waited_ms}");
    }
}
