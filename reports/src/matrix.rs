//! The guarantee matrix: mechanisms and properties, each cell backed by the instances that show it.

use crate::{
    instance_id,
    portrait::{Portrait, Standing},
    style::table,
};
use spec::{Mechanism, vocabulary::PROPERTIES};
use std::collections::{BTreeMap, BTreeSet};

/// What the instances of one mechanism show about one property.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// Instances that held.
    pub held: usize,
    /// Instances that ran.
    pub ran: usize,
    /// Instances that were skipped.
    pub skipped: usize,
}

impl Cell {
    fn add(&mut self, standing: Standing) {
        self.ran += usize::from(!standing.is_skipped());
        self.held += usize::from(standing == Standing::Held);
        self.skipped += usize::from(standing.is_skipped());
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self { ran: 0, skipped: 0, .. } => formatter.write_str("·"),
            Self { ran: 0, skipped, .. } => write!(formatter, "{skipped} skipped"),
            Self { held, ran, .. } => write!(formatter, "{held}/{ran}"),
        }
    }
}

/// The matrix: rows are mechanisms in the order of their table, columns properties in the order of theirs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    properties: Vec<String>,
    rows: Vec<(String, Vec<Cell>)>,
}

impl Matrix {
    /// The matrix of a portrait. Properties and mechanisms without instances are left out.
    #[must_use]
    pub fn of(portrait: &Portrait) -> Self {
        let mut cells: BTreeMap<(&str, &str), Cell> = BTreeMap::new();
        for (id, standing) in &portrait.instances {
            let parts = instance_id::parts(id);
            cells.entry((parts.mechanism, parts.property)).or_default().add(*standing);
        }
        let mechanisms: BTreeSet<&str> = cells.keys().map(|(mechanism, _)| *mechanism).collect();
        let properties: BTreeSet<&str> = cells.keys().map(|(_, property)| *property).collect();
        let known = spec::vocabulary::MECHANISMS.iter().map(|row| row.name);
        let mechanisms = ordered(&mechanisms, known);
        let properties = ordered(&properties, PROPERTIES.iter().copied());
        let row = |mechanism: &&str| {
            let cell = |property: &&str| cells.get(&(*mechanism, *property)).copied().unwrap_or_default();
            ((*mechanism).to_owned(), properties.iter().map(cell).collect())
        };
        Self {
            rows: mechanisms.iter().map(row).collect(),
            properties: properties.iter().map(|property| (*property).to_owned()).collect(),
        }
    }

    /// For a terminal.
    #[must_use]
    pub fn terminal(&self) -> String {
        let mut rows = vec![vec![String::new()]];
        rows[0].extend(self.properties.iter().cloned());
        for (mechanism, cells) in &self.rows {
            let mut row = vec![mechanism.clone()];
            row.extend(cells.iter().map(ToString::to_string));
            rows.push(row);
        }
        table(&rows, "  ")
    }

    /// In Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("| | {} |\n|---|", self.properties.join(" | "));
        text.push_str(&"---|".repeat(self.properties.len()));
        text.push('\n');
        for (mechanism, cells) in &self.rows {
            let words: Vec<String> = cells.iter().map(ToString::to_string).collect();
            text.push_str(&format!("| `{mechanism}` | {} |\n", words.join(" | ")));
        }
        text
    }
}

/// The members of a set in a known order; what is not known comes last.
fn ordered<'s>(set: &BTreeSet<&'s str>, known: impl Iterator<Item = &'static str>) -> Vec<&'s str> {
    let known: Vec<&str> = known.collect();
    let mut members: Vec<&str> = set.iter().copied().collect();
    members.sort_by_key(|member| known.iter().position(|name| name == member).unwrap_or(known.len()));
    members
}

/// What stands before the generated table of a document, and after it.
pub const MARKERS: (&str, &str) = ("<!-- guarantees:begin -->", "<!-- guarantees:end -->");

/// The document with its table made anew; `None` where it has no markers.
#[must_use]
pub fn refreshed(document: &str, system: &str, portrait: &Portrait) -> Option<String> {
    let (head, rest) = document.split_once(MARKERS.0)?;
    let (_, tail) = rest.split_once(MARKERS.1)?;
    let table = Matrix::of(portrait).markdown();
    let mechanisms: BTreeSet<&str> = portrait.instances.keys().map(|id| instance_id::parts(id).mechanism).collect();
    let scenarios: BTreeSet<&str> = portrait.instances.keys().map(|id| instance_id::parts(id).scenario).collect();
    let foot = format!(
        "Instances that held, of those that ran, on `{system}`: {} instances of {} scenarios on {} mechanisms.",
        portrait.instances.len(),
        scenarios.len(),
        mechanisms.iter().filter(|name| Mechanism::from_name(name).is_some()).count(),
    );
    Some(format!("{head}{}\n\n{table}\n{foot}\n\n{}{tail}", MARKERS.0, MARKERS.1))
}

#[cfg(test)]
mod tests {
    use super::{MARKERS, Matrix, refreshed};
    use crate::{Portrait, samples};

    #[test]
    fn rows_and_columns_stand_in_the_order_of_their_tables() {
        let matrix = Matrix::of(&Portrait::of(&samples::record()));
        insta::assert_snapshot!("terminal", matrix.terminal());
        insta::assert_snapshot!("markdown", matrix.markdown());
    }

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let portrait = Portrait::of(&samples::record());
        let document = format!("before\n{}\nold\n{}\nafter\n", MARKERS.0, MARKERS.1);
        let fresh = refreshed(&document, "linux", &portrait).unwrap();
        assert!(fresh.starts_with("before\n") && fresh.ends_with("after\n") && !fresh.contains("old"));
        assert_eq!(refreshed(&fresh, "linux", &portrait).unwrap(), fresh);
        assert_eq!(refreshed("no markers", "linux", &portrait), None);
    }
}
