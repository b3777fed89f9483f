//! The committed portraits.

use crate::{Failure, workspace};
use anyhow::Context as _;
use reports::Portrait;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// The folder of the portraits.
#[must_use]
pub fn folder() -> PathBuf {
    workspace::root().join("reports/portraits")
}

/// The file of a system's portrait.
#[must_use]
pub fn path(system: &str) -> PathBuf {
    folder().join(format!("{system}.yaml"))
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

/// The committed portrait of a system, if there is one.
///
/// # Errors
/// When it is there and cannot be read.
pub fn committed(system: &str) -> anyhow::Result<Option<Portrait>> {
    let path = path(system);
    if path.exists() { read(&path).map(Some) } else { Ok(None) }
}

/// Writes a system's portrait.
///
/// # Errors
/// When it cannot be written.
pub fn write(system: &str, portrait: &Portrait) -> anyhow::Result<PathBuf> {
    let path = path(system);
    fs::create_dir_all(folder()).with_context(|| format!("cannot make {}", folder().display()))?;
    fs::write(&path, portrait.to_text()?).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// The portraits there are: names of systems, sorted.
///
/// # Errors
/// When the folder is there and cannot be read.
pub fn systems() -> anyhow::Result<Vec<String>> {
    let entries = match fs::read_dir(folder()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder().display())),
    };
    let mut systems: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    systems.sort();
    Ok(systems)
}

/// The portrait that serves as evidence in documents: the one of this machine's system, else the first.
///
/// # Errors
/// When it cannot be read.
pub fn evidence() -> anyhow::Result<Option<(String, Portrait)>> {
    let own = format!("{}-{}-", std::env::consts::OS, std::env::consts::ARCH);
    let systems = systems()?;
    let chosen = systems.iter().find(|system| system.starts_with(&own)).or(systems.first());
    chosen.map(|system| Ok((system.clone(), read(&path(system))?))).transpose()
}
