//! `tidy`: the walls, the words and the generated files. `cargo test` runs it as well.

mod documents;
mod scenarios;
mod sources;
mod walls;

use crate::{ExitCode, Failure, command::schema, output, workspace};
use anyhow::Context as _;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A committed file.
#[derive(Debug)]
struct File {
    /// Its path from the root, with slashes.
    name: String,
    path: PathBuf,
    text: String,
}

impl File {
    fn has_suffix(&self, suffixes: &[&str]) -> bool {
        suffixes.iter().any(|suffix| self.name.ends_with(suffix))
    }
}

/// Everything that is not as it should be: where, what, and what to do.
///
/// # Errors
/// When something cannot be looked at.
pub fn problems() -> anyhow::Result<Vec<String>> {
    let root = workspace::root();
    let mut files = Vec::new();
    collect(&root, &root, &mut files)?;
    files.sort_by(|left, right| left.name.cmp(&right.name));
    let mut problems = walls::problems(&root)?;
    problems.extend(sources::problems(&files));
    problems.extend(documents::problems(&files, &root));
    problems.extend(scenarios::problems()?);
    for file in schema::stale()? {
        problems.push(format!("{}: stale; run `cargo xtask schema`", workspace::shown(&file.path)));
    }
    Ok(problems)
}

/// Runs the command.
pub(super) fn run() -> anyhow::Result<ExitCode> {
    let problems = problems()?;
    for problem in &problems {
        output::print(&format!("{problem}\n"))?;
    }
    if problems.is_empty() {
        output::print("tidy\n")?;
        return Ok(ExitCode::Success);
    }
    Err(Failure::error(
        ExitCode::Failure,
        reports::style::count(problems.len(), "thing is untidy", "things are untidy"),
    ))
}

/// Text files under a folder, without what is built or hidden from view.
fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) -> anyhow::Result<()> {
    const BUILT: [&str; 5] = ["target", ".git", "__pycache__", ".insta", "node_modules"];
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        let file_name = entry.file_name();
        let kind = entry.file_type()?;
        if kind.is_dir() && !BUILT.iter().any(|built| file_name == *built) {
            collect(root, &path, files)?;
        } else if kind.is_file() {
            // What is no text is none of ours to judge.
            if let Ok(text) = fs::read_to_string(&path) {
                let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
                files.push(File { name, path, text });
            }
        }
    }
    Ok(())
}
