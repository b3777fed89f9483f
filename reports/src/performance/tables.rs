//! The tables of the terminal: floors, round trips, throughput, takings, lateness; each ranked.

use super::{
    advice,
    figure::{bytes_per_second, count, digits, multiple, rate, size, time},
    record::Record,
};
use crate::style::{Color, table, wrap};
use harness_core::measure::{Cell, Floor, Placement, Row, Shape, relations, sweep::ONE_WAY_BYTES};
use std::collections::{BTreeMap, BTreeSet};

/// Where there is nothing to show.
const NOTHING: &str = "–";

/// Renders a whole bench.
#[must_use]
pub fn render(record: &Record, color: Color) -> String {
    let rows = record.rows();
    let mut parts = vec![conditions(record, &rows), floors(record, color)];
    parts.extend(round_trips(&rows, color));
    parts.extend(one_way(&rows, &record.not_applicable, color));
    parts.extend(takings(&rows, color));
    parts.extend(lateness(&rows, color));
    parts.extend(not_applicable(&record.not_applicable, color));
    parts.extend(failed(&record.failed, color));
    parts.extend(proportions(&rows, color));
    parts.extend(advised(&rows, color));
    parts.join("\n")
}

/// On what machine, how often, and what disturbed it.
fn conditions(record: &Record, rows: &BTreeMap<Cell, Row>) -> String {
    let header = &record.header;
    let told = |name: &str| header.machine.get(name).cloned().unwrap_or_default();
    let mut text = format!(
        "{} on {} ({} processors{}), {}, {} rounds, {} samples of {} cells\n",
        header.agent,
        told("processor"),
        told("processors"),
        if header.machine.contains_key("hypervisor") { ", virtual" } else { "" },
        told("release"),
        record.rounds(),
        record.samples.len(),
        rows.len(),
    );
    let disturbed: usize = rows.values().map(|row| row.disturbed).sum();
    let voided: u32 = rows.values().map(|row| row.voided).sum();
    let steal: u64 = record.samples.iter().map(|sample| sample.steal_ns).sum();
    let unsteady = record.samples.iter().filter(|sample| !sample.is_steady).count();
    let misplaced = record.samples.iter().filter(|sample| sample.is_misplaced()).count();
    text.push_str(&format!(
        "disturbed by strangers: {voided} samples thrown away, {disturbed} kept for want of better; stolen by the hypervisor: {}; \
         not steady after warming up: {unsteady}; not where they belong: {misplaced}\n",
        time(steal as f64)
    ));
    let (slowest, usual) = record.paces();
    if usual > 0.0 && slowest > usual * 1.2 {
        text.push_str(&format!(
            "the processor itself was up to {} as slow as usual: other guests, or heat\n",
            multiple(slowest / usual)
        ));
    }
    let distances: Vec<String> =
        record.distances().iter().map(|(ns, seen)| format!("about {ns} ns ({seen} times)")).collect();
    if !distances.is_empty() {
        text.push_str(&format!("a cache line between two processors, there and back: {}\n", distances.join(", ")));
    }
    if !record.complete {
        text.push_str("it was cut short: this is what had been measured by then\n");
    }
    text
}

fn heading(text: &str, color: Color) -> String {
    format!("{}\n", color.bold(text))
}

fn floors(record: &Record, color: Color) -> String {
    let mut lines = vec![];
    for ((floor, placement, bytes), ns) in record.floors() {
        let mut what = floor.words().to_owned();
        if let Some(placement) = placement {
            what.push_str(&format!(", {}", placement.words()));
        }
        if floor == Floor::Copy {
            what.push_str(&format!(" of {}", size(bytes)));
        }
        lines.push(vec![format!("  {what}"), time(ns)]);
    }
    heading("The floor: the least that this machine takes", color) + &table(&lines, "  ")
}

/// The name of a row: the mechanism, and how it is used where that is not the only way.
fn name(cell: &Cell) -> String {
    match cell.shape {
        Shape::RoundTrip | Shape::OneWay | Shape::Take | Shape::OpenLoop(_) => cell.mechanism.name().to_owned(),
        Shape::TakeShared => format!("{} (shared)", cell.mechanism),
        shape => format!("{} ({shape})", cell.mechanism),
    }
}

/// Cells as they stand in a table: a line for those that differ in nothing but the placement, ranked by the first placement that there is.
fn ranked<'r>(
    rows: &'r BTreeMap<Cell, Row>,
    keep: &dyn Fn(&Cell) -> bool,
) -> Vec<(Cell, BTreeMap<Placement, &'r Row>)> {
    let mut lines: BTreeMap<(Cell, u64), BTreeMap<Placement, &Row>> = BTreeMap::new();
    for (cell, row) in rows.iter().filter(|(cell, _)| keep(cell)) {
        let anywhere = Cell { placement: Placement::OneCore, ..*cell };
        lines.entry((anywhere, cell.bytes)).or_default().insert(cell.placement, row);
    }
    let mut lines: Vec<_> = lines.into_iter().map(|((cell, _), row)| (cell, row)).collect();
    let cost = |line: &(Cell, BTreeMap<Placement, &Row>)| line.1.values().next().map_or(f64::MAX, |row| row.cost_ns);
    lines.sort_by(|left, right| cost(left).total_cmp(&cost(right)));
    lines
}

fn round_trips(rows: &BTreeMap<Cell, Row>, color: Color) -> Option<String> {
    // Of two sizes the larger one stands in the table: they hardly differ.
    let lines = ranked(rows, &|cell| cell.shape.is_round_trip() && cell.bytes != 1);
    if lines.is_empty() {
        return None;
    }
    let mut cells = vec![
        [
            "",
            "one core",
            "99 %",
            "99.9 %",
            "most",
            "× floor",
            "two cores",
            "99 %",
            "awake",
            "99 %",
            "free",
            "99 %",
            "cpu",
            "switches",
            "calls",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for (cell, row) in &lines {
        let one = row.get(&Placement::OneCore);
        let latency = one.and_then(|row| row.latency.as_ref());
        let mut line = vec![
            format!("  {}", name(cell)),
            one.map_or(NOTHING.to_owned(), |row| time(row.cost_ns)),
            latency.map_or(NOTHING.to_owned(), |latency| time(latency.p99)),
            latency.and_then(|latency| latency.p999).map_or(NOTHING.to_owned(), time),
            latency.map_or(NOTHING.to_owned(), |latency| time(latency.maximum)),
            one.map_or(NOTHING.to_owned(), |row| multiple(row.ratio)),
        ];
        for placement in [Placement::TwoCores, Placement::TwoAwake, Placement::Free] {
            let row = row.get(&placement);
            line.push(row.map_or(NOTHING.to_owned(), |row| time(row.cost_ns)));
            let latency = row.and_then(|row| row.latency.as_ref());
            line.push(latency.map_or(NOTHING.to_owned(), |latency| time(latency.p99)));
        }
        line.push(one.map_or(NOTHING.to_owned(), |row| time(row.processor_ns)));
        line.push(one.map_or(NOTHING.to_owned(), |row| count(row.switches)));
        line.push(one.and_then(|row| row.system_calls).map_or(NOTHING.to_owned(), count));
        cells.push(line);
    }
    let heading = heading(
        "Round trips (64 B where there is a message): median, and what so many in a hundred do not exceed",
        color,
    );
    Some(heading + &table(&without_empty_columns(&cells), "  "))
}

/// Leaves out columns in which nothing was measured.
fn without_empty_columns(rows: &[Vec<String>]) -> Vec<Vec<String>> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let is_empty = |column: usize| {
        rows.iter().skip(1).all(|row| row.get(column).is_none_or(|cell| cell.is_empty() || cell == NOTHING))
    };
    let kept: Vec<usize> = (0..columns).filter(|column| !is_empty(*column)).collect();
    rows.iter().map(|row| kept.iter().filter_map(|column| row.get(*column).cloned()).collect()).collect()
}

fn one_way(rows: &BTreeMap<Cell, Row>, reasons: &BTreeMap<Cell, String>, color: Color) -> Option<String> {
    let mut text = String::new();
    for placement in Placement::ALL {
        let of = |cell: &Cell| cell.shape == Shape::OneWay && cell.placement == placement;
        let mechanisms: BTreeSet<_> = rows.keys().filter(|cell| of(cell)).map(|cell| cell.mechanism).collect();
        if mechanisms.is_empty() {
            continue;
        }
        let sizes: BTreeSet<u64> = rows.keys().filter(|cell| of(cell)).map(|cell| cell.bytes).collect();
        let sizes: Vec<u64> = ONE_WAY_BYTES.into_iter().filter(|bytes| sizes.contains(bytes)).collect();
        let cell_of = |mechanism, bytes| Cell::between_two(mechanism, Shape::OneWay, bytes, placement);
        let mut lines: Vec<(f64, Vec<String>)> = mechanisms
            .iter()
            .map(|mechanism| {
                let row_of = |bytes: u64| rows.get(&cell_of(*mechanism, bytes));
                let best =
                    sizes.iter().filter_map(|bytes| row_of(*bytes)).map(Row::bytes_per_second).fold(0.0, f64::max);
                let mut line = vec![format!("  {}", mechanism.name())];
                line.extend(sizes.iter().map(|bytes| match row_of(*bytes) {
                    Some(row) if row.loss > 0.001 => {
                        format!("{} ({:.0} % lost)", bytes_per_second(row.bytes_per_second()), row.loss * 100.0)
                    }
                    Some(row) => bytes_per_second(row.bytes_per_second()),
                    None if reasons.contains_key(&cell_of(*mechanism, *bytes)) => "n/a".to_owned(),
                    None => NOTHING.to_owned(),
                }));
                let small = row_of(64);
                line.push(small.map_or(NOTHING.to_owned(), |row| rate(row.rate())));
                line.push(small.map_or(NOTHING.to_owned(), |row| multiple(row.ratio)));
                (best, line)
            })
            .collect();
        lines.sort_by(|left, right| right.0.total_cmp(&left.0));
        let mut head = vec![String::new()];
        head.extend(sizes.iter().map(|bytes| size(*bytes)));
        head.extend(["64 B messages".to_owned(), "× floor".to_owned()]);
        let mut cells = vec![head];
        cells.extend(lines.into_iter().map(|(_, line)| line));
        text.push_str(&heading(&format!("One way, {}: by message size", placement.words()), color));
        text.push_str(&table(&without_empty_columns(&cells), "  "));
    }
    (!text.is_empty()).then_some(text)
}

fn takings(rows: &BTreeMap<Cell, Row>, color: Color) -> Option<String> {
    let alone = ranked(rows, &|cell| cell.shape.is_taking() && cell.parties == 1);
    if alone.is_empty() {
        return None;
    }
    let columns = [
        ("2 on one core", 2, Placement::OneCore),
        ("2 on two cores", 2, Placement::TwoCores),
        ("2 free", 2, Placement::Free),
        ("4 on one core", 4, Placement::OneCore),
        ("4 on two cores", 4, Placement::TwoCores),
        ("4 free", 4, Placement::Free),
    ];
    let mut head = vec![String::new(), "alone".to_owned(), "a second".to_owned(), "× floor".to_owned()];
    head.extend(columns.iter().map(|(words, _, _)| (*words).to_owned()));
    head.extend(["calls".to_owned()]);
    let mut cells = vec![head];
    for (cell, row) in alone {
        let Some(row) = row.values().next() else { continue };
        let mut line = vec![format!("  {}", name(&cell)), time(row.cost_ns), rate(row.rate()), multiple(row.ratio)];
        line.extend(columns.iter().map(|(_, parties, placement)| {
            let contended = Cell::of_takers(cell.mechanism, cell.shape, *parties, *placement);
            rows.get(&contended).map_or(NOTHING.to_owned(), |row| time(row.cost_ns))
        }));
        line.push(row.system_calls.map_or(NOTHING.to_owned(), count));
        cells.push(line);
    }
    let heading =
        heading("Taken and given back (memory: an atomic addition): one such, of all parties together", color);
    Some(heading + &table(&without_empty_columns(&cells), "  "))
}

/// How late messages are that nobody holds back.
fn lateness(rows: &BTreeMap<Cell, Row>, color: Color) -> Option<String> {
    let mut text = String::new();
    for placement in Placement::ALL {
        let of = |cell: &Cell| cell.placement == placement;
        let loads: BTreeSet<u8> = rows
            .keys()
            .filter(|cell| of(cell))
            .filter_map(|cell| if let Shape::OpenLoop(load) = cell.shape { Some(load) } else { None })
            .collect();
        let mechanisms: BTreeSet<_> = rows
            .keys()
            .filter(|cell| of(cell) && matches!(cell.shape, Shape::OpenLoop(_)))
            .map(|cell| cell.mechanism)
            .collect();
        if mechanisms.is_empty() {
            continue;
        }
        let mut head = vec![String::new()];
        for load in &loads {
            head.extend([format!("at {load} %"), "99 %".to_owned(), "99.9 %".to_owned()]);
        }
        let mut cells = vec![head];
        for mechanism in mechanisms {
            let mut line = vec![format!("  {}", mechanism.name())];
            for load in &loads {
                let cell = rows
                    .keys()
                    .find(|cell| of(cell) && cell.mechanism == mechanism && cell.shape == Shape::OpenLoop(*load));
                let latency = cell.and_then(|cell| rows.get(cell)).and_then(|row| row.latency.as_ref());
                line.push(latency.map_or(NOTHING.to_owned(), |latency| time(latency.p50)));
                line.push(latency.map_or(NOTHING.to_owned(), |latency| time(latency.p99)));
                line.push(latency.and_then(|latency| latency.p999).map_or(NOTHING.to_owned(), time));
            }
            cells.push(line);
        }
        text.push_str(&heading(
            &format!(
                "Late, {}: from when a message was due until it came, at so much of what goes through one way",
                placement.words()
            ),
            color,
        ));
        text.push_str(&table(&without_empty_columns(&cells), "  "));
    }
    (!text.is_empty()).then_some(text)
}

/// What cannot be measured, by reason.
fn not_applicable(reasons: &BTreeMap<Cell, String>, color: Color) -> Option<String> {
    let mut groups: BTreeMap<(String, &str), BTreeSet<u64>> = BTreeMap::new();
    for (cell, reason) in reasons {
        let place = if cell.shape == Shape::OneWay { String::new() } else { format!(" {}", cell.placement.words()) };
        let what = format!("{} {}{place}", cell.mechanism, cell.shape);
        groups.entry((what, reason)).or_default().insert(cell.bytes);
    }
    if groups.is_empty() {
        return None;
    }
    let lines: Vec<Vec<String>> = groups
        .into_iter()
        .map(|((what, reason), sizes)| {
            let sizes: Vec<String> = sizes.into_iter().filter(|bytes| *bytes > 0).map(size).collect();
            vec![format!("  {what}"), sizes.join(", "), reason.to_owned()]
        })
        .collect();
    Some(heading("Not applicable", color) + &table(&lines, "  "))
}

fn failed(reasons: &BTreeMap<Cell, String>, color: Color) -> Option<String> {
    if reasons.is_empty() {
        return None;
    }
    let lines: Vec<String> = reasons.iter().map(|(cell, reason)| format!("  {cell}: {reason}\n")).collect();
    Some(format!("{}\n{}", color.alarm("Failed"), lines.concat()))
}

/// Whether figures lie in the proportions that they have on every machine.
fn proportions(rows: &BTreeMap<Cell, Row>, color: Color) -> Option<String> {
    let relations = relations::check(rows);
    if relations.is_empty() {
        return None;
    }
    let broken: Vec<String> = relations
        .iter()
        .filter(|relation| !relation.holds)
        .map(|relation| {
            format!("  {} {} {}: {}\n", relation.left, relation.sign, relation.right, digits(relation.quotient))
        })
        .collect();
    if broken.is_empty() {
        return Some(format!("all {} proportions hold that have to hold on every machine\n", relations.len()));
    }
    let head = color.alarm(&format!(
        "{} of {} proportions do not hold: something here is not measured right, or was disturbed",
        broken.len(),
        relations.len()
    ));
    Some(format!("{head}\n{}", broken.concat()))
}

fn advised(rows: &BTreeMap<Cell, Row>, color: Color) -> Option<String> {
    let advice = advice::paragraph(rows)?;
    Some(heading("Which mechanism for what", color) + &wrap(&advice, 96, "  ") + "\n")
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::{performance::samples, style::Color};
    use harness_core::measure::sweep;
    use spec::Mechanism;

    #[test]
    fn a_whole_bench() {
        insta::assert_snapshot!(render(&samples::record(), Color::Never));
    }

    #[test]
    fn one_that_was_cut_short_and_one_that_does_not_fit_together() {
        let mut record = samples::slowed(&|cell| if cell.mechanism == Mechanism::Fifo { 3.0 } else { 1.0 });
        let quick: Vec<_> = sweep::quick(Mechanism::Pipe).into_iter().chain(sweep::quick(Mechanism::Fifo)).collect();
        record.samples.retain(|sample| quick.contains(&sample.cell));
        record.not_applicable.clear();
        record.complete = false;
        record.failed.insert(quick[0], "party-1 ended (status 2) while it measured".to_owned());
        insta::assert_snapshot!(render(&record, Color::Never));
    }
}
