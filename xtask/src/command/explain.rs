//! `explain`: a scenario or a mechanism for a reader.

use crate::{ExitCode, Failure, corpus::Corpus, output, portraits};
use reports::{explain, instance_id};
use spec::Mechanism;

/// Explain a scenario or a mechanism.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// The id of a scenario or of an instance, or the name of a mechanism
    id: String,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let corpus = Corpus::own()?;
    let evidence = portraits::evidence()?;
    let evidence = evidence.as_ref().map(|(system, portrait)| (system.as_str(), portrait));
    let id = arguments.id.trim_end_matches(".yaml");
    let text = if let Some(mechanism) = Mechanism::from_name(id) {
        explain::mechanism(mechanism, &corpus.scenarios, evidence, output::color())
    } else if let Some(scenario) = corpus.get(instance_id::parts(id).scenario) {
        explain::scenario(scenario, evidence, output::color())
    } else {
        return Err(Failure::usage(unknown(id, &corpus)));
    };
    output::print(&text)?;
    Ok(ExitCode::Success)
}

fn unknown(id: &str, corpus: &Corpus) -> String {
    let parts: Vec<&str> = corpus
        .scenarios
        .iter()
        .map(|scenario| scenario.id.as_str())
        .filter(|known| known.contains(id))
        .take(5)
        .collect();
    if parts.is_empty() {
        return format!("there is no scenario and no mechanism `{id}`: `cargo xtask list` shows all ids");
    }
    format!("there is no scenario `{id}`; there is {}", parts.join(", "))
}
