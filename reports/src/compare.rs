//! Two or more systems side by side: differences first, each with its reason and clause. What was added, removed or skipped
//! are groups of their own, so that no number hides a regression.

use crate::{
    instance_id,
    portrait::{Portrait, Standing, system_line},
    run::RunRecord,
    style::{Color, count},
};
use harness_core::{InstanceReport, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// One of the things compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Its name, as a person typed it.
    pub name: String,
    /// What was found there.
    pub portrait: Portrait,
    /// Why instances stand as they do there, where that is known: by id.
    pub reasons: BTreeMap<String, String>,
}

impl Side {
    /// A portrait: it knows no reasons.
    #[must_use]
    pub fn of_portrait(name: &str, portrait: Portrait) -> Self {
        Self { name: name.to_owned(), portrait, reasons: BTreeMap::new() }
    }

    /// A run, with its reasons.
    #[must_use]
    pub fn of_run(name: &str, record: &RunRecord) -> Self {
        let reasons = record.instances.iter().filter_map(|report| Some((report.id.clone(), reason(report)?))).collect();
        Self { name: name.to_owned(), portrait: Portrait::of(record), reasons }
    }
}

fn reason(report: &InstanceReport) -> Option<String> {
    if let Some(skip) = &report.skip {
        return Some(skip.reason.clone());
    }
    let findings = &report.judgement.as_ref()?.findings;
    let finding = findings.iter().find(|finding| finding.verdict == report.verdict)?;
    (finding.verdict != Verdict::Held)
        .then(|| format!("{}: expected {}, got {}", finding.claim, finding.expected, finding.got))
}

/// The clauses that promise what a scenario tests, by its id.
pub type Clauses = BTreeMap<String, Vec<String>>;

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The sides' names and systems.
    pub sides: Vec<(String, String)>,
    /// The groups that have anything in them, differences first.
    pub groups: Vec<(Group, Vec<Difference>)>,
    /// How many instances are alike everywhere.
    pub alike: usize,
}

/// Kinds of differences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Run on several sides, with different results.
    Results,
    /// Limits of the systems.
    Limits,
    /// Skipped on one side, not on another.
    Skipped,
    /// Not there on the first side.
    Added,
    /// There on the first side, not on another.
    Removed,
}

impl Group {
    fn title(self) -> &'static str {
        match self {
            Self::Results => "differences",
            Self::Limits => "limits",
            Self::Skipped => "skipped on one side",
            Self::Added => "added: not on the first side",
            Self::Removed => "removed: not on every later side",
        }
    }
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The instance, or the limit.
    pub what: String,
    /// What each side says.
    pub cells: Vec<String>,
    /// The clauses.
    pub clauses: Vec<String>,
}

/// Compares. The first side is what the others are compared with.
#[must_use]
pub fn compare(sides: &[Side], clauses: &Clauses) -> Comparison {
    let mut groups: BTreeMap<Group, Vec<Difference>> = BTreeMap::new();
    let mut alike = 0;
    let ids: BTreeSet<&String> = sides.iter().flat_map(|side| side.portrait.instances.keys()).collect();
    for id in ids {
        match group(id, sides) {
            None => alike += 1,
            Some(group) => {
                let scenario = instance_id::parts(id).scenario;
                groups.entry(group).or_default().push(Difference {
                    what: id.clone(),
                    cells: sides.iter().map(|side| cell(id, side, sides)).collect(),
                    clauses: clauses.get(scenario).cloned().unwrap_or_default(),
                });
            }
        }
    }
    let limits = limits(sides);
    if !limits.is_empty() {
        groups.insert(Group::Limits, limits);
    }
    Comparison {
        sides: sides.iter().map(|side| (side.name.clone(), system_line(&side.portrait.system))).collect(),
        groups: groups.into_iter().collect(),
        alike,
    }
}

fn group(id: &str, sides: &[Side]) -> Option<Group> {
    let standings: Vec<Option<Standing>> = sides.iter().map(|side| side.portrait.instances.get(id).copied()).collect();
    let there: BTreeSet<Standing> = standings.iter().flatten().copied().collect();
    let ran: BTreeSet<Standing> = there.iter().copied().filter(|standing| !standing.is_skipped()).collect();
    if ran.len() > 1 {
        return Some(Group::Results);
    }
    if standings.first().is_some_and(Option::is_none) {
        return Some(Group::Added);
    }
    if standings.iter().any(Option::is_none) {
        return Some(Group::Removed);
    }
    if there.len() > 1 {
        return Some(Group::Skipped);
    }
    let details: BTreeSet<Vec<String>> = sides.iter().map(|side| details(id, &side.portrait)).collect();
    (details.len() > 1).then_some(Group::Results)
}

/// What a portrait holds about an instance beyond its verdict.
fn details(id: &str, portrait: &Portrait) -> Vec<String> {
    let recorded = portrait.recorded.get(id).into_iter().flatten().map(|(name, value)| format!("{name} = {value}"));
    let may = portrait.may.get(id).into_iter().flatten().map(|what| format!("may {what}"));
    let warned = portrait.warned.get(id).into_iter().flatten().map(|what| format!("should, and does not: {what}"));
    recorded.chain(may).chain(warned).collect()
}

/// What one side says of an instance; of its details just those that are not on every side.
fn cell(id: &str, side: &Side, sides: &[Side]) -> String {
    let Some(standing) = side.portrait.instances.get(id) else { return "–".to_owned() };
    let mut text = standing.name().to_owned();
    if let Some(reason) = side.reasons.get(id) {
        text.push_str(&format!(" ({reason})"));
    }
    let there = || sides.iter().filter(|side| side.portrait.instances.contains_key(id));
    for detail in details(id, &side.portrait) {
        if !there().all(|side| details(id, &side.portrait).contains(&detail)) {
            text.push_str(&format!("; {detail}"));
        }
    }
    text
}

fn limits(sides: &[Side]) -> Vec<Difference> {
    let names: BTreeSet<&String> = sides.iter().flat_map(|side| side.portrait.limits.keys()).collect();
    let value = |side: &Side, name: &str| side.portrait.limits.get(name).map_or("–".to_owned(), u64::to_string);
    names
        .into_iter()
        .map(|name| Difference {
            what: name.clone(),
            cells: sides.iter().map(|side| value(side, name)).collect(),
            clauses: Vec::new(),
        })
        .filter(|difference| difference.cells.iter().any(|cell| *cell != difference.cells[0]))
        .collect()
}

/// What changed since a portrait was committed. `comparable` says which instances of it this run can speak about: those it
/// selected, unless this machine cannot run them at all. What an ordinary user may not do says nothing about the system.
#[must_use]
pub fn changes(committed: &Side, run: &Side, comparable: &dyn Fn(&str) -> bool, clauses: &Clauses) -> Comparison {
    let is_privilege = |side: &Side, id: &str| side.portrait.instances.get(id) == Some(&Standing::Privilege);
    let keep = |id: &str| comparable(id) && !is_privilege(committed, id) && !is_privilege(run, id);
    let restricted = |side: &Side| Side { portrait: side.portrait.restricted(&keep), ..side.clone() };
    compare(&[restricted(committed), restricted(run)], clauses)
}

impl Comparison {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_alike(&self) -> bool {
        self.groups.is_empty()
    }

    /// For a terminal.
    #[must_use]
    pub fn terminal(&self, color: Color) -> String {
        let mut text = String::new();
        for (index, (name, system)) in self.sides.iter().enumerate() {
            text.push_str(&format!("{}  {name} ({system})\n", color.bold(&letter(index))));
        }
        for (group, differences) in &self.groups {
            text.push_str(&format!("\n{} ({})\n", color.bold(group.title()), differences.len()));
            for difference in differences {
                text.push_str(&format!("  {}\n", difference.what));
                for (index, cell) in difference.cells.iter().enumerate() {
                    text.push_str(&format!("    {}  {cell}\n", letter(index)));
                }
                if !difference.clauses.is_empty() {
                    text.push_str(&color.dim(&format!("    promised by {}", difference.clauses.join("; "))));
                    text.push('\n');
                }
            }
        }
        text.push_str(&format!("\n{}\n", self.foot()));
        text
    }

    /// In Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = "| side | what | system |\n|---|---|---|\n".to_owned();
        for (index, (name, system)) in self.sides.iter().enumerate() {
            text.push_str(&format!("| {} | `{}` | {} |\n", letter(index), escaped(name), escaped(system)));
        }
        for (group, differences) in &self.groups {
            text.push_str(&format!("\n## {} ({})\n\n| |", capitalised(group.title()), differences.len()));
            (0..self.sides.len()).for_each(|index| text.push_str(&format!(" {} |", letter(index))));
            text.push_str(" clause |\n|---|");
            text.push_str(&"---|".repeat(self.sides.len() + 1));
            text.push('\n');
            for difference in differences {
                text.push_str(&format!("| `{}` |", escaped(&difference.what)));
                difference.cells.iter().for_each(|cell| text.push_str(&format!(" {} |", escaped(cell))));
                text.push_str(&format!(" {} |\n", escaped(&difference.clauses.join("; "))));
            }
        }
        text.push_str(&format!("\n{}\n", self.foot()));
        text
    }

    fn foot(&self) -> String {
        let alike = count(self.alike, "instance is alike", "instances are alike");
        if self.is_alike() { format!("nothing differs: {alike}") } else { alike }
    }
}

/// `A`, `B`, …: the sides' names in the columns.
fn letter(index: usize) -> String {
    match u8::try_from(index) {
        Ok(index @ 0..26) => char::from(b'A' + index).to_string(),
        _ => format!("#{}", index + 1),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::{Clauses, Group, Side, changes, compare};
    use crate::{
        portrait::{Portrait, Standing},
        samples,
        style::Color,
    };

    fn clauses() -> Clauses {
        Clauses::from([("capacity/fill".to_owned(), vec!["Linux pipe(7), pipe capacity".to_owned()])])
    }

    fn other() -> Side {
        let mut portrait = Portrait::of(&samples::record());
        portrait.system.insert("os".to_owned(), "freebsd".to_owned());
        portrait.limits.insert("PIPE_BUF".to_owned(), 512);
        portrait.instances.insert("crash/killed[tcp]".to_owned(), Standing::Held);
        portrait.instances.insert("priority/first[posix_mq]".to_owned(), Standing::Held);
        portrait.instances.insert("ordering/new[pipe]".to_owned(), Standing::Held);
        portrait.instances.remove("races/writers[fifo]");
        portrait
            .recorded
            .entry("capacity/fill[pipe]".to_owned())
            .or_default()
            .insert("capacity".into(), "16384".into());
        Side::of_portrait("freebsd.yaml", portrait)
    }

    #[test]
    fn differences_come_first_and_every_group_is_shown() {
        let sides = [Side::of_run("run.jsonl", &samples::record()), other()];
        let comparison = compare(&sides, &clauses());
        let groups: Vec<Group> = comparison.groups.iter().map(|(group, _)| *group).collect();
        assert_eq!(groups, [Group::Results, Group::Limits, Group::Skipped, Group::Added, Group::Removed]);
        insta::assert_snapshot!("terminal", comparison.terminal(Color::Never));
        insta::assert_snapshot!("markdown", comparison.markdown());
    }

    #[test]
    fn three_sides_have_a_column_each() {
        let run = Side::of_run("run.jsonl", &samples::record());
        insta::assert_snapshot!(compare(&[run.clone(), other(), run], &clauses()).markdown());
    }

    #[test]
    fn a_system_is_like_itself() {
        let run = Side::of_run("a", &samples::record());
        assert!(compare(&[run.clone(), run], &clauses()).is_alike());
    }

    #[test]
    fn what_a_user_may_not_do_is_no_change() {
        let committed = Side::of_portrait("committed", Portrait::of(&samples::record()));
        let mut run = committed.clone();
        run.portrait.instances.insert("capacity/fill[pipe]".to_owned(), Standing::Privilege);
        assert!(changes(&committed, &run, &|_| true, &clauses()).is_alike());
        run.portrait.instances.insert("capacity/fill[pipe]".to_owned(), Standing::Unsupported);
        assert!(!changes(&committed, &run, &|_| true, &clauses()).is_alike());
        assert!(changes(&committed, &run, &|id| !id.starts_with("capacity"), &clauses()).is_alike());
    }
}
