//! A task as its loop sees it: how often, with how much, who else; and what is written down.

use super::usage::{self, Usage};
use crate::{ability::Failure, clock, perform::Problem};
use harness_core::wire::{Measure, Measured, measure::Task as What};
use hdrhistogram::Histogram;
use impls_sys::memory::Mapping;
use nix::errno::Errno;
use std::sync::atomic::{AtomicU64, Ordering};

/// The longest time that is told apart from longer ones: nanoseconds.
const LATENCY_MAX_NS: u64 = 60_000_000_000;

/// How many digits of a time are kept.
const DIGITS: u8 = 3;

/// In how many parts all operations are timed.
const SLICES: u64 = 16;

/// How long the first party lets the others go to sleep before it begins a round trip with a processor of its own: nanoseconds. Two that
/// leave a meeting together can answer one another for a while before either of them sleeps, and then fall out of that for good.
const STAGGER_NS: u64 = 200_000;

/// How long several processes do something together at most: nanoseconds. A lock that is handed from one sleeper to the next takes ten
/// thousand times as long as one that is mostly free, and may fall from one into the other at any time.
const TOGETHER_NS_MAX: u64 = 1_000_000_000;

/// How many operations lie between looks at the clock, where several processes do something together.
const TOGETHER_LOOKS_APART: u64 = 1_024;

/// How often the clock is looked at to learn what that costs.
const CLOCK_LOOKS: usize = 1_001;

// Where things lie in the memory of checks, each on lines of its own.
const GUARDED: usize = 0;
const STOPPED: usize = 256;
const TOTAL: usize = 512;
const FIRST_WORD: usize = 768;
const SECOND_WORD: usize = 1024;

/// Why a task was not done to its end.
#[derive(Debug)]
pub enum Stopped {
    /// It cannot be done here, and why.
    Impossible(String),
    /// Something is wrong.
    Problem(Problem),
}

impl From<Problem> for Stopped {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Stopped {
    /// For `map_err`: names the call. What the system's limits forbid cannot be done; all else has no place in a measurement.
    #[cold]
    pub(super) fn of(call: &str, failure: Failure) -> Self {
        match failure {
            Failure::Errno(
                errno @ (Errno::EMSGSIZE
                | Errno::EINVAL
                | Errno::ENOBUFS
                | Errno::ENOSYS
                | Errno::ENOTSUP
                | Errno::EPERM
                | Errno::EACCES),
            ) => Self::Impossible(format!("{call}: {errno:?} ({})", errno.desc())),
            Failure::Errno(errno) => Problem(format!("{call}: {errno:?} ({})", errno.desc())).into(),
            Failure::Senseless(why) => Self::Impossible(format!("{call}: {why}")),
        }
    }

    /// What came is not what was sent.
    #[cold]
    pub(super) fn wrong(expected: u64, got: u64) -> Self {
        Problem(format!("message {expected} was due, and {got} came")).into()
    }
}

/// What a process keeps from one task to the next: what is expensive to make.
#[derive(Debug)]
pub struct Recorder {
    latencies: Histogram<u64>,
    /// What one look at the clock costs: nanoseconds.
    clock_ns: u64,
}

impl Recorder {
    /// Makes one, and finds out what a look at the clock costs.
    ///
    /// # Errors
    /// Where there is no room for it.
    pub fn new() -> Result<Self, Problem> {
        let latencies = Histogram::new_with_bounds(1, LATENCY_MAX_NS, DIGITS)
            .map_err(|error| Problem(format!("a histogram cannot be made: {error}")))?;
        let mut looks: Vec<u64> = (0..CLOCK_LOOKS)
            .map(|_| {
                let first = clock::now();
                clock::now() - first
            })
            .collect();
        looks.sort_unstable();
        Ok(Self { latencies, clock_ns: looks[looks.len() / 2] })
    }
}

/// A task, while it is done.
pub struct Task<'t> {
    told: &'t Measure,
    /// This process's place among the parties.
    place: usize,
    /// The process ids of the parties, in their order.
    pids: Vec<i32>,
    check: Option<&'t Mapping>,
    /// How many processors the parties have together.
    processors: usize,
    is_lossy: bool,
    meet: &'t dyn Fn(),
    recorder: &'t mut Recorder,
    before: Usage,
    measured: Measured,
    slice_began: u64,
}

impl std::fmt::Debug for Task<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Task").field("told", self.told).field("place", &self.place).finish_non_exhaustive()
    }
}

/// What a process knows of the others and of itself, for a task.
pub struct Company<'t> {
    /// Its place among the parties.
    pub place: usize,
    /// The process ids of the parties, in their order.
    pub pids: Vec<i32>,
    /// Memory in which they check one another.
    pub check: Option<&'t Mapping>,
    /// How many processors they have together.
    pub processors: usize,
    /// Whether what is sent may get lost.
    pub is_lossy: bool,
    /// Waits until all have come.
    pub meet: &'t dyn Fn(),
}

impl<'t> Task<'t> {
    /// Prepares a task.
    pub fn new(told: &'t Measure, company: Company<'t>, recorder: &'t mut Recorder) -> Self {
        let Company { place, pids, check, processors, is_lossy, meet } = company;
        recorder.latencies.reset();
        let slice_operations = told.operations.div_ceil(SLICES).max(1);
        // Nothing is allocated once it has begun.
        let slices = Vec::with_capacity(usize::try_from(told.operations / slice_operations + 1).unwrap_or(0));
        let measured = Measured { slices, slice_operations, ..Measured::default() };
        Self {
            told,
            place,
            pids,
            check,
            processors,
            is_lossy,
            meet,
            recorder,
            before: Usage::default(),
            measured,
            slice_began: 0,
        }
    }

    /// What is done.
    pub(super) fn what(&self) -> What {
        self.told.task
    }

    /// How often.
    pub(super) fn operations(&self) -> u64 {
        self.told.operations
    }

    /// Bytes in a message.
    pub(super) fn bytes(&self) -> usize {
        usize::try_from(self.told.bytes).unwrap_or(usize::MAX)
    }

    /// Of an open loop: from one message to the next, in nanoseconds.
    pub(super) fn interval_ns(&self) -> u64 {
        self.told.interval_ns
    }

    /// Whether this process begins.
    pub(super) fn leads(&self) -> bool {
        self.place == 0
    }

    fn is_round_trip(&self) -> bool {
        matches!(
            self.told.task,
            What::RoundTrip
                | What::RoundTripInPlace
                | What::Sigwait
                | What::Sigqueue
                | What::Signalfd
                | What::Handler
                | What::Switch
        )
    }

    /// Whether there are others.
    pub(super) fn has_company(&self) -> bool {
        self.told.parties.len() > 1
    }

    /// Whether a party that waits by looking has to let others run: they have no processor of their own.
    pub(super) fn is_crowded(&self) -> bool {
        self.processors < self.told.parties.len()
    }

    /// Whether what is sent may get lost.
    pub(super) fn is_lossy(&self) -> bool {
        self.is_lossy
    }

    /// The process id of the other of two.
    pub(super) fn other(&self) -> Result<i32, Stopped> {
        self.pids
            .iter()
            .copied()
            .enumerate()
            .find(|(place, _)| *place != self.place)
            .map(|(_, pid)| pid)
            .ok_or_else(|| Problem("it was told of no other party".to_owned()).into())
    }

    /// All come together, and it begins.
    pub(super) fn begin(&mut self) {
        if self.leads()
            && let Some(check) = self.check
        {
            for place in [GUARDED, STOPPED, TOTAL, FIRST_WORD, SECOND_WORD] {
                check.cell(place).inspect(|cell| cell.store(0, Ordering::SeqCst));
            }
        }
        self.measured.processors.extend(usage::processor());
        (self.meet)();
        if self.leads() && self.is_round_trip() && !self.is_crowded() {
            clock::wait_until(clock::now() + STAGGER_NS);
        }
        self.before = Usage::now();
        self.measured.began = clock::now();
        self.slice_began = self.measured.began;
    }

    /// It is over for this process; it waits until it is for all.
    pub(super) fn end(&mut self, operations: u64) {
        self.over(operations);
        self.wait_for_all();
    }

    /// It is over for this process, which has something to do yet that does not count: so many of the messages have come.
    pub(super) fn end_of_many(&mut self, received: u64) {
        self.over(received);
        self.measured.lost = self.told.operations.saturating_sub(received);
    }

    /// Waits until it is over for all.
    pub(super) fn wait_for_all(&self) {
        (self.meet)();
    }

    fn over(&mut self, operations: u64) {
        self.measured.ended = clock::now();
        let used = Usage::now().since(self.before);
        self.measured.operations = operations;
        self.measured.processor_ns = used.processor_ns;
        self.measured.voluntary_switches = used.voluntary_switches;
        self.measured.involuntary_switches = used.involuntary_switches;
        let seen = usage::processor().filter(|processor| !self.measured.processors.contains(processor));
        self.measured.processors.extend(seen);
    }

    /// As [`Self::begin`] and [`Self::end`], around operations each of which is timed.
    #[inline]
    pub(super) fn timed(&mut self, mut one: impl FnMut(u64) -> Result<(), Stopped>) -> Result<(), Stopped> {
        self.begin();
        for number in 0..self.told.operations {
            let began = clock::now();
            one(number)?;
            self.record(clock::now() - began);
        }
        self.end(self.told.operations);
        Ok(())
    }

    /// As [`Self::begin`] and [`Self::end`], around operations that are timed in slices.
    #[inline]
    pub(super) fn sliced(&mut self, one: impl FnMut(u64) -> Result<(), Stopped>) -> Result<(), Stopped> {
        self.begin();
        let done = self.slices(None, one)?;
        self.end(done);
        Ok(())
    }

    /// Does all operations, unless somebody says before that they are to stop or the time for it is over, and gives how many it did. Slices
    /// are timed where nobody can say so. There is one loop for both, with one call in it, so that the operation is inlined.
    #[inline]
    fn slices<E>(&mut self, stopped: Option<&AtomicU64>, mut one: impl FnMut(u64) -> Result<(), E>) -> Result<u64, E> {
        let operations = self.told.operations;
        let in_slice = if stopped.is_some() { TOGETHER_LOOKS_APART } else { self.measured.slice_operations };
        let mut number = 0;
        while number < operations {
            let until = (number + in_slice).min(operations);
            let is_whole = until - number == in_slice;
            while number < until {
                if stopped.is_some_and(|stopped| stopped.load(Ordering::Relaxed) != 0) {
                    return Ok(number);
                }
                one(number)?;
                number += 1;
            }
            if stopped.is_some() && clock::now() - self.measured.began > TOGETHER_NS_MAX {
                break;
            }
            if is_whole && stopped.is_none() {
                self.lap();
            }
        }
        Ok(number)
    }

    /// As [`Self::begin`] and [`Self::end`], around operations that nobody times.
    #[inline]
    pub(super) fn untimed(&mut self, mut one: impl FnMut(u64) -> Result<(), Stopped>) -> Result<(), Stopped> {
        self.begin();
        for number in 0..self.told.operations {
            one(number)?;
        }
        self.end(self.told.operations);
        Ok(())
    }

    /// As [`Self::sliced`], until one of all parties is through, or has no more time: so nobody does anything alone that is measured in
    /// company. Gives how many all have done together.
    ///
    /// What goes wrong is boxed: a result is one word then, and a loop learns in a register that all is well.
    #[inline]
    pub(super) fn together(&mut self, mut one: impl FnMut() -> Result<(), Box<Stopped>>) -> Result<u64, Stopped> {
        let company = if self.has_company() {
            let check = self.check.ok_or_else(no_check)?;
            Some((check.cell(STOPPED).ok_or_else(no_check)?, check.cell(TOTAL).ok_or_else(no_check)?))
        } else {
            None
        };
        self.begin();
        let done = self.slices(company.map(|(stopped, _)| stopped), |_| one()).map_err(|stopped| *stopped)?;
        if let Some((stopped, total)) = company {
            stopped.store(1, Ordering::Relaxed);
            total.fetch_add(done, Ordering::SeqCst);
        }
        self.end(done);
        Ok(company.map_or(done, |(_, total)| total.load(Ordering::SeqCst)))
    }

    /// Writes down how long something took, without the look at the clock.
    #[inline]
    pub(super) fn record(&mut self, time_ns: u64) {
        self.recorder.latencies.saturating_record(time_ns.saturating_sub(self.recorder.clock_ns));
    }

    /// Writes down a lateness: not a time between two looks, so that nothing is taken off.
    #[inline]
    pub(super) fn record_lateness(&mut self, late_ns: u64) {
        self.recorder.latencies.saturating_record(late_ns);
    }

    /// A slice is over.
    #[inline]
    pub(super) fn lap(&mut self) {
        let now = clock::now();
        self.measured.slices.push(now - self.slice_began);
        self.slice_began = now;
    }

    /// How many operations are in a slice.
    pub(super) fn slice_operations(&self) -> u64 {
        self.measured.slice_operations
    }

    /// A cell that what is measured has to protect: it is read and written as if nobody else did.
    pub(super) fn guarded(&self) -> Result<&'t AtomicU64, Stopped> {
        self.check.and_then(|check| check.cell(GUARDED)).ok_or_else(no_check)
    }

    /// A cell for each of two parties: its own first.
    pub(super) fn words(&self) -> Result<[&'t AtomicU64; 2], Stopped> {
        let cell = |place| self.check.and_then(|check| check.cell(place)).ok_or_else(no_check);
        let places = if self.leads() { [FIRST_WORD, SECOND_WORD] } else { [SECOND_WORD, FIRST_WORD] };
        Ok([cell(places[0])?, cell(places[1])?])
    }

    /// What was written down.
    pub fn finish(mut self) -> Measured {
        self.measured.pace_ns = usage::pace_ns();
        let recorded = self.recorder.latencies.iter_recorded();
        self.measured.latencies =
            recorded.flat_map(|value| [value.value_iterated_to(), value.count_since_last_iteration()]).collect();
        self.measured
    }
}

/// The complaint about a task that needs memory to check by.
fn no_check() -> Stopped {
    Problem("it was told of no memory to check by".to_owned()).into()
}

#[cfg(test)]
mod tests {
    use super::{Company, Recorder, TOGETHER_LOOKS_APART, TOGETHER_NS_MAX, Task};
    use crate::clock;
    use harness_core::wire::{Measure, measure::Task as What};
    use impls_sys::memory::Mapping;

    #[test]
    fn who_does_something_in_company_ends_although_it_takes_far_longer_than_it_was_thought_to() {
        let told = Measure {
            task: What::Take,
            channel: None,
            answers: None,
            check: None,
            parties: vec!["one".to_owned(), "other".to_owned()],
            operations: 1_000_000_000,
            bytes: 0,
            interval_ns: 0,
        };
        let check = Mapping::anonymous(4096).unwrap();
        let mut recorder = Recorder::new().unwrap();
        let meet = || ();
        let company =
            Company { place: 0, pids: vec![1, 2], check: Some(&check), processors: 2, is_lossy: false, meet: &meet };
        let mut task = Task::new(&told, company, &mut recorder);
        // All the time that it has goes by in the first operation.
        let mut is_first = true;
        let done = task.together(|| {
            if std::mem::take(&mut is_first) {
                clock::wait_until(clock::now() + TOGETHER_NS_MAX + 1);
            }
            Ok(())
        });
        assert_eq!(done.unwrap(), TOGETHER_LOOKS_APART);
        assert_eq!(task.finish().operations, TOGETHER_LOOKS_APART);
    }
}
