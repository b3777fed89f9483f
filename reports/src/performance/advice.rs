//! Which mechanism for what: a paragraph made of the figures, and of nothing else.

use super::figure::{bytes_per_second, rate, time};
use harness_core::measure::{Cell, Placement, Row, Shape, floor::is_in_memory};
use spec::{Ability, Mechanism};
use std::collections::{BTreeMap, BTreeSet};

/// Two figures that differ by less are as good as one another.
const AS_GOOD_AS: f64 = 1.1;

/// Of fewer mechanisms than this none is recommended: a sweep that was interrupted may not have come to better ones.
const CHOICE: usize = 3;

/// The paragraph; `None` where too little was measured to say anything.
#[must_use]
pub fn paragraph(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let sentences = [
        wake_up(rows),
        messages(rows),
        polled(rows),
        streams(rows),
        bulk(rows),
        alone(rows),
        contended(rows),
        placement(rows),
        tails(rows),
    ];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// The best of these cells, the others that are as good, and the best figure; none where there are fewer than `choice` mechanisms to choose from.
fn best<'r>(
    rows: &'r BTreeMap<Cell, Row>,
    keep: &dyn Fn(&Cell) -> bool,
    worth: &dyn Fn(&Row) -> f64,
    choice: usize,
) -> Option<(String, &'r Row)> {
    let mut kept: Vec<&Row> = rows.values().filter(|row| keep(&row.cell) && row.cost_ns > 0.0).collect();
    if kept.iter().map(|row| row.cell.mechanism).collect::<BTreeSet<_>>().len() < choice {
        return None;
    }
    kept.sort_by(|left, right| worth(right).total_cmp(&worth(left)));
    let first = *kept.first()?;
    let mut names: Vec<String> = Vec::new();
    for row in kept.iter().take_while(|row| worth(row) * AS_GOOD_AS >= worth(first)) {
        let name = word(&row.cell);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Some((listed(&names), first))
}

fn word(cell: &Cell) -> String {
    match cell.shape {
        Shape::Sigwait | Shape::Sigqueue | Shape::Signalfd | Shape::Handler => {
            format!("{} ({})", cell.mechanism, cell.shape)
        }
        _ => cell.mechanism.name().to_owned(),
    }
}

/// `a`, `a or b`, `a, b or c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [several @ .., last] => format!("{} or {last}", several.join(", ")),
    }
}

fn fast(row: &Row) -> f64 {
    row.rate()
}

fn wake_up(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let keep = |cell: &Cell| {
        let ability = cell.mechanism.ability();
        cell.shape.is_round_trip()
            && cell.placement == Placement::OneCore
            && matches!(ability, Ability::Counter | Ability::Wake | Ability::Signals)
    };
    let (names, row) = best(rows, &keep, &fast, CHOICE)?;
    Some(format!(
        "To wake another process and be woken, take {names}: {} there and back on one core.",
        time(row.cost_ns)
    ))
}

fn messages(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let keep = |cell: &Cell| {
        cell.shape == Shape::RoundTrip
            && cell.placement == Placement::OneCore
            && cell.bytes == 64
            && matches!(cell.mechanism.ability(), Ability::Queue | Ability::Stream)
    };
    let (names, row) = best(rows, &keep, &fast, CHOICE)?;
    Some(format!("For a question and an answer of 64 bytes take {names} ({}).", time(row.cost_ns)))
}

fn polled(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let keep = |cell: &Cell| {
        cell.shape == Shape::RoundTrip
            && cell.placement == Placement::TwoCores
            && cell.bytes == 64
            && is_in_memory(cell.mechanism)
    };
    let (names, row) = best(rows, &keep, &fast, CHOICE)?;
    Some(format!(
        "Where each process has a processor to spend on looking, {names} answers in {}, because nobody has to be woken.",
        time(row.cost_ns)
    ))
}

fn streams(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let keep = |cell: &Cell| {
        cell.shape == Shape::OneWay
            && cell.placement == Placement::TwoAwake
            && cell.bytes == 64
            && !is_in_memory(cell.mechanism)
    };
    let (names, row) = best(rows, &keep, &fast, CHOICE)?;
    Some(format!("Many small messages one way go fastest through {names} ({} of 64 bytes).", rate(row.rate())))
}

fn bulk(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let keep = |memory: bool| {
        move |cell: &Cell| {
            cell.shape == Shape::OneWay
                && cell.placement == Placement::TwoAwake
                && cell.bytes >= 16 << 10
                && is_in_memory(cell.mechanism) == memory
        }
    };
    let (names, row) = best(rows, &keep(false), &Row::bytes_per_second, CHOICE)?;
    let through_kernel = format!("Bulk goes fastest through {names} ({})", bytes_per_second(row.bytes_per_second()));
    Some(match best(rows, &keep(true), &Row::bytes_per_second, 1) {
        Some((names, row)) => format!(
            "{through_kernel}, and in memory that both map through {names} ({}).",
            bytes_per_second(row.bytes_per_second())
        ),
        None => format!("{through_kernel}."),
    })
}

/// Whether it is there to exclude, and not just something that can be added to.
fn excludes(mechanism: Mechanism) -> bool {
    matches!(mechanism.ability(), Ability::Lock | Ability::Counter)
}

fn alone(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let keep = |cell: &Cell| cell.shape == Shape::Take && cell.parties == 1 && excludes(cell.mechanism);
    let (names, row) = best(rows, &keep, &fast, CHOICE)?;
    Some(format!("A lock that is mostly free costs least as {names} ({}).", time(row.cost_ns)))
}

fn contended(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let keep = |cell: &Cell| {
        cell.shape == Shape::Take
            && cell.parties == 2
            && cell.placement == Placement::TwoCores
            && excludes(cell.mechanism)
    };
    let (names, row) = best(rows, &keep, &fast, CHOICE)?;
    Some(format!("One that two processors want at once changes hands fastest as {names} ({}).", time(row.cost_ns)))
}

/// What it costs to be on another processor.
fn placement(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let of = |placement| {
        let mut costs: Vec<f64> = rows
            .values()
            .filter(|row| {
                let cell = &row.cell;
                cell.shape.is_round_trip() && cell.placement == placement && !is_in_memory(cell.mechanism)
            })
            .map(|row| row.cost_ns)
            .collect();
        costs.sort_by(f64::total_cmp);
        costs.get(costs.len() / 2).copied()
    };
    let (one, two) = (of(Placement::OneCore)?, of(Placement::TwoCores)?);
    Some(format!(
        "Where processes run matters more than what they use: the median round trip takes {} on one core and {} on two.",
        time(one),
        time(two)
    ))
}

/// How far the tail is from the median.
fn tails(rows: &BTreeMap<Cell, Row>) -> Option<String> {
    let worst = rows
        .values()
        .filter(|row| row.cell.shape.is_round_trip() && row.cell.placement == Placement::OneCore)
        .filter_map(|row| Some((row, row.latency.as_ref()?)))
        .filter(|(_, latency)| latency.p50 > 0.0)
        .max_by(|left, right| (left.1.p99 / left.1.p50).total_cmp(&(right.1.p99 / right.1.p50)))?;
    Some(format!(
        "The longest tail on one core is that of {}: one in a hundred takes more than {}, in the median {}.",
        word(&worst.0.cell),
        time(worst.1.p99),
        time(worst.1.p50)
    ))
}

#[cfg(test)]
mod tests {
    use super::paragraph;
    use crate::performance::samples;
    use spec::Mechanism;
    use std::collections::BTreeMap;

    #[test]
    fn it_says_what_the_figures_say() {
        insta::assert_snapshot!(paragraph(&samples::record().rows()).unwrap());
    }

    #[test]
    fn of_one_mechanism_it_recommends_none() {
        let record = samples::record();
        let rows = record.rows().into_iter().filter(|(cell, _)| cell.mechanism == Mechanism::Pipe).collect();
        let said = paragraph(&rows).unwrap_or_default();
        assert!(!said.contains("take pipe") && !said.contains("fastest through"), "{said}");
    }

    #[test]
    fn of_nothing_it_says_nothing() {
        assert_eq!(paragraph(&BTreeMap::new()), None);
    }
}
