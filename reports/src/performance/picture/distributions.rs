//! How long round trips take: of each mechanism all that was seen, one core beside two.

use super::{
    Picture, at,
    axis::{self, Axis},
    heading, line, svg, together, words,
};
use crate::performance::figure::time;
use harness_core::measure::{Cell, Placement, Row, Shape};
use maud::{Markup, html};
use std::collections::BTreeMap;

const WIDTH: f64 = 1040.0;
const TOP: f64 = 84.0;
/// The height of a mechanism's row.
const ROW: f64 = 24.0;
/// The highest column in it.
const COLUMN: f64 = 17.0;
/// Where each panel's axis begins and ends; to the right of it stand the figures.
const PANELS: [(f64, f64); 2] = [(160.0, 480.0), (600.0, 920.0)];
/// Columns from one power of ten to the next.
const COLUMNS: f64 = 24.0;

/// The picture.
pub(super) fn picture(rows: &BTreeMap<Cell, Row>) -> Option<Picture> {
    let is_shown = |row: &&Row| row.cell.shape.is_round_trip() && row.cell.bytes != 1 && row.latency.is_some();
    let mut shown: Vec<&Row> = rows.values().filter(is_shown).collect();
    // Two processors that may go to sleep, as users have them; a quick run has only those that are kept awake.
    let has = |placement| shown.iter().any(|row| row.cell.placement == placement);
    let two = if has(Placement::TwoCores) { Placement::TwoCores } else { Placement::TwoAwake };
    shown.retain(|row| row.cell.placement == Placement::OneCore || row.cell.placement == two);
    if shown.is_empty() {
        return None;
    }
    let seen = shown.iter().flat_map(|row| [lowest(row), row.latency.as_ref().map_or(0.0, |latency| latency.maximum)]);
    let numbers: Vec<f64> = seen.collect();
    let mut names: Vec<(f64, String)> = Vec::new();
    for row in &shown {
        let name = name(&row.cell);
        if names.iter().all(|(_, known)| *known != name) {
            // Cells are sorted by shape and size before placement: the first of a name is the one on one core.
            names.push((row.cost_ns, name));
        }
    }
    names.sort_by(|left, right| left.0.total_cmp(&right.0));
    let bottom = TOP + ROW * names.len() as f64;
    let panels = [Placement::OneCore, two].into_iter().zip(PANELS).map(|(placement, ends)| {
        let axis = Axis::around(numbers.iter().copied(), 10.0, ends);
        let rows = names.iter().enumerate().filter_map(|(place, (_, known))| {
            let row = shown.iter().find(|row| row.cell.placement == placement && name(&row.cell) == *known)?;
            Some(distribution(row, &axis, TOP + ROW * (place as f64 + 1.0) - 3.0))
        });
        let head = heading(ends.0, TOP - 20.0, 12, placement.words());
        together([head, grid(&axis, bottom)].into_iter().chain(rows))
    });
    let labels = names
        .iter()
        .enumerate()
        .map(|(place, (_, name))| words(150.0, TOP + ROW * (place as f64 + 1.0) - 6.0, "end", name));
    let title = "Round trips of 64 bytes, or of a wake-up: how long each took";
    let legend = words(
        20.0,
        44.0,
        "start",
        "columns: how many took so long (square roots) · long tick: median · short ticks: 90, 99 and 99.9 in a hundred · cross: the longest · figures: median and 99 in a hundred",
    );
    let content = together([heading(20.0, 24.0, 14, title), legend].into_iter().chain(labels).chain(panels));
    let svg = svg(WIDTH, bottom + 46.0, title, &content);
    Some(Picture { name: "latency".to_owned(), title: title.to_owned(), svg })
}

fn name(cell: &Cell) -> String {
    if cell.shape == Shape::RoundTrip {
        cell.mechanism.name().to_owned()
    } else {
        format!("{} ({})", cell.mechanism, cell.shape)
    }
}

fn lowest(row: &Row) -> f64 {
    row.latencies.iter().next().map_or(0.0, |(length, _)| length as f64)
}

fn grid(axis: &Axis, bottom: f64) -> Markup {
    let marks = axis.marks(10.0).into_iter().map(|mark| {
        let place = axis.place(mark);
        html! {
            (line((place, TOP - 8.0), (place, bottom + 4.0), "#ccc", "0.7"))
            (words(place, bottom + 18.0, "middle", &axis::short(&time(mark))))
        }
    });
    together(marks)
}

/// One mechanism: columns on a base line, ticks, and two figures.
fn distribution(row: &Row, axis: &Axis, base: f64) -> Markup {
    let Some(latency) = &row.latency else { return Markup::default() };
    let (left, right) = axis.ends();
    let low = axis.numbers().0;
    let mut columns: BTreeMap<i64, u64> = BTreeMap::new();
    for (length, count) in row.latencies.iter() {
        #[expect(clippy::cast_possible_truncation, reason = "it is a small number")]
        let column = ((length.max(1) as f64 / low).log10() * COLUMNS).floor() as i64;
        *columns.entry(column).or_default() += count;
    }
    let most = columns.values().copied().max().unwrap_or(1) as f64;
    let edge = |column: i64| axis.place(low * 10_f64.powf(column as f64 / COLUMNS));
    let columns = columns.iter().map(|(column, count)| {
        let height = ((*count as f64 / most).sqrt() * COLUMN).max(0.6);
        let (from, to) = (edge(*column), edge(column + 1));
        html! { rect x=(at(from)) y=(at(base - height)) width=(at(to - from)) height=(at(height)) fill="#8a8a8a" {} }
    });
    let tick = |number: f64, height: f64, width: &str| {
        let place = axis.place(number);
        line((place, base + 3.0), (place, base - height), "#000", width)
    };
    let mut pieces: Vec<Markup> = vec![line((left, base), (right, base), "#bbb", "0.6")];
    pieces.extend(columns);
    pieces.push(tick(latency.p50, COLUMN + 2.0, "2"));
    pieces.extend([latency.p90, latency.p99].map(|number| tick(number, 6.0, "1.2")));
    pieces.extend(latency.p999.map(|number| tick(number, 6.0, "1.2")));
    let longest = axis.place(latency.maximum);
    let cross = format!("M{} {}l5 5m0 -5l-5 5", at(longest - 2.5), at(base - 5.0));
    pieces.push(html! { path d=(cross) stroke="#000" stroke-width="1.1" fill="none" {} });
    pieces.push(words(right + 8.0, base - 3.0, "start", &format!("{} · {}", time(latency.p50), time(latency.p99))));
    together(pieces)
}
