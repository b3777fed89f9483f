//! The coverage of the corpus: mechanisms and properties counted, clauses and the scenarios that rest on them.

use spec::{
    Ability, Mechanism, Scenario,
    vocabulary::{Feature, MECHANISMS, MechanismRow, PROPERTIES},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// Why a property says nothing about an ability, where it cannot.
const NOTHING_TO_SAY: &[(&str, &[Ability], &str)] = &[
    (
        "ordering",
        &[Ability::Memory, Ability::Counter, Ability::Lock],
        "nothing passes through it that could be in order; who is woken first is left open by every clause",
    ),
    (
        "boundaries",
        &[Ability::Memory, Ability::Counter, Ability::Lock, Ability::Wake, Ability::Signals],
        "there are no messages and no bytes whose boundaries could move",
    ),
    (
        "priority",
        &[Ability::Stream, Ability::Memory, Ability::Counter, Ability::Lock, Ability::Wake, Ability::Signals],
        "nothing carries a priority (the order of signals stands under `signals`)",
    ),
    (
        "signals",
        &[Ability::Stream, Ability::Queue, Ability::Memory, Ability::Counter, Ability::Lock, Ability::Wake],
        "what signals do to its calls stands under `blocking`",
    ),
    (
        "capacity",
        &[Ability::Memory, Ability::Lock, Ability::Wake, Ability::Signals],
        "it holds no amount that could be full (the depth of signal queues stands under `limits`)",
    ),
    (
        "exclusion",
        &[Ability::Stream, Ability::Queue, Ability::Wake, Ability::Signals],
        "it is not made to keep processes apart",
    ),
    (
        "memory",
        &[Ability::Wake, Ability::Signals, Ability::Lock, Ability::Counter],
        "it holds no data of its own; what it orders between processes is a scenario where a clause says so",
    ),
    (
        "handles",
        &[Ability::Memory, Ability::Counter, Ability::Lock, Ability::Wake, Ability::Signals],
        "its descriptors, where it has any, are neither polled nor passed by a scenario",
    ),
    ("blocking", &[Ability::Memory], "no call waits"),
];

/// Why a property says nothing about a mechanism, where that is due to what it lacks beside others of its ability.
const NOTHING_TO_SAY_WITHOUT: &[(&str, &[Feature], &str)] = &[
    ("priority", &[Feature::Priority, Feature::Types], "its messages carry no priority and no type"),
    ("handles", &[Feature::Poll], "no descriptor leads to it that could be polled or passed"),
];

/// Why a property says nothing about single mechanisms.
const NOTHING_TO_SAY_OF: &[(&str, &[Mechanism], &str)] = &[(
    "errors",
    &[Mechanism::AnonymousMemory, Mechanism::Barrier],
    "once it is made no call on it can be refused by what a standard says",
)];

/// The document.
#[must_use]
pub fn markdown(scenarios: &[&Scenario]) -> String {
    let mut text = String::from(
        "# Coverage\n\nMade by `cargo xtask schema` from the corpus; `cargo xtask tidy` says when it is stale.\n\n\
         ## Mechanisms and properties\n\nScenarios of each property that list the mechanism.\n\n",
    );
    text.push_str(&table(scenarios));
    text.push_str("\n## Empty cells\n\n");
    text.push_str(&empty_cells(scenarios));
    text.push_str("\n## Clauses\n\nWhat each clause is cited by.\n\n");
    for (clause, citing) in by_clause(scenarios) {
        let ids: Vec<String> = citing.iter().map(|id| format!("`{id}`")).collect();
        writeln!(text, "- **{clause}**: {}", ids.join(", ")).expect("a String takes all");
    }
    text.push_str("\n## Scenarios\n\nWhat each scenario cites.\n\n");
    let mut sorted = scenarios.to_vec();
    sorted.sort_by(|left, right| left.id.cmp(&right.id));
    for scenario in sorted {
        writeln!(text, "- `{}`: {}", scenario.id, scenario.cites.join("; ")).expect("a String takes all");
    }
    text
}

fn property(scenario: &Scenario) -> &str {
    scenario.id.split_once('/').map_or("", |(property, _)| property)
}

/// How many scenarios of a property list a mechanism, or have a channel made of it.
fn count(scenarios: &[&Scenario], row: &MechanismRow, property: &str) -> usize {
    scenarios
        .iter()
        .filter(|scenario| self::property(scenario) == property)
        .filter(|scenario| {
            let own = scenario.channels.values().filter_map(|channel| channel.made_of.as_ref());
            scenario.mechanisms.iter().chain(own).any(|mechanism| *mechanism == row.mechanism)
        })
        .count()
}

fn table(scenarios: &[&Scenario]) -> String {
    let mut text = format!("| | {} |\n|---|{}\n", PROPERTIES.join(" | "), "---|".repeat(PROPERTIES.len()));
    for row in MECHANISMS {
        let cells: Vec<String> = PROPERTIES
            .iter()
            .map(|property| match count(scenarios, row, property) {
                0 => "·".to_owned(),
                count => count.to_string(),
            })
            .collect();
        writeln!(text, "| `{}` | {} |", row.name, cells.join(" | ")).expect("a String takes all");
    }
    text
}

fn empty_cells(scenarios: &[&Scenario]) -> String {
    let mut reasons: BTreeMap<(usize, &str), Vec<&str>> = BTreeMap::new();
    for row in MECHANISMS {
        for (place, property) in PROPERTIES.iter().enumerate() {
            if count(scenarios, row, property) == 0 {
                reasons.entry((place, why_empty(property, row))).or_default().push(row.name);
            }
        }
    }
    let mut text = String::new();
    for ((place, reason), mechanisms) in reasons {
        writeln!(text, "- `{}` of {}: {reason}.", PROPERTIES[place], mechanisms.join(", "))
            .expect("a String takes all");
    }
    text
}

fn why_empty(property: &str, row: &MechanismRow) -> &'static str {
    let of_all = NOTHING_TO_SAY
        .iter()
        .find(|(about, abilities, _)| *about == property && abilities.contains(&row.ability))
        .map(|(_, _, reason)| *reason);
    let without = || {
        NOTHING_TO_SAY_WITHOUT
            .iter()
            .find(|(about, features, _)| {
                *about == property && !features.iter().any(|feature| row.mechanism.has(*feature))
            })
            .map(|(_, _, reason)| *reason)
    };
    let of_one = || {
        NOTHING_TO_SAY_OF
            .iter()
            .find(|(about, mechanisms, _)| *about == property && mechanisms.contains(&row.mechanism))
            .map(|(_, _, reason)| *reason)
    };
    of_all.or_else(without).or_else(of_one).unwrap_or("not written yet")
}

fn by_clause<'s>(scenarios: &[&'s Scenario]) -> BTreeMap<&'s str, BTreeSet<&'s str>> {
    let mut clauses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for scenario in scenarios {
        for clause in &scenario.cites {
            clauses.entry(clause).or_default().insert(&scenario.id);
        }
    }
    clauses
}

#[cfg(test)]
mod tests {
    use super::{NOTHING_TO_SAY_OF, NOTHING_TO_SAY_WITHOUT, markdown, why_empty};
    use crate::samples;
    use spec::Mechanism;

    #[test]
    fn a_clause_leads_to_its_scenarios_and_back() {
        let scenarios = samples::scenarios();
        let text = markdown(&scenarios.iter().collect::<Vec<_>>());
        for scenario in &scenarios {
            for clause in &scenario.cites {
                assert!(text.contains(&format!("- **{clause}**: ")), "{clause}");
            }
            assert!(text.contains(&format!("- `{}`: ", scenario.id)), "{}", scenario.id);
        }
    }

    #[test]
    fn an_empty_cell_has_its_reason_or_says_that_it_is_to_be_filled() {
        assert_eq!(why_empty("blocking", Mechanism::PosixShm.row()), "no call waits");
        assert_eq!(why_empty("handles", Mechanism::SysvMsg.row()), NOTHING_TO_SAY_WITHOUT[1].2);
        assert_eq!(why_empty("errors", Mechanism::Barrier.row()), NOTHING_TO_SAY_OF[0].2);
        assert_eq!(why_empty("crash", Mechanism::PosixMq.row()), "not written yet");
    }
}
