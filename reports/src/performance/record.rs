//! What a bench writes down, line by line, so that one that is interrupted keeps what it has: `bench.jsonl`.

use harness_core::measure::{Cell, Floor, Placement, Row, Sample, statistics::median, summary};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the format.
pub const VERSION: u32 = 1;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Line {
    /// First: where and how.
    Bench(Header),
    /// A sample.
    Sample(Box<Sample>),
    /// What cannot be measured, and why.
    NotApplicable {
        /// Which.
        cell: Cell,
        /// Why.
        reason: String,
    },
    /// What could not be measured and ought to have been, and why.
    Failed {
        /// Which.
        cell: Cell,
        /// Why.
        reason: String,
    },
    /// How many system calls one operation takes.
    SystemCalls {
        /// Which.
        cell: Cell,
        /// How many, of all parties.
        calls: f64,
    },
    /// Last: everything was measured that was to be.
    Complete,
}

/// Where and how it was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`VERSION`].
    pub version: u32,
    /// The agent.
    pub agent: String,
    /// When it began.
    pub started: String,
    /// What was asked for.
    pub command: Vec<String>,
    /// The system, as the agent says.
    pub system: BTreeMap<String, String>,
    /// The machine, as the harness sees it.
    pub machine: BTreeMap<String, String>,
    /// How lanes are kept apart.
    pub isolation: String,
    /// Whether all cells were to be measured.
    pub is_full: bool,
}

impl Header {
    /// The class of machines whose figures can be laid side by side: system, processor and how many there are.
    #[must_use]
    pub fn class(&self) -> String {
        let of = |map: &BTreeMap<String, String>, name: &str| map.get(name).cloned().unwrap_or_default();
        let parts = [
            of(&self.system, "os"),
            of(&self.system, "machine"),
            of(&self.machine, "processor"),
            if self.machine.contains_key("hypervisor") { "virtual".to_owned() } else { String::new() },
            format!("{} cores", of(&self.machine, "processors")),
        ];
        parts.iter().filter(|part| !part.is_empty()).map(|part| slug(part)).collect::<Vec<_>>().join("-")
    }
}

/// A text as it stands in the name of a file.
fn slug(text: &str) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// A whole bench.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Where and how.
    pub header: Header,
    /// The samples, in the order in which they were taken.
    pub samples: Vec<Sample>,
    /// What cannot be measured, and why.
    pub not_applicable: BTreeMap<Cell, String>,
    /// What could not be measured and ought to have been, and why.
    pub failed: BTreeMap<Cell, String>,
    /// System calls of one operation.
    pub calls: BTreeMap<Cell, f64>,
    /// Whether everything was measured that was to be.
    pub complete: bool,
}

impl Record {
    /// Takes a line in.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Bench(header) => self.header = header,
            Line::Sample(sample) => self.samples.push(*sample),
            Line::NotApplicable { cell, reason } => {
                self.not_applicable.insert(cell, reason);
            }
            Line::Failed { cell, reason } => {
                self.failed.insert(cell, reason);
            }
            Line::SystemCalls { cell, calls } => {
                self.calls.insert(cell, calls);
            }
            Line::Complete => self.complete = true,
        }
    }

    /// Reads one. A last line that was not written to its end is left out: whoever wrote it was killed, or had no more room.
    ///
    /// # Errors
    /// Which line is none, and why.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut record = Self::default();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            match serde_json::from_str(line) {
                Ok(line) => record.add(line),
                Err(_) if index > 0 && !line.ends_with('\n') => {}
                Err(error) => return Err(format!("line {}: {error}", index + 1)),
            }
        }
        if record.header.version != VERSION {
            return Err(format!(
                "it has version {} of the format, and this program reads version {VERSION}",
                record.header.version
            ));
        }
        Ok(record)
    }

    /// What the samples come to.
    #[must_use]
    pub fn rows(&self) -> BTreeMap<Cell, Row> {
        let mut rows = summary::rows(&self.samples);
        for (cell, calls) in &self.calls {
            if let Some(row) = rows.get_mut(cell) {
                row.system_calls = Some(*calls);
            }
        }
        rows
    }

    /// The floors: in the median over all samples, by placement. Copies are told by what was copied.
    #[must_use]
    pub fn floors(&self) -> BTreeMap<(Floor, Option<Placement>, u64), f64> {
        let mut readings: BTreeMap<_, Vec<f64>> = BTreeMap::new();
        for sample in &self.samples {
            for reading in &sample.floors {
                let place = reading.floor.takes_two().then_some(sample.cell.placement);
                let bytes = if reading.floor == Floor::Copy { sample.cell.bytes } else { 0 };
                readings
                    .entry((reading.floor, place, bytes))
                    .or_default()
                    .extend([reading.before_ns, reading.after_ns]);
            }
        }
        readings.into_iter().map(|(floor, readings)| (floor, median(&readings))).collect()
    }

    /// How fast the arithmetic of processors was, at its slowest and in the median: nanoseconds.
    #[must_use]
    pub fn paces(&self) -> (f64, f64) {
        let paces: Vec<f64> = self
            .samples
            .iter()
            .flat_map(|sample| sample.measured.iter().map(|party| party.pace_ns as f64))
            .filter(|pace| *pace > 0.0)
            .collect();
        (paces.iter().copied().fold(0.0, f64::max), median(&paces))
    }

    /// The classes of distance that two processors were seen at: cache lines there and back, in nanoseconds, rounded to a few
    /// steps, and how many samples saw each.
    #[must_use]
    pub fn distances(&self) -> BTreeMap<u64, usize> {
        let mut seen = BTreeMap::new();
        for sample in &self.samples {
            if let Some(reading) = sample.reading(Floor::Line) {
                for ns in [reading.before_ns, reading.after_ns] {
                    *seen.entry(step(ns)).or_default() += 1;
                }
            }
        }
        seen
    }

    /// How many rounds there were.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.samples.iter().map(|sample| sample.round).collect::<BTreeSet<_>>().len()
    }
}

/// The nearest of steps that are half as much again as the one before.
fn step(ns: f64) -> u64 {
    let exponent = (ns.max(1.0).ln() / 1.5_f64.ln()).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a small positive number")]
    let step = 1.5_f64.powf(exponent).round() as u64;
    step
}

#[cfg(test)]
mod tests {
    use super::{Line, Record};
    use crate::performance::samples;

    #[test]
    fn what_is_written_is_read() {
        let record = samples::record();
        let lines = samples::lines(&record);
        let text: String = lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
        assert!(Record::parse(&text).unwrap() == record);
        // One that was interrupted keeps what it has, also where a line was not written to its end.
        let cut: String = text.lines().take(3).map(|line| format!("{line}\n")).collect();
        for text in [cut.clone(), text[..cut.len() + 20].to_owned()] {
            let cut = Record::parse(&text).unwrap();
            assert!(!cut.complete && cut.samples.len() == 2);
        }
    }

    #[test]
    fn rubbish_and_other_versions_are_refused() {
        assert!(Record::parse("rubbish\n").unwrap_err().contains("line 1"));
        assert!(Record::parse("rubbish").unwrap_err().contains("line 1"));
        let first = serde_json::to_string(&Line::Bench(samples::record().header)).unwrap();
        assert!(Record::parse(&format!("{first}\nrubbish\n")).unwrap_err().contains("line 2"));
        let mut header = samples::record().header;
        header.version = 99;
        let text = serde_json::to_string(&Line::Bench(header)).unwrap();
        assert!(Record::parse(&text).unwrap_err().contains("version 99"));
    }

    #[test]
    fn machines_of_a_class_have_its_name() {
        assert_eq!(samples::record().header.class(), "linux-x86_64-amd-epyc-virtual-2-cores");
    }
}
