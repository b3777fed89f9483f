//! Two builds side by side: what changed beyond doubt, what may have, and how narrowly it was looked.

use super::figure::digits;
use crate::style::{Color, table};
use harness_core::measure::change::{Change, Tendency, Verdict};

/// Renders the verdicts on all cells, those that changed first.
#[must_use]
pub fn render(base: &str, verdicts: &[Verdict], color: Color) -> String {
    let mut sorted: Vec<&Verdict> = verdicts.iter().collect();
    sorted.sort_by(|left, right| right.first.quotient.total_cmp(&left.first.quotient));
    let mut cells = vec![
        ["", "times as long", "95 % between", "pairs", "again", "95 % between", "verdict"].map(str::to_owned).to_vec(),
    ];
    for verdict in &sorted {
        let between = |change: &Change| format!("{} and {}", digits(change.interval.low), digits(change.interval.high));
        let second = verdict.second.as_ref();
        cells.push(vec![
            format!("  {}", verdict.cell),
            digits(verdict.first.quotient),
            between(&verdict.first),
            (verdict.first.pairs + second.map_or(0, |second| second.pairs)).to_string(),
            second.map_or_else(String::new, |second| digits(second.quotient)),
            second.map_or_else(String::new, between),
            words(verdict, color),
        ]);
    }
    let heading = color.bold(&format!("This build beside {base}: quotients of interleaved pairs"));
    format!("{heading}\n{}{}\n", table(&cells, "  "), summary(verdicts))
}

fn words(verdict: &Verdict, color: Color) -> String {
    let unlike = if verdict.first.is_like_for_like { "" } else { " (they switch differently often)" };
    let word = match verdict.tendency() {
        Tendency::Slower => color.alarm("slower"),
        Tendency::Faster => "faster".to_owned(),
        Tendency::Alike if verdict.first.tendency != Tendency::Alike => "not confirmed".to_owned(),
        Tendency::Alike => "alike".to_owned(),
    };
    word + unlike
}

/// One line: how many are slower, faster and alike.
#[must_use]
pub fn summary(verdicts: &[Verdict]) -> String {
    let of = |tendency: Tendency| verdicts.iter().filter(|verdict| verdict.tendency() == tendency).count();
    format!("{} slower, {} faster, {} alike", of(Tendency::Slower), of(Tendency::Faster), of(Tendency::Alike))
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::style::Color;
    use harness_core::measure::change::{Change, Pair, Verdict};

    fn pairs(quotient: f64, switches: f64) -> Vec<Pair> {
        let pair = |number: u32| {
            let base_ns = 5_000.0 + f64::from(number % 7);
            Pair { base_ns, head_ns: base_ns * quotient, switches: [2.0, switches] }
        };
        (0..30).map(pair).collect()
    }

    #[test]
    fn what_changed_comes_first() {
        let verdict = |cell: &str, first: f64, second: Option<f64>, switches: f64| Verdict {
            cell: cell.parse().unwrap(),
            first: Change::of(&pairs(first, switches)),
            second: second.map(|second| Change::of(&pairs(second, switches))),
            control: second.map(|_| Change::of(&pairs(1.0, switches))),
        };
        let verdicts = [
            verdict("pipe/round_trip/64/one_core", 1.01, None, 2.0),
            verdict("fifo/round_trip/64/one_core", 1.2, Some(1.21), 2.0),
            verdict("tcp/round_trip/64/one_core", 1.2, Some(1.0), 2.0),
            verdict("udp/round_trip/64/one_core", 0.7, Some(0.71), 4.0),
        ];
        insta::assert_snapshot!(render("v1.0", &verdicts, Color::Never));
    }
}
