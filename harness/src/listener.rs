//! Who hears what came of runs: the judge, and what it says about going on.

use harness_core::{
    History, Judgement, Plan, Verdict,
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
    enough: bool,
}

impl<'p> Listener<'p> {
    pub(crate) fn new(plan: &'p Plan, until_failure: bool) -> Self {
        Self { plan, judge: Judge::new(plan), until_failure, enough: false }
    }

    /// Whether no more runs are wanted.
    pub(crate) fn has_enough(&self) -> bool {
        self.enough
    }

    /// Hears one run.
    pub(crate) fn hear(&mut self, history: &History, release: Option<&Release>) {
        let broke = self.judge.add_released(history, release);
        self.note(history, broke);
    }

    /// Hears one run that stands for all of its kind.
    pub(crate) fn hear_kind(&mut self, history: &History, release: &Release) -> Kind {
        let (kind, broke) = self.judge.add_kind(history, release);
        self.note(history, broke);
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

    fn note(&mut self, history: &History, broke: bool) {
        if !broke {
            return;
        }
        // A control has done its work as soon as one run has broken its claim.
        self.enough |= if self.plan.must_break.is_some() { breaks(self.plan, history) } else { self.until_failure };
    }
}

/// Whether a history breaks the claim that a control has to break.
fn breaks(plan: &Plan, history: &History) -> bool {
    let mut judge = Judge::new(plan);
    judge.add(history);
    let judgement = judge.finish();
    plan.must_break.as_ref().is_some_and(|claim| {
        judgement.findings.iter().any(|finding| &finding.claim == claim && finding.verdict == Verdict::Broken)
    })
}
