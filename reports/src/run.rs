//! The record of a run, `run.jsonl`: what ran where, one instance a line, and a summary. Every report can be made again from it.

use crate::Summary;
use harness_core::{InstanceReport, wire::RootHello};
use serde::{Deserialize, Serialize};
use spec::scenario::Source;
use std::collections::BTreeMap;

/// The version of the record's format. A record of another is refused.
pub const VERSION: u32 = 1;

/// What ran, where and how: the first line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// The version of Plumbline.
    pub plumbline: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// The command, word by word.
    pub command: Vec<String>,
    /// What the agent said of itself and its host.
    pub agent: RootHello,
    /// How lanes were kept apart.
    pub isolation: String,
    /// How many processors could be used.
    pub processors: u64,
    /// How many lanes ran side by side.
    pub lanes: usize,
    /// The seed of jitter.
    pub seed: u64,
    /// What all bounds of time were multiplied by, in thousandths.
    pub time_scale_milli: u64,
    /// What was selected; empty: everything.
    pub filters: Vec<String>,
}

/// One line of the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// The first.
    Run(Box<Header>),
    /// The file of a scenario, before its first instance that did not hold: so that carets can be drawn without the repository.
    Source(Source),
    /// One instance.
    Instance(Box<InstanceReport>),
    /// The last, unless the run was cut short.
    Summary(Summary),
}

impl Line {
    /// The line's text, with its end.
    ///
    /// # Errors
    /// When it cannot be put into JSON, which would be a fault of ours.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self).map(|text| text + "\n")
    }
}

/// A whole record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunRecord {
    /// What ran.
    pub header: Header,
    /// Files of scenarios, by path.
    pub sources: BTreeMap<String, Source>,
    /// The instances, sorted by id.
    pub instances: Vec<InstanceReport>,
    /// Whether its last line is there. If not, the run was cut short, and what it had judged by then is here.
    pub complete: bool,
}

/// Why a text is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// There is nothing in it.
    Empty,
    /// It does not begin with a run's header.
    NoHeader,
    /// It has another version.
    Version(u32),
    /// This line, counted from 1, is none of ours.
    Line(usize, String),
}

impl std::fmt::Display for ParseError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => formatter.write_str("it is empty: the run was ended before it began"),
            Self::NoHeader => formatter.write_str("its first line is no header of a run: is it a `run.jsonl`?"),
            Self::Version(theirs) => write!(
                formatter,
                "it has version {theirs} of the format, and this program reads version {VERSION}: \
                 render it with the program that wrote it"
            ),
            Self::Line(line, what) => write!(formatter, "line {line} cannot be read: {what}"),
        }
    }
}

impl std::error::Error for ParseError {}

impl RunRecord {
    /// Reads a record. A torn last line, as a killed run leaves it, is left out.
    ///
    /// # Errors
    /// When the text is no record, or one of another version.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let mut lines = text.lines().enumerate().peekable();
        let (_, first) = lines.next().ok_or(ParseError::Empty)?;
        let mut record = Self { header: header(first)?, ..Self::default() };
        while let Some((index, line)) = lines.next() {
            match serde_json::from_str(line) {
                Ok(Line::Run(_)) => return Err(ParseError::Line(index + 1, "a second header".to_owned())),
                Ok(Line::Source(source)) => {
                    record.sources.insert(source.path.clone(), source);
                }
                Ok(Line::Instance(instance)) => record.instances.push(*instance),
                Ok(Line::Summary(_)) => record.complete = true,
                Err(_) if lines.peek().is_none() && !text.ends_with('\n') => {}
                Err(error) => return Err(ParseError::Line(index + 1, error.to_string())),
            }
        }
        record.instances.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(record)
    }

    /// The counts of its instances.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary::of(&self.instances)
    }

    /// The file of an instance's scenario, where it was kept.
    #[must_use]
    pub fn source(&self, instance: &InstanceReport) -> Option<&Source> {
        self.sources.get(&instance.path)
    }
}

/// The version alone: it has to be readable in every version.
#[derive(Deserialize)]
struct Versioned {
    run: VersionOnly,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u32,
}

fn header(line: &str) -> Result<Header, ParseError> {
    let Versioned { run: VersionOnly { version } } = serde_json::from_str(line).map_err(|_| ParseError::NoHeader)?;
    if version != VERSION {
        return Err(ParseError::Version(version));
    }
    match serde_json::from_str(line) {
        Ok(Line::Run(header)) => Ok(*header),
        Ok(_) => Err(ParseError::NoHeader),
        Err(error) => Err(ParseError::Line(1, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Line, ParseError, RunRecord};
    use crate::samples;
    use rstest::rstest;

    fn text() -> String {
        let record = samples::record();
        let mut lines = vec![Line::Run(Box::new(record.header.clone()))];
        lines.extend(record.sources.values().cloned().map(Line::Source));
        lines.extend(record.instances.iter().rev().cloned().map(|instance| Line::Instance(Box::new(instance))));
        lines.push(Line::Summary(record.summary()));
        lines.iter().map(|line| line.to_text().unwrap()).collect()
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(RunRecord::parse(&text()).unwrap(), samples::record());
    }

    #[test]
    fn a_run_cut_short_keeps_what_it_has() {
        let text = text();
        let torn = &text[..text.trim_end().rfind('\n').unwrap() - 10];
        let record = RunRecord::parse(torn).unwrap();
        assert!(!record.complete);
        assert_eq!(record.instances.len(), samples::record().instances.len() - 1);
    }

    #[rstest]
    #[case("", ParseError::Empty)]
    #[case("{}", ParseError::NoHeader)]
    #[case("not json\n", ParseError::NoHeader)]
    #[case("{\"run\":{\"version\":99}}\n", ParseError::Version(99))]
    fn other_texts_are_refused(#[case] text: &str, #[case] expected: ParseError) {
        assert_eq!(RunRecord::parse(text).unwrap_err(), expected);
    }
}
