//! The committed portraits.

use crate::{Failure, workspace};
use anyhow::Context as _;
use reports::{Portrait, portrait::is_system};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folder of the portraits.
#[must_use]
pub fn folder() -> PathBuf {
    workspace::root().join("reports/portraits")
}

/// The file of the portrait of a subject: see [`reports::portrait::subject`].
#[must_use]
pub fn path(subject: &str) -> PathBuf {
    folder().join(format!("{subject}.yaml"))
}

/// Reads a portrait.
///
/// # Errors
/// When it cannot be read, or is none.
pub fn read(path: &Path) -> anyhow::Result<Portrait> {
    let text =
        fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Portrait::parse(&text).map_err(|problem| Failure::usage(format!("{} is no portrait: {problem}", path.display())))
}

/// The committed portrait of a subject, if there is one.
///
/// # Errors
/// When it is there and cannot be read.
pub fn committed(subject: &str) -> anyhow::Result<Option<Portrait>> {
    let path = path(subject);
    if path.exists() { read(&path).map(Some) } else { Ok(None) }
}

/// Writes a subject's portrait.
///
/// # Errors
/// When it cannot be written.
pub fn write(subject: &str, portrait: &Portrait) -> anyhow::Result<PathBuf> {
    let path = path(subject);
    fs::create_dir_all(folder()).with_context(|| format!("cannot make {}", folder().display()))?;
    fs::write(&path, portrait.to_text()?).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The portraits there are, by the names of their subjects, sorted.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn subjects() -> anyhow::Result<Vec<String>> {
    let entries = match fs::read_dir(folder()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder().display())),
    };
    let mut subjects: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    subjects.sort();
    Ok(subjects)
}

/// The portrait that serves as evidence in documents: the one of this machine's system, else the first.
///
/// # Errors
/// When it cannot be read.
pub fn evidence() -> anyhow::Result<Option<(String, Portrait)>> {
    let own = format!("{}-{}-", std::env::consts::OS, std::env::consts::ARCH);
    let mut systems = subjects()?;
    systems.retain(|subject| is_system(subject));
    let chosen = systems.iter().find(|system| system.starts_with(&own)).or(systems.first());
    chosen.map(|system| Ok((system.clone(), read(&path(system))?))).transpose()
}
