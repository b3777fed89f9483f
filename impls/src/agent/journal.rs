//! The journals of a race, in memory that the root shares with its processes: each process writes its own, the root reads them.
//!
//! What was stored stays stored, also when the writer is killed in the middle of a call. A process does its steps in order, so a
//! journal is two counters (steps begun, calls returned), a record for each call that has returned, and the distinct outcomes
//! that the records point to.

use crate::perform::Problem;
use harness_core::wire::{Journal, Outcome};
use impls_sys::memory::Mapping;
use std::{
    collections::HashMap,
    sync::atomic::{AtomicU8, AtomicU64, Ordering},
};

/// How many calls a journal has room for.
pub(super) const CALLS_MAX: usize = 1 << 16;

/// How many bytes of distinct outcomes.
const OUTCOME_BYTES_MAX: usize = 2 << 20;

/// What is left free for the outcomes of the run that a process is in: bytes. One run is not expected to need more.
const OUTCOME_BYTES_SPARE: usize = 512 << 10;

/// How many outcomes of a step are looked through before all are searched.
const RECENT: usize = 4;

/// Cells of eight bytes of a record: when the call began, when it returned, what it gave.
const RECORD: usize = 3;

/// The counters have the first page for themselves.
const HEAD_BYTES: usize = 4096;
const RECORDS_BYTES: usize = CALLS_MAX * RECORD * 8;
const JOURNAL_BYTES: usize = HEAD_BYTES + RECORDS_BYTES + OUTCOME_BYTES_MAX;

/// How many processes a run can have: stamps number them from 1 to 15. Place 0 is for all of them together.
const PROCESSES_MAX: usize = 16;

/// The memory of the journals of all processes of a run. What nobody touches takes no memory.
#[derive(Debug)]
pub(super) struct Journals {
    pages: Mapping,
}

/// The parts of one journal.
struct Parts<'j> {
    begun: &'j AtomicU64,
    returned: &'j AtomicU64,
    outcome_bytes: &'j AtomicU64,
    records: &'j [AtomicU64],
    outcomes: &'j [AtomicU8],
}

impl Journals {
    /// Makes the memory, to be called before the processes are started.
    pub(super) fn new() -> impls_sys::Result<Self> {
        Ok(Self { pages: Mapping::anonymous(JOURNAL_BYTES * PROCESSES_MAX)? })
    }

    fn parts(&self, number: u8) -> Result<Parts<'_>, Problem> {
        let at = usize::from(number) * JOURNAL_BYTES;
        let cell = |offset: usize| self.pages.cell(at + offset);
        let parts = (|| {
            Some(Parts {
                begun: cell(0)?,
                returned: cell(8)?,
                outcome_bytes: cell(16)?,
                records: self.pages.cells(at + HEAD_BYTES, CALLS_MAX * RECORD)?,
                outcomes: self.pages.bytes(at + HEAD_BYTES + RECORDS_BYTES, OUTCOME_BYTES_MAX)?,
            })
        })();
        parts.ok_or_else(|| Problem(format!("there is no journal for a process with the number {number}")))
    }

    /// The run before which all have to stop, since somebody's journal has no room for more. Runs are counted from 1 here, through
    /// all steps that the processes are told in their lives.
    fn stop(&self) -> Result<&AtomicU64, Problem> {
        self.pages.cell(0).ok_or_else(|| Problem("the journals have no head".to_owned()))
    }

    /// Has a process begin its journal anew, before it does runs that are counted from `first` on.
    pub(super) fn writer(&self, number: u8, first: u64, calls: usize) -> Result<Writer<'_>, Problem> {
        let parts = self.parts(number)?;
        for counter in [parts.begun, parts.returned, parts.outcome_bytes] {
            counter.store(0, Ordering::Relaxed);
        }
        // Pages are made at the first touch, and that takes a microsecond: it is not to happen between two calls.
        for record in parts.records.iter().take(calls.saturating_mul(RECORD)).step_by(512) {
            record.store(0, Ordering::Relaxed);
        }
        Ok(Writer {
            parts,
            stop: self.stop()?,
            first,
            begun: 0,
            returned: 0,
            known: HashMap::new(),
            recent: Vec::new(),
        })
    }

    /// What a process has written so far.
    pub(super) fn read(&self, run: u64, process: &str, number: u8) -> Result<Journal, Problem> {
        let parts = self.parts(number)?;
        let returned = parts.returned.load(Ordering::Acquire);
        let begun = parts.begun.load(Ordering::Acquire);
        let calls = usize::try_from(returned).unwrap_or(0).min(CALLS_MAX);
        let length = usize::try_from(parts.outcome_bytes.load(Ordering::Acquire)).unwrap_or(0);
        let text: Vec<u8> = parts.outcomes.iter().take(length).map(|byte| byte.load(Ordering::Relaxed)).collect();
        let outcomes = serde_json::Deserializer::from_slice(&text)
            .into_iter::<Outcome>()
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Problem(format!("the journal of `{process}` cannot be read: {error}")))?;
        let mut before = 0;
        let mut numbers = Vec::with_capacity(calls * RECORD);
        for record in parts.records[..calls * RECORD].chunks_exact(RECORD) {
            let [began, ended, outcome] = [0, 1, 2].map(|place: usize| record[place].load(Ordering::Relaxed));
            numbers.extend([began.wrapping_sub(before), ended.wrapping_sub(began), outcome]);
            before = began;
        }
        Ok(Journal { run, process: process.to_owned(), outcomes, calls: numbers, begun })
    }
}

/// A process's hand at its journal.
pub(super) struct Writer<'j> {
    parts: Parts<'j>,
    stop: &'j AtomicU64,
    first: u64,
    begun: u64,
    returned: u64,
    /// The places of outcomes that stand in the journal.
    known: HashMap<Outcome, u64>,
    /// The outcomes that each step gave last, with their places.
    recent: Vec<Vec<(Outcome, u64)>>,
}

impl Writer<'_> {
    /// Whether to do this run: false where somebody's journal has no room for it.
    pub(super) fn goes_on(&self, run: u32) -> bool {
        self.stop.load(Ordering::Relaxed) != self.first + u64::from(run)
    }

    /// To be said between the runs, before anybody can begin the next: asks all to stop before it where there is no room left.
    pub(super) fn end_run(&self, run: u32, steps: usize) {
        let calls = usize::try_from(self.returned).unwrap_or(usize::MAX);
        let bytes = self.parts.outcome_bytes.load(Ordering::Relaxed);
        if calls + steps > CALLS_MAX || bytes > (OUTCOME_BYTES_MAX - OUTCOME_BYTES_SPARE) as u64 {
            self.stop.store(self.first + u64::from(run) + 1, Ordering::SeqCst);
        }
    }

    /// The next thing this process does is one more step.
    pub(super) fn begin(&mut self) {
        self.begun += 1;
        self.parts.begun.store(self.begun, Ordering::Release);
    }

    /// The earliest of the steps that were begun has returned.
    pub(super) fn end(&mut self, step: usize, began: u64, ended: u64, outcome: Outcome) -> Result<(), Problem> {
        let place = self.place_of(step, outcome)?;
        let at = usize::try_from(self.returned).unwrap_or(usize::MAX).saturating_mul(RECORD);
        let Some(record) = self.parts.records.get(at..at.saturating_add(RECORD)) else {
            return Err(Problem(format!("the journal has room for {CALLS_MAX} calls, and no more")));
        };
        for (cell, value) in record.iter().zip([began, ended, place]) {
            cell.store(value, Ordering::Relaxed);
        }
        self.returned += 1;
        self.parts.returned.store(self.returned, Ordering::Release);
        Ok(())
    }

    /// The place of an outcome among the distinct ones. Most steps give one of a few, again and again.
    fn place_of(&mut self, step: usize, outcome: Outcome) -> Result<u64, Problem> {
        if self.recent.len() <= step {
            self.recent.resize_with(step + 1, Vec::new);
        }
        if let Some((_, place)) = self.recent[step].iter().find(|(recent, _)| *recent == outcome) {
            return Ok(*place);
        }
        let place = match self.known.get(&outcome) {
            Some(place) => *place,
            None => self.enter(&outcome)?,
        };
        self.recent[step].truncate(RECENT - 1);
        self.recent[step].insert(0, (outcome, place));
        Ok(place)
    }

    fn enter(&mut self, outcome: &Outcome) -> Result<u64, Problem> {
        let text =
            serde_json::to_vec(outcome).map_err(|error| Problem(format!("an outcome cannot be written: {error}")))?;
        let length = self.parts.outcome_bytes.load(Ordering::Relaxed);
        let start = usize::try_from(length).unwrap_or(usize::MAX);
        let Some(room) = self.parts.outcomes.get(start..start.saturating_add(text.len() + 1)) else {
            return Err(Problem(format!(
                "the journal has room for outcomes of {OUTCOME_BYTES_MAX} bytes, and no more: receive less in one run"
            )));
        };
        for (byte, value) in room.iter().zip(text.iter().chain(b"\n")) {
            byte.store(*value, Ordering::Relaxed);
        }
        self.parts.outcome_bytes.store(length + text.len() as u64 + 1, Ordering::Release);
        let place = self.known.len() as u64;
        self.known.insert(outcome.clone(), place);
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::{CALLS_MAX, Journals};
    use harness_core::wire::Outcome;

    #[test]
    fn what_is_written_is_read() {
        let journals = Journals::new().unwrap();
        let mut writer = journals.writer(3, 1, 100).unwrap();
        for (step, outcome) in [Outcome::Done, Outcome::Count(5), Outcome::Done].into_iter().enumerate() {
            writer.begin();
            let began = 1_000 + 100 * step as u64;
            writer.end(step, began, began + 7, outcome).unwrap();
        }
        writer.begin();
        let journal = journals.read(9, "reader", 3).unwrap();
        assert_eq!(journal.outcomes, [Outcome::Done, Outcome::Count(5)]);
        assert_eq!(journal.calls, [1_000, 7, 0, 100, 7, 1, 100, 7, 0]);
        assert_eq!(journal.begun, 4);
        drop(journals.writer(3, 1, 100).unwrap());
        assert_eq!(journals.read(9, "reader", 3).unwrap().begun, 0);
    }

    #[test]
    fn a_full_journal_stops_all_before_the_next_run() {
        let journals = Journals::new().unwrap();
        let (mut writer, other) = (journals.writer(1, 1, 1).unwrap(), journals.writer(2, 1, 1).unwrap());
        for run in 0..CALLS_MAX {
            writer.begin();
            writer.end(0, 1, 2, Outcome::Done).unwrap();
            assert!(other.goes_on(u32::try_from(run).unwrap()));
            writer.end_run(u32::try_from(run).unwrap(), 1);
        }
        assert!(!other.goes_on(u32::try_from(CALLS_MAX).unwrap()));
        writer.begin();
        assert!(writer.end(0, 1, 2, Outcome::Done).is_err());
    }
}
