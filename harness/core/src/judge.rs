//! The judge: a plan and its histories make a judgement. Pure.

mod claim;
pub(crate) mod flow;
mod free;
mod matches;
#[cfg(test)]
mod naming;
mod results;
mod story;
mod tally;
#[cfg(test)]
mod tests;

use crate::{
    History, Plan, describe,
    finding::{Anomaly, Finding, Judgement, RaceReport, Verdict},
    model, orders,
    race::{Environment, Release},
};
use claim::Said;
use spec::scenario::{Claim, Grade, Orders, Span};
use std::collections::BTreeMap;
use tally::Tally;

/// Judges the histories of one plan, one after another.
#[derive(Debug)]
pub struct Judge<'p> {
    plan: &'p Plan,
    /// What was found about steps: the first of each kind and place.
    steps: Vec<Finding>,
    /// What was found about each claim, in the order of the plan.
    claims: Vec<ClaimState>,
    models: ModelState,
    recorded: BTreeMap<String, String>,
    tally: Tally,
    runs: u32,
    overlapped: u32,
    evidence: Option<History>,
    evidence_is_broken: bool,
    /// The kinds of runs of a race that were judged.
    kinds: Vec<Weighed>,
    race: Option<RaceReport>,
}

/// A kind of run that was judged once: see [`Judge::add_kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind(usize);

/// What one history adds to a judgement.
#[derive(Clone, Debug)]
struct Weighed {
    overlapped: bool,
    /// Its place in the histogram of a race.
    outcome: Option<usize>,
    /// Whether each claim held, or was broken; `None` where nothing could have broken it.
    claims: Vec<Option<bool>>,
    broke: bool,
}

/// What the histories so far say of one claim.
#[derive(Clone, Debug, Default)]
struct ClaimState {
    /// In how many runs it was put to the test and held.
    held: u32,
    /// In how many it was broken.
    broken: u32,
    first: Option<claim::Break>,
    /// Why a run did not tell, where one did not.
    untold: Option<String>,
}

impl ClaimState {
    /// Whether it was never put to the test; of what has to be seen, whether it was not.
    fn is_vacuous(&self, claim: &Claim<u64>) -> bool {
        self.held == 0 && (self.broken == 0 || matches!(claim, Claim::Seen(_)))
    }
}

/// What the models of the channels' mechanisms say so far.
#[derive(Clone, Debug, Default)]
struct ModelState {
    /// How many channels of how many runs were judged.
    judged: u32,
    /// Why others were not, and how often.
    unjudged: BTreeMap<String, u32>,
}

impl<'p> Judge<'p> {
    /// A judge that has seen nothing.
    #[must_use]
    pub fn new(plan: &'p Plan) -> Self {
        Self {
            plan,
            steps: Vec::new(),
            claims: vec![ClaimState::default(); plan.claims.len()],
            models: ModelState::default(),
            recorded: BTreeMap::new(),
            tally: Tally::default(),
            runs: 0,
            overlapped: 0,
            evidence: None,
            evidence_is_broken: false,
            kinds: Vec::new(),
            race: None,
        }
    }

    /// Judges one more history. Returns whether it broke something.
    pub fn add(&mut self, history: &History) -> bool {
        self.add_released(history, None)
    }

    /// Judges one more run of a race, of which is known how it was released. Returns whether it broke something.
    pub fn add_released(&mut self, history: &History, release: Option<&Release>) -> bool {
        let weighed = self.weigh(history, release);
        self.count(&weighed, release.map(|release| release.environment), 1);
        weighed.broke
    }

    /// Judges a run of a race that stands for all of its kind, and counts it once. Returns the kind, and whether it broke something.
    pub fn add_kind(&mut self, history: &History, release: &Release) -> (Kind, bool) {
        let weighed = self.weigh(history, Some(release));
        self.count(&weighed, Some(release.environment), 1);
        let broke = weighed.broke;
        self.kinds.push(weighed);
        (Kind(self.kinds.len() - 1), broke)
    }

    /// Counts so many more runs of a kind that was judged.
    pub fn add_again(&mut self, kind: Kind, environment: Environment, times: u32) {
        if let Some(weighed) = self.kinds.get(kind.0).cloned() {
            self.count(&weighed, Some(environment), times);
        }
    }

    /// The environment that has brought the most distinct outcomes so far.
    #[must_use]
    pub fn best_environment(&self) -> Option<Environment> {
        self.tally.best()
    }

    /// Whether a claim of this name, or what else a finding can have as its claim, was broken so far.
    #[must_use]
    pub fn has_broken(&self, claim: &str) -> bool {
        let of_steps = self.steps.iter().any(|step| step.claim == claim && step.verdict == Verdict::Broken);
        let mut claims = self.plan.claims.iter().zip(&self.claims);
        of_steps || claims.any(|(planned, state)| planned.claim.name() == claim && state.broken > 0)
    }

    /// Whether the judgement on what was added so far would be vacuous, and more runs of a race may change that: something that
    /// has to be seen was not, a claim was never put to the test, nothing ever overlapped, or a control has broken nothing.
    #[must_use]
    pub fn is_vacuous(&self) -> bool {
        if let Some(claim) = &self.plan.must_break {
            return !self.has_broken(claim);
        }
        let mut claims = self.plan.claims.iter().zip(&self.claims).filter(|(planned, _)| planned.grade == Grade::Must);
        claims.any(|(planned, state)| state.is_vacuous(&planned.claim))
            || self.plan.race && self.overlapped == 0 && results::can_overlap(self.plan)
    }

    /// Notes how a race was run. What the judge counts itself is filled in by it.
    pub fn note_race(&mut self, report: RaceReport) {
        let evidence = self.race.take().and_then(|race| race.evidence);
        self.race = Some(RaceReport { evidence, ..report });
    }

    /// What a history says, without counting it: findings are kept, each the first of its kind.
    fn weigh(&mut self, history: &History, release: Option<&Release>) -> Weighed {
        let plan = self.plan;
        let mut broke = false;
        let mut found = if plan.is_story() { story::judge(plan, history) } else { free::judge(plan, history) };
        found.extend(self.ask_models(history));
        for finding in found {
            broke |= finding.verdict >= Verdict::Broken;
            if !self.steps.iter().any(|known| known.span == finding.span && known.claim == finding.claim) {
                self.steps.push(finding);
            }
        }
        let mut claims = Vec::with_capacity(plan.claims.len());
        for (claim, state) in plan.claims.iter().zip(&mut self.claims) {
            claims.push(match claim::judge(plan, &claim.claim, history) {
                Said::Held => Some(true),
                Said::Nothing => None,
                Said::Untold(why) => {
                    state.untold.get_or_insert(why);
                    None
                }
                Said::Broken(break_) => {
                    broke |= claim.grade == Grade::Must;
                    state.first.get_or_insert(break_);
                    Some(false)
                }
            });
        }
        for (name, (text, _)) in results::named_results(plan, history) {
            // In a race a result is a part of the histogram; a name recorded with another value each time is no fact.
            if !plan.race && plan.orders == Orders::Free {
                self.recorded.insert(name, text);
            }
        }
        let is_counted = plan.race || plan.orders == Orders::Every;
        let outcome = is_counted.then(|| self.tally.place(plan, history));
        if broke && !self.evidence_is_broken || self.evidence.is_none() {
            self.evidence = Some(history.clone());
            self.evidence_is_broken = broke;
            if plan.race {
                self.race.get_or_insert_default().evidence = release.cloned();
            }
        }
        Weighed { overlapped: results::overlapped(plan, history), outcome, claims, broke }
    }

    fn count(&mut self, weighed: &Weighed, environment: Option<Environment>, times: u32) {
        self.runs += times;
        self.overlapped += if weighed.overlapped { times } else { 0 };
        for (claim, state) in weighed.claims.iter().zip(&mut self.claims) {
            match claim {
                Some(true) => state.held += times,
                Some(false) => state.broken += times,
                None => {}
            }
        }
        if let Some(outcome) = weighed.outcome {
            self.tally.count(outcome, weighed.overlapped, environment, times);
        }
    }

    /// Says how many orders were run. Returns the one that broke something, as a story.
    fn tell_of_orders(&self, findings: &mut [Finding]) -> Option<String> {
        if self.plan.orders != Orders::Every {
            return None;
        }
        for finding in findings.iter_mut().filter(|finding| finding.verdict != Verdict::Broken) {
            finding.notes.push(format!("in all {} orders of the steps", self.runs));
        }
        let broken = self.evidence.as_ref().filter(|_| self.evidence_is_broken);
        broken.map(|history| orders::as_story(self.plan, history))
    }

    /// What the models of the channels' mechanisms do not allow.
    fn ask_models(&mut self, history: &History) -> Vec<Finding> {
        let opinion = model::judge(self.plan, history);
        self.models.judged += opinion.judged;
        for why in opinion.unjudged {
            *self.models.unjudged.entry(why).or_default() += 1;
        }
        opinion.violations.into_iter().map(|violation| model_finding(self.plan, history, violation)).collect()
    }

    /// The judgement on all that was added.
    #[must_use]
    pub fn finish(mut self) -> Judgement {
        let mut findings = std::mem::take(&mut self.steps);
        if findings.is_empty() && self.plan.is_story() {
            findings.push(held_story(self.plan));
        }
        for (claim, state) in self.plan.claims.iter().zip(&self.claims) {
            if claim.grade == Grade::May {
                let name = format!("may {}", claim.claim.name());
                let holds = state.broken == 0 && state.held > 0;
                self.recorded.insert(name, if holds { "held" } else { "not held" }.to_owned());
            }
            findings.push(claim_finding(&claim.claim, claim.grade, claim.span, state, self.runs));
        }
        if !findings.iter().any(|finding| finding.claim == MODEL) {
            findings.extend(held_model(&self.models));
        }
        if self.runs == 0 {
            findings.insert(0, nothing_came());
        } else if self.plan.race && self.overlapped == 0 && results::can_overlap(self.plan) {
            findings.push(never_overlapped(self.runs));
        }
        let story = self.tell_of_orders(&mut findings);
        findings.sort_by_key(|finding| std::cmp::Reverse(weight(finding)));
        let race = self.race.map(|race| {
            let mut environments = self.tally.environments();
            for (environment, count) in &mut environments {
                count.racing_ns = race.environments.get(environment).map_or(0, |timed| timed.racing_ns);
            }
            Box::new(RaceReport { environments, kinds: u32::try_from(self.kinds.len()).unwrap_or(u32::MAX), ..race })
        });
        Judgement {
            verdict: verdict(&findings),
            findings,
            recorded: self.recorded,
            outcomes: self.tally.histogram(),
            runs: self.runs,
            overlapped: self.overlapped,
            evidence: self.evidence,
            race,
            story,
        }
    }
}

/// The name of a finding by a model.
const MODEL: &str = "model";

fn model_finding(plan: &Plan, history: &History, violation: model::Violation) -> Finding {
    let who = &plan.processes[violation.process].name;
    let (span, expect_span) = flow::spans_of(plan, violation.process, violation.step);
    let got = match history.events.get(violation.event) {
        Some(crate::Event::Returned { outcome, .. }) if !violation.slept => {
            format!("{} ({who})", describe::outcome(outcome))
        }
        _ => format!("{who} sleeps in it, though nobody else can go on"),
    };
    let mut finding = Finding {
        claim: MODEL.to_owned(),
        ..step_finding(
            if violation.slept { span } else { expect_span },
            violation.anomaly,
            violation.allowed,
            got,
            vec![violation.event],
        )
    };
    if violation.follows {
        finding.notes.push("after what was not allowed before, from the nearest state that is".to_owned());
    }
    finding
}

/// That the models found nothing, and what they did not judge; nothing where there was nothing to judge.
fn held_model(models: &ModelState) -> Option<Finding> {
    if models.judged == 0 && models.unjudged.is_empty() {
        return None;
    }
    let notes = models.unjudged.iter().map(|(why, times)| format!("not judged in {times} runs: {why}")).collect();
    Some(Finding {
        claim: MODEL.to_owned(),
        grade: Grade::Must,
        verdict: Verdict::Held,
        span: None,
        expected: "what the models of the mechanisms allow".to_owned(),
        got: format!("nothing else in {} histories of channels", models.judged),
        anomaly: None,
        events: Vec::new(),
        notes,
    })
}

/// What a finding adds to the verdict of the whole: only `must` gates, and what is broken outweighs what is vacuous.
fn weight(finding: &Finding) -> Verdict {
    match (finding.verdict, finding.grade) {
        (Verdict::Faulty, _) => Verdict::Faulty,
        (verdict, Grade::Must) => verdict,
        _ => Verdict::Held,
    }
}

fn verdict(findings: &[Finding]) -> Verdict {
    findings.iter().map(weight).max().unwrap_or(Verdict::Held)
}

/// The last word on a plan: joined with its control, which has to have broken its claim, and turned round where an
/// `elsewhere` note says that it breaks on this platform.
#[must_use]
pub fn conclude(plan: &Plan, own: Judgement, control: Option<(&Plan, &Judgement)>) -> Judgement {
    turn_round(plan, with_control(own, control))
}

/// What is known to break is no news; that it holds is.
fn turn_round(plan: &Plan, own: Judgement) -> Judgement {
    let Some(why) = &plan.expect_broken else { return own };
    let mut own = own;
    match own.verdict {
        Verdict::Broken => {
            for finding in own.findings.iter_mut().filter(|finding| finding.verdict == Verdict::Broken) {
                finding.grade = Grade::May;
                finding.notes.push(format!("known to break here: {why}"));
            }
        }
        Verdict::Held => own.findings.push(Finding {
            claim: "elsewhere".to_owned(),
            verdict: Verdict::Broken,
            expected: format!("what is known to break here: {why}"),
            got: "it holds".to_owned(),
            notes: vec!["the `elsewhere` note is stale: remove it".to_owned()],
            ..held_story(plan)
        }),
        _ => {}
    }
    own.findings.sort_by_key(|finding| std::cmp::Reverse(weight(finding)));
    own.verdict = verdict(&own.findings);
    own
}

fn with_control(own: Judgement, control: Option<(&Plan, &Judgement)>) -> Judgement {
    let Some((plan, control)) = control else { return own };
    let broken = control
        .findings
        .iter()
        .find(|finding| finding.verdict == Verdict::Broken && Some(&finding.claim) == plan.must_break.as_ref());
    let mut own = own;
    let (verdict, got) = match (control.verdict, broken) {
        (Verdict::Faulty, _) => {
            (Verdict::Faulty, control.findings.first().map_or_else(String::new, |finding| finding.got.clone()))
        }
        (_, Some(finding)) => (Verdict::Held, format!("`{}` broke: {}", finding.claim, finding.got)),
        (_, None) => (
            Verdict::Vacuous,
            format!(
                "`{}` did not break in {} runs of {}",
                plan.must_break.as_deref().unwrap_or_default(),
                control.runs,
                plan.id
            ),
        ),
    };
    own.findings.push(Finding {
        claim: "control".to_owned(),
        grade: Grade::Must,
        verdict,
        span: None,
        expected: "a control that breaks its claim".to_owned(),
        got,
        anomaly: None,
        events: Vec::new(),
        notes: match verdict {
            Verdict::Vacuous => vec![
                "not even the control broke, so that it held means nothing: give it more runs, or more processors"
                    .to_owned(),
            ],
            _ => Vec::new(),
        },
    });
    own.findings.sort_by_key(|finding| std::cmp::Reverse(weight(finding)));
    own.verdict = self::verdict(&own.findings);
    own
}

fn held_story(plan: &Plan) -> Finding {
    Finding {
        claim: "story".to_owned(),
        grade: Grade::Must,
        verdict: Verdict::Held,
        span: None,
        expected: format!("{} lines as expected", plan.story.len()),
        got: "all of them".to_owned(),
        anomaly: None,
        events: Vec::new(),
        notes: Vec::new(),
    }
}

fn nothing_came() -> Finding {
    Finding {
        claim: "history".to_owned(),
        grade: Grade::Must,
        verdict: Verdict::Faulty,
        span: None,
        expected: "a history".to_owned(),
        got: "none".to_owned(),
        anomaly: None,
        events: Vec::new(),
        notes: Vec::new(),
    }
}

/// Whatever held in such a race says nothing about races.
fn never_overlapped(runs: u32) -> Finding {
    Finding {
        claim: "overlap".to_owned(),
        grade: Grade::Must,
        verdict: Verdict::Vacuous,
        span: None,
        expected: "calls of different processes that overlap in time".to_owned(),
        got: format!("none did in {runs} runs"),
        anomaly: None,
        events: Vec::new(),
        notes: vec![
            "the processes never collided: give it more runs, or more processors, or an agent with a shared meeting"
                .to_owned(),
        ],
    }
}

fn claim_finding(claim: &Claim<u64>, grade: Grade, span: Span, state: &ClaimState, runs: u32) -> Finding {
    let finding = |verdict, expected: String, got: String| Finding {
        claim: claim.name().to_owned(),
        grade,
        verdict,
        span: Some(span),
        expected,
        got,
        anomaly: None,
        events: Vec::new(),
        notes: Vec::new(),
    };
    if let Claim::Seen(_) = claim {
        return if state.is_vacuous(claim) {
            finding(Verdict::Vacuous, "seen at least once".to_owned(), format!("never in {runs} runs"))
        } else {
            finding(Verdict::Held, "seen at least once".to_owned(), format!("in {} of {runs} runs", state.held))
        };
    }
    if let Some(first) = &state.first {
        let mut finding = finding(Verdict::Broken, first.expected.clone(), first.got.clone());
        finding.anomaly = Some(first.anomaly);
        finding.events.clone_from(&first.events);
        if runs > 1 {
            finding.notes.push(format!("broken in {} of {runs} runs", state.broken));
        }
        return finding;
    }
    if state.is_vacuous(claim) {
        let got = state.untold.clone().unwrap_or_else(|| "nothing happened that could break it".to_owned());
        return finding(Verdict::Vacuous, "something to judge".to_owned(), got);
    }
    let mut finding = finding(Verdict::Held, claim.name().to_owned(), format!("in {} of {runs} runs", state.held));
    if let (Claim::Never(_), true) = (claim, runs > 1) {
        finding.notes.push(unseen(runs));
    }
    finding
}

/// What it means that something was not seen: the rule of three. Independent runs would see what happens in one of `runs / 3`
/// with a probability of 95 %.
fn unseen(runs: u32) -> String {
    let percent = 300.0 / f64::from(runs);
    let digits = if percent >= 0.1 { 2 } else { 6 };
    format!("unseen in {runs} runs: at most {percent:.digits$} % at 95 %")
}

/// A finding about a step.
fn step_finding(span: Span, anomaly: Anomaly, expected: String, got: String, events: Vec<usize>) -> Finding {
    Finding {
        claim: "step".to_owned(),
        grade: Grade::Must,
        verdict: Verdict::Broken,
        span: Some(span),
        expected,
        got,
        anomaly: Some(anomaly),
        events,
        notes: Vec::new(),
    }
}
