//! The loader: YAML text becomes a checked [`Scenario`], or all complaints about it at once.

mod check;
pub mod complaint;
mod decode;
mod steps;
mod syntax;

pub(crate) use check::PLATFORMS;
pub use complaint::{Complaint, Complaints, snippet};
pub(crate) use decode::CLAIMS;

use crate::{
    parallel,
    scenario::{Scenario, Source},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// A scenario's file is at most this long, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Loads a scenario from text. The path is for messages.
///
/// # Errors
/// All complaints about it.
pub fn text(id: &str, path: &str, text: &str) -> Result<Scenario, Complaints> {
    let source = Arc::new(Source { path: path.to_owned(), text: text.to_owned() });
    let mut complaints = Vec::new();
    let tree = match syntax::parse(text, &mut complaints) {
        Some(tree) if complaints.is_empty() => tree,
        _ => return Err(Complaints::new(source, complaints)),
    };
    let scenario = decode::scenario(id, &source, &tree, &mut complaints);
    match scenario {
        Some(scenario) if complaints.is_empty() => {
            check::all(&scenario, &tree, &mut complaints);
            if complaints.is_empty() { Ok(scenario) } else { Err(Complaints::new(source, complaints)) }
        }
        // What could be decoded is checked all the same: one round of mending is to be enough.
        Some(scenario) => {
            let decoded = complaints.len();
            check::all(&scenario, &tree, &mut complaints);
            // What only follows from a piece that could not be decoded would be noise.
            let follows = |complaint: &Complaint| ["unused_channel", "unused_parameter"].contains(&complaint.kind);
            let mut index = 0;
            complaints.retain(|complaint| {
                index += 1;
                index <= decoded || !follows(complaint)
            });
            Err(Complaints::new(source, complaints))
        }
        None => Err(Complaints::new(source, complaints)),
    }
}

/// Loads a scenario from a file.
///
/// # Errors
/// All complaints about it; that it cannot be read is one.
pub fn file(id: &str, path: &Path) -> Result<Scenario, Complaints> {
    let shown = path.to_string_lossy().into_owned();
    match read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(read) => text(id, &shown, &read),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let readable = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let source = Arc::new(Source { path: shown, text: readable });
                Err(Complaints::new(source, vec![complaint::not_utf8(valid)]))
            }
        },
        Err(Unread::TooLong(bytes)) => Err(Complaints::about_file(&shown, complaint::too_long(bytes, FILE_BYTES_MAX))),
        Err(Unread::Io(error)) => Err(Complaints::about_file(&shown, complaint::unreadable(&error))),
    }
}

enum Unread {
    TooLong(u64),
    Io(io::Error),
}

fn read(path: &Path) -> Result<Vec<u8>, Unread> {
    let metadata = fs::metadata(path).map_err(Unread::Io)?;
    if metadata.is_dir() {
        return Err(Unread::Io(io::ErrorKind::IsADirectory.into()));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Unread::TooLong(metadata.len()));
    }
    if !metadata.is_file() {
        return Err(Unread::Io(io::Error::other("it is no regular file")));
    }
    fs::read(path).map_err(Unread::Io)
}

/// Loads every `*.yaml` below a directory, sorted by id: those that load, and the complaints about those that do not.
#[must_use]
pub fn directory(root: &Path) -> (Vec<Scenario>, Vec<Complaints>) {
    let mut paths = Vec::new();
    let mut complaints = Vec::new();
    if let Err(error) = walk(root, &mut paths) {
        complaints.push(Complaints::about_file(&root.to_string_lossy(), complaint::unreadable(&error)));
    }
    paths.sort();
    let named: Vec<(String, PathBuf)> = paths.into_iter().map(|path| (id_of(root, &path), path)).collect();
    let (scenarios, found) = files(&named);
    complaints.extend(found);
    (scenarios, complaints)
}

/// Loads files, each with the id that it is to have: those that load, and the complaints about those that do not, in their order.
#[must_use]
pub fn files(named: &[(String, PathBuf)]) -> (Vec<Scenario>, Vec<Complaints>) {
    let (mut scenarios, mut complaints) = (Vec::new(), Vec::new());
    for loaded in parallel::map(named, |(id, path)| file(id, path)) {
        match loaded {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => complaints.push(found),
        }
    }
    (scenarios, complaints)
}

/// The id of a scenario: its path below the root, without the suffix.
#[must_use]
pub fn id_of(root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path).with_extension("");
    relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
}

fn walk(directory: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            paths.push(path);
        }
    }
    Ok(())
}
