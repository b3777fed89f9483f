//! The matrix of saboteurs and properties: what each planted fault was called where, and whether each was found out.
//!
//! A fault goes by the names of the findings where it first showed. Among them has to be, somewhere, what the saboteur is; and what they
//! conclude became of something (`lost`, `torn`) has to be in the saboteur's list in every instance. That a call gave another value or waited
//! too long is seen, not concluded, and may come of any fault. So may whatever goes wrong later in the same history: it is told in JSON
//! Lines, and not judged.

use crate::{
    instance_id,
    style::{Color, count, table},
};
use harness_core::{
    InstanceReport, Verdict,
    finding::{Anomaly, Finding},
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
    /// What the findings that gate called it where it first showed. What goes wrong after that may be its consequence, as a deadlock
    /// is of a lost message.
    pub anomalies: BTreeSet<Anomaly>,
    /// What else they named, later in the history.
    pub later: BTreeSet<Anomaly>,
    /// How long it took: nanoseconds.
    pub duration_ns: u64,
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
        let named: Vec<(usize, Anomaly)> =
            gating.filter_map(|finding| finding.anomaly.map(|anomaly| (shows_at(finding), anomaly))).collect();
        let first = named.iter().map(|(at, _)| *at).min();
        let (anomalies, later): (Vec<_>, Vec<_>) = named.into_iter().partition(|(at, _)| Some(*at) == first);
        let anomalies: BTreeSet<Anomaly> = anomalies.into_iter().map(|(_, anomaly)| anomaly).collect();
        let later =
            later.into_iter().map(|(_, anomaly)| anomaly).filter(|anomaly| !anomalies.contains(anomaly)).collect();
        Self {
            id: report.id.clone(),
            scenario: report.scenario.clone(),
            verdict: report.verdict,
            anomalies,
            later,
            duration_ns: report.duration_ns,
            repeat: report.repeat.clone(),
        }
    }

    fn property(&self) -> &str {
        instance_id::parts(&self.id).property
    }
}

/// The event from which on a finding could be made: the last of those that show it. What no event shows, a deadlock or a process that
/// ended otherwise than it should, shows at the end.
fn shows_at(finding: &Finding) -> usize {
    // What never came is known to be missing only at the end.
    if finding.claim == "complete" {
        return usize::MAX;
    }
    finding.events.iter().copied().max().unwrap_or(usize::MAX)
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
                if !self.saboteur.refuses {
                    wrong.push(Wrong::Faulty { place });
                }
                continue;
            }
            let strange = shown
                .anomalies
                .iter()
                .filter(|anomaly| anomaly.is_conclusion() && !self.saboteur.anomalies.contains(anomaly));
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
    let caught: Vec<serde_json::Value> = attempt
        .caught()
        .map(|shown| json!({ "id": shown.id, "anomalies": shown.anomalies, "later": shown.later }))
        .collect();
    let slowest = attempt.shown.iter().max_by_key(|shown| shown.duration_ns);
    json!({
        "slowest": slowest.map(|shown| json!({ "id": shown.id, "duration_ns": shown.duration_ns })),
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

#[cfg(test)]
mod tests {
    use super::{Attempt, Sabotage, Shown, Wrong};
    use crate::style::Color;
    use harness_core::{
        Finding, Judgement, Verdict,
        finding::Anomaly,
        sabotage::{Saboteur, ShownBy},
    };
    use rstest::rstest;
    use spec::{Ability, scenario::Grade};
    use std::collections::{BTreeMap, BTreeSet};

    fn saboteur() -> Saboteur {
        Saboteur {
            name: "lost-messages".to_owned(),
            abilities: vec![Ability::Queue],
            mechanisms: Vec::new(),
            operations: Vec::new(),
            what: "Loses a message".to_owned(),
            anomalies: vec![Anomaly::Lost, Anomaly::Truncated],
            shown_by: ShownBy::Quiet,
            refuses: false,
            caught_as: Verdict::Broken,
        }
    }

    fn shown(scenario: &str, verdict: Verdict, anomalies: &[Anomaly]) -> Shown {
        Shown {
            id: format!("{scenario}[posix_mq]"),
            scenario: scenario.to_owned(),
            verdict,
            anomalies: anomalies.iter().copied().collect(),
            later: BTreeSet::new(),
            duration_ns: 1,
            repeat: format!("cargo xtask conform '{scenario}[posix_mq]'"),
        }
    }

    fn attempt(shown: Vec<Shown>) -> Attempt {
        Attempt { saboteur: saboteur(), shown, duration_ns: 1 }
    }

    fn finding(claim: &str, grade: Grade, anomaly: Anomaly, events: &[usize]) -> Finding {
        Finding {
            claim: claim.to_owned(),
            grade,
            verdict: Verdict::Broken,
            span: None,
            expected: String::new(),
            got: String::new(),
            anomaly: Some(anomaly),
            events: events.to_vec(),
            notes: Vec::new(),
        }
    }

    #[rstest]
    #[case::nothing_found_it(Verdict::Held, &[], &[Wrong::Survived])]
    #[case::named(Verdict::Broken, &[Anomaly::Lost], &[])]
    #[case::how_a_call_differed_is_no_misnomer(Verdict::Broken, &[Anomaly::Lost, Anomaly::WrongValue], &[])]
    #[case::only_a_consequence(Verdict::Broken, &[Anomaly::Truncated], &[Wrong::Unnamed])]
    #[case::only_how_a_call_differed(Verdict::Broken, &[Anomaly::WrongValue], &[Wrong::Unnamed])]
    #[case::something_else(
        Verdict::Broken,
        &[Anomaly::Lost, Anomaly::Merged],
        &[Wrong::Misnamed { place: 0, anomaly: Anomaly::Merged }],
    )]
    #[case::not_said_what(Verdict::Broken, &[], &[Wrong::Survived])]
    #[case::the_agent_is_blamed(Verdict::Faulty, &[], &[Wrong::Survived])]
    fn what_is_wrong_with_an_attempt(
        #[case] verdict: Verdict,
        #[case] anomalies: &[Anomaly],
        #[case] expected: &[Wrong],
    ) {
        assert_eq!(attempt(vec![shown("ordering/one", verdict, anomalies)]).wrong(), expected);
    }

    #[test]
    fn who_is_blamed_beside_is_wrong_but_for_refusals() {
        let shown =
            vec![shown("ordering/one", Verdict::Broken, &[Anomaly::Lost]), shown("ordering/two", Verdict::Faulty, &[])];
        let mut attempt = attempt(shown);
        assert_eq!(attempt.wrong(), [Wrong::Faulty { place: 1 }]);
        attempt.saboteur.refuses = true;
        assert_eq!(attempt.wrong(), []);
        attempt.shown.remove(0);
        assert_eq!(attempt.wrong(), [Wrong::Survived]);
    }

    #[test]
    fn what_shows_first_is_the_name_and_what_shows_later_follows() {
        let findings = vec![
            finding("complete", Grade::Must, Anomaly::Lost, &[1]),
            finding("step", Grade::Must, Anomaly::WrongValue, &[4]),
            finding("model", Grade::Must, Anomaly::Duplicated, &[0, 4]),
            finding("model", Grade::Must, Anomaly::Phantom, &[2, 6]),
            finding("in_order", Grade::Should, Anomaly::Reordered, &[2]),
            finding("deadlock", Grade::Must, Anomaly::Deadlock, &[]),
        ];
        let judgement = Judgement {
            verdict: Verdict::Broken,
            findings,
            recorded: BTreeMap::new(),
            outcomes: Vec::new(),
            runs: 1,
            overlapped: 0,
            evidence: None,
            race: None,
            story: None,
        };
        let mut report = crate::samples::broken_story();
        report.judgement = Some(judgement);
        let shown = Shown::of(&report);
        let named = |anomalies: &BTreeSet<Anomaly>| anomalies.iter().copied().collect::<Vec<_>>();
        assert_eq!(named(&shown.anomalies), [Anomaly::Duplicated, Anomaly::WrongValue]);
        assert_eq!(named(&shown.later), [Anomaly::Lost, Anomaly::Phantom, Anomaly::Deadlock]);
    }

    fn ids(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[rstest]
    #[case::all_broken(&["ordering/one"], &[], true)]
    #[case::one_unbroken(&["ordering/one", "ordering/two"], &[], false)]
    #[case::excepted(&["ordering/one", "ordering/two"], &["ordering/two"], true)]
    #[case::an_exception_that_is_none(&["ordering/one"], &["ordering/one"], false)]
    #[case::what_cannot_run_here_is_not_asked(&["ordering/one", "ordering/three"], &[], true)]
    fn every_scenario_has_to_be_broken(#[case] must: &[&str], #[case] exceptions: &[&str], #[case] is_complete: bool) {
        let shown = vec![
            shown("ordering/one", Verdict::Broken, &[Anomaly::Lost]),
            shown("ordering/two", Verdict::Held, &[]),
            shown("ordering/three", Verdict::Skipped, &[]),
        ];
        let sabotage = Sabotage::of_all(vec![attempt(shown)], &ids(must), &ids(exceptions));
        assert_eq!(sabotage.is_complete(), is_complete, "{}", sabotage.terminal(Color::Never));
    }

    #[test]
    fn the_matrix_names_what_was_found_and_complains_of_the_rest() {
        let good = attempt(vec![
            shown("ordering/one", Verdict::Broken, &[Anomaly::Lost]),
            shown("races/two", Verdict::Broken, &[Anomaly::WrongValue]),
            shown("limits/three", Verdict::Held, &[]),
        ]);
        let mut bad = attempt(vec![shown("ordering/one", Verdict::Held, &[])]);
        bad.saboteur.name = "merged-messages".to_owned();
        bad.saboteur.what = "Merges messages".to_owned();
        let sabotage = Sabotage::of_all(vec![good, bad], &ids(&["ordering/one", "limits/three"]), &BTreeSet::new());
        insta::assert_snapshot!("terminal", sabotage.terminal(Color::Never));
        insta::assert_snapshot!("markdown", sabotage.markdown());
        insta::assert_snapshot!("jsonl", sabotage.jsonl());
    }
}
