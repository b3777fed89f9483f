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

/// Cells of eight bytes of a record: when the call began; and how long it took together with what it gave. A race writes records as fast
/// as they come, and what it writes has to go through the caches.
const RECORD: usize = 2;

/// The lower bits of the second cell are the place of the outcome.
const PLACE_BITS: u32 = 24;

/// No call takes longer, some 18 minutes: nanoseconds.
const LENGTH_MAX: u64 = (1 << (u64::BITS - PLACE_BITS)) - 1;

// Even of the shortest, `"done"` and the end of its line, there are fewer than places can be told apart.
const _: () = assert!(OUTCOME_BYTES_MAX < 1 << PLACE_BITS);

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
            done: None,
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
        let mut numbers = Vec::with_capacity(calls * 3);
        for record in parts.records[..calls * RECORD].chunks_exact(RECORD) {
            let [began, rest] = [0, 1].map(|place: usize| record[place].load(Ordering::Relaxed));
            numbers.extend([began.wrapping_sub(before), rest >> PLACE_BITS, rest & ((1 << PLACE_BITS) - 1)]);
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
    /// The place of `done`.
    done: Option<u64>,
    /// What each step gave last.
    recent: Vec<Recent>,
}

/// Outcomes that a step gave last, with their places.
#[derive(Default)]
struct Recent {
    counts: [Option<(u64, u64)>; RECENT],
    others: Vec<(Outcome, u64)>,
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

    /// The next thing this process does is so many more steps.
    #[inline]
    pub(super) fn begin(&mut self, steps: u64) {
        self.begun += steps;
        self.parts.begun.store(self.begun, Ordering::Release);
    }

    /// The earliest of the steps that were begun has returned, and has given the outcome of this place.
    #[inline]
    pub(super) fn end(&mut self, began: u64, ended: u64, place: u64) -> Result<(), Problem> {
        let at = usize::try_from(self.returned).unwrap_or(usize::MAX).saturating_mul(RECORD);
        let Some([first, second]) = self.parts.records.get(at..at.saturating_add(RECORD)) else {
            return Err(Problem(format!("the journal has room for {CALLS_MAX} calls, and no more")));
        };
        let length = ended.wrapping_sub(began);
        if length > LENGTH_MAX {
            return Err(Problem(format!("the journal has no room for a call from {began} to {ended}")));
        }
        first.store(began, Ordering::Relaxed);
        second.store(length << PLACE_BITS | place, Ordering::Relaxed);
        self.returned += 1;
        self.parts.returned.store(self.returned, Ordering::Release);
        Ok(())
    }

    /// The place of an outcome among the distinct ones. Most steps give one of a few, again and again.
    #[inline]
    pub(super) fn place_of(&mut self, step: usize, outcome: &Outcome) -> Result<u64, Problem> {
        match (outcome, self.done, self.recent.get(step)) {
            (Outcome::Done, Some(place), _) => return Ok(place),
            (Outcome::Count(count), _, Some(recent)) => {
                let is_it = |(recent, place): &(u64, u64)| (recent == count).then_some(*place);
                if let Some(place) = recent.counts.iter().flatten().find_map(is_it) {
                    return Ok(place);
                }
            }
            (_, _, Some(recent)) => {
                if let Some((_, place)) = recent.others.iter().find(|(recent, _)| recent == outcome) {
                    return Ok(*place);
                }
            }
            _ => {}
        }
        self.search(step, outcome)
    }

    /// The same for an outcome that the step has not given of late.
    #[cold]
    fn search(&mut self, step: usize, outcome: &Outcome) -> Result<u64, Problem> {
        let place = match self.known.get(outcome) {
            Some(place) => *place,
            None => self.enter(outcome)?,
        };
        if self.recent.len() <= step {
            self.recent.resize_with(step + 1, Recent::default);
        }
        let recent = &mut self.recent[step];
        match outcome {
            Outcome::Done => self.done = Some(place),
            Outcome::Count(count) => {
                recent.counts.rotate_right(1);
                recent.counts[0] = Some((*count, place));
            }
            other => {
                recent.others.truncate(RECENT - 1);
                recent.others.insert(0, (other.clone(), place));
            }
        }
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
    use super::{CALLS_MAX, Journals, LENGTH_MAX};
    use harness_core::wire::Outcome;

    #[test]
    fn what_is_written_is_read() {
        let journals = Journals::new().unwrap();
        let mut writer = journals.writer(3, 1, 100).unwrap();
        for (step, outcome) in [Outcome::Done, Outcome::Count(5), Outcome::Done].into_iter().enumerate() {
            writer.begin(1);
            let began = 1_000 + 100 * step as u64;
            let place = writer.place_of(step, &outcome).unwrap();
            writer.end(began, began + 7, place).unwrap();
        }
        writer.begin(1);
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
            writer.begin(1);
            let place = writer.place_of(0, &Outcome::Done).unwrap();
            writer.end(1, 2, place).unwrap();
            assert!(other.goes_on(u32::try_from(run).unwrap()));
            writer.end_run(u32::try_from(run).unwrap(), 1);
        }
        assert!(!other.goes_on(u32::try_from(CALLS_MAX).unwrap()));
        writer.begin(1);
        assert!(writer.end(1, 2, 0).is_err());
    }

    #[test]
    fn each_outcome_has_one_place_whatever_else_a_step_gave() {
        let journals = Journals::new().unwrap();
        let mut writer = journals.writer(1, 1, 1).unwrap();
        let outcome = |number: usize| match number % 9 {
            0 => Outcome::Done,
            number if number.is_multiple_of(2) => Outcome::Count(number as u64),
            number => Outcome::Text(number.to_string()),
        };
        let places: Vec<u64> = (0..9).map(|number| writer.place_of(0, &outcome(number)).unwrap()).collect();
        for number in (0..90).chain((0..90).rev()) {
            assert_eq!(writer.place_of(number % 3, &outcome(number)).unwrap(), places[number % 9]);
        }
        assert_eq!(journals.read(9, "writer", 1).unwrap().outcomes, (0..9).map(outcome).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_call_has_a_record_and_an_endless_one_has_none() {
        let journals = Journals::new().unwrap();
        let mut writer = journals.writer(1, 1, 1).unwrap();
        writer.begin(3);
        writer.end(5, 5 + LENGTH_MAX, 1).unwrap();
        assert!(writer.end(5, 6 + LENGTH_MAX, 0).is_err());
        assert!(writer.end(5, 4, 0).is_err());
        let journal = journals.read(9, "writer", 1).unwrap();
        assert_eq!((journal.calls, journal.begun), (vec![5, LENGTH_MAX, 1], 3));
    }
}
