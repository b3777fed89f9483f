//! The record of a bench, written line by line, so that one that is interrupted keeps what it has.

use super::folder_of_runs;
use crate::{Failure, time::Moment};
use anyhow::Context as _;
use reports::performance::{Line, Record, record::Header};
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

/// The name of a record in its folder.
const RECORD: &str = "bench.jsonl";

/// A record that is being written.
#[derive(Debug)]
pub(super) struct Writer {
    file: File,
    folder: PathBuf,
    record: Record,
}

impl Writer {
    /// Makes the folder of a bench, and the record in it.
    pub(super) fn create(out: Option<&Path>, started: Moment, header: Header) -> anyhow::Result<Self> {
        let own = folder_of_runs().join(format!("{}-{}", started.file_name(), std::process::id()));
        let folder = out.map_or(own, Path::to_owned);
        let bad = |path: &Path, error: std::io::Error| {
            Failure::usage(format!("cannot write {}: {error}; choose another with --out", path.display()))
        };
        fs::create_dir_all(&folder).map_err(|error| bad(&folder, error))?;
        let path = folder.join(RECORD);
        let file = File::create(&path).map_err(|error| bad(&path, error))?;
        let mut writer = Self { file, folder, record: Record::default() };
        writer.add(Line::Bench(header))?;
        Ok(writer)
    }

    /// Adds a line.
    pub(super) fn add(&mut self, line: Line) -> anyhow::Result<()> {
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", self.folder.display()))?;
        self.record.add(line);
        Ok(())
    }

    /// What was written so far.
    pub(super) fn record(&self) -> &Record {
        &self.record
    }

    /// Where it is written.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was written.
    pub(super) fn into_record(self) -> Record {
        self.record
    }
}

/// Reads the record that a person names: a file, its folder, or the name of that.
pub(super) fn read(name: &str) -> anyhow::Result<Record> {
    let given = Path::new(name);
    let candidates = [given.to_owned(), given.join(RECORD), folder_of_runs().join(name).join(RECORD)];
    let path = candidates.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Failure::usage(format!(
            "there is no bench `{name}`: give a `{RECORD}`, the folder it is in, or the name of one in {}",
            folder_of_runs().display()
        ))
    })?;
    let text = fs::read_to_string(&path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Record::parse(&text)
        .map_err(|problem| Failure::usage(format!("{} is no record of a bench: {problem}", path.display())))
}
