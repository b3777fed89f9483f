//! `--against`: this build beside another, in turns, pair by pair.

use super::{Arguments, progress::Live};
use crate::{ExitCode, Failure, agent, output, workspace};
use anyhow::Context as _;
use harness::{
    Session,
    measure::{Effort, Order, Unmeasured},
};
use harness_core::measure::{
    Cell, Sample,
    change::{Change, Pair, Tendency, Verdict},
    statistics::Random,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};
use xshell::{Shell, cmd};

/// Pairs of a batch, where nothing else is said.
const PAIRS: u32 = 30;

/// Runs the comparison.
pub(super) fn run(
    arguments: &Arguments,
    base: &str,
    cells: &[Cell],
    interrupted: &AtomicBool,
) -> anyhow::Result<ExitCode> {
    let base_agent = base_agent(base)?;
    let (base_session, head_session) = (super::session(base_agent)?, super::session(arguments.agent()?)?);
    let pairs = arguments.rounds.unwrap_or(PAIRS);
    let random = Random::new(u64::from(std::process::id()));
    let mut turns = Turns { base: &base_session, head: &head_session, pairs, interrupted, random, has_failed: false };
    let first = turns.batch(cells, false);
    let mut verdicts: Vec<Verdict> = first
        .iter()
        .map(|(cell, pairs)| Verdict { cell: *cell, first: Change::of(pairs), second: None, control: None })
        .collect();
    // Who seems to have changed is measured anew, and then the same build beside itself.
    let second = turns.batch(&open(&verdicts), false);
    for verdict in &mut verdicts {
        verdict.second = second.get(&verdict.cell).map(|pairs| Change::of(pairs));
    }
    let control = turns.batch(&open(&verdicts), true);
    for verdict in &mut verdicts {
        verdict.control = control.get(&verdict.cell).map(|pairs| Change::of(pairs));
    }
    let has_failed = turns.has_failed;
    drop((base_session, head_session));
    output::print(&reports::performance::change::render(base, &verdicts, output::color()))?;
    let is_slower = verdicts.iter().any(|verdict| verdict.tendency() == Tendency::Slower);
    Ok(match (is_slower, has_failed, interrupted.load(Ordering::Relaxed)) {
        (true, _, _) => ExitCode::Regressed,
        (false, true, _) => ExitCode::Faulty,
        (false, false, true) => ExitCode::Interrupted,
        (false, false, false) => ExitCode::Success,
    })
}

/// The cells of which more has to be measured.
fn open(verdicts: &[Verdict]) -> Vec<Cell> {
    verdicts.iter().filter(|verdict| verdict.is_open()).map(|verdict| verdict.cell).collect()
}

/// Both builds, taking turns.
struct Turns<'s> {
    base: &'s Session,
    head: &'s Session,
    pairs: u32,
    interrupted: &'s AtomicBool,
    random: Random,
    /// Whether a cell could not be measured that ought to have been.
    has_failed: bool,
}

impl Turns<'_> {
    /// So many pairs of each cell; of the same build twice where that is what is asked for.
    fn batch(&mut self, cells: &[Cell], same_twice: bool) -> BTreeMap<Cell, Vec<Pair>> {
        let mut all: BTreeMap<Cell, Vec<Pair>> = BTreeMap::new();
        let mut cells = cells.to_vec();
        let mut live = Live::start(cells.len() * self.pairs as usize);
        for number in 0..self.pairs {
            self.random.shuffle(&mut cells);
            let mut out = BTreeSet::new();
            for cell in &cells {
                if self.interrupted.load(Ordering::Relaxed) {
                    live.finish();
                    return all;
                }
                live.step(&cell.to_string());
                match self.pair(cell, number, same_twice) {
                    Ok(pair) => all.entry(*cell).or_default().push(pair),
                    Err(Unmeasured::NotApplicable(_)) => {
                        out.insert(*cell);
                    }
                    Err(Unmeasured::Failed(reason)) => {
                        output::say(&format!("{cell}: {reason}"));
                        self.has_failed = true;
                        out.insert(*cell);
                    }
                }
            }
            cells.retain(|cell| !out.contains(cell));
            live.set_left(u64::from(self.pairs - number - 1) * cells.len() as u64);
        }
        live.finish();
        all
    }

    /// One pair; who is first is by turns, and so are the processors.
    fn pair(&self, cell: &Cell, number: u32, same_twice: bool) -> Result<Pair, Unmeasured> {
        let order = Order::new(*cell, number / 2, Effort::PAIR);
        let other = if same_twice { self.base } else { self.head };
        let (base, head) = if number.is_multiple_of(2) {
            let base = self.base.measure(&order)?;
            (base, other.measure(&order)?)
        } else {
            let head = other.measure(&order)?;
            (self.base.measure(&order)?, head)
        };
        let switches = [&base, &head].map(Sample::switches);
        Ok(Pair { base_ns: base.cost_ns(), head_ns: head.cost_ns(), switches })
    }
}

/// The agent that a person names: a program, or a revision, which is built.
fn base_agent(base: &str) -> anyhow::Result<Vec<OsString>> {
    if base.contains('/') && Path::new(base).is_file() {
        return agent::command(Some(base));
    }
    let shell = Shell::new()?;
    shell.change_dir(workspace::root());
    let commit = format!("{base}^{{commit}}");
    let revision =
        cmd!(shell, "git rev-parse --verify --quiet {commit}").quiet().ignore_stderr().read().map_err(|_| {
            Failure::usage(format!(
                "--against `{base}`: it is neither a revision of this repository nor a program's path"
            ))
        })?;
    Ok(vec![built(&shell, &revision)?.into_os_string()])
}

/// Builds the agent of a revision, in a worktree that is removed again. What was built is kept.
fn built(shell: &Shell, revision: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace::target().join("plumbline/against");
    let kept = folder.join(format!("agent-{}", revision.get(..12).unwrap_or(revision)));
    if kept.is_file() {
        return Ok(kept);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let tree = tempfile::Builder::new().prefix("tree-").tempdir_in(&folder)?;
    let path = tree.path().join("sources");
    output::say(&format!("building the agent of {}", revision.get(..12).unwrap_or(revision)));
    cmd!(shell, "git worktree add --quiet --detach {path} {revision}").quiet().run()?;
    let released = agent::released(&path, &folder.join("target"));
    // Whether or not it could be built, the worktree goes.
    cmd!(shell, "git worktree remove --force {path}").quiet().run()?;
    fs::copy(released?, &kept).with_context(|| format!("cannot write {}", kept.display()))?;
    Ok(kept)
}
