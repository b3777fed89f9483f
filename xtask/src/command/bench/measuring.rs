//! The sweep: rounds in which every cell has its turn, in an order that is another each time.

use super::{progress::Live, writer::Writer};
use harness::{
    Session,
    measure::{Effort as HowMuch, Order, Unmeasured},
};
use harness_core::measure::{Cell, Placement, Shape, statistics::Random};
use reports::performance::{Line, Record, Snapshot, snapshot};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// A quick sweep takes no sample after this, and begins no round that it would have to break off.
const QUICK_LIMIT: Duration = Duration::from_secs(45);

/// Nor does it count system calls after this: it ends within a minute, on a machine that is busy with other things as well.
const QUICK_COUNT_LIMIT: Duration = Duration::from_secs(54);

/// Rounds of open loops, at most: what they tell is how lateness is spread, of which one round shows much.
const PACED_ROUNDS_MAX: u32 = 3;

/// Rounds in which what seems slower is measured again before it is called so.
const CONFIRMING_ROUNDS: u32 = 12;

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    Full,
    Quick,
}

impl Effort {
    fn how_much(self) -> HowMuch {
        match self {
            Self::Full => HowMuch::FULL,
            Self::Quick => HowMuch::QUICK,
        }
    }
}

/// A sweep under way.
pub(super) struct Measuring<'s> {
    session: &'s Session,
    writer: Writer,
    interrupted: &'s AtomicBool,
    random: Random,
    /// Rounds so far, of whatever: each has a number of its own.
    round: u32,
    /// When no more samples are taken, where there is such a limit.
    until: Option<Instant>,
    is_whole: bool,
}

impl<'s> Measuring<'s> {
    pub(super) fn new(session: &'s Session, writer: Writer, interrupted: &'s AtomicBool) -> Self {
        let random = Random::new(u64::from(std::process::id()));
        Self { session, writer, interrupted, random, round: 0, until: None, is_whole: false }
    }

    pub(super) fn record(&self) -> &Record {
        self.writer.record()
    }

    fn is_over(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed) || self.until.is_some_and(|until| Instant::now() > until)
    }

    /// Measures cells in so many rounds: first what goes as fast as it can, then, since it depends on that, what comes at a
    /// pace of its own; and at last counts calls.
    pub(super) fn sweep(&mut self, cells: Vec<Cell>, effort: Effort, rounds: u32) -> anyhow::Result<()> {
        let started = Instant::now();
        let (paced, mut fast): (Vec<Cell>, Vec<Cell>) =
            cells.into_iter().partition(|cell| matches!(cell.shape, Shape::OpenLoop(_)));
        let counted = fast.iter().filter(|cell| is_counted(cell)).count();
        let paced_rounds = rounds.min(PACED_ROUNDS_MAX);
        let mut live = Live::start(fast.len() * rounds as usize + paced.len() * paced_rounds as usize + counted);
        if effort == Effort::Quick {
            self.until = Some(started + QUICK_LIMIT);
            live.limit(QUICK_COUNT_LIMIT);
        }
        for round in 0..rounds {
            let spent = started.elapsed();
            if effort == Effort::Quick && round > 0 && spent + spent / round > QUICK_LIMIT {
                break;
            }
            self.round(&mut fast, effort, &mut live, &|_| Some(0))?;
        }
        self.until = (effort == Effort::Quick).then(|| started + QUICK_COUNT_LIMIT);
        self.count_calls(&fast, &mut live)?;
        let intervals = self.intervals(&paced);
        let mut paced: Vec<Cell> = paced.into_iter().filter(|cell| intervals(cell).is_some()).collect();
        for _ in 0..paced_rounds {
            self.round(&mut paced, effort, &mut live, &intervals)?;
        }
        live.finish();
        self.is_whole = !self.is_over();
        Ok(())
    }

    /// The time between messages of an open loop, made of what the same mechanism was seen to let through.
    fn intervals(&self, paced: &[Cell]) -> impl Fn(&Cell) -> Option<u64> + use<> {
        let rows = self.record().rows();
        let known: Vec<(Cell, u64)> = paced
            .iter()
            .filter_map(|cell| {
                let Shape::OpenLoop(percent) = cell.shape else { return None };
                let through = rows.get(&Cell { shape: Shape::OneWay, ..*cell })?;
                let interval = through.cost_ns * 100.0 / f64::from(percent.max(1)) / (1.0 - through.loss).max(0.01);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
                Some((*cell, (interval as u64).max(1)))
            })
            .collect();
        move |cell| known.iter().find(|(known, _)| known == cell).map(|(_, interval)| *interval)
    }

    /// One round. Cells that cannot be measured are taken out.
    fn round(
        &mut self,
        cells: &mut Vec<Cell>,
        effort: Effort,
        live: &mut Live,
        interval_of: &dyn Fn(&Cell) -> Option<u64>,
    ) -> anyhow::Result<()> {
        self.random.shuffle(cells);
        let mut out = BTreeSet::new();
        for cell in cells.iter() {
            if self.is_over() {
                return Ok(());
            }
            live.step(&cell.to_string());
            let order = Order {
                interval_ns: interval_of(cell).unwrap_or(0),
                ..Order::new(*cell, self.round, effort.how_much())
            };
            match self.session.measure(&order) {
                Ok(sample) => self.writer.add(Line::Sample(Box::new(sample)))?,
                Err(Unmeasured::NotApplicable(reason)) => {
                    out.insert(*cell);
                    self.writer.add(Line::NotApplicable { cell: *cell, reason })?;
                }
                Err(Unmeasured::Failed(reason)) => {
                    out.insert(*cell);
                    self.writer.add(Line::Failed { cell: *cell, reason })?;
                }
            }
        }
        cells.retain(|cell| !out.contains(cell));
        self.round += 1;
        Ok(())
    }

    fn count_calls(&mut self, cells: &[Cell], live: &mut Live) -> anyhow::Result<()> {
        for cell in cells.iter().filter(|cell| is_counted(cell)) {
            if self.is_over() {
                return Ok(());
            }
            live.step(&format!("system calls of {cell}"));
            // What cannot be counted was said to be so when it was to be measured.
            if let Ok(Some(calls)) = self.session.count_system_calls(*cell) {
                self.writer.add(Line::SystemCalls { cell: *cell, calls })?;
            }
        }
        Ok(())
    }

    /// Measures again, in rounds of their own, the cells that seem to be slower than what was committed: that they are is said only
    /// where all of it says so.
    pub(super) fn confirm(&mut self, committed: &Snapshot, effort: Effort) -> anyhow::Result<()> {
        let bench = Snapshot::of(self.record(), Some(committed));
        let changes = committed.changes(&bench, false);
        let slower = changes.iter().filter(|change| change.kind == snapshot::Kind::Slower);
        let mut cells: Vec<Cell> = slower.filter_map(|change| change.cell).collect();
        if cells.is_empty() || self.is_over() {
            return Ok(());
        }
        let mut live = Live::start(cells.len() * CONFIRMING_ROUNDS as usize);
        for _ in 0..CONFIRMING_ROUNDS {
            self.round(&mut cells, effort, &mut live, &|_| Some(0))?;
        }
        live.finish();
        Ok(())
    }

    /// What was measured.
    pub(super) fn finish(mut self) -> anyhow::Result<Record> {
        if self.is_whole && !self.is_over() {
            self.writer.add(Line::Complete)?;
        }
        Ok(self.writer.into_record())
    }
}

/// Whether calls are counted: where one party waits for the other, how often one looks in vain is by luck.
fn is_counted(cell: &Cell) -> bool {
    let is_small = cell.bytes == 64 || cell.bytes == 0;
    cell.placement == Placement::OneCore && is_small && (cell.parties == 1 || !cell.shape.is_taking())
}
