//! Who hears what came of runs: the judge, and what it says about going on.

use crate::{clock, session::Config};
use harness_core::{
    History, Judgement, Plan,
    finding::RaceReport,
    judge::{Judge, Kind},
    race::{Environment, Release},
};

/// Hears the histories of one plan.
#[derive(Debug)]
pub(crate) struct Listener<'p> {
    plan: &'p Plan,
    judge: Judge<'p>,
    /// Whether the first run that breaks something is the last.
    until_failure: bool,
    /// Whether more runs than asked for may be done.
    extends: bool,
    enough: bool,
    /// Until when more runs than asked for may be done.
    extended_until: u64,
}

/// How many times as many runs as asked for are done at most, where less would be vacuous.
const EXTENSION_MAX: u32 = 64;

impl<'p> Listener<'p> {
    pub(crate) fn new(plan: &'p Plan, config: &Config) -> Self {
        let Config { until_failure, extends, .. } = *config;
        Self { plan, judge: Judge::new(plan), until_failure, extends, enough: false, extended_until: 0 }
    }

    /// Lets a race do more runs than asked for, where what they came to would be vacuous, for half of the time that is left.
    pub(crate) fn limit_extension(&mut self, deadline: u64) {
        let now = clock::now();
        self.extended_until = now + deadline.saturating_sub(now) / 2;
    }

    /// Whether to go on after so many runs.
    pub(crate) fn goes_on(&self, done: u32) -> bool {
        !self.enough && (done < self.plan.runs || self.extends(done))
    }

    /// How many more runs are wanted, where it goes on.
    pub(crate) fn wanted(&self, done: u32) -> u32 {
        if done < self.plan.runs { self.plan.runs - done } else { self.plan.runs }
    }

    fn extends(&self, done: u32) -> bool {
        self.extends
            && self.plan.race
            && done < self.plan.runs.saturating_mul(EXTENSION_MAX)
            && clock::now() < self.extended_until
            && self.judge.is_vacuous()
    }

    /// Whether no more runs are wanted.
    pub(crate) fn has_enough(&self) -> bool {
        self.enough
    }

    /// Hears one run.
    pub(crate) fn hear(&mut self, history: &History, release: Option<&Release>) {
        let broke = self.judge.add_released(history, release);
        self.note(broke);
    }

    /// Hears one run that stands for all of its kind.
    pub(crate) fn hear_kind(&mut self, history: &History, release: &Release) -> Kind {
        let (kind, broke) = self.judge.add_kind(history, release);
        self.note(broke);
        kind
    }

    /// Hears of so many more runs of a kind.
    pub(crate) fn hear_again(&mut self, kind: Kind, environment: Environment, times: u32) {
        self.judge.add_again(kind, environment, times);
    }

    /// Which environment has brought most so far.
    pub(crate) fn best_environment(&self) -> Option<Environment> {
        self.judge.best_environment()
    }

    pub(crate) fn note_race(&mut self, report: RaceReport) {
        self.judge.note_race(report);
    }

    pub(crate) fn finish(self) -> Judgement {
        self.judge.finish()
    }

    fn note(&mut self, broke: bool) {
        if !broke {
            return;
        }
        // A control has done its work as soon as one run has broken its claim.
        self.enough |= match &self.plan.must_break {
            Some(claim) => self.judge.has_broken(claim),
            None => self.until_failure,
        };
    }
}
