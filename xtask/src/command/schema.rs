//! `schema`: everything that is generated and committed, made anew or checked.

use crate::{ExitCode, Failure, corpus::Corpus, output, portraits, workspace};
use anyhow::Context as _;
use reports::{coverage, matrix};
use spec::{Scenario, load};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Generate what is generated.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Change nothing; fail if anything is stale
    #[arg(long)]
    check: bool,
}

/// A committed file and what it has to be.
#[derive(Clone, Debug)]
pub struct Generated {
    /// Where it is.
    pub path: PathBuf,
    /// What it has to be.
    pub text: String,
}

/// Everything that is generated.
///
/// # Errors
/// When what it is generated from cannot be read.
pub fn generated() -> anyhow::Result<Vec<Generated>> {
    let root = workspace::root();
    let mut all = vec![Generated { path: root.join("spec/scenario.schema.json"), text: spec::schema::text() }];
    for (name, schema) in harness_core::wire_schema::schemas() {
        let text = serde_json::to_string_pretty(&schema)? + "\n";
        all.push(Generated { path: root.join(format!("docs/protocol/{name}.schema.json")), text });
    }
    all.extend(readme()?);
    all.extend(coverage());
    Ok(all)
}

/// The README with its table made anew, where it has one and there is a portrait.
fn readme() -> anyhow::Result<Option<Generated>> {
    let path = workspace::root().join("README.md");
    let (Ok(readme), Some((system, portrait))) = (fs::read_to_string(&path), portraits::evidence()?) else {
        return Ok(None);
    };
    Ok(matrix::refreshed(&readme, &system, &portrait).map(|text| Generated { path, text }))
}

/// What the corpus covers; `None` where it does not load, which `tidy` says elsewhere.
fn coverage() -> Option<Generated> {
    let folder = Corpus::folder();
    let (scenarios, complaints) = load::directory(Path::new(&workspace::shown(&folder)));
    let scenarios: Vec<&Scenario> = scenarios.iter().collect();
    let path = workspace::root().join("docs/coverage.md");
    complaints.is_empty().then(|| Generated { path, text: coverage::markdown(&scenarios) })
}

/// The files that are not what they have to be.
///
/// # Errors
/// As [`generated`].
pub fn stale() -> anyhow::Result<Vec<Generated>> {
    let is_fresh = |file: &Generated| fs::read_to_string(&file.path).is_ok_and(|text| text == file.text);
    Ok(generated()?.into_iter().filter(|file| !is_fresh(file)).collect())
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let stale = stale()?;
    let names: Vec<String> = stale.iter().map(|file| workspace::shown(&file.path)).collect();
    if arguments.check && !stale.is_empty() {
        let message = format!("stale: {}; run `cargo xtask schema` and commit what it changes", names.join(", "));
        return Err(Failure::error(ExitCode::Failure, message));
    }
    for file in &stale {
        if let Some(folder) = file.path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&file.path, &file.text).with_context(|| format!("cannot write {}", file.path.display()))?;
    }
    let text = if names.is_empty() { "all fresh".to_owned() } else { format!("wrote {}", names.join(", ")) };
    output::print(&format!("{text}\n"))?;
    Ok(ExitCode::Success)
}
