//! Meetings in shared memory: a barrier that spins for a while, then sleeps.
//!
//! Spinning is what makes calls overlap: a process that sleeps is woken some 25 µs too late. Where there are more
//! processes than processors nobody spins, since the one that is waited for could not run.

use crate::{clock, perform::Problem};
use impls_sys::{futex, memory::Mapping};
use std::{
    hint,
    sync::atomic::{AtomicU32, Ordering},
};

/// How many meetings a run can have.
const MEETINGS_MAX: usize = 128;

/// Bytes of a meeting: two cache lines, so that neighbours do not disturb each other.
const MEETING_BYTES: usize = 128;

/// How often a process looks before it sleeps.
const SPINS_MAX: u32 = 2_000;

/// The longest jitter, in nanoseconds; every second kind of run has none.
const JITTER_NS: [u64; 4] = [0, 200, 0, 1_000];

/// Memory for the meetings of a run, shared by its processes.
#[derive(Debug)]
pub(super) struct Meetings {
    pages: Mapping,
    /// How many processors the processes have together.
    processors: usize,
}

/// The words of one meeting.
struct Meeting<'m> {
    arrived: &'m AtomicU32,
    generation: &'m AtomicU32,
    sleepers: &'m AtomicU32,
}

impl Meetings {
    /// Makes the memory, to be called before the processes are started.
    pub(super) fn new(processors: usize) -> impls_sys::Result<Self> {
        Ok(Self { pages: Mapping::anonymous(MEETINGS_MAX * MEETING_BYTES)?, processors })
    }

    /// Waits until all parties have come to this meeting. A meeting can be held again and again.
    pub(super) fn meet(&self, index: usize, parties: u32) -> Result<(), Problem> {
        let meeting = self.meeting(index)?;
        let generation = meeting.generation.load(Ordering::SeqCst);
        if meeting.arrived.fetch_add(1, Ordering::SeqCst) + 1 >= parties {
            meeting.release();
            return Ok(());
        }
        if usize::try_from(parties).is_ok_and(|parties| parties <= self.processors) {
            for _ in 0..SPINS_MAX {
                if meeting.generation.load(Ordering::SeqCst) != generation {
                    return Ok(());
                }
                hint::spin_loop();
            }
        }
        meeting.sleep(generation);
        Ok(())
    }

    fn meeting(&self, index: usize) -> Result<Meeting<'_>, Problem> {
        let too_many = || Problem(format!("a run can have {MEETINGS_MAX} meetings, and no more"));
        let at = index * MEETING_BYTES;
        let word = |offset: usize| self.pages.word(at + offset).ok_or_else(too_many);
        Ok(Meeting { arrived: word(0)?, generation: word(4)?, sleepers: word(8)? })
    }
}

impl Meeting<'_> {
    /// The last one to come lets all go on.
    fn release(&self) {
        // Before the generation: whoever comes to the next meeting counts from zero.
        self.arrived.store(0, Ordering::SeqCst);
        self.generation.fetch_add(1, Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            // A wake-up can only fail for an address that is not mapped.
            let _ = futex::wake_all(self.generation);
        }
    }

    /// Sleeps until the generation is another. The system compares it once more before it lets this process sleep.
    fn sleep(&self, generation: u32) {
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while self.generation.load(Ordering::SeqCst) == generation {
            // Interrupted or changed in between: the loop looks again.
            let _ = futex::wait(self.generation, generation);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A small random delay after a meeting, so that runs differ in who comes first.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    /// With the seed 0 there is none.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Draws the delay of a run. What kind of run it is, all processes know by its number.
    pub(super) fn draw_ns(&mut self, run: u32) -> u64 {
        let longest = JITTER_NS[run as usize % JITTER_NS.len()];
        if self.0 == 0 || longest == 0 {
            return 0;
        }
        // xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled".
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % (longest + 1)
    }

    /// Spins for so long.
    pub(super) fn spin(ns: u64) {
        if ns > 0 {
            let until = clock::now() + ns;
            while clock::now() < until {
                hint::spin_loop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Jitter, MEETINGS_MAX, Meetings};
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Threads stand in for processes: the memory is the same to both.
    #[test]
    fn nobody_leaves_before_all_have_come() {
        for processors in [1, 8] {
            let meetings = Meetings::new(processors).unwrap();
            let come = AtomicU32::new(0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for round in 1..=200_u32 {
                            come.fetch_add(1, Ordering::SeqCst);
                            meetings.meet(0, 4).unwrap();
                            assert!(come.load(Ordering::SeqCst) >= round * 4);
                            meetings.meet(1, 4).unwrap();
                        }
                    });
                }
            });
            assert_eq!(come.load(Ordering::SeqCst), 800);
        }
    }

    #[test]
    fn there_is_a_last_meeting() {
        let meetings = Meetings::new(1).unwrap();
        assert!(meetings.meet(MEETINGS_MAX - 1, 1).is_ok());
        assert!(meetings.meet(MEETINGS_MAX, 1).is_err());
    }

    #[test]
    fn jitter_repeats_with_its_seed_and_stays_within_a_microsecond() {
        let draw = |seed| {
            let mut jitter = Jitter::new(seed);
            (0..100).map(|run| jitter.draw_ns(run)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|ns| *ns <= 1_000) && draw(7).iter().any(|ns| *ns > 200));
        assert!(draw(0).iter().all(|ns| *ns == 0));
    }
}
