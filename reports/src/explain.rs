//! A scenario or a mechanism for a reader: what is promised, where, how it is shown, and what was found.

use crate::{
    instance_id, list,
    portrait::{Portrait, Standing},
    style::{Color, table, wrap},
};
use harness_core::expand;
use spec::{
    Mechanism, Scenario,
    scenario::{Body, Grade, Span, Step},
    vocabulary::Feature,
};
use std::collections::BTreeMap;

/// Columns of running text.
const COLUMNS: usize = 96;

/// A scenario. The portrait, where there is one, is the evidence.
#[must_use]
pub fn scenario(scenario: &Scenario, evidence: Option<(&str, &Portrait)>, color: Color) -> String {
    let mut text = format!("{}\n{}\n\n", color.bold(&scenario.id), wrap(&scenario.title, COLUMNS, "  "));
    let mut section = |title: &str, body: String| {
        if !body.is_empty() {
            text.push_str(&format!("{}\n{body}\n\n", color.bold(title)));
        }
    };
    section("why it matters", wrap(&scenario.because, COLUMNS, "  "));
    section("promised by", lines(&scenario.cites));
    section("shown by", shown_by(scenario));
    section("claims", lines(&scenario.claims.iter().map(claim).collect::<Vec<_>>()));
    section("proof that it can fail", control(scenario));
    let elsewhere: Vec<String> = scenario
        .elsewhere
        .iter()
        .map(|note| format!("{}: {} ({})", note.r#where, note.because.trim(), note.source))
        .collect();
    section("known to differ", lines(&elsewhere));
    section("instances and evidence", instances(scenario, evidence));
    section("file", format!("  {}", scenario.source.path));
    text.trim_end().to_owned() + "\n"
}

fn lines(items: &[String]) -> String {
    items.iter().map(|item| format!("  {item}")).collect::<Vec<_>>().join("\n")
}

fn claim(claim: &spec::scenario::GradedClaim) -> String {
    let grade = match claim.grade {
        Grade::Must => "must",
        Grade::Should => "should",
        Grade::May => "may",
    };
    format!("{grade} {}", claim.claim.name())
}

/// The steps, as they stand in the file.
fn shown_by(scenario: &Scenario) -> String {
    match &scenario.body {
        Body::Story(story) => {
            let lines: Vec<String> = story.iter().map(|line| words_at(scenario, line.span)).collect();
            self::lines(&lines)
        }
        Body::Processes { processes, .. } => {
            let runs = scenario.runs.as_ref().map_or_else(String::new, |runs| format!(", {runs} runs"));
            let mut lines = vec![format!("all at once{runs}:")];
            for process in processes {
                lines.push(format!("{} × {}", process.count, process.name));
                lines.extend(process.steps.iter().map(|step| format!("    {}", words_at(scenario, span(step)))));
            }
            self::lines(&lines)
        }
    }
}

fn span(step: &Step) -> Span {
    match step {
        Step::One(line) => line.span,
        Step::Repeat { span, .. } => *span,
    }
}

/// What stands there in the file, on one line.
fn words_at(scenario: &Scenario, span: Span) -> String {
    let text = scenario.source.text.get(span.start..span.end).unwrap_or("");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn control(scenario: &Scenario) -> String {
    let Some(control) = &scenario.control else { return String::new() };
    let change: Vec<String> = control.change.iter().map(|(name, value)| format!("{name} = {value}")).collect();
    format!("  with {} `{}` has to break", change.join(", "), control.breaks)
}

fn instances(scenario: &Scenario, evidence: Option<(&str, &Portrait)>) -> String {
    let names = expand::names(scenario);
    let rows: Vec<Vec<String>> = names
        .iter()
        .map(|name| {
            let Some((system, portrait)) = evidence else { return vec![format!("  {}", name.id)] };
            let standing = portrait.instances.get(&name.id).map_or("not in the portrait", |standing| standing.name());
            let recorded: Vec<String> = portrait
                .recorded
                .get(&name.id)
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name} = {value}"))
                .collect();
            vec![format!("  {}", name.id), format!("{standing} on {system}"), recorded.join(", ")]
        })
        .collect();
    table(&rows, "  ").trim_end().to_owned()
}

/// A mechanism: what it is, what it can do, and which scenarios are about it.
#[must_use]
pub fn mechanism(
    mechanism: Mechanism,
    scenarios: &[Scenario],
    evidence: Option<(&str, &Portrait)>,
    color: Color,
) -> String {
    let row = mechanism.row();
    let mut text = format!("{}\n  {}\n\n", color.bold(row.name), row.summary);
    text.push_str(&format!("{}\n  {}\n\n", color.bold("ability"), row.ability));
    if !row.features.is_empty() {
        let features: Vec<String> =
            row.features.iter().map(|feature| format!("  {}", feature_word(*feature))).collect();
        text.push_str(&format!("{}\n{}\n\n", color.bold("features"), features.join("\n")));
    }
    let about: Vec<&Scenario> = scenarios.iter().filter(|scenario| scenario.mechanisms.contains(&mechanism)).collect();
    text.push_str(&format!("{}\n", color.bold(&format!("promises ({} scenarios)", about.len()))));
    let rows: Vec<Vec<String>> = about
        .iter()
        .map(|scenario| {
            let mut row = vec![format!("  {}", scenario.id), list::kind(scenario).to_owned()];
            if let Some((_, portrait)) = evidence {
                row.push(standings(portrait, &scenario.id, mechanism));
            }
            row.push(scenario.title.clone());
            row
        })
        .collect();
    text.push_str(&table(&rows, "  "));
    if let Some((system, _)) = evidence {
        text.push_str(&color.dim(&format!("evidence: the portrait of {system}")));
        text.push('\n');
    }
    text
}

/// How the instances of a scenario stand on a mechanism: `held`, or `2 held, 1 broken`.
fn standings(portrait: &Portrait, scenario: &str, mechanism: Mechanism) -> String {
    let mut counts: BTreeMap<Standing, usize> = BTreeMap::new();
    for (id, standing) in &portrait.instances {
        let parts = instance_id::parts(id);
        if parts.scenario == scenario && parts.mechanism == mechanism.name() {
            *counts.entry(*standing).or_default() += 1;
        }
    }
    let words: Vec<String> = counts.iter().map(|(standing, count)| format!("{count} {}", standing.name())).collect();
    if words.is_empty() { "–".to_owned() } else { words.join(", ") }
}

/// The word of a feature in scenario files.
fn feature_word(feature: Feature) -> String {
    serde_json::to_value(feature).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{mechanism, scenario};
    use crate::{Portrait, samples, style::Color};
    use spec::Mechanism;

    #[test]
    fn a_scenario_is_explained_with_its_evidence() {
        let portrait = Portrait::of(&samples::record());
        let scenarios = samples::scenarios();
        insta::assert_snapshot!("story", scenario(&scenarios[1], Some(("linux-x86_64-gnu", &portrait)), Color::Never));
        insta::assert_snapshot!("race", scenario(&scenarios[0], None, Color::Never));
    }

    #[test]
    fn a_mechanism_is_explained_by_what_it_promises() {
        let portrait = Portrait::of(&samples::record());
        let evidence = Some(("linux-x86_64-gnu", &portrait));
        insta::assert_snapshot!(mechanism(Mechanism::Pipe, &samples::scenarios(), evidence, Color::Never));
    }
}
