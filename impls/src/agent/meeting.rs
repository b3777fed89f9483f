//! Meetings in shared memory: everybody writes down that it has come, and looks for all the others.
//!
//! Spinning is what makes calls overlap: a process that sleeps is woken some 25 µs too late. So it spins first, then lets others
//! run, and only then sleeps; where there are more processes than processors it spins hardly at all, since the one that is waited
//! for could not run. That it sleeps in the end is what proves a deadlock.

use crate::{clock, perform::Problem};
use impls_sys::{futex, memory::Mapping};
use nix::sched::sched_yield;
use std::{
    hint,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

/// How many meetings a run can have.
pub(super) const MEETINGS_MAX: usize = 128;

/// How many processes a run can have: stamps number them from 1 to 15.
const PROCESSES_MAX: usize = 16;

/// Bytes of a place, where one process writes and all others read: two cache lines, so that neighbours do not disturb each other.
const PLACE_BYTES: usize = 128;

/// How often a process looks for another before it lets others run: with a processor of its own, and without.
const SPINS: [u32; 2] = [4_000, 200];

/// How often it lets others run before it sleeps.
const YIELDS: u32 = 64;

/// How long after the last has come all go on together: nanoseconds. By then the others have seen it: a cache line takes 70 to
/// 300 ns from one processor to another.
const LEAD_NS: u64 = 300;

/// The same where others have to be given a processor first, because they share one or sleep.
const LEAD_WOKEN_NS: u64 = 30_000;

/// How a meeting is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// As soon as all are seen to be there.
    AtOnce,
    /// The same, where others leave at a common instant.
    Early,
    /// So many nanoseconds after a common instant.
    After(u32),
}

/// Memory for the meetings of a run, shared by its processes.
#[derive(Debug)]
pub(super) struct Meetings {
    pages: Mapping,
}

/// One process at one meeting.
struct Place<'m> {
    /// How often it has come.
    times: &'m AtomicU32,
    /// How many sleep until it comes again.
    sleepers: &'m AtomicU32,
    /// The earliest instant to leave that suits it, by the parity of the time: nobody comes twice again before all have read it.
    instant: [&'m AtomicU64; 2],
}

impl Meetings {
    /// Makes the memory, to be called before the processes are started.
    pub(super) fn new() -> impls_sys::Result<Self> {
        Ok(Self { pages: Mapping::anonymous(MEETINGS_MAX * PROCESSES_MAX * PLACE_BYTES)? })
    }

    fn place(&self, meeting: usize, number: u8) -> Result<Place<'_>, Problem> {
        let too_many = || Problem(format!("a run can have {MEETINGS_MAX} meetings, and no more"));
        let at = (meeting * PROCESSES_MAX + usize::from(number) % PROCESSES_MAX) * PLACE_BYTES;
        let word = |offset: usize| self.pages.word(at + offset).ok_or_else(too_many);
        let cell = |offset: usize| self.pages.cell(at + offset).ok_or_else(too_many);
        Ok(Place { times: word(0)?, sleepers: word(4)?, instant: [cell(8)?, cell(16)?] })
    }
}

/// A meeting as one process knows it.
pub(super) struct Meeting<'m> {
    own: Place<'m>,
    others: Vec<Place<'m>>,
    /// Whether all parties have a processor of their own.
    roomy: bool,
}

impl<'m> Meeting<'m> {
    /// The meeting of this index, for the process of this number. All parties come with the same ones, and can come again and again.
    pub(super) fn new(
        meetings: &'m Meetings,
        index: usize,
        number: u8,
        parties: &[u8],
        processors: usize,
    ) -> Result<Self, Problem> {
        let others = parties.iter().filter(|party| **party != number);
        Ok(Self {
            own: meetings.place(index, number)?,
            others: others.map(|party| meetings.place(index, *party)).collect::<Result<_, _>>()?,
            roomy: parties.len() <= processors,
        })
    }

    /// Waits until all have come as often as this process.
    pub(super) fn meet(&self, leave: Leave) {
        let time = self.own.times.load(Ordering::Relaxed).wrapping_add(1);
        let parity = (time & 1) as usize;
        let mut instant = 0;
        if leave != Leave::AtOnce {
            let soon = self.roomy && self.own.sleepers.load(Ordering::Relaxed) == 0;
            instant = clock::now() + if soon { LEAD_NS } else { LEAD_WOKEN_NS };
            self.own.instant[parity].store(instant, Ordering::Relaxed);
        }
        self.own.times.store(time, Ordering::SeqCst);
        if self.own.sleepers.load(Ordering::SeqCst) > 0 {
            // A wake-up can only fail for an address that is not mapped.
            let _ = futex::wake_all(self.own.times);
        }
        for other in &self.others {
            other.wait_for(time, self.roomy);
            if let Leave::After(_) = leave {
                instant = instant.max(other.instant[parity].load(Ordering::Relaxed));
            }
        }
        if let Leave::After(offset) = leave {
            while clock::now() < instant + u64::from(offset) {
                hint::spin_loop();
            }
        }
    }
}

impl Place<'_> {
    fn has_come(&self, time: u32) -> bool {
        // It may have come again already: that counts.
        self.times.load(Ordering::Acquire).wrapping_sub(time) < 1 << 31
    }

    fn wait_for(&self, time: u32, roomy: bool) {
        for _ in 0..SPINS[usize::from(!roomy)] {
            if self.has_come(time) {
                return;
            }
            hint::spin_loop();
        }
        for _ in 0..YIELDS {
            if self.has_come(time) {
                return;
            }
            let _ = sched_yield();
        }
        self.sleep(time);
    }

    /// Sleeps until it has come. The system compares the word once more before it lets this process sleep.
    fn sleep(&self, time: u32) {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        loop {
            let seen = self.times.load(Ordering::SeqCst);
            if seen.wrapping_sub(time) < 1 << 31 {
                break;
            }
            // Interrupted or changed in between: the loop looks again.
            let _ = futex::wait(self.times, seen);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::{Leave, MEETINGS_MAX, Meeting, Meetings};
    use rstest::rstest;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Threads stand in for processes: the memory is the same to both.
    #[rstest]
    #[case(1, Leave::AtOnce)]
    #[case(8, Leave::AtOnce)]
    #[case(8, Leave::Early)]
    #[case(1, Leave::After(50))]
    #[case(8, Leave::After(0))]
    #[case(8, Leave::After(200))]
    fn nobody_leaves_before_all_have_come(#[case] processors: usize, #[case] leave: Leave) {
        let meetings = Meetings::new().unwrap();
        let come = AtomicU32::new(0);
        let parties = [1, 2, 3, 4];
        std::thread::scope(|scope| {
            for number in parties {
                let (meetings, come) = (&meetings, &come);
                scope.spawn(move || {
                    let meet = |index| Meeting::new(meetings, index, number, &parties, processors).unwrap();
                    let (first, second) = (meet(0), meet(1));
                    for round in 1..=200_u32 {
                        come.fetch_add(1, Ordering::SeqCst);
                        first.meet(leave);
                        assert!(come.load(Ordering::SeqCst) >= round * 4);
                        second.meet(leave);
                    }
                });
            }
        });
        assert_eq!(come.load(Ordering::SeqCst), 800);
    }

    #[test]
    fn there_is_a_last_meeting() {
        let meetings = Meetings::new().unwrap();
        assert!(Meeting::new(&meetings, MEETINGS_MAX - 1, 1, &[1], 1).is_ok());
        assert!(Meeting::new(&meetings, MEETINGS_MAX, 1, &[1], 1).is_err());
    }

    #[test]
    fn one_alone_meets_nobody_and_waits_for_nobody() {
        let meetings = Meetings::new().unwrap();
        Meeting::new(&meetings, 0, 3, &[3], 1).unwrap().meet(Leave::AtOnce);
    }
}
