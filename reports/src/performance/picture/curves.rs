//! How much goes one way, by the size of messages: a line a mechanism, one core beside two.

use super::{
    Picture, at,
    axis::{self, Axis},
    heading, label, line, svg, together, words,
};
use crate::performance::figure::{bytes_per_second, size};
use harness_core::measure::{Cell, Placement, Row, Shape};
use maud::{Markup, html};
use spec::{Ability, Mechanism};
use std::collections::BTreeMap;

const WIDTH: f64 = 1020.0;
const HEIGHT: f64 = 420.0;
const TOP: f64 = 64.0;
const BOTTOM: f64 = 372.0;
/// Where each panel's axis begins and ends; to the right of it stand the labels, of which the longest takes 130.
const PANELS: [(f64, f64); 2] = [(70.0, 375.0), (570.0, 875.0)];
const LABEL_GAP: f64 = 13.0;

/// What lines look like: a colour, dashes, and a mark. They differ in all three, so that any one of them is enough.
const STYLES: [(&str, &str, Mark); 8] = [
    ("#000000", "none", Mark::Disc),
    ("#0072b2", "7 3", Mark::Square),
    ("#d55e00", "2 2", Mark::Triangle),
    ("#007a5e", "9 3 2 3", Mark::Diamond),
    ("#9b3f8f", "4 2", Mark::Ring),
    ("#7a5c00", "1 3", Mark::Cross),
    ("#555555", "12 3", Mark::Box),
    ("#2f8fbf", "5 2 1 2 1 2", Mark::Plus),
];

#[derive(Clone, Copy, Debug)]
enum Mark {
    Disc,
    Square,
    Triangle,
    Diamond,
    Ring,
    Cross,
    Box,
    Plus,
}

impl Mark {
    fn draw(self, x: f64, y: f64, color: &str) -> Markup {
        let polygon = |corners: &[(f64, f64)]| {
            let points: Vec<String> = corners.iter().map(|(dx, dy)| format!("{},{}", at(x + dx), at(y + dy))).collect();
            html! { polygon points=(points.join(" ")) fill=(color) {} }
        };
        let strokes = |path: String| html! { path d=(path) stroke=(color) stroke-width="1.4" fill="none" {} };
        match self {
            Self::Disc => html! { circle cx=(at(x)) cy=(at(y)) r="3" fill=(color) {} },
            Self::Ring => html! { circle cx=(at(x)) cy=(at(y)) r="3" fill="#fff" stroke=(color) stroke-width="1.4" {} },
            Self::Square => polygon(&[(-3.0, -3.0), (3.0, -3.0), (3.0, 3.0), (-3.0, 3.0)]),
            Self::Triangle => polygon(&[(0.0, -4.0), (3.6, 2.8), (-3.6, 2.8)]),
            Self::Diamond => polygon(&[(0.0, -4.0), (4.0, 0.0), (0.0, 4.0), (-4.0, 0.0)]),
            Self::Box => html! {
                rect x=(at(x - 2.8)) y=(at(y - 2.8)) width="5.6" height="5.6" fill="#fff" stroke=(color) stroke-width="1.4" {}
            },
            Self::Cross => {
                strokes(format!("M{} {}l6 6M{} {}l-6 6", at(x - 3.0), at(y - 3.0), at(x + 3.0), at(y - 3.0)))
            }
            Self::Plus => strokes(format!("M{} {}h7M{} {}v7", at(x - 3.5), at(y), at(x), at(y - 3.5))),
        }
    }
}

/// A picture an ability.
pub(super) fn pictures(rows: &BTreeMap<Cell, Row>) -> Vec<Picture> {
    let abilities = [
        (Ability::Stream, "streams", "Streams"),
        (Ability::Queue, "queues", "Queues"),
        (Ability::Memory, "memory", "Shared memory, slot by slot"),
    ];
    abilities.into_iter().filter_map(|(ability, name, title)| picture(rows, ability, name, title)).collect()
}

fn picture(rows: &BTreeMap<Cell, Row>, ability: Ability, name: &str, title: &str) -> Option<Picture> {
    let of = |cell: &Cell| cell.shape == Shape::OneWay && cell.mechanism.ability() == ability;
    // Two that are kept awake, where there are such figures: those of sleeping processors are by luck.
    let has_awake = rows.keys().any(|cell| of(cell) && cell.placement == Placement::TwoAwake);
    let second = if has_awake { Placement::TwoAwake } else { Placement::TwoCores };
    let placements = [Placement::OneCore, second];
    let shown: Vec<&Row> =
        rows.values().filter(|row| of(&row.cell) && placements.contains(&row.cell.placement)).collect();
    if shown.is_empty() {
        return None;
    }
    let mut mechanisms: Vec<Mechanism> = shown.iter().map(|row| row.cell.mechanism).collect();
    mechanisms.sort_unstable();
    mechanisms.dedup();
    let y = Axis::around(shown.iter().map(|row| row.bytes_per_second()), 10.0, (BOTTOM, TOP));
    let panels = placements.iter().zip(PANELS).map(|(placement, ends)| {
        let x = Axis::around(shown.iter().map(|row| row.cell.bytes as f64), 2.0, ends);
        let rows: Vec<&Row> = shown.iter().copied().filter(|row| row.cell.placement == *placement).collect();
        panel(&rows, &mechanisms, *placement, &x, &y)
    });
    let title = format!("{title}: how much goes one way, by the size of messages");
    let content = together(std::iter::once(heading(20.0, 24.0, 14, &title)).chain(panels));
    let svg = svg(WIDTH, HEIGHT, &title, &content);
    Some(Picture { name: format!("throughput-{name}"), title, svg })
}

fn panel(rows: &[&Row], mechanisms: &[Mechanism], placement: Placement, x: &Axis, y: &Axis) -> Markup {
    let mut pieces = vec![heading(x.ends().0, TOP - 18.0, 12, placement.words()), grid(x, y)];
    let mut ends: Vec<(f64, f64, usize)> = Vec::new();
    for (index, mechanism) in mechanisms.iter().enumerate() {
        let mut points: Vec<(u64, f64)> = rows
            .iter()
            .filter(|row| row.cell.mechanism == *mechanism)
            .map(|row| (row.cell.bytes, row.bytes_per_second()))
            .collect();
        points.sort_unstable_by_key(|(bytes, _)| *bytes);
        let places: Vec<(f64, f64)> =
            points.iter().map(|(bytes, rate)| (x.place(*bytes as f64), y.place(*rate))).collect();
        let Some(end) = places.last() else { continue };
        ends.push((end.0, end.1, index));
        pieces.push(curve(&places, index));
    }
    pieces.push(labels(&ends, mechanisms, x));
    together(pieces)
}

fn grid(x: &Axis, y: &Axis) -> Markup {
    let (left, right) = x.ends();
    let marks = y.marks(10.0).into_iter().map(|mark| {
        let place = y.place(mark);
        html! {
            (line((left, place), (right, place), "#ccc", "0.7"))
            (words(left - 6.0, place + 4.0, "end", &axis::short(&bytes_per_second(mark))))
        }
    });
    let sizes = x.marks(2.0).into_iter().step_by(2).map(|mark| {
        let place = x.place(mark);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes are whole numbers above 0")]
        let bytes = mark as u64;
        let is_told = matches!(bytes.trailing_zeros(), 0 | 6 | 10 | 16 | 20);
        html! {
            (line((place, BOTTOM), (place, BOTTOM + 4.0), "#222", "1"))
            @if is_told { (words(place, BOTTOM + 18.0, "middle", &size(bytes))) }
        }
    });
    let frame = line((left, BOTTOM), (right, BOTTOM), "#222", "1");
    let caption = words(f64::midpoint(left, right), BOTTOM + 36.0, "middle", "bytes in a message");
    together(marks.chain(sizes).chain([frame, caption]))
}

fn curve(places: &[(f64, f64)], index: usize) -> Markup {
    let (color, dashes, mark) = STYLES[index % STYLES.len()];
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{},{}", at(*x), at(*y))).collect();
    html! {
        polyline points=(path.join(" ")) fill="none" stroke=(color) stroke-width="1.6" stroke-dasharray=(dashes) {}
        (together(places.iter().map(|(x, y)| mark.draw(*x, *y, color))))
    }
}

/// The names at the ends of the lines, each with its mark and joined to its end.
fn labels(ends: &[(f64, f64, usize)], mechanisms: &[Mechanism], x: &Axis) -> Markup {
    let wanted: Vec<f64> = ends.iter().map(|(_, y, _)| *y).collect();
    let places = label::spread(&wanted, LABEL_GAP, (TOP, BOTTOM));
    let left = x.ends().1 + 14.0;
    together(ends.iter().zip(places).map(|((end, y, index), place)| {
        let (color, _, mark) = STYLES[*index % STYLES.len()];
        html! {
            (line((*end + 5.0, *y), (left - 5.0, place), "#999", "0.6"))
            (mark.draw(left + 2.0, place, color))
            (words(left + 10.0, place + 4.0, "start", mechanisms[*index].name()))
        }
    }))
}
