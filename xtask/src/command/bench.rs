//! `bench`: measure what mechanisms cost, write the report, and compare it with what was committed, or one build with another.

mod against;
pub(super) mod brief;
mod measuring;
mod progress;
mod snapshot;
mod twins;
mod writer;

use crate::{ExitCode, Failure, agent, interrupt, output, runs, time::Moment, workspace};
use anyhow::Context as _;
use harness::{Config, Session, machine};
use harness_core::measure::{Cell, sweep};
use reports::performance::{Record, page, picture, record, tables};
use spec::{Mechanism, vocabulary::MECHANISMS};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Rounds of a full sweep.
const ROUNDS: u32 = 7;

/// Rounds of a quick one, if there is time for all of them.
const ROUNDS_QUICK: u32 = 5;

/// Measure what mechanisms cost.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only these mechanisms
    #[arg(long, short, value_name = "M", value_parser = mechanism)]
    mechanism: Vec<Mechanism>,
    /// Only cells whose id holds this, as `round_trip` or `/64/one_core`
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// Few sizes and placements, in less than a minute
    #[arg(long, conflicts_with_all = ["against", "again"])]
    quick: bool,
    /// How many rounds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: Option<u32>,
    /// Take what was measured over into the committed report of this class of machines
    #[arg(long)]
    bless: bool,
    /// Compare this build with another, in turns: a revision, which is built, or an agent's program
    #[arg(long, value_name = "REV|FILE", conflicts_with_all = ["bless", "twins", "again"])]
    against: Option<String>,
    /// Compare our loops with the C loops of harness/benches/c, in turns
    #[arg(long, conflicts_with_all = ["bless", "again"])]
    twins: bool,
    /// Compare the ring in shared memory with iceoryx2's zero-copy publish, which is built, and with rigtorp's queue, in turns
    #[arg(long, conflicts_with_all = ["bless", "again", "twins", "against"])]
    peers: bool,
    /// The folder of rigtorp's SPSCQueue.h (github.com/rigtorp/SPSCQueue, include/rigtorp), for --peers
    #[arg(long, value_name = "DIR", requires = "peers")]
    rigtorp: Option<PathBuf>,
    /// Render a recorded bench again
    #[arg(long, value_name = "RUN", conflicts_with = "bless")]
    again: Option<String>,
    /// The agent's command; the reference agent, built in release, if left out
    #[arg(long, value_name = "CMD")]
    agent: Option<String>,
    /// The folder of the record; one of its own under `target/plumbline`, if left out
    #[arg(long, value_name = "DIR", conflicts_with_all = ["against", "twins", "peers", "again"])]
    out: Option<PathBuf>,
}

fn mechanism(name: &str) -> Result<Mechanism, String> {
    Mechanism::from_name(name).ok_or_else(|| format!("there is no mechanism `{name}`"))
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(run) = &arguments.again {
        output::print(&tables::render(&writer::read(run)?, output::color()))?;
        return Ok(ExitCode::Success);
    }
    let cells = arguments.cells();
    if cells.is_empty() {
        return Err(Failure::error(ExitCode::NothingSelected, arguments.nothing_matches()));
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    interrupt::watch(move || {
        flag.store(true, Ordering::Relaxed);
        output::say("ending after the sample that is under way; once more ends at once");
    });
    if let Some(base) = &arguments.against {
        return against::run(arguments, base, &cells, &interrupted);
    }
    if arguments.peers {
        return twins::run_peers(arguments, &cells, &interrupted);
    }
    if arguments.twins {
        return twins::run(arguments, &cells, &interrupted);
    }
    measure(arguments, cells, &interrupted)
}

/// Measures, reports, and compares with what was committed.
fn measure(arguments: &Arguments, cells: Vec<Cell>, interrupted: &AtomicBool) -> anyhow::Result<ExitCode> {
    let started = Moment::now();
    let session = session(arguments.agent()?)?;
    let mut header = header(&session, started);
    header.is_full = arguments.is_full();
    // What is to be compared with is read first: that it cannot be read is not to be found out after an hour.
    let committed = snapshot::committed(&header.class())?;
    let writer = writer::Writer::create(arguments.out.as_deref(), started, header)?;
    let folder = writer.folder().to_owned();
    let mut measuring = measuring::Measuring::new(&session, writer, interrupted);
    measuring.sweep(cells, arguments.effort(), arguments.rounds())?;
    if let Some(committed) = committed.as_ref().filter(|_| !arguments.bless) {
        measuring.confirm(committed, arguments.effort())?;
    }
    let record = measuring.finish()?;
    drop(session);
    output::print(&tables::render(&record, output::color()))?;
    write_pages(&folder, &record)?;
    output::say(&format!("report: {}", workspace::shown(&folder.join("report.html"))));
    let is_interrupted = interrupted.load(Ordering::Relaxed);
    if arguments.bless && is_interrupted {
        output::say("not blessed: it was interrupted");
    }
    let outcome = snapshot::settle(&record, committed.as_ref(), &folder, arguments.bless && !is_interrupted)?;
    Ok(match outcome {
        snapshot::Outcome::Regressed => ExitCode::Regressed,
        _ if !record.failed.is_empty() => ExitCode::Faulty,
        _ if is_interrupted => ExitCode::Interrupted,
        snapshot::Outcome::Settled => ExitCode::Success,
    })
}

/// Starts a session that measures.
///
/// # Errors
/// When the agent is at fault, or cannot measure.
fn session(agent: Vec<OsString>) -> anyhow::Result<Session> {
    let mut config = Config::new(agent, workspace::this_program()?);
    config.jobs = 1;
    config.time_scale = super::conform::run::time_scale()?;
    let session = Session::start(config).map_err(|error| Failure::error(ExitCode::Faulty, error.to_string()))?;
    if !session.can_measure() {
        let agent = &session.facts().hello.agent;
        return Err(Failure::usage(format!(
            "{agent} does not measure: it does not announce the capability `measure` (docs/agent-protocol.md)"
        )));
    }
    Ok(session)
}

fn header(session: &Session, started: Moment) -> record::Header {
    let facts = session.facts();
    record::Header {
        version: record::VERSION,
        agent: facts.hello.agent.clone(),
        started: started.rfc3339(),
        command: std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect(),
        system: facts.hello.system.clone(),
        machine: machine::facts(),
        isolation: facts.isolation.clone(),
        is_full: false,
    }
}

/// Writes the page and the pictures beside the record.
fn write_pages(folder: &Path, record: &Record) -> anyhow::Result<()> {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    write("report.html", &page::render(record))?;
    for picture in picture::all(&record.rows()) {
        write(&format!("{}.svg", picture.name), &picture.svg)?;
    }
    Ok(())
}

impl Arguments {
    fn mechanisms(&self) -> Vec<Mechanism> {
        let asked = |mechanism: &Mechanism| self.mechanism.is_empty() || self.mechanism.contains(mechanism);
        MECHANISMS.iter().map(|row| row.mechanism).filter(asked).collect()
    }

    /// The complaint about a selection of nothing.
    fn nothing_matches(&self) -> String {
        let mechanisms: Vec<&str> = self.mechanism.iter().map(|mechanism| mechanism.name()).collect();
        let of = if mechanisms.is_empty() { String::new() } else { format!(" of {}", mechanisms.join(", ")) };
        let with = if self.filters.is_empty() {
            String::new()
        } else {
            format!(" has `{}` in its id", self.filters.join("` or `"))
        };
        format!("no cell{of} that is measured{with}; the id of a cell is as `pipe/round_trip/64/one_core`")
    }

    fn cells(&self) -> Vec<Cell> {
        let sweep = match (&self.against, self.quick) {
            _ if self.peers => sweep::beside_peers,
            (Some(_), _) => sweep::compared,
            (None, true) => sweep::quick,
            (None, false) => sweep::full,
        };
        let kept = |cell: &Cell| {
            let id = cell.to_string();
            self.filters.is_empty() || self.filters.iter().any(|filter| id.contains(filter.as_str()))
        };
        self.mechanisms().into_iter().flat_map(sweep).filter(kept).collect()
    }

    /// Whether everything is measured that is committed.
    fn is_full(&self) -> bool {
        self.mechanism.is_empty() && self.filters.is_empty() && !self.quick
    }

    fn effort(&self) -> measuring::Effort {
        if self.quick { measuring::Effort::Quick } else { measuring::Effort::Full }
    }

    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { ROUNDS_QUICK } else { ROUNDS })
    }

    fn agent(&self) -> anyhow::Result<Vec<OsString>> {
        match self.agent.as_deref() {
            Some(named) => agent::command(Some(named)),
            None => Ok(vec![agent::measured()?.into_os_string()]),
        }
    }
}

/// Where records of benches lie.
fn folder_of_runs() -> PathBuf {
    runs::folder().join("bench")
}
