//! `conform`: run scenarios and judge them.

mod portrait;
pub(super) mod progress;
pub mod run;
mod soak;

use super::bench::brief::{self, Brief};
use crate::{
    ExitCode, Failure, agent,
    corpus::Corpus,
    interrupt, output, runs,
    select::{Selected, Selection},
    time::Moment,
    workspace,
};
use harness::IsolationChoice;
use harness_core::{InstanceReport, Verdict, race::Release};
use reports::{RunRecord, Summary, jsonl, junit, ktap, run::Line, terminal};
use run::{Runner, Settings, Step};
use spec::Mechanism;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// Run scenarios and judge them.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    selection: Selection,
    /// The agent's command; the reference agent, if left out
    #[arg(long, value_name = "CMD")]
    agent: Option<String>,
    /// Lanes side by side; two a processor, if left out
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    jobs: Option<u16>,
    /// How often races run, instead of as often as they say
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    runs: Option<u32>,
    /// The seed of races: of their offsets, batch by batch
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How all runs of races are released, rather than in each way in turn: spin, instant, jitter, or jitter:0,120 with the
    /// nanoseconds of each process
    #[arg(long, value_name = "HOW")]
    release: Option<Release>,
    /// Again and again, each round with the next seed, until an instance is broken or faulty
    #[arg(long)]
    until_failure: bool,
    /// Again and again for so long, as 90s, 10m or 2h
    #[arg(long, value_name = "TIME", value_parser = soak::duration)]
    r#for: Option<Duration>,
    /// How the result is written to standard output
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The folder of the record; one of its own under `target/plumbline`, if left out
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Take what this run found over into the portrait
    #[arg(long)]
    bless: bool,
    /// Stop at the first instance that is broken or faulty
    #[arg(long)]
    fail_fast: bool,
    /// Also show what held: recorded values, times, outcomes of races
    #[arg(long, short)]
    verbose: bool,
    /// How lanes are kept apart
    #[arg(long, value_enum, default_value_t)]
    isolation: Isolation,
    /// Leave out the brief table of what mechanisms cost
    #[arg(long)]
    no_cost: bool,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a person
    #[default]
    Terminal,
    /// One JSON object an instance, the last a summary
    Jsonl,
    /// JUnit XML
    Junit,
    /// KTAP version 1
    Ktap,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Isolation {
    /// Namespaces where they can be had
    #[default]
    Auto,
    /// Namespaces, or no run
    Namespaces,
    /// No namespaces
    None,
}

/// Renders a whole record.
///
/// # Errors
/// When it cannot be rendered, which would be a fault of ours.
pub fn render(record: &RunRecord, format: Format, verbose: bool) -> anyhow::Result<String> {
    Ok(match format {
        Format::Terminal => terminal::render(record, terminal::Options { verbose, color: output::color() }),
        Format::Jsonl => jsonl::render(record),
        Format::Junit => junit::render(record)?,
        Format::Ktap => ktap::render(record),
    })
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (corpus, sorted) = arguments.selection.load()?;
    let selected = arguments.selection.apply(&corpus, &sorted);
    if selected.is_empty() {
        return Err(Failure::error(ExitCode::NothingSelected, nothing(&arguments.selection)));
    }
    let settings = arguments.settings(&sorted.paths)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    let (runner, record) = arguments.record(&corpus, &selected, settings, &interrupted)?;
    let costs = arguments.costs(&runner, &record, &selected);
    // The agents end while the text is made, and before it is printed: whoever reads the last line finds nothing of ours still running.
    let ended = thread::scope(|scope| {
        scope.spawn(move || drop(runner));
        arguments.settle(&record, &corpus, &selected, &costs)
    });
    let (text, outcome) = ended?;
    output::print(&text)?;
    costs.too_slow.iter().for_each(|words| output::say(words));
    Ok(exit_code(record.summary(), outcome, interrupted.load(Ordering::Relaxed)))
}

/// A text with another put before its last line, which stays the last.
fn before_last_line(text: &str, inserted: &str) -> String {
    if inserted.is_empty() {
        return text.to_owned();
    }
    let at = text.trim_end().rfind('\n').map_or(0, |at| at + 1);
    format!("{}{inserted}\n{}", &text[..at], &text[at..])
}

fn exit_code(summary: Summary, portrait: portrait::Outcome, interrupted: bool) -> ExitCode {
    match summary {
        Summary { broken: 1.., .. } => ExitCode::Broken,
        Summary { faulty: 1.., .. } => ExitCode::Faulty,
        Summary { vacuous: 1.., .. } => ExitCode::Vacuous,
        _ if interrupted => ExitCode::Interrupted,
        _ if portrait == portrait::Outcome::Changed => ExitCode::PortraitChanged,
        _ => ExitCode::Success,
    }
}

fn nothing(selection: &Selection) -> String {
    let words = selection.words();
    if words.is_empty() {
        return format!("there is no scenario in {}", Corpus::folder().display());
    }
    format!("no instance matches {}: `cargo xtask list` shows all ids", words.join(" "))
}

impl Arguments {
    /// What there is to say of a run, and what became of the portrait.
    fn settle(
        &self,
        record: &RunRecord,
        corpus: &Corpus,
        selected: &[Selected<'_>],
        costs: &Brief,
    ) -> anyhow::Result<(String, portrait::Outcome)> {
        // JSON Lines were written as they came; of those just the summary is left.
        let text = match self.format {
            Format::Jsonl => jsonl::summary(record.summary()),
            format => before_last_line(&render(record, format, self.verbose)?, &costs.text),
        };
        let is_whole = self.selection.is_everything() && record.complete;
        let outcome = match record.complete {
            true => portrait::settle(record, corpus, selected, is_whole, self.bless)?,
            false => portrait::Outcome::Unchanged,
        };
        Ok((text, outcome))
    }

    fn settings(&self, paths: &[PathBuf]) -> anyhow::Result<Settings> {
        let mut settings = Settings::new(agent::command(self.agent.as_deref())?);
        settings.jobs = self.jobs.map_or(0, usize::from);
        settings.seed = self.seed;
        settings.runs = self.runs;
        settings.time_scale = run::time_scale()?;
        settings.release.clone_from(&self.release);
        settings.until_failure = self.until_failure;
        settings.fail_fast = self.fail_fast || self.until_failure;
        settings.isolation = match self.isolation {
            Isolation::Auto => IsolationChoice::Auto,
            Isolation::Namespaces => IsolationChoice::Namespaces,
            Isolation::None => IsolationChoice::None,
        };
        settings.paths = paths.iter().map(|path| format!(" {}", run::quoted(&path.display().to_string()))).collect();
        settings.repeat = self.repeat();
        Ok(settings)
    }

    /// What the selected mechanisms cost, briefly measured, where somebody looks at it.
    fn costs(&self, runner: &Runner, record: &RunRecord, selected: &[Selected<'_>]) -> Brief {
        if self.no_cost || self.format != Format::Terminal || !record.complete || self.soak().is_some() {
            return Brief::default();
        }
        let mut mechanisms: Vec<Mechanism> = selected.iter().map(|selected| selected.name.mechanism).collect();
        mechanisms.sort_unstable();
        mechanisms.dedup();
        brief::measure(runner.session(), &mechanisms, output::color())
    }

    /// Whether to run more than once.
    fn soak(&self) -> Option<soak::Soak> {
        let is_asked_for = self.until_failure || self.r#for.is_some();
        is_asked_for.then_some(soak::Soak { until_failure: self.until_failure, time: self.r#for })
    }

    /// What a command that repeats an instance says beside its id, its seed and its release.
    fn repeat(&self) -> String {
        let runs = self.runs.map(|runs| format!(" --runs {runs}"));
        let agent = self.agent.as_ref().map(|agent| format!(" --agent {}", run::quoted(agent)));
        let isolation = match self.isolation {
            Isolation::Auto => None,
            Isolation::Namespaces => Some(" --isolation namespaces".to_owned()),
            Isolation::None => Some(" --isolation none".to_owned()),
        };
        [runs, agent, isolation].into_iter().flatten().collect()
    }

    /// Runs the selected instances and writes the record as they are done.
    fn record(
        &self,
        corpus: &Corpus,
        selected: &[Selected<'_>],
        settings: Settings,
        interrupted: &Arc<AtomicBool>,
    ) -> anyhow::Result<(Runner, RunRecord)> {
        let started = Moment::now();
        let canceller = Arc::new(std::sync::Mutex::new(None::<run::Canceller>));
        watch(interrupted, &canceller);
        let mut runner = Runner::start(settings)?;
        if let Ok(mut slot) = canceller.lock() {
            *slot = Some(runner.canceller());
        }
        let mut header = runner.header();
        header.started = started.rfc3339();
        header.command = std::env::args().skip(1).collect();
        header.filters = self.selection.words();
        let writer = runs::Writer::create(self.out.as_deref(), started)?;
        let mut recorder = Recorder {
            writer,
            record: RunRecord { header, ..RunRecord::default() },
            streams: self.format == Format::Jsonl,
            failure: None,
        };
        recorder.begin();
        let live = progress::Live::start(selected.len());
        let mut on_step = |step: &Step| match step {
            Step::Started(index) => live.started(&selected[*index].name.id),
            Step::Done(report) => live.done(report),
        };
        if let Some(soak) = self.soak() {
            let (reports, rounds) = soak::run(soak, &mut runner, selected, &mut on_step);
            reports.into_iter().for_each(|report| recorder.add(corpus, report));
            let last = self.seed.wrapping_add(rounds - 1);
            output::say(&format!(
                "{rounds} rounds, with the seeds {} to {last}: the worst of each instance counts",
                self.seed
            ));
        } else {
            runner.run(selected, &mut |step| {
                on_step(&step);
                if let Step::Done(report) = step {
                    recorder.add(corpus, *report);
                }
            });
        }
        live.finish();
        let was_cut_short = recorder.record.instances.len() < selected.len();
        let record = recorder.finish(was_cut_short)?;
        Ok((runner, record))
    }
}

/// From here on Ctrl-C ends the run after the instances it is in.
fn watch(interrupted: &Arc<AtomicBool>, canceller: &Arc<std::sync::Mutex<Option<run::Canceller>>>) {
    let (interrupted, canceller) = (Arc::clone(interrupted), Arc::clone(canceller));
    interrupt::watch(move || {
        interrupted.store(true, Ordering::Relaxed);
        output::say("ending after the instances that are under way; once more ends at once");
        if let Ok(slot) = canceller.lock()
            && let Some(canceller) = slot.as_ref()
        {
            canceller.cancel();
        }
    });
}

/// Keeps what was found, in memory and in the file.
struct Recorder {
    writer: runs::Writer,
    record: RunRecord,
    /// Whether instances are also printed as they come.
    streams: bool,
    /// The first thing that could not be written.
    failure: Option<anyhow::Error>,
}

impl Recorder {
    fn begin(&mut self) {
        self.line(&Line::Run(Box::new(self.record.header.clone())));
    }

    fn line(&mut self, line: &Line) {
        if self.failure.is_none() {
            self.failure = self.writer.line(line).err();
        }
    }

    fn add(&mut self, corpus: &Corpus, report: InstanceReport) {
        let is_news = !matches!(report.verdict, Verdict::Held | Verdict::Skipped);
        if is_news
            && !self.record.sources.contains_key(&report.path)
            && let Some(scenario) = corpus.get(&report.scenario)
        {
            let source = (*scenario.source).clone();
            self.line(&Line::Source(source.clone()));
            self.record.sources.insert(source.path.clone(), source);
        }
        if self.streams && self.failure.is_none() {
            self.failure = output::print(&jsonl::instance(&report)).err();
        }
        self.line(&Line::Instance(Box::new(report.clone())));
        self.record.instances.push(report);
    }

    fn finish(mut self, was_cut_short: bool) -> anyhow::Result<RunRecord> {
        self.record.instances.sort_by(|left, right| left.id.cmp(&right.id));
        if !was_cut_short {
            self.record.complete = true;
            self.line(&Line::Summary(self.record.summary()));
        }
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if self.record.summary() != (Summary { held: self.record.instances.len(), ..Summary::default() }) {
            output::say(&format!("record: {}", workspace::shown(&self.writer.path)));
        }
        Ok(self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::{before_last_line, exit_code, portrait::Outcome};
    use crate::ExitCode;
    use reports::Summary;
    use rstest::rstest;

    #[rstest]
    #[case("one line\n", "table\n", "table\n\none line\n")]
    #[case("warning\n\nlast\n", "table\n", "warning\n\ntable\n\nlast\n")]
    #[case("last\n", "", "last\n")]
    fn the_last_line_stays_the_last(#[case] text: &str, #[case] inserted: &str, #[case] expected: &str) {
        assert_eq!(before_last_line(text, inserted), expected);
    }

    #[rstest]
    #[case(Summary { held: 3, skipped: 1, ..Summary::default() }, Outcome::Unchanged, false, ExitCode::Success)]
    #[case(Summary { held: 3, ..Summary::default() }, Outcome::Changed, false, ExitCode::PortraitChanged)]
    #[case(Summary { broken: 1, vacuous: 1, faulty: 1, ..Summary::default() }, Outcome::Changed, true, ExitCode::Broken)]
    #[case(Summary { vacuous: 1, faulty: 1, ..Summary::default() }, Outcome::Changed, false, ExitCode::Faulty)]
    #[case(Summary { vacuous: 1, ..Summary::default() }, Outcome::Changed, false, ExitCode::Vacuous)]
    #[case(Summary { held: 1, ..Summary::default() }, Outcome::Unchanged, true, ExitCode::Interrupted)]
    fn the_worst_gives_the_exit_code(
        #[case] summary: Summary,
        #[case] portrait: Outcome,
        #[case] interrupted: bool,
        #[case] expected: ExitCode,
    ) {
        assert_eq!(exit_code(summary, portrait, interrupted), expected);
    }
}
