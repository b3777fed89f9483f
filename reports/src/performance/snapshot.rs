//! The snapshot that is committed: what a class of machines says every time.
//!
//! Not nanoseconds, which belong to a day: which cells there are and why others cannot be, multiples of the floors in steps, counts of calls
//! and switches, the order of mechanisms, and the proportions that hold. Figures that are not steady ([`Cell::is_steady`]) are listed and
//! not valued.

use super::{bucket::Bucket, figure::multiple, record::Record};
use harness_core::measure::{Cell, Placement, Row, Shape, relations, statistics::Interval};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the format.
const VERSION: u32 = 1;

/// A multiple has to lie beyond the committed step by so much, with its whole interval, before it is called another.
pub const CLEAR: f64 = 1.25;

/// Of fewer rounds nothing is said.
pub const ROUNDS_MIN: usize = 5;

/// Switches for one operation are a count that the system may vary a little.
const SWITCHES_WITHIN: f64 = 0.5;

/// Calls for one operation are a count that does not vary.
const CALLS_WITHIN: f64 = 0.25;

/// What is kept of a cell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The multiple of the floor: the middle of its step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_floor: Option<f64>,
    /// Context switches for one operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub switches: Option<f64>,
    /// System calls for one operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<f64>,
    /// Between what the multiple lies, in the run that was just made. Not committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub between: Option<Interval>,
}

/// What a class of machines says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The version of the format.
    pub version: u32,
    /// Which machines.
    pub class: String,
    /// The unit of each shape's figure.
    pub units: BTreeMap<String, String>,
    /// What was measured.
    pub cells: BTreeMap<Cell, Entry>,
    /// What cannot be measured, and why.
    #[serde(default)]
    pub not_applicable: BTreeMap<Cell, String>,
    /// Mechanisms from the cheapest to the dearest, by what was compared.
    #[serde(default)]
    pub ranks: BTreeMap<String, Vec<String>>,
    /// Whether figures lie in proportion.
    #[serde(default)]
    pub proportions: BTreeMap<String, bool>,
}

/// What a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It costs more.
    Slower,
    /// It makes more system calls, or switches more often.
    MoreCounts,
    /// It could be done and no longer can.
    Gone,
    /// It costs less.
    Faster,
    /// Anything else that is not as it was.
    Other,
}

/// Something that is not as it was committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What kind.
    pub kind: Kind,
    /// Of which cell, where it is of one.
    pub cell: Option<Cell>,
    /// What, as a person would say it.
    pub text: String,
}

impl Snapshot {
    /// Of a bench. The committed one, if there is one, says in which steps figures were.
    #[must_use]
    pub fn of(record: &Record, committed: Option<&Self>) -> Self {
        let rows = record.rows();
        let entry_of = |(cell, row): (&Cell, &Row)| {
            let old = committed.and_then(|committed| committed.cells.get(cell));
            (*cell, entry(row, old, record.calls.get(cell).copied()))
        };
        let proportions = relations::check(&rows)
            .into_iter()
            .map(|relation| (format!("{} {} {}", relation.left, relation.sign, relation.right), relation.holds));
        Self {
            version: VERSION,
            class: record.header.class(),
            units: rows.keys().map(|cell| (shape_word(cell.shape), cell.shape.unit().to_owned())).collect(),
            cells: rows.iter().map(entry_of).collect(),
            not_applicable: record.not_applicable.clone(),
            ranks: ranks(&rows, committed),
            proportions: proportions.collect(),
        }
    }

    /// As it is committed: a snapshot of insta, whose content is YAML.
    ///
    /// # Errors
    /// When it cannot be put into YAML, which would be a fault of ours.
    pub fn to_text(&self) -> Result<String, serde_yaml::Error> {
        let content = serde_yaml::to_string(self)?;
        Ok(format!(
            "---\nsource: cargo xtask bench\ndescription: Costs as multiples of the floors of the same run\n---\n{content}"
        ))
    }

    /// As it is committed, without what is only of the run that was just made.
    #[must_use]
    pub fn to_commit(&self) -> Self {
        let mut commit = self.clone();
        commit.cells.values_mut().for_each(|entry| entry.between = None);
        commit
    }

    /// Reads the content of one, with or without its head.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let content = match text.strip_prefix("---\n") {
            Some(rest) => rest.split_once("\n---\n").map_or(text, |(_, content)| content),
            None => text,
        };
        let snapshot: Self = serde_yaml::from_str(content).map_err(|error| error.to_string())?;
        if snapshot.version != VERSION {
            return Err(format!(
                "it has version {} of the format, and this program reads version {VERSION}: bless it anew",
                snapshot.version
            ));
        }
        Ok(snapshot)
    }

    /// Takes over what a bench found, and leaves the rest where it did not measure everything.
    #[must_use]
    pub fn blessed(&self, bench: &Self, whole: bool) -> Self {
        let mut blessed = bench.to_commit();
        if whole {
            return blessed;
        }
        for (cell, entry) in &self.cells {
            if !bench.not_applicable.contains_key(cell) {
                blessed.cells.entry(*cell).or_insert_with(|| entry.clone());
            }
        }
        for (cell, reason) in &self.not_applicable {
            if !bench.cells.contains_key(cell) {
                blessed.not_applicable.entry(*cell).or_insert_with(|| reason.clone());
            }
        }
        for (what, mechanisms) in &self.ranks {
            // An order of some mechanisms says nothing about all of them.
            blessed.ranks.insert(what.clone(), mechanisms.clone());
        }
        for (proportion, holds) in &self.proportions {
            blessed.proportions.entry(proportion.clone()).or_insert(*holds);
        }
        for (shape, unit) in &self.units {
            blessed.units.entry(shape.clone()).or_insert_with(|| unit.clone());
        }
        blessed
    }

    /// What is not as it was committed. Where the bench did not measure everything, what it left out is no change.
    #[must_use]
    pub fn changes(&self, bench: &Self, whole: bool) -> Vec<Change> {
        let mut changes = Vec::new();
        for (cell, entry) in &bench.cells {
            match self.cells.get(cell) {
                Some(old) => changes.extend(changes_of(*cell, old, entry)),
                None => changes.push(other(*cell, format!("{cell} is measured and was not"))),
            }
        }
        for (cell, reason) in &bench.not_applicable {
            match self.not_applicable.get(cell) {
                Some(old) if old == reason => {}
                Some(old) => changes.push(other(*cell, format!("{cell} cannot be done: {reason}; it was: {old}"))),
                None if self.cells.contains_key(cell) => {
                    let text = format!("{cell} can no longer be done: {reason}");
                    changes.push(Change { kind: Kind::Gone, cell: Some(*cell), text });
                }
                None => changes.push(other(*cell, format!("{cell} cannot be done: {reason}"))),
            }
        }
        for (shape, unit) in &bench.units {
            if let Some(old) = self.units.get(shape).filter(|old| *old != unit) {
                let text = format!("{shape} is told in {unit}, and was in {old}");
                changes.push(Change { kind: Kind::Other, cell: None, text });
            }
        }
        changes.extend(self.changes_of_ranks(bench));
        for (proportion, holds) in &bench.proportions {
            if self.proportions.get(proportion).is_some_and(|old| old != holds) {
                let now = if *holds { "holds, and did not" } else { "does not hold any more" };
                let text = format!("{proportion} {now}");
                changes.push(Change { kind: Kind::Other, cell: None, text });
            }
        }
        if whole {
            let missing = self
                .cells
                .keys()
                .filter(|cell| !bench.cells.contains_key(cell) && !bench.not_applicable.contains_key(cell));
            changes.extend(missing.map(|cell| other(*cell, format!("{cell} was measured and is not"))));
        }
        changes.sort_by_key(|change| change.kind);
        changes
    }

    fn changes_of_ranks(&self, bench: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (what, order) in &bench.ranks {
            let Some(old) = self.ranks.get(what) else { continue };
            let common = |names: &[String], others: &[String]| -> Vec<String> {
                names.iter().filter(|name| others.contains(name)).cloned().collect()
            };
            let (now, before) = (common(order, old), common(old, order));
            if now != before {
                let text = format!("{what}: the order is {}, and was {}", now.join(" < "), before.join(" < "));
                changes.push(Change { kind: Kind::Other, cell: None, text });
            }
        }
        changes
    }
}

fn other(cell: Cell, text: String) -> Change {
    Change { kind: Kind::Other, cell: Some(cell), text }
}

/// A shape as it stands in the list of units: loads do not differ in theirs.
fn shape_word(shape: Shape) -> String {
    match shape {
        Shape::OpenLoop(_) => "open_loop".to_owned(),
        shape => shape.to_string(),
    }
}

fn entry(row: &Row, old: Option<&Entry>, calls: Option<f64>) -> Entry {
    let is_whole = |number: &f64| (number - number.round()).abs() < 0.06;
    let mut entry = Entry { calls: calls.filter(is_whole).map(f64::round), ..Entry::default() };
    if !row.cell.is_steady() || row.ratio <= 0.0 {
        return entry;
    }
    let bucket = match old.and_then(|old| old.times_floor) {
        Some(middle) => Bucket::of(middle).kept(row.ratio, row.ratio_interval),
        None => Bucket::of(row.ratio),
    };
    entry.times_floor = Some(rounded(bucket.middle()));
    entry.between = (row.rounds - row.disturbed >= ROUNDS_MIN).then_some(row.ratio_interval);
    if row.cell.shape.is_round_trip() {
        let switches = rounded((row.switches * 10.0).round() / 10.0);
        let kept = old.and_then(|old| old.switches).filter(|old| (old - row.switches).abs() < SWITCHES_WITHIN);
        entry.switches = Some(kept.unwrap_or(switches));
    }
    entry
}

/// With as many digits as a person reads.
fn rounded(number: f64) -> f64 {
    let factor = if number.abs() >= 100.0 { 1.0 } else { 100.0 };
    (number * factor).round() / factor
}

fn changes_of(cell: Cell, old: &Entry, new: &Entry) -> Vec<Change> {
    let mut changes = Vec::new();
    if let (Some(middle), Some(between)) = (old.times_floor, new.between) {
        let edges = Bucket::of(middle).edges();
        let now = f64::midpoint(between.low, between.high);
        let change = |kind, word| Change {
            kind,
            cell: Some(cell),
            text: format!(
                "{cell} is {word}: {} of its floor ({} to {}), and was {}",
                multiple(now),
                multiple(between.low),
                multiple(between.high),
                multiple(middle)
            ),
        };
        if between.low > edges.high * CLEAR {
            changes.push(change(Kind::Slower, "slower"));
        } else if between.high < edges.low / CLEAR {
            changes.push(change(Kind::Faster, "faster"));
        }
    }
    let counts = [
        ("system calls", old.calls, new.calls, CALLS_WITHIN),
        ("switches", old.switches, new.switches, SWITCHES_WITHIN),
    ];
    for (what, old, new, within) in counts {
        if let (Some(old), Some(new)) = (old, new)
            && (old - new).abs() > within
        {
            let kind = if new > old { Kind::MoreCounts } else { Kind::Other };
            changes.push(Change { kind, cell: Some(cell), text: format!("{cell} has {new} {what}, and had {old}") });
        }
    }
    changes
}

/// Whether a change is one for the worse.
#[must_use]
pub fn is_regression(change: &Change) -> bool {
    matches!(change.kind, Kind::Slower | Kind::MoreCounts | Kind::Gone)
}

/// The orders that are kept: mechanisms from the cheapest to the dearest. Two that cannot be told apart stand as they were committed.
fn ranks(rows: &BTreeMap<Cell, Row>, committed: Option<&Snapshot>) -> BTreeMap<String, Vec<String>> {
    let is_small = |cell: &Cell| cell.bytes != 1 && cell.placement == Placement::OneCore;
    let of = |keep: &dyn Fn(&Cell) -> bool| -> Vec<&Row> { rows.values().filter(|row| keep(&row.cell)).collect() };
    let lists = [
        ("round trips on one core", of(&|cell| cell.shape.is_round_trip() && is_small(cell))),
        (
            "64 KiB one way on one core",
            of(&|cell| cell.shape == Shape::OneWay && cell.bytes == 64 << 10 && is_small(cell)),
        ),
        ("taken alone", of(&|cell| cell.shape.is_taking() && cell.parties == 1)),
    ];
    let mut ranks = BTreeMap::new();
    for (what, rows) in lists {
        if rows.len() > 1 {
            let before = committed.and_then(|committed| committed.ranks.get(what));
            ranks.insert(what.to_owned(), ordered(rows, before.map_or(&[], Vec::as_slice)));
        }
    }
    ranks
}

/// Puts them in order, and keeps the order of before for those that are not clearly in another.
fn ordered(mut rows: Vec<&Row>, before: &[String]) -> Vec<String> {
    let word = |row: &Row| match row.cell.shape {
        Shape::RoundTrip | Shape::OneWay | Shape::Take => row.cell.mechanism.name().to_owned(),
        shape => format!("{} {shape}", row.cell.mechanism),
    };
    let place = |row: &Row| before.iter().position(|name| *name == word(row));
    rows.sort_by(|left, right| left.cost_ns.total_cmp(&right.cost_ns));
    // Those that were there stand as before, the others where their figure puts them; then whoever is clearly cheaper moves up.
    let mut order: Vec<&Row> = Vec::new();
    let mut known: Vec<&Row> = rows.iter().copied().filter(|row| place(row).is_some()).collect();
    known.sort_by_key(|row| place(row));
    order.extend(known);
    for row in rows.iter().filter(|row| place(row).is_none()) {
        let at = order.iter().position(|other| other.cost_ns > row.cost_ns).unwrap_or(order.len());
        order.insert(at, row);
    }
    for end in 1..order.len() {
        let mut at = end;
        while at > 0 && is_clearly_cheaper(order[at], order[at - 1]) {
            order.swap(at, at - 1);
            at -= 1;
        }
    }
    order.into_iter().map(word).collect()
}

fn is_clearly_cheaper(one: &Row, other: &Row) -> bool {
    one.cost_ns * CLEAR < other.cost_ns && one.cost_interval.high < other.cost_interval.low
}

#[cfg(test)]
mod tests {
    use super::{Kind, Snapshot, is_regression};
    use crate::performance::{record::Record, samples};
    use harness_core::measure::Cell;
    use rstest::rstest;
    use spec::Mechanism;

    fn snapshot(record: &Record) -> Snapshot {
        Snapshot::of(record, None)
    }

    fn is_pipe(cell: &Cell) -> bool {
        cell.mechanism == Mechanism::Pipe
    }

    #[test]
    fn a_snapshot_has_no_nanoseconds() {
        let mut record = samples::record();
        record.samples.retain(|sample| matches!(sample.cell.mechanism, Mechanism::Pipe | Mechanism::Flock));
        record.calls.retain(|cell, _| matches!(cell.mechanism, Mechanism::Pipe | Mechanism::Flock));
        insta::assert_snapshot!(snapshot(&record).to_commit().to_text().unwrap());
    }

    #[test]
    fn what_is_written_is_read() {
        let snapshot = snapshot(&samples::record());
        assert_eq!(Snapshot::parse(&snapshot.to_text().unwrap()).unwrap(), snapshot);
        let other = snapshot.to_text().unwrap().replacen("version: 1", "version: 99", 1);
        assert!(Snapshot::parse(&other).unwrap_err().contains("version 99"));
    }

    #[rstest]
    #[case::the_same(1.0, None)]
    #[case::noise(1.1, None)]
    #[case::in_the_next_step(1.25, None)]
    #[case::clearly_slower(1.7, Some(Kind::Slower))]
    #[case::clearly_faster(0.5, Some(Kind::Faster))]
    fn only_what_is_clear_is_called_a_change(#[case] slowdown: f64, #[case] expected: Option<Kind>) {
        let committed = snapshot(&samples::record()).to_commit();
        let bench = samples::slowed(&|cell| if is_pipe(cell) { slowdown } else { 1.0 });
        let changes = committed.changes(&Snapshot::of(&bench, Some(&committed)), true);
        let kinds: Vec<Kind> =
            changes.iter().filter(|change| change.cell.is_some()).map(|change| change.kind).collect();
        assert_eq!(kinds.first().copied(), expected, "{changes:?}");
        assert!(changes.iter().all(|change| change.cell.as_ref().is_none_or(is_pipe)));
        assert_eq!(changes.iter().any(is_regression), expected == Some(Kind::Slower));
    }

    #[test]
    fn of_few_rounds_nothing_is_called_slower() {
        let committed = snapshot(&samples::record()).to_commit();
        let mut bench = samples::slowed(&|_| 3.0);
        bench.samples.retain(|sample| sample.round < 4);
        let changes = committed.changes(&Snapshot::of(&bench, Some(&committed)), true);
        assert!(!changes.iter().any(is_regression), "{changes:?}");
    }

    #[test]
    fn more_calls_and_what_cannot_be_done_any_more_are_regressions() {
        let committed = snapshot(&samples::record()).to_commit();
        let mut bench = samples::record();
        let cell = "pipe/round_trip/64/one_core".parse().unwrap();
        bench.calls.insert(cell, 6.0);
        let gone: Cell = "pipe/one_way/64/one_core".parse().unwrap();
        bench.samples.retain(|sample| sample.cell != gone);
        bench.not_applicable.insert(gone, "write: EINVAL".to_owned());
        let changes = committed.changes(&Snapshot::of(&bench, Some(&committed)), true);
        let texts: Vec<&str> = changes.iter().map(|change| change.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "pipe/round_trip/64/one_core has 6 system calls, and had 4",
                "pipe/one_way/64/one_core can no longer be done: write: EINVAL"
            ]
        );
        assert!(changes.iter().all(is_regression));
    }

    #[test]
    fn a_part_of_a_bench_changes_and_blesses_just_its_own() {
        let committed = snapshot(&samples::record()).to_commit();
        let mut bench = samples::slowed(&|_| 2.0);
        bench.samples.retain(|sample| is_pipe(&sample.cell));
        bench.not_applicable.clear();
        let part = Snapshot::of(&bench, Some(&committed));
        assert!(committed.changes(&part, false).iter().all(|change| change.cell.as_ref().is_none_or(is_pipe)));
        let blessed = committed.blessed(&part, false);
        assert_eq!(blessed.cells.len(), committed.cells.len());
        assert!(blessed.cells.iter().all(|(cell, entry)| is_pipe(cell) || committed.cells[cell] == *entry));
        assert_ne!(blessed, committed);
        assert_eq!(blessed.ranks, committed.ranks);
    }

    #[test]
    fn blessing_the_same_again_changes_nothing() {
        let committed = snapshot(&samples::record()).to_commit();
        let again = samples::slowed(&|cell| 1.0 + f64::from(cell.bytes.count_ones() % 2) * 0.05);
        let bench = Snapshot::of(&again, Some(&committed));
        let changed =
            committed.cells.iter().filter(|(cell, entry)| committed.blessed(&bench, true).cells[cell] != **entry);
        // A figure in the middle of its step stays there; one at its edge may move when its interval leaves it.
        assert!(changed.count() * 5 < committed.cells.len());
        assert_eq!(committed.blessed(&bench, true).ranks, committed.ranks);
    }
}
