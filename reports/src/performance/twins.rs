//! Our loops beside C loops that do the same, or beside queues of others: how far apart they are, by the median of interleaved rounds.
//!
//! Where ours seem to take longer, the other is measured beside itself as well: figures that differ from themselves as much say nothing
//! about who is faster.

use super::figure::{digits, time};
use crate::style::{Color, table};
use harness_core::measure::{
    Cell,
    statistics::{deviation, interval, median},
};
use std::collections::BTreeMap;

/// By how much ours may take longer.
const WITHIN: f64 = 0.05;

/// Rounds of one cell, each measured by both, one directly after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rounds {
    /// Our figure and theirs: nanoseconds.
    pub pairs: Vec<(f64, f64)>,
    /// Their figure and theirs once more, where ours seemed to take longer: nanoseconds.
    pub controls: Vec<(f64, f64)>,
}

/// What rounds say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Ours take no longer than they may.
    Close,
    /// Ours take longer, in the median, and the other beside itself differs as much.
    Unclear,
    /// Ours take longer.
    Longer,
}

impl Rounds {
    /// Ours divided by theirs, in the median.
    #[must_use]
    pub fn quotient(&self) -> f64 {
        median(&quotients(&self.pairs))
    }

    /// What they say. Ours count as longer where the whole interval of the median lies above 1 and beyond that of the other beside
    /// itself, whichever way that differs; where there is no such control, by the median alone.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.quotient() <= 1.0 + WITHIN {
            return Standing::Close;
        }
        if self.controls.is_empty() {
            return Standing::Longer;
        }
        let (between, control) = (interval(&quotients(&self.pairs)), interval(&quotients(&self.controls)));
        // Which of the two of a control comes first is by turns: it differs from itself as much upwards as downwards.
        if between.low > control.high.max(1.0 / control.low) { Standing::Longer } else { Standing::Unclear }
    }
}

/// The first of each pair divided by the second.
fn quotients(pairs: &[(f64, f64)]) -> Vec<f64> {
    pairs.iter().filter(|(_, theirs)| *theirs > 0.0).map(|(ours, theirs)| ours / theirs).collect()
}

/// A median and its interval.
fn told(quotients: &[f64]) -> [String; 2] {
    let between = interval(quotients);
    [format!("{:.3}", median(quotients)), format!("{:.3} and {:.3}", between.low, between.high)]
}

/// Renders all of them, and one line that says how many are close or better.
#[must_use]
pub fn render(theirs: &str, rounds: &BTreeMap<Cell, Rounds>, color: Color) -> String {
    let itself = format!("{theirs} / itself");
    let heads = ["", "ours", theirs, "ours / theirs", "95 % between", "spread", "rounds", &itself, "95 % between"];
    let mut cells = vec![heads.map(str::to_owned).to_vec()];
    for (cell, rounds) in rounds {
        let ours: Vec<f64> = rounds.pairs.iter().map(|(ours, _)| *ours).collect();
        let other: Vec<f64> = rounds.pairs.iter().map(|(_, theirs)| *theirs).collect();
        let quotients = quotients(&rounds.pairs);
        let [quotient, between] = told(&quotients);
        let control = match rounds.controls.as_slice() {
            [] => [String::new(), String::new()],
            controls => told(&self::quotients(controls)),
        };
        let quotient = match rounds.standing() {
            Standing::Close => quotient,
            Standing::Unclear => format!("{quotient} ?"),
            Standing::Longer => color.alarm(&format!("{quotient} *")),
        };
        let spread = format!("{} %", digits(deviation(&quotients) * 100.0));
        let [itself, itself_between] = control;
        cells.push(vec![
            format!("  {cell}"),
            time(median(&ours)),
            time(median(&other)),
            quotient,
            between,
            spread,
            rounds.pairs.len().to_string(),
            itself,
            itself_between,
        ]);
    }
    if rounds.values().all(|rounds| rounds.controls.is_empty()) {
        cells.iter_mut().for_each(|cells| cells.truncate(heads.len() - 2));
    }
    let heading = color.bold(&format!("Our loops beside others: {theirs}"));
    format!("{heading}\n{}{}", table(&cells, "  "), counts(theirs, rounds))
}

/// How many stand where.
fn counts(theirs: &str, rounds: &BTreeMap<Cell, Rounds>) -> String {
    let of = |standing| rounds.values().filter(|rounds| rounds.standing() == standing).count();
    let mut text = format!("{} of {} take no more than 5 % longer than theirs\n", of(Standing::Close), rounds.len());
    match of(Standing::Unclear) {
        0 => {}
        unclear => {
            text.push_str(&format!("? of {unclear} nothing can be said: {theirs} beside itself differs as much\n"));
        }
    }
    match of(Standing::Longer) {
        0 => {}
        longer => text.push_str(&format!("* {longer} take longer\n")),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Rounds, Standing, render};
    use crate::style::Color;
    use std::collections::BTreeMap;

    fn pairs(ours: f64, theirs: f64, jitter: f64) -> Vec<(f64, f64)> {
        (0..10).map(|round| (ours + jitter * f64::from(round * 7 % 10), theirs)).collect()
    }

    #[test]
    fn who_is_not_close_is_marked() {
        let rounds = |ours: f64| Rounds { pairs: pairs(ours, 5_000.0, 1.0), controls: Vec::new() };
        let all = BTreeMap::from([
            ("pipe/round_trip/64/one_core".parse().unwrap(), rounds(5_100.0)),
            ("fifo/round_trip/64/one_core".parse().unwrap(), rounds(5_600.0)),
        ]);
        insta::assert_snapshot!(render("C", &all, Color::Never));
    }

    #[test]
    fn what_differs_from_itself_as_much_says_nothing() {
        let steady = Rounds { pairs: pairs(5_600.0, 5_000.0, 1.0), controls: pairs(5_000.0, 5_000.0, 1.0) };
        let wild = Rounds { pairs: pairs(4_600.0, 5_000.0, 300.0), controls: pairs(4_000.0, 5_000.0, 300.0) };
        let turned = Rounds {
            controls: wild.controls.iter().map(|(first, second)| (*second, *first)).collect(),
            ..wild.clone()
        };
        assert_eq!((steady.standing(), wild.standing()), (Standing::Longer, Standing::Unclear));
        assert_eq!(turned.standing(), Standing::Unclear);
        let all = BTreeMap::from([
            (
                "pipe/round_trip/64/one_core".parse().unwrap(),
                Rounds { pairs: pairs(5_100.0, 5_000.0, 1.0), controls: Vec::new() },
            ),
            ("fifo/round_trip/64/one_core".parse().unwrap(), steady),
            ("memfd/one_way/4096/two_awake".parse().unwrap(), wild),
        ]);
        insta::assert_snapshot!(render("C", &all, Color::Never));
    }
}
