//! What would run: one line an instance, with its ability, its grade and its clause.

use crate::style::{Color, table};
use harness_core::expand::InstanceName;
use serde_json::json;
use spec::{
    Scenario,
    scenario::{Body, Grade},
};

/// One instance and its scenario.
pub type Listed<'l> = (&'l InstanceName, &'l Scenario);

/// The heaviest grade of what a scenario claims. The expectations of steps are promises.
#[must_use]
pub fn grade(scenario: &Scenario) -> Grade {
    let stories = matches!(scenario.body, Body::Story(_)).then_some(Grade::Must);
    scenario.claims.iter().map(|claim| claim.grade).chain(stories).min().unwrap_or(Grade::Must)
}

fn word(grade: Grade) -> &'static str {
    match grade {
        Grade::Must => "must",
        Grade::Should => "should",
        Grade::May => "may",
    }
}

/// What kind of scenario it is.
#[must_use]
pub fn kind(scenario: &Scenario) -> &'static str {
    match (&scenario.body, &scenario.runs) {
        (Body::Story(_), _) => "story",
        (Body::Processes { .. }, None) => "processes",
        (Body::Processes { .. }, Some(_)) => "race",
    }
}

/// For a terminal.
#[must_use]
pub fn terminal(listed: &[Listed<'_>], color: Color) -> String {
    let rows: Vec<Vec<String>> = listed
        .iter()
        .map(|(name, scenario)| {
            vec![
                name.id.clone(),
                name.mechanism.ability().to_string(),
                kind(scenario).to_owned(),
                word(grade(scenario)).to_owned(),
                scenario.cites.join("; "),
            ]
        })
        .collect();
    let mut text = table(&rows, "  ");
    text.push_str(&color.dim(&format!("{} instances", listed.len())));
    text.push('\n');
    text
}

/// One object an instance.
#[must_use]
pub fn jsonl(listed: &[Listed<'_>]) -> String {
    listed
        .iter()
        .map(|(name, scenario)| {
            let parameters: serde_json::Map<String, serde_json::Value> =
                name.parameters.iter().map(|(name, amount)| (name.clone(), json!(amount.text()))).collect();
            let claims: Vec<serde_json::Value> = scenario
                .claims
                .iter()
                .map(|claim| json!({ "claim": claim.claim.name(), "grade": claim.grade }))
                .collect();
            let object = json!({
                "id": name.id,
                "scenario": name.scenario,
                "title": scenario.title,
                "mechanism": name.mechanism,
                "ability": name.mechanism.ability(),
                "parameters": parameters,
                "kind": kind(scenario),
                "grade": grade(scenario),
                "claims": claims,
                "cites": scenario.cites,
                "path": scenario.source.path,
            });
            format!("{object}\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{jsonl, terminal};
    use crate::{samples, style::Color};
    use harness_core::expand;

    #[test]
    fn every_instance_is_a_line() {
        let scenarios = samples::scenarios();
        let names: Vec<_> = scenarios
            .iter()
            .flat_map(|scenario| expand::names(scenario).into_iter().map(move |name| (name, scenario)))
            .collect();
        let listed: Vec<_> = names.iter().map(|(name, scenario)| (name, *scenario)).collect();
        insta::assert_snapshot!("terminal", terminal(&listed, Color::Never));
        insta::assert_snapshot!("jsonl", jsonl(&listed));
    }
}
