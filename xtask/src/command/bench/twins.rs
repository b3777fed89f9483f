//! `--twins`: our loops beside C loops that do the same, in turns.

use super::{Arguments, progress::Live};
use crate::{ExitCode, Failure, output, workspace};
use anyhow::Context as _;
use harness::{
    Session,
    measure::{Effort, Order},
};
use harness_core::measure::{Cell, Placement, Shape, statistics::Random};
use reports::performance::twins::{self, Rounds};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

/// Rounds, where nothing else is said.
const ROUNDS: u32 = 10;

/// The status of a program that has no loop for a cell.
const NO_LOOP: i32 = 3;

/// Runs the comparison.
pub(super) fn run(arguments: &Arguments, cells: &[Cell], interrupted: &AtomicBool) -> anyhow::Result<ExitCode> {
    let program = compiled()?;
    let session = super::session(arguments.agent()?)?;
    let effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    let effort = Effort { floor_ns: 0, ..effort };
    let is_compared = |cell: &&Cell| is_compared(cell) || !arguments.filters.is_empty();
    let mut cells: Vec<Cell> = cells.iter().filter(is_compared).copied().collect();
    let rounds = arguments.rounds.unwrap_or(ROUNDS);
    let mut random = Random::new(u64::from(std::process::id()));
    let mut all: BTreeMap<Cell, Rounds> = BTreeMap::new();
    let mut live = Live::start(cells.len() * rounds as usize);
    for round in 0..rounds {
        random.shuffle(&mut cells);
        let mut out = Vec::new();
        for cell in &cells {
            if interrupted.load(Ordering::Relaxed) {
                break;
            }
            live.step(&cell.to_string());
            // Who is first is by turns, so that neither has the warmer processor.
            let ours_first = (round + u32::from(cell.parties)).is_multiple_of(2);
            let ours = || session.measure(&Order::new(*cell, round, effort)).ok().map(|sample| sample.cost_ns());
            let (one, other) = if ours_first {
                (ours(), twin(&session, &program, cell, round, &effort)?)
            } else {
                let theirs = twin(&session, &program, cell, round, &effort)?;
                (ours(), theirs)
            };
            match (one, other) {
                (Some(ours), Some(theirs)) => all.entry(*cell).or_default().pairs.push((ours, theirs)),
                _ => out.push(*cell),
            }
        }
        cells.retain(|cell| !out.contains(cell));
        live.set_steps(u64::from(round + 1) * cells.len() as u64 + u64::from(rounds - round - 1) * cells.len() as u64);
    }
    live.finish();
    drop(session);
    output::print(&twins::render(&all, output::color()))?;
    Ok(ExitCode::Success)
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

/// What the C loop says: nanoseconds; `None` where there is none for the cell, or the system does not allow it.
fn twin(session: &Session, program: &PathBuf, cell: &Cell, round: u32, effort: &Effort) -> anyhow::Result<Option<f64>> {
    let mut words: Vec<OsString> = vec![program.into(), cell.to_string().into(), effort.sample_ns.to_string().into()];
    words.extend(session.processors_of(cell, round).iter().map(|processor| processor.to_string().into()));
    match session.run_beside(&words) {
        Ok(text) => {
            let cost =
                text.trim().parse().with_context(|| format!("the C loop of {cell} printed `{}`", text.trim()))?;
            Ok(Some(cost))
        }
        Err((Some(NO_LOOP), _)) => Ok(None),
        Err((_, words)) => {
            output::say(&format!("the C loop of {cell} failed: {words}"));
            Ok(None)
        }
    }
}

/// Compiles the C loops.
fn compiled() -> anyhow::Result<PathBuf> {
    let source = workspace::root().join("harness/benches/c/twins.c");
    let folder = workspace::target().join("plumbline");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let program = folder.join("twins");
    let status = Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-o"]).arg(&program).arg(&source).status();
    match status {
        Ok(status) if status.success() => Ok(program),
        Ok(status) => {
            Err(Failure::error(ExitCode::Failure, format!("cc cannot compile {} ({status})", source.display())))
        }
        Err(error) => Err(Failure::usage(format!("there is no C compiler `cc`: {error}"))),
    }
}
