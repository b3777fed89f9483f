//! From selected instances to reports: the one place that talks to the harness.

use crate::{ExitCode, Failure, select::Selected, workspace};
use harness::{Completion, Config, IsolationChoice, Job, Progress, Session, StartError};
use harness_core::{
    InstanceReport, Judgement, Plan, Verdict,
    expand::{self, Host},
    finding::Skip,
    plan::Parameter,
    race::{Environment, Release},
};
use reports::{label, run::Header};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    sync::{Arc, Weak},
};

/// How instances are run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The agent's program and its arguments.
    pub agent: Vec<OsString>,
    /// Lanes side by side; 0: two a processor.
    pub jobs: usize,
    /// The seed of races.
    pub seed: u64,
    /// How all runs of races are released, where it is not each way in turn.
    pub release: Option<Release>,
    /// Whether a race ends with the first run that breaks something.
    pub until_failure: bool,
    /// How often races run, where it is not as often as they say.
    pub runs: Option<u32>,
    /// How often races run at least.
    pub runs_at_least: u32,
    /// Whether the controls of races are run, and races go on where what they came to would be vacuous.
    pub controls: bool,
    /// What all bounds of time are multiplied by.
    pub time_scale: f64,
    /// Whether to stop at the first instance that is broken or faulty.
    pub fail_fast: bool,
    /// Which isolation.
    pub isolation: IsolationChoice,
    /// What a command that repeats an instance says beside its id, as ` --agent …`.
    pub repeat: String,
    /// Files and folders that are run in the corpus's stead, as a command says them.
    pub paths: String,
}

impl Settings {
    /// The usual settings for an agent.
    #[must_use]
    pub fn new(agent: Vec<OsString>) -> Self {
        Self {
            agent,
            jobs: 0,
            seed: 1,
            release: None,
            until_failure: false,
            runs: None,
            runs_at_least: 1,
            controls: true,
            time_scale: 1.0,
            fail_fast: false,
            isolation: IsolationChoice::Auto,
            repeat: String::new(),
            paths: String::new(),
        }
    }
}

/// The environment variable that scales all bounds of time, for slow targets.
pub const TIME_SCALE_VARIABLE: &str = "PLUMBLINE_TIME_SCALE";

/// A control ends with the first run that breaks, so it may try this many times as often: on a busy machine processes that
/// can collide do not always do so soon.
const CONTROL_PATIENCE: u32 = 20;

/// The scale that the environment asks for.
///
/// # Errors
/// When it is no number above zero.
pub fn time_scale() -> anyhow::Result<f64> {
    let Some(text) = std::env::var_os(TIME_SCALE_VARIABLE) else { return Ok(1.0) };
    let text = text.to_string_lossy();
    match text.parse::<f64>() {
        Ok(scale) if scale.is_finite() && scale > 0.0 => Ok(scale),
        _ => Err(Failure::usage(format!("{TIME_SCALE_VARIABLE}={text}: give a number above zero, as 4 or 0.5"))),
    }
}

/// What happens while instances run.
#[derive(Debug)]
pub enum Step {
    /// An instance has begun: its index among the selected.
    Started(usize),
    /// An instance is done.
    Done(Box<InstanceReport>),
}

/// A session with an agent, ready to run instances.
#[derive(Debug)]
pub struct Runner {
    session: Arc<Session>,
    settings: Settings,
}

/// Ends a run from elsewhere.
#[derive(Clone, Debug)]
pub struct Canceller(Weak<Session>);

impl Canceller {
    /// Asks the run to end after the instances it is in.
    pub fn cancel(&self) {
        if let Some(session) = self.0.upgrade() {
            session.cancel();
        }
    }
}

impl Runner {
    /// Starts the agent and hears its hello.
    ///
    /// # Errors
    /// When the agent is at fault, or what was demanded cannot be had.
    pub fn start(settings: Settings) -> anyhow::Result<Self> {
        let mut config = Config::new(settings.agent.clone(), workspace::this_program()?);
        config.jobs = settings.jobs;
        config.seed = settings.seed;
        config.release.clone_from(&settings.release);
        config.until_failure = settings.until_failure;
        config.extends = settings.controls;
        config.time_scale = settings.time_scale;
        config.fail_fast = settings.fail_fast;
        config.isolation = settings.isolation;
        let session = Session::start(config).map_err(|error| {
            let code = match &error {
                StartError::Agent { .. } | StartError::Protocol { .. } => ExitCode::Faulty,
                StartError::Isolation(_) => ExitCode::Usage,
                StartError::Directory { .. } => ExitCode::Failure,
            };
            Failure::error(code, error.to_string())
        })?;
        Ok(Self { session: Arc::new(session), settings })
    }

    /// What ends a run from elsewhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller(Arc::downgrade(&self.session))
    }

    /// The session that everything runs in.
    pub(in crate::command) fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the run was asked to end.
    pub(super) fn is_cancelled(&self) -> bool {
        self.session.is_cancelled()
    }

    /// From now on races have the next seed.
    pub(super) fn next_seed(&mut self) {
        self.settings.seed = self.settings.seed.wrapping_add(1);
        self.session.reseed(self.settings.seed);
    }

    /// What is known of the host and the agent, as a record keeps it.
    #[must_use]
    pub fn header(&self) -> Header {
        let facts = self.session.facts();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, and it is above zero"
        )]
        let time_scale_milli = (self.settings.time_scale * 1000.0) as u64;
        Header {
            version: reports::run::VERSION,
            plumbline: env!("CARGO_PKG_VERSION").to_owned(),
            agent: facts.hello.clone(),
            isolation: facts.isolation.clone(),
            processors: facts.processors,
            lanes: facts.lanes,
            seed: self.settings.seed,
            time_scale_milli,
            ..Header::default()
        }
    }

    /// Runs instances. Reports come in the order in which instances are done; those that were not begun when the run was
    /// cancelled have none.
    pub fn run(&self, selected: &[Selected<'_>], on_step: &mut dyn FnMut(Step)) {
        let facts = self.session.facts();
        let host = Host {
            mechanisms: &facts.hello.mechanisms,
            lacks: &facts.hello.lacks,
            capabilities: &facts.hello.capabilities,
            limits: &facts.hello.limits,
            processors: facts.processors,
            platform: facts.hello.system.get("os").map_or("", String::as_str),
            machine: facts.hello.system.get("machine").map_or("", String::as_str),
        };
        let mut jobs: Vec<Job> = Vec::new();
        let mut places: Vec<usize> = Vec::new();
        let planned = spec::parallel::map(selected, |selected| self.job(selected, &host));
        for (place, (selected, planned)) in selected.iter().zip(planned).enumerate() {
            match planned {
                Ok(job) => {
                    jobs.push(job);
                    places.push(place);
                }
                Err(skip) => on_step(Step::Done(Box::new(self.report(selected, &host, Found::skipped(skip))))),
            }
        }
        self.session.run(jobs, &mut |progress| match progress {
            Progress::Started(index) => on_step(Step::Started(places[index])),
            Progress::Completed(completion) => {
                let Completion { index, plan, judgement, skip, duration_ns } = *completion;
                let found = Found { plan: Some(plan), judgement, skip, duration_ns };
                on_step(Step::Done(Box::new(self.report(&selected[places[index]], &host, found))));
            }
        });
    }

    fn job(&self, selected: &Selected<'_>, host: &Host<'_>) -> Result<Job, Skip> {
        let mut plan = expand::plan(selected.scenario, &selected.name, host)?;
        let control = expand::control_plan(selected.scenario, selected.name.mechanism, host).transpose()?;
        let mut control = control.filter(|_| self.settings.controls);
        if plan.race {
            let times = self.settings.runs_at_least.div_ceil(plan.runs.max(1));
            multiply(&mut plan, times.max(1));
        }
        if let Some(runs) = self.settings.runs {
            for plan in std::iter::once(&mut plan).chain(&mut control).filter(|plan| plan.race) {
                // The bound of time is of as many runs as the scenario asks for.
                plan.within_ns = plan.within_ns.saturating_mul(u64::from(runs.div_ceil(plan.runs.max(1))));
                plan.runs = runs;
            }
        }
        if let Some(control) = &mut control {
            multiply(control, CONTROL_PATIENCE);
        }
        Ok(Job { plan, control })
    }

    fn report(&self, selected: &Selected<'_>, host: &Host<'_>, found: Found) -> InstanceReport {
        let scenario = selected.scenario;
        let name = &selected.name;
        let plan = found.plan.as_ref();
        let verdict = found.judgement.as_ref().map_or(Verdict::Skipped, |judgement| judgement.verdict);
        let value = |amount: &spec::Amount| amount.value(&BTreeMap::new(), host.limits).unwrap_or(0);
        let parameters = name
            .parameters
            .iter()
            .map(|(name, amount)| (name.clone(), Parameter { text: amount.text().to_owned(), value: value(amount) }));
        // The steps of a race that held can be many, and nobody looks at them.
        let steps = plan.filter(|plan| plan.is_story() || verdict != Verdict::Held).map(label::steps);
        InstanceReport {
            id: name.id.clone(),
            scenario: name.scenario.clone(),
            title: scenario.title.clone(),
            cites: scenario.cites.clone(),
            mechanism: name.mechanism.to_string(),
            parameters: plan.map_or_else(|| parameters.collect(), |plan| plan.parameters.clone()),
            processes: plan
                .map(|plan| plan.processes.iter().map(|process| process.name.clone()).collect())
                .unwrap_or_default(),
            steps: steps.unwrap_or_default(),
            path: scenario.source.path.clone(),
            verdict,
            skip: found.skip,
            repeat: self.repeat(&name.id, found.judgement.as_ref()),
            judgement: found.judgement,
            duration_ns: found.duration_ns,
        }
    }

    /// The command that runs it again; of a race that broke, with the decisions of the run that shows it.
    fn repeat(&self, id: &str, judgement: Option<&Judgement>) -> String {
        let Settings { paths, repeat, seed, release, .. } = &self.settings;
        let seed = if *seed == 1 { String::new() } else { format!(" --seed {seed}") };
        let shown = judgement.filter(|judgement| judgement.verdict == Verdict::Broken);
        let shown = shown.and_then(|judgement| judgement.race.as_ref()?.evidence.as_ref());
        // By messages there is nothing to choose.
        let shown = shown.filter(|release| release.environment != Environment::Messages).or(release.as_ref());
        let release = shown.map_or_else(String::new, |release| format!(" --release {release}"));
        format!("cargo xtask conform{paths} {}{seed}{release}{repeat}", quoted(id))
    }
}

/// Has a race run so many times as often, and gives it the time for that.
fn multiply(plan: &mut Plan, times: u32) {
    plan.runs = plan.runs.saturating_mul(times);
    plan.within_ns = plan.within_ns.saturating_mul(u64::from(times));
}

/// What came of an instance; without a plan where it cannot run here.
struct Found {
    plan: Option<Plan>,
    judgement: Option<Judgement>,
    skip: Option<Skip>,
    duration_ns: u64,
}

impl Found {
    fn skipped(skip: Skip) -> Self {
        Self { plan: None, judgement: None, skip: Some(skip), duration_ns: 0 }
    }
}

/// A word as a shell takes it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-=:,+@".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;
    use rstest::rstest;

    #[rstest]
    #[case("plain/word-1.yaml", "plain/word-1.yaml")]
    #[case("a[pipe,size=1]", "'a[pipe,size=1]'")]
    #[case("it's", r"'it'\''s'")]
    #[case("", "''")]
    fn words_are_quoted_for_a_shell(#[case] word: &str, #[case] expected: &str) {
        assert_eq!(quoted(word), expected);
    }
}
