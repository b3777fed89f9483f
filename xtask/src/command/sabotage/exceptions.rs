//! The scenarios that no saboteur has to break, each with its reason.

use crate::{Failure, corpus::Corpus, workspace};
use anyhow::Context as _;
use std::{collections::BTreeMap, fs, io, path::PathBuf};

/// The file: scenarios with reasons.
fn path() -> PathBuf {
    workspace::root().join("spec/sabotage-exceptions.yaml")
}

/// The exceptions: scenarios with their reasons.
///
/// # Errors
/// When the file cannot be read, or is no list of scenarios and reasons.
pub(in crate::command) fn read() -> anyhow::Result<BTreeMap<String, String>> {
    let path = path();
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text.with_context(|| format!("cannot read {}", workspace::shown(&path)))?,
    };
    serde_yaml::from_str(&text).map_err(|error| {
        Failure::usage(format!("{} is no list of scenarios with reasons: {error}", workspace::shown(&path)))
    })
}

/// What is wrong with them, as far as that can be seen without a run.
pub(in crate::command) fn problems(corpus: &Corpus) -> anyhow::Result<Vec<String>> {
    let path = workspace::shown(&path());
    Ok(wrong(&read()?, corpus).into_iter().map(|problem| format!("{path}: {problem}")).collect())
}

fn wrong(exceptions: &BTreeMap<String, String>, corpus: &Corpus) -> Vec<String> {
    let mut problems = Vec::new();
    for (id, reason) in exceptions {
        match corpus.get(id) {
            None => problems.push(format!("there is no scenario `{id}`: take it out")),
            Some(_) if reason.split_whitespace().count() < 5 => {
                problems.push(format!("say why no saboteur can break `{id}`, in a sentence"));
            }
            Some(_) => {}
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::wrong;
    use crate::corpus::Corpus;
    use rstest::rstest;
    use std::collections::BTreeMap;

    #[rstest]
    #[case("ordering/end-of-stream", "It says what nothing can be done about.", None)]
    #[case("ordering/end-of-stream", "because", Some("say why"))]
    #[case("ordering/no-such-scenario", "It says what nothing can be done about.", Some("there is no scenario"))]
    fn exceptions_name_scenarios_and_have_reasons(
        #[case] id: &str,
        #[case] reason: &str,
        #[case] expected: Option<&str>,
    ) {
        let corpus = Corpus::own_scenarios(&["ordering/end-of-stream"].into()).unwrap();
        let problems = wrong(&BTreeMap::from([(id.to_owned(), reason.to_owned())]), &corpus);
        assert_eq!(problems.is_empty(), expected.is_none(), "{problems:?}");
        assert!(expected.is_none_or(|words| problems[0].contains(words)), "{problems:?}");
    }
}
