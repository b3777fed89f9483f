//! The matrix of saboteurs and properties: what each planted fault was called where, and whether each was found out.

use crate::{
    instance_id,
    style::{Color, count, table},
};
use harness_core::{
    InstanceReport, Verdict,
    finding::Anomaly,
    sabotage::{Saboteur, ShownBy},
};
use serde_json::json;
use spec::{Ability, scenario::Grade, vocabulary::PROPERTIES};
use std::collections::{BTreeMap, BTreeSet};

/// What one instance showed of a saboteur.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The instance.
    pub id: String,
    /// Its scenario.
    pub scenario: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// What the findings that gate called it.
    pub anomalies: BTreeSet<Anomaly>,
    /// The command that shows it again.
    pub repeat: String,
}

impl Shown {
    /// What a report says.
    #[must_use]
    pub fn of(report: &InstanceReport) -> Self {
        let findings = report.judgement.iter().flat_map(|judgement| &judgement.findings);
        let gating = findings
            .filter(|finding| finding.verdict == Verdict::Faulty || finding.grade == Grade::Must)
            .filter(|finding| finding.verdict >= Verdict::Broken);
        Self {
            id: report.id.clone(),
            scenario: report.scenario.clone(),
            verdict: report.verdict,
            anomalies: gating.filter_map(|finding| finding.anomaly).collect(),
            repeat: report.repeat.clone(),
        }
    }

    fn property(&self) -> &str {
        instance_id::parts(&self.id).property
    }
}

/// One saboteur, and what its scenarios showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who.
    pub saboteur: Saboteur,
    /// What each instance showed.
    pub shown: Vec<Shown>,
    /// How long all of it took: nanoseconds.
    pub duration_ns: u64,
}

/// What is wrong with an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// No instance found it out.
    Survived,
    /// It was found out, but nobody said what it is.
    Unnamed,
    /// An instance calls it what it neither is nor has as its consequence.
    Misnamed {
        /// Its place among what was shown.
        place: usize,
        /// What it was called.
        anomaly: Anomaly,
    },
    /// An instance blames the agent, rather than the mechanism that it spoils.
    Faulty {
        /// Its place among what was shown.
        place: usize,
    },
}

/// What is wrong, in a few words.
#[must_use]
pub fn what(wrong: &Wrong) -> &'static str {
    match wrong {
        Wrong::Survived => "survived",
        Wrong::Unnamed | Wrong::Misnamed { .. } => "misnamed",
        Wrong::Faulty { .. } => "faulty",
    }
}

impl Attempt {
    fn caught(&self) -> impl Iterator<Item = &Shown> {
        self.shown.iter().filter(|shown| shown.verdict == self.saboteur.caught_as && !shown.anomalies.is_empty())
    }

    /// How many instances ran.
    #[must_use]
    pub fn ran(&self) -> usize {
        self.shown.iter().filter(|shown| shown.verdict != Verdict::Skipped).count()
    }

    /// All that is wrong with it.
    #[must_use]
    pub fn wrong(&self) -> Vec<Wrong> {
        if self.caught().next().is_none() {
            return vec![Wrong::Survived];
        }
        let mut wrong = Vec::new();
        let primary = self.saboteur.primary();
        if !self.caught().any(|shown| shown.anomalies.iter().any(|anomaly| Some(*anomaly) == primary)) {
            wrong.push(Wrong::Unnamed);
        }
        for (place, shown) in self.shown.iter().enumerate() {
            if shown.verdict == Verdict::Faulty && self.saboteur.caught_as != Verdict::Faulty {
                wrong.push(Wrong::Faulty { place });
                continue;
            }
            let strange = shown.anomalies.iter().filter(|anomaly| !self.saboteur.anomalies.contains(anomaly));
            wrong.extend(strange.map(|anomaly| Wrong::Misnamed { place, anomaly: *anomaly }));
        }
        wrong
    }

    /// What it was called, and how often, by property.
    fn cells(&self) -> BTreeMap<&str, BTreeMap<Anomaly, usize>> {
        let mut cells: BTreeMap<&str, BTreeMap<Anomaly, usize>> = BTreeMap::new();
        for shown in self.caught() {
            for anomaly in &shown.anomalies {
                *cells.entry(shown.property()).or_default().entry(*anomaly).or_default() += 1;
            }
        }
        cells
    }
}

/// What came of all saboteurs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sabotage {
    attempts: Vec<Attempt>,
    /// The scenarios that have to be broken by somebody, where that was asked.
    asked: bool,
    broken: BTreeSet<String>,
    unbroken: Vec<String>,
    excepted: usize,
    /// Exceptions that are none: the scenario, and why.
    stale: Vec<String>,
}

impl Sabotage {
    /// What came of some saboteurs: whether each was found out.
    #[must_use]
    pub fn of_some(attempts: Vec<Attempt>) -> Self {
        Self { attempts, ..Self::default() }
    }

    /// What came of all: also whether each of these scenarios was broken by somebody, but for the exceptions.
    #[must_use]
    pub fn of_all(attempts: Vec<Attempt>, must: &BTreeSet<String>, exceptions: &BTreeSet<String>) -> Self {
        let broken: BTreeSet<String> =
            attempts.iter().flat_map(Attempt::caught).map(|shown| shown.scenario.clone()).collect();
        let ran: BTreeSet<&str> = attempts
            .iter()
            .flat_map(|attempt| &attempt.shown)
            .filter(|shown| shown.verdict != Verdict::Skipped)
            .map(|shown| shown.scenario.as_str())
            .collect();
        let unbroken = must
            .iter()
            .filter(|id| !broken.contains(*id) && !exceptions.contains(*id) && ran.contains(id.as_str()))
            .cloned()
            .collect();
        let stale = exceptions.intersection(&broken).cloned().collect();
        let excepted = exceptions.difference(&broken).count();
        Self { attempts, asked: true, broken, unbroken, excepted, stale }
    }

    /// Whether every saboteur was found out and called what it is, and every scenario was broken that has to be.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.unbroken.is_empty()
            && self.stale.is_empty()
            && self.attempts.iter().all(|attempt| attempt.wrong().is_empty())
    }

    fn with(&self, is_so: impl Fn(&Wrong) -> bool) -> usize {
        self.attempts.iter().filter(|attempt| attempt.wrong().iter().any(&is_so)).count()
    }

    /// The last line: the counts.
    #[must_use]
    pub fn counts(&self) -> String {
        let survived = self.with(|wrong| *wrong == Wrong::Survived);
        let misnamed = self.with(|wrong| matches!(wrong, Wrong::Misnamed { .. } | Wrong::Unnamed));
        let faulty = self.with(|wrong| matches!(wrong, Wrong::Faulty { .. }));
        let caught = self.attempts.len() - survived;
        let saboteurs = count(self.attempts.len(), "saboteur", "saboteurs");
        let mut line =
            format!("{saboteurs}: {caught} caught, {survived} survived, {misnamed} misnamed, {faulty} faulty");
        if self.asked {
            let (broken, unbroken) = (self.broken.len(), self.unbroken.len());
            line.push_str(&format!("; scenarios: {broken} broken, {unbroken} unbroken, {} excepted", self.excepted));
        }
        line
    }

    /// Everything that is wrong, a line each.
    fn complaints(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for attempt in &self.attempts {
            let Saboteur { name, what, .. } = &attempt.saboteur;
            let allowed: Vec<&str> = attempt.saboteur.anomalies.iter().map(|anomaly| anomaly.name()).collect();
            for wrong in attempt.wrong() {
                lines.push(match wrong {
                    Wrong::Survived => {
                        let ran = count(attempt.ran(), "instance", "instances");
                        format!("survived: {name} ({what}): none of {ran} found it out")
                    }
                    Wrong::Unnamed => {
                        format!(
                            "misnamed: {name} ({what}): nothing calls it {}",
                            allowed.first().unwrap_or(&"anything")
                        )
                    }
                    Wrong::Misnamed { place, anomaly } => format!(
                        "misnamed: {name} ({what}): {} calls it {}, which is none of {}\n  {}",
                        attempt.shown[place].id,
                        anomaly.name(),
                        allowed.join(", "),
                        attempt.shown[place].repeat,
                    ),
                    Wrong::Faulty { place } => format!(
                        "faulty: {name} ({what}): {} blames the agent\n  {}",
                        attempt.shown[place].id, attempt.shown[place].repeat,
                    ),
                });
            }
        }
        lines.extend(self.unbroken.iter().map(|id| format!("unbroken: {id}: no saboteur breaks it")));
        lines.extend(self.stale.iter().map(|id| format!("stale: {id} is an exception, and was broken: take it out")));
        lines
    }

    /// For a terminal: a word in a cell.
    #[must_use]
    pub fn terminal(&self, color: Color) -> String {
        let properties = self.properties();
        let mut used: BTreeSet<Anomaly> = BTreeSet::new();
        let mut rows = vec![std::iter::once(String::new()).chain(properties.iter().map(|name| short(name))).collect()];
        let mut group = None;
        for attempt in &self.attempts {
            let heading = heading(&attempt.saboteur);
            if group.as_ref() != Some(&heading) {
                rows.push(vec![heading.clone()]);
                group = Some(heading);
            }
            let cells = attempt.cells();
            let mut row = vec![format!("  {}", attempt.saboteur.name)];
            for property in &properties {
                let anomaly = cells.get(property).and_then(|cell| foremost(cell, &attempt.saboteur));
                used.extend(anomaly);
                row.push(anomaly.map_or("·", word).to_owned());
            }
            row.push(format!("{}/{}", attempt.caught().count(), attempt.ran()));
            rows.push(row);
        }
        let mut text = table(&rows, " ");
        let words = used.iter().filter(|anomaly| word(**anomaly) != anomaly.name());
        let words: Vec<String> = words.map(|anomaly| format!("{} {}", word(*anomaly), anomaly.name())).collect();
        text.push_str(
            &color
                .dim(&format!("  {}; behind a row: instances that found it out, of those that ran", words.join(", "))),
        );
        text.push_str("\n\n");
        for complaint in self.complaints() {
            text.push_str(&color.alarm(&complaint));
            text.push('\n');
        }
        text.push_str(&self.counts());
        text.push('\n');
        text
    }

    /// In Markdown: all that was named, with its counts.
    #[must_use]
    pub fn markdown(&self) -> String {
        let properties = self.properties();
        let mut text = format!("| saboteur | does wrong | {} |\n|---|---|", properties.join(" | "));
        text.push_str(&"---|".repeat(properties.len()));
        text.push('\n');
        for attempt in &self.attempts {
            let cells = attempt.cells();
            let words: Vec<String> = properties
                .iter()
                .map(|property| {
                    cells.get(property).map_or_else(|| "·".to_owned(), |cell| all_of(cell, &attempt.saboteur))
                })
                .collect();
            let Saboteur { name, what, .. } = &attempt.saboteur;
            text.push_str(&format!("| `{name}` | {what} | {} |\n", words.join(" | ")));
        }
        text.push('\n');
        for complaint in self.complaints() {
            text.push_str(&format!("- {}\n", complaint.replace('\n', " ")));
        }
        text.push_str(&format!("\n{}\n", self.counts()));
        text
    }

    /// One object a saboteur, the last a summary.
    #[must_use]
    pub fn jsonl(&self) -> String {
        let mut text: String = self.attempts.iter().map(|attempt| format!("{}\n", object(attempt))).collect();
        let mut summary = json!({
            "saboteurs": self.attempts.len(),
            "survived": self.with(|wrong| *wrong == Wrong::Survived),
            "misnamed": self.with(|wrong| matches!(wrong, Wrong::Misnamed { .. } | Wrong::Unnamed)),
            "faulty": self.with(|wrong| matches!(wrong, Wrong::Faulty { .. })),
        });
        if self.asked {
            summary["broken"] = json!(self.broken.len());
            summary["unbroken"] = json!(self.unbroken);
            summary["stale"] = json!(self.stale);
        }
        text.push_str(&format!("{}\n", json!({ "summary": summary })));
        text
    }

    /// The properties of all that was found out, in the order of their table.
    fn properties(&self) -> Vec<&'static str> {
        let seen: BTreeSet<&str> = self.attempts.iter().flat_map(Attempt::caught).map(Shown::property).collect();
        PROPERTIES.iter().copied().filter(|property| seen.contains(property)).collect()
    }
}

fn object(attempt: &Attempt) -> serde_json::Value {
    let verdict = attempt.wrong().first().map_or("caught", what);
    let cells: BTreeMap<&str, BTreeMap<&str, usize>> = attempt
        .cells()
        .into_iter()
        .map(|(property, cell)| (property, cell.into_iter().map(|(anomaly, times)| (anomaly.name(), times)).collect()))
        .collect();
    let caught: Vec<serde_json::Value> =
        attempt.caught().map(|shown| json!({ "id": shown.id, "anomalies": shown.anomalies })).collect();
    json!({
        "saboteur": attempt.saboteur.name,
        "abilities": attempt.saboteur.abilities,
        "what": attempt.saboteur.what,
        "caught_as": attempt.saboteur.caught_as,
        "verdict": verdict,
        "ran": attempt.ran(),
        "properties": cells,
        "caught": caught,
        "duration_ns": attempt.duration_ns,
    })
}

/// Under which heading a saboteur stands.
fn heading(saboteur: &Saboteur) -> String {
    let kind = if saboteur.shown_by == ShownBy::Races { ", in races" } else { "" };
    if saboteur.abilities.len() == Ability::ALL.len() {
        return format!("any ability{kind}");
    }
    let names: Vec<&str> = saboteur.abilities.iter().map(|ability| ability.name()).collect();
    format!("{}{kind}", names.join(", "))
}

/// The first letters of a property, as many as a column is wide.
fn short(property: &str) -> String {
    property.chars().take(5).collect()
}

/// What stands for a cell: what the saboteur is, if that was named; else what was named most often.
fn foremost(cell: &BTreeMap<Anomaly, usize>, saboteur: &Saboteur) -> Option<Anomaly> {
    let primary = saboteur.primary().filter(|primary| cell.contains_key(primary));
    primary.or_else(|| cell.iter().max_by_key(|(_, times)| **times).map(|(anomaly, _)| *anomaly))
}

/// All that was named, what the saboteur is first.
fn all_of(cell: &BTreeMap<Anomaly, usize>, saboteur: &Saboteur) -> String {
    let mut named: Vec<(Anomaly, usize)> = cell.iter().map(|(anomaly, times)| (*anomaly, *times)).collect();
    named.sort_by_key(|(anomaly, times)| (Some(*anomaly) != saboteur.primary(), std::cmp::Reverse(*times)));
    named.iter().map(|(anomaly, times)| format!("{} {times}", anomaly.name())).collect::<Vec<_>>().join(", ")
}

/// The word for an anomaly in a narrow column.
fn word(anomaly: Anomaly) -> &'static str {
    match anomaly {
        Anomaly::Lost => "lost",
        Anomaly::Duplicated => "twice",
        Anomaly::Reordered => "order",
        Anomaly::Torn => "torn",
        Anomaly::Merged => "merge",
        Anomaly::Truncated => "cut",
        Anomaly::Corrupted => "corr",
        Anomaly::PriorityInverted => "prio",
        Anomaly::LostWakeUp => "wake",
        Anomaly::BrokenExclusion => "excl",
        Anomaly::Stale => "stale",
        Anomaly::Phantom => "phan",
        Anomaly::WrongError => "error",
        Anomaly::WrongValue => "value",
        Anomaly::DidNotBlock => "early",
        Anomaly::Blocked => "block",
        Anomaly::Deadlock => "dead",
        Anomaly::WrongEnding => "end",
        Anomaly::Overdue => "late",
        Anomaly::Leaked => "leak",
    }
}
