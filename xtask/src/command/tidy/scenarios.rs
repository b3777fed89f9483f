//! Scenarios and portraits.

use crate::{command::sabotage::exceptions, corpus::Corpus, portraits, workspace};
use reports::Portrait;
use spec::{
    Scenario, load,
    scenario::{Body, Grade},
    vocabulary::PROPERTIES,
};
use std::{collections::BTreeMap, fs, path::Path};

/// What is wrong with scenarios and portraits.
pub(super) fn problems() -> anyhow::Result<Vec<String>> {
    let folder = Corpus::folder();
    let mut problems = Vec::new();
    if folder.is_dir() {
        let (scenarios, complaints) = load::directory(Path::new(&workspace::shown(&folder)));
        problems.extend(complaints.iter().map(|complaints| complaints.render(false)));
        problems.extend(ids(&scenarios));
        problems.extend(scenarios.iter().flat_map(promises));
    }
    problems.extend(exceptions::problems(&Corpus::own()?)?);
    for subject in portraits::subjects()? {
        let path = portraits::path(&subject);
        let text = fs::read_to_string(&path)?;
        match Portrait::parse(&text).map(|portrait| portrait.to_text()) {
            Ok(Ok(canonical)) if canonical == text => {}
            Ok(_) => problems.push(format!("{}: not as `conform --bless` writes it", path.display())),
            Err(problem) => problems.push(format!("{}: {problem}", path.display())),
        }
    }
    Ok(problems)
}

fn ids(scenarios: &[Scenario]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for scenario in scenarios {
        let (id, path) = (scenario.id.as_str(), scenario.source.path.as_str());
        if let Some(other) = seen.insert(id, path) {
            problems.push(format!("{path}: has the id `{id}`, and so has {other}"));
        }
        let property = reports::instance_id::parts(id).property;
        if !PROPERTIES.contains(&property) {
            problems.push(format!("{path}: lies in no property's folder; there are {}", PROPERTIES.join(", ")));
        }
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'/';
        if !id.bytes().all(is_plain) {
            problems.push(format!("{path}: ids have lower-case letters, digits and hyphens"));
        }
    }
    problems
}

/// What is promised is cited, by the page that promises it.
fn promises(scenario: &Scenario) -> Vec<String> {
    let path = &scenario.source.path;
    let promises =
        matches!(scenario.body, Body::Story(_)) || scenario.claims.iter().any(|claim| claim.grade == Grade::Must);
    let mut problems = Vec::new();
    if promises && !scenario.cites.iter().any(|cite| names_a_clause(cite)) {
        problems.push(format!(
            "{path}: cite what promises it, as `POSIX.1-2024 read()`, `Linux pipe(7)`, `C11 7.17.3` or `RFC 9293 3.8`"
        ));
    }
    problems
}

/// Whether a citation names a page, or a section of a standard that has no pages.
fn names_a_clause(cite: &str) -> bool {
    const BY_SECTION: [&str; 5] = ["C11 ", "C23 ", "RFC ", "POSIX.1-2024 XBD ", "Intel SDM "];
    cite.contains('(') || BY_SECTION.iter().any(|standard| cite.starts_with(standard))
}

#[cfg(test)]
mod tests {
    use super::names_a_clause;
    use rstest::rstest;

    #[rstest]
    #[case("POSIX.1-2024 read()", true)]
    #[case("Linux pipe(7), I/O on pipes and FIFOs", true)]
    #[case("C11 7.17.3: memory_order_seq_cst has a single total order", true)]
    #[case("POSIX.1-2024 XBD signal.h: SI_MESGQ", true)]
    #[case("Intel SDM Vol. 3A, Memory Ordering: stores are seen in program order", true)]
    #[case("common sense", false)]
    fn citations_name_a_clause(#[case] cite: &str, #[case] expected: bool) {
        assert_eq!(names_a_clause(cite), expected);
    }
}
