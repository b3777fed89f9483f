//! `--twins` and `--peers`: our loops beside C loops that do the same, or our ring beside queues of others, in turns.

use super::{Arguments, progress::Live};
use crate::{ExitCode, Failure, output, workspace};
use anyhow::Context as _;
use harness::{
    Session,
    measure::{Effort, Order, Unmeasured},
};
use harness_core::measure::{Cell, Placement, Shape, statistics::Random};
use reports::performance::twins::{self, Rounds, Standing};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

/// Rounds, where nothing else is said.
const ROUNDS: u32 = 10;

/// The status of a program that has no loop for a cell.
const NO_LOOP: i32 = 3;

/// A program that is measured beside ours.
struct Beside {
    /// Whose it is, as it stands in the report.
    name: &'static str,
    /// The program, and what it is started with.
    command: Vec<OsString>,
}

/// Runs the comparison with C loops.
pub(super) fn run(arguments: &Arguments, cells: &[Cell], interrupted: &AtomicBool) -> anyhow::Result<ExitCode> {
    let program = compiled("twins", &[source("c/twins.c")], |_| {})?;
    let is_compared = |cell: &&Cell| is_compared(cell) || !arguments.filters.is_empty();
    let cells = cells.iter().filter(is_compared).copied().collect();
    compare(arguments, cells, &[Beside { name: "C", command: vec![program.into()] }], interrupted)
}

/// Runs the comparison of the ring with queues of others: with rigtorp's where a person says where it is, and with iceoryx2's, which is built.
pub(super) fn run_peers(arguments: &Arguments, cells: &[Cell], interrupted: &AtomicBool) -> anyhow::Result<ExitCode> {
    let mut peers = Vec::new();
    match &arguments.rigtorp {
        Some(folder) => peers.push(Beside { name: "rigtorp", command: vec![rigtorp(folder)?.into()] }),
        None => output::say("without rigtorp's queue: --rigtorp says which folder its SPSCQueue.h lies in"),
    }
    peers.push(Beside { name: "iceoryx2", command: vec![iceoryx2()?.into()] });
    compare(arguments, cells.to_vec(), &peers, interrupted)
}

/// Measures ours and each of the others in every round, and prints a table for each.
fn compare(
    arguments: &Arguments,
    cells: Vec<Cell>,
    others: &[Beside],
    interrupted: &AtomicBool,
) -> anyhow::Result<ExitCode> {
    if cells.is_empty() {
        return Err(Failure::error(ExitCode::NothingSelected, "nothing that is compared matches".to_owned()));
    }
    let session = super::session(arguments.agent()?)?;
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    // Neither is measured anew where strangers disturb it: ours would be the best of several then, and theirs whatever came.
    let effort = Effort { floor_ns: 0, tries: 1, ..effort };
    let rounds = arguments.rounds.unwrap_or(ROUNDS);
    let all: Vec<BTreeMap<Cell, Rounds>> = others.iter().map(|_| BTreeMap::new()).collect();
    let figures = Figures { session: &session, effort, interrupted, has_failed: false };
    let mut turns = Turns { figures, others, random: Random::new(u64::from(std::process::id())), all };
    turns.go(cells, 0..rounds, false);
    // Where ours seem to take longer there are as many rounds again, with the others beside themselves.
    turns.go(turns.open(), rounds..2 * rounds, true);
    let Turns { figures: Figures { has_failed, .. }, all, .. } = turns;
    drop(session);
    for (other, rounds) in others.iter().zip(&all) {
        output::print(&twins::render(other.name, rounds, output::color()))?;
    }
    Ok(match (interrupted.load(Ordering::Relaxed), has_failed) {
        (_, true) => ExitCode::Faulty,
        (true, false) => ExitCode::Interrupted,
        (false, false) if all.iter().all(BTreeMap::is_empty) => {
            output::say(
                "nothing was compared: for none of these cells is there a loop on both sides that this system allows",
            );
            ExitCode::NothingSelected
        }
        (false, false) => ExitCode::Success,
    })
}

/// Ours and the others, taking turns.
struct Turns<'t> {
    figures: Figures<'t>,
    others: &'t [Beside],
    random: Random,
    /// What came of it, by whom ours are beside.
    all: Vec<BTreeMap<Cell, Rounds>>,
}

impl Turns<'_> {
    /// The cells in which ours seem to take longer than anybody's.
    fn open(&self) -> Vec<Cell> {
        let is_longer = |(cell, rounds): (&Cell, &Rounds)| (rounds.standing() == Standing::Longer).then_some(*cell);
        let open: BTreeSet<Cell> = self.all.iter().flat_map(|rounds| rounds.iter().filter_map(is_longer)).collect();
        open.into_iter().collect()
    }

    /// So many rounds, in an order that is another each time; each of the others twice where they are to be beside themselves. A
    /// cell that one side does not have is left out from then on.
    fn go(&mut self, mut cells: Vec<Cell>, rounds: Range<u32>, twice: bool) {
        let mut live = Live::start(cells.len() * rounds.len());
        for round in rounds.clone() {
            self.random.shuffle(&mut cells);
            let mut out = BTreeSet::new();
            for cell in &cells {
                if self.figures.interrupted.load(Ordering::Relaxed) {
                    live.finish();
                    return;
                }
                live.step(&cell.to_string());
                if !self.once(cell, round, twice) {
                    out.insert(*cell);
                }
            }
            cells.retain(|cell| !out.contains(cell));
            live.set_left(u64::from(rounds.end - round - 1) * cells.len() as u64);
        }
        live.finish();
    }

    /// One round of one cell. Says whether there was a figure of ours, and one of another.
    fn once(&mut self, cell: &Cell, round: u32, twice: bool) -> bool {
        let others = self.others.len();
        let measured = if twice { 2 * others } else { others };
        // Who is first is by turns, so that nobody has the warmer processor.
        let turn = (round as usize + usize::from(cell.parties)) % (measured + 1);
        let mut ours = None;
        let mut theirs: Vec<Option<f64>> = vec![None; measured];
        for place in (turn..=measured).chain(0..turn) {
            if place == measured {
                ours = self.figures.ours(cell, round);
            } else {
                theirs[place] = self.figures.theirs(&self.others[place % others].command, cell, round);
            }
        }
        for (place, rounds) in self.all.iter_mut().enumerate() {
            if let (Some(ours), Some(theirs)) = (ours, theirs[place]) {
                rounds.entry(*cell).or_default().pairs.push((ours, theirs));
            }
            if let (Some(first), Some(Some(second))) = (theirs[place], theirs.get(place + others)) {
                rounds.entry(*cell).or_default().controls.push((first, *second));
            }
        }
        ours.is_some() && theirs.iter().any(Option::is_some)
    }
}

/// Takes the figures of one cell and one round; says what fails, and that something has.
struct Figures<'s> {
    session: &'s Session,
    effort: Effort,
    interrupted: &'s AtomicBool,
    has_failed: bool,
}

impl Figures<'_> {
    /// Ours: nanoseconds; `None` where it cannot be measured.
    fn ours(&mut self, cell: &Cell, round: u32) -> Option<f64> {
        match self.session.measure(&Order::new(*cell, round, self.effort)) {
            Ok(sample) => Some(sample.cost_ns()),
            Err(Unmeasured::NotApplicable(_)) => None,
            Err(Unmeasured::Failed(reason)) => self.failed(&format!("{cell}: {reason}")),
        }
    }

    /// What another program says: nanoseconds; `None` where it has no loop for the cell, or the system does not allow it.
    fn theirs(&mut self, command: &[OsString], cell: &Cell, round: u32) -> Option<f64> {
        let mut words = command.to_vec();
        words.extend([cell.to_string().into(), self.effort.sample_ns.to_string().into()]);
        words.extend(self.session.processors_of(cell, round).iter().map(|processor| processor.to_string().into()));
        let shown = words[0].to_string_lossy().into_owned();
        match self.session.run_beside(&words) {
            Ok(text) => match text.trim().parse() {
                Ok(cost) => Some(cost),
                Err(_) => self.failed(&format!("{shown} printed `{}` for {cell}, which is no number", text.trim())),
            },
            Err((Some(NO_LOOP), _)) => None,
            Err((_, words)) => self.failed(&format!("{shown} failed with {cell}: {words}")),
        }
    }

    fn failed(&mut self, what: &str) -> Option<f64> {
        output::say(what);
        self.has_failed = true;
        None
    }
}

/// Where the two are compared unless something else is asked for: where figures are steady, and sizes that differ.
fn is_compared(cell: &Cell) -> bool {
    let has_size = match cell.shape {
        Shape::OneWay => matches!(cell.bytes, 64 | 4_096 | 65_536),
        Shape::OpenLoop(_) | Shape::TakeShared => false,
        _ => cell.bytes != 1,
    };
    has_size && cell.placement == Placement::OneCore && cell.parties < 4
        || cell.placement == Placement::TwoAwake && has_size
}

/// A file of the benches that are not Rust.
fn source(name: &str) -> PathBuf {
    workspace::root().join("harness/benches").join(name)
}

fn folder() -> anyhow::Result<PathBuf> {
    let folder = workspace::target().join("plumbline");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Runs a compiler, whose words the caller adds to.
fn run_compiler(name: &str, add: impl FnOnce(&mut Command)) -> anyhow::Result<()> {
    let mut command = Command::new(name);
    add(&mut command);
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::error(ExitCode::Failure, format!("{name} cannot compile it ({status})"))),
        Err(error) => Err(Failure::usage(format!("there is no compiler `{name}`: {error}"))),
    }
}

/// Compiles the C loops.
fn compiled(name: &str, sources: &[PathBuf], add: impl FnOnce(&mut Command)) -> anyhow::Result<PathBuf> {
    let program = folder()?.join(name);
    run_compiler("cc", |command| {
        command.args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&program).args(sources);
        add(command);
    })?;
    Ok(program)
}

/// Compiles rigtorp's queue, whose header lies in this folder, and the C loops that measure it.
fn rigtorp(header: &Path) -> anyhow::Result<PathBuf> {
    if !header.join("SPSCQueue.h").is_file() {
        return Err(Failure::usage(format!("--rigtorp {}: there is no SPSCQueue.h in it", header.display())));
    }
    let object = folder()?.join("rigtorp.o");
    // Its assertions look at the other side's index with each message, which the queue itself avoids: without NDEBUG it would be slowed down.
    run_compiler("c++", |command| {
        command
            .args(["-std=c++20", "-O3", "-DNDEBUG", "-Wall", "-c", "-I"])
            .arg(header)
            .arg(source("peers/rigtorp.cpp"));
        command.arg("-o").arg(&object);
    })?;
    compiled("peer-rigtorp", &[source("c/twins.c"), object], |command| {
        command.args(["-DPEER", "-Wno-unused-function", "-Wno-unused-variable", "-lstdc++"]);
    })
}

/// Builds iceoryx2, outside of this workspace, and the C loops that measure it.
fn iceoryx2() -> anyhow::Result<PathBuf> {
    let target = folder()?.join("peers");
    output::say("building iceoryx2 (the first time this takes a minute or two)");
    run_compiler("cargo", |command| {
        command.args(["build", "--release", "--quiet", "--locked", "--manifest-path"]);
        command.arg(source("peers/iceoryx2/Cargo.toml")).arg("--target-dir").arg(&target);
    })?;
    let library = target.join("release/libpeer_iceoryx2.a");
    compiled("peer-iceoryx2", &[source("c/twins.c"), library], |command| {
        command.args(["-DPEER", "-Wno-unused-function", "-Wno-unused-variable", "-lpthread", "-ldl", "-lm"]);
    })
}
