//! Our loops beside C loops that do the same, or beside queues of others: how far apart they are, by the median of interleaved rounds.

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
}

impl Rounds {
    /// Ours divided by theirs, in the median.
    #[must_use]
    pub fn quotient(&self) -> f64 {
        median(&self.quotients())
    }

    fn quotients(&self) -> Vec<f64> {
        self.pairs.iter().filter(|(_, theirs)| *theirs > 0.0).map(|(ours, theirs)| ours / theirs).collect()
    }

    /// Whether ours takes no more than it ought to.
    #[must_use]
    pub fn is_close(&self) -> bool {
        self.quotient() <= 1.0 + WITHIN
    }
}

/// Renders all of them, and one line that says how many are close or better.
#[must_use]
pub fn render(theirs: &str, rounds: &BTreeMap<Cell, Rounds>, color: Color) -> String {
    let mut cells =
        vec![["", "ours", theirs, "ours / theirs", "95 % between", "spread", "rounds"].map(str::to_owned).to_vec()];
    for (cell, rounds) in rounds {
        let ours: Vec<f64> = rounds.pairs.iter().map(|(ours, _)| *ours).collect();
        let other: Vec<f64> = rounds.pairs.iter().map(|(_, theirs)| *theirs).collect();
        let quotients = rounds.quotients();
        let between = interval(&quotients);
        let quotient = format!("{:.3}", rounds.quotient());
        cells.push(vec![
            format!("  {cell}"),
            time(median(&ours)),
            time(median(&other)),
            if rounds.is_close() { quotient } else { color.alarm(&format!("{quotient} *")) },
            format!("{:.3} and {:.3}", between.low, between.high),
            format!("{} %", digits(deviation(&quotients) * 100.0)),
            rounds.pairs.len().to_string(),
        ]);
    }
    let close = rounds.values().filter(|rounds| rounds.is_close()).count();
    let heading = color.bold(&format!("Our loops beside others: {theirs}"));
    format!("{heading}\n{}{close} of {} take no more than 5 % longer than theirs\n", table(&cells, "  "), rounds.len())
}

#[cfg(test)]
mod tests {
    use super::{Rounds, render};
    use crate::style::Color;
    use std::collections::BTreeMap;

    #[test]
    fn who_is_not_close_is_marked() {
        let rounds = |ours: f64| Rounds { pairs: (0..10).map(|round| (ours + f64::from(round), 5_000.0)).collect() };
        let all = BTreeMap::from([
            ("pipe/round_trip/64/one_core".parse().unwrap(), rounds(5_100.0)),
            ("fifo/round_trip/64/one_core".parse().unwrap(), rounds(5_600.0)),
        ]);
        insta::assert_snapshot!(render("C", &all, Color::Never));
    }
}
