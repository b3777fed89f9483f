//! Pictures of a bench, as SVG: how long round trips take, and how much goes one way by the size of messages.
//!
//! One core and two stand side by side on the same scale; axes are logarithmic; lines are labelled where they end and told apart by
//! dashes and marks, so that a page printed in black says as much. Coordinates have one digit behind the point: the same figures always
//! make the same text.

mod axis;
mod curves;
mod distributions;
mod label;

use harness_core::measure::{Cell, Row};
use maud::{Markup, PreEscaped, html};
use std::collections::BTreeMap;

/// A picture with the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `latency`, `throughput-streams`, …
    pub name: String,
    /// What it shows.
    pub title: String,
    /// The SVG.
    pub svg: String,
}

/// All pictures for which enough was measured.
#[must_use]
pub fn all(rows: &BTreeMap<Cell, Row>) -> Vec<Picture> {
    let mut pictures = Vec::new();
    pictures.extend(distributions::picture(rows));
    pictures.extend(curves::pictures(rows));
    pictures
}

/// A whole SVG of this size.
fn svg(width: f64, height: f64, title: &str, content: &Markup) -> String {
    let view = format!("0 0 {} {}", at(width), at(height));
    let markup = html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox=(view) width=(at(width)) height=(at(height))
            role="img" font-family="Helvetica, Arial, sans-serif" font-size="11" fill="#222" {
            title { (title) }
            rect width="100%" height="100%" fill="#fff" {}
            (content)
        }
    };
    markup.into_string() + "\n"
}

/// A coordinate.
fn at(number: f64) -> String {
    let rounded = (number * 10.0).round() / 10.0;
    // No negative zero.
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded })
}

/// Words at a place.
fn words(x: f64, y: f64, anchor: &str, text: &str) -> Markup {
    html! { text x=(at(x)) y=(at(y)) text-anchor=(anchor) { (text) } }
}

/// A heading at a place.
fn heading(x: f64, y: f64, size: u32, text: &str) -> Markup {
    html! { text x=(at(x)) y=(at(y)) font-size=(size) font-weight="bold" { (text) } }
}

/// A line between two places.
fn line(from: (f64, f64), to: (f64, f64), color: &str, width: &str) -> Markup {
    html! { line x1=(at(from.0)) y1=(at(from.1)) x2=(at(to.0)) y2=(at(to.1)) stroke=(color) stroke-width=(width) {} }
}

/// Several pieces as one.
fn together(pieces: impl IntoIterator<Item = Markup>) -> Markup {
    PreEscaped(pieces.into_iter().map(PreEscaped::into_string).collect())
}

#[cfg(test)]
mod tests {
    use super::{all, at};
    use crate::performance::samples;
    use rstest::rstest;
    use std::collections::BTreeMap;

    #[test]
    fn pictures_of_a_bench() {
        let pictures = all(&samples::record().rows());
        let names: Vec<&str> = pictures.iter().map(|picture| picture.name.as_str()).collect();
        assert_eq!(names, ["latency", "throughput-streams", "throughput-queues", "throughput-memory"]);
        for picture in pictures {
            insta::assert_snapshot!(picture.name.clone(), picture.svg);
        }
    }

    #[test]
    fn of_nothing_there_is_no_picture() {
        assert_eq!(all(&BTreeMap::new()), []);
    }

    #[rstest]
    #[case(1.0, "1")]
    #[case(1.26, "1.3")]
    #[case(-0.01, "0")]
    fn coordinates_are_short(#[case] number: f64, #[case] expected: &str) {
        assert_eq!(at(number), expected);
    }
}
