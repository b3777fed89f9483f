//! The brief table with which a conformance run ends: what each mechanism costs, in one figure.

use super::{
    figure::{count, multiple, time},
    record::Record,
};
use crate::style::{Color, table};
use harness_core::measure::{Row, Shape};

/// Renders it: in columns, the cheapest first.
#[must_use]
pub fn render(record: &Record, color: Color) -> String {
    let rows = record.rows();
    let mut costs: Vec<&Row> = rows.values().collect();
    if costs.is_empty() {
        return String::new();
    }
    costs.sort_by(|left, right| left.cost_ns.total_cmp(&right.cost_ns));
    let mut cells = vec![["", "", "of its floor", "99 in 100 within", "switches"].map(str::to_owned).to_vec()];
    for row in costs {
        let what = if row.cell.shape == Shape::Take { "taken and given back" } else { "there and back" };
        let latency = row.latency.as_ref().map_or_else(|| "–".to_owned(), |latency| time(latency.p99));
        let disturbed = if row.disturbed == row.rounds { " (disturbed)" } else { "" };
        cells.push(vec![
            format!("  {}", row.cell.mechanism),
            format!("{} {what}{disturbed}", time(row.cost_ns)),
            multiple(row.ratio),
            latency,
            count(row.switches),
        ]);
    }
    let heading =
        color.bold("What it costs (two processes on one core; briefly measured, `cargo xtask bench` has more)");
    format!("{heading}\n{}", table(&cells, "  "))
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::{performance::samples, style::Color};
    use harness_core::measure::sweep;

    #[test]
    fn one_figure_a_mechanism() {
        let mut record = samples::record();
        record.samples.retain(|sample| sweep::brief(sample.cell.mechanism) == Some(sample.cell) && sample.round == 0);
        insta::assert_snapshot!(render(&record, Color::Never));
    }

    #[test]
    fn of_nothing_it_shows_nothing() {
        assert_eq!(render(&super::Record::default(), Color::Never), "");
    }
}
