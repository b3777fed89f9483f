//! The brief table of costs with which a conformance run ends.
//!
//! It is there to be looked at, and gates nothing: two seconds of a machine say little, and a verdict on behaviour must not depend on them. A
//! mechanism that takes more than twice as much of its floor as was committed, every time out of several, is pointed out.

use super::snapshot;
use crate::time::Moment;
use harness::{
    Session,
    measure::{Effort, Order},
};
use harness_core::measure::{Cell, Sample, sweep};
use reports::{
    Color,
    performance::{Line, Record, Snapshot, bucket::Bucket, cost},
    style::count,
};
use spec::Mechanism;
use std::time::{Duration, Instant};

/// All of it takes no longer, but for the sample that is under way.
const LIMIT: Duration = Duration::from_millis(2_000);

/// How often what seems too slow is measured again.
const TRIES: u32 = 6;

/// What takes more than so many times what was committed is too slow.
const TOO_SLOW: f64 = 2.0;

/// What came of it.
#[derive(Debug, Default)]
pub(in crate::command) struct Brief {
    /// The table.
    pub(in crate::command) text: String,
    /// What is too slow, as a person would say it.
    pub(in crate::command) too_slow: Vec<String>,
}

/// Measures one figure of each mechanism. What cannot be measured, or not in time, is left out: nothing of this is a fault.
pub(in crate::command) fn measure(session: &Session, mechanisms: &[Mechanism], color: Color) -> Brief {
    if !session.can_measure() {
        return Brief::default();
    }
    let started = Instant::now();
    let has_time = || started.elapsed() < LIMIT && !session.is_cancelled();
    let header = super::header(session, Moment::now());
    let committed = snapshot::committed(&header.class()).ok().flatten();
    let mut record = Record::default();
    record.add(Line::Bench(header));
    let (mut brief, mut left_out) = (Brief::default(), 0);
    for cell in mechanisms.iter().filter_map(|mechanism| sweep::brief(*mechanism)) {
        if !has_time() {
            left_out += 1;
            continue;
        }
        let Some(sample) = sample(session, cell, 0) else { continue };
        let limit = limit(committed.as_ref(), &cell);
        if limit.is_some_and(|limit| is_slower(&sample, limit)) && is_slower_every_time(session, cell, limit, &has_time)
        {
            let ratio = sample.ratio().unwrap_or(0.0);
            brief.too_slow.push(format!("{cell} takes {ratio:.1} times its floor: more than twice what was committed; `cargo xtask bench -m {}` says whether that is so", cell.mechanism));
        }
        record.add(Line::Sample(Box::new(sample)));
    }
    brief.text = cost::render(&record, color);
    if left_out > 0 && !brief.text.is_empty() {
        let mechanisms = count(left_out, "mechanism", "mechanisms");
        brief.text.push_str(&format!("  {mechanisms} left out: the machine had no time\n"));
    }
    brief
}

fn sample(session: &Session, cell: Cell, round: u32) -> Option<Sample> {
    session.measure(&Order::new(cell, round, Effort::BRIEF)).ok()
}

/// The multiple of its floor above which a cell is too slow; `None` where nothing was committed of it. Where nobody waits for anybody a figure
/// is of the build as much as of the system, and builds of a conformance run are not those that are measured.
fn limit(committed: Option<&Snapshot>, cell: &Cell) -> Option<f64> {
    let entry = committed?.cells.get(cell).filter(|_| cell.is_steady())?;
    let middle = entry.times_floor.filter(|_| cell.shape.is_round_trip())?;
    Some(Bucket::of(middle).edges().high * TOO_SLOW)
}

fn is_slower(sample: &Sample, limit: f64) -> bool {
    !sample.is_disturbed() && sample.ratio().is_some_and(|ratio| ratio > limit)
}

fn is_slower_every_time(session: &Session, cell: Cell, limit: Option<f64>, has_time: &dyn Fn() -> bool) -> bool {
    let Some(limit) = limit else { return false };
    (1..TRIES).all(|round| has_time() && sample(session, cell, round).is_some_and(|sample| is_slower(&sample, limit)))
}
