//! The folders of runs: `target/plumbline/<run>/run.jsonl`.

use crate::{Failure, time::Moment, workspace};
use anyhow::Context as _;
use reports::{RunRecord, run::Line};
use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// The name of a record in its folder.
pub const RECORD: &str = "run.jsonl";

/// The link to the last run.
const LATEST: &str = "latest";

/// The folder of all runs.
#[must_use]
pub fn folder() -> PathBuf {
    workspace::target().join("plumbline")
}

/// A record that is being written, line by line, so that a run that is killed keeps what it has.
#[derive(Debug)]
pub struct Writer {
    file: File,
    /// Its path.
    pub path: PathBuf,
}

impl Writer {
    /// Makes the folder of a run, and the record in it.
    ///
    /// # Errors
    /// When they cannot be made.
    pub fn create(out: Option<&Path>, started: Moment) -> anyhow::Result<Self> {
        let own = folder().join(format!("{}-{}", started.file_name(), std::process::id()));
        let run = out.map_or(own.as_path(), |out| out);
        fs::create_dir_all(run).map_err(|error| {
            Failure::usage(format!("cannot make {}: {error}; choose another with --out", run.display()))
        })?;
        let path = run.join(RECORD);
        let file = File::create(&path).map_err(|error| {
            Failure::usage(format!("cannot write {}: {error}; choose another with --out", path.display()))
        })?;
        point_latest(run);
        Ok(Self { file, path })
    }

    /// Writes one line.
    ///
    /// # Errors
    /// When it cannot be written, as on a full disk.
    pub fn line(&mut self, line: &Line) -> anyhow::Result<()> {
        let text = line.to_text()?;
        self.file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Points the link to the last run at this one. It is a convenience: that it cannot be made ends nothing.
fn point_latest(run: &Path) {
    let Ok(run) = fs::canonicalize(run) else { return };
    let link = folder().join(LATEST);
    let next = folder().join(format!(".{LATEST}-{}", std::process::id()));
    let _ = fs::create_dir_all(folder());
    if symlink(&run, &next).is_ok() && fs::rename(&next, &link).is_err() {
        let _ = fs::remove_file(&next);
    }
}

/// The record that a person names: a file, the folder of a run, or the name of one.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    let given = Path::new(name);
    [given.to_owned(), given.join(RECORD), folder().join(name).join(RECORD)].into_iter().find(|path| path.is_file())
}

/// Reads a record.
///
/// # Errors
/// When there is none of that name, or it cannot be read.
pub fn read(name: &str) -> anyhow::Result<RunRecord> {
    let path = find(name).ok_or_else(|| {
        Failure::usage(format!(
            "there is no run `{name}`: give a `{RECORD}`, the folder it is in, or the name of a run in {}{}",
            folder().display(),
            known()
        ))
    })?;
    let text = fs::read_to_string(&path)
        .map_err(|error: io::Error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    RunRecord::parse(&text).map_err(|problem| Failure::usage(format!("{} is no record: {problem}", path.display())))
}

fn known() -> String {
    let runs = fs::read_dir(folder()).into_iter().flatten().flatten();
    let runs = runs.filter(|entry| entry.file_name() != LATEST && entry.path().join(RECORD).is_file());
    let mut names: Vec<String> = runs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    match names.last() {
        Some(last) => format!(", as `{last}`"),
        None => " (none yet)".to_owned(),
    }
}
