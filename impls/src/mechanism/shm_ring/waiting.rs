//! How long a side of the ring waits, and in which way: by looking, by letting others run, or asleep.

use crate::ability::{Patience, Result};
use impls_sys::futex;
use nix::errno::Errno;
use std::{hint::spin_loop, sync::atomic::AtomicU32, time::Instant};

/// How often at most is looked before sleeping: about as long as it takes to wake an idle processor, so that at worst waiting takes twice
/// as long as it would have to.
const LOOKS_MAX: u32 = 2_000;
/// How often at least.
const LOOKS_MIN: u32 = 64;
/// After so many waits in a row in which looking was not enough it is done less. After one it is not: it may be that the other side had lost
/// its processor for a moment, and who looks less for that would then sleep in each wait that takes its usual time.
const WAITS_IN_VAIN: u32 = 4;
/// In every so-manieth wait the most is tried again: a side that always sleeps would never notice that it no longer has to.
const WAITS_OF_A_TRIAL: u32 = 64;
/// How often is looked at once, without a pause and before anything else is asked: the answer may be on its way.
pub(super) const LOOKS_AT_ONCE: u32 = 400;
/// A wait that took no more looks than this was for somebody who is just ahead.
const LOOKS_AT_HEELS: u32 = 4;
/// After so many of them a side keeps off.
const WAITS_AT_HEELS: u32 = 8;
/// For so long: some hundred nanoseconds, in which a sender that is worth it sends several messages.
const PAUSES_KEPT_OFF: u32 = 10;

/// How this process waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Waits {
    /// How many there were in which looking at once was not enough.
    count: u32,
    /// How often it looks before it sleeps; 0 before the first wait.
    looks: u32,
    /// In how many waits in a row that was not enough.
    in_vain: u32,
    /// How many in a row were for somebody who is just ahead.
    at_heels: u32,
    /// Whether the other side was seen on the same processor the last time.
    pub(super) shares_processor: bool,
}

impl Waits {
    /// How often to look this time.
    pub(super) fn looks(&mut self) -> u32 {
        if self.count.is_multiple_of(WAITS_OF_A_TRIAL) {
            self.looks = LOOKS_MAX;
        }
        self.count = self.count.wrapping_add(1);
        self.looks
    }

    /// Learns whether looking was enough.
    pub(super) fn learn(&mut self, was_enough: bool) {
        self.in_vain = if was_enough { 0 } else { self.in_vain.saturating_add(1) };
        if was_enough {
            self.looks = LOOKS_MAX;
        } else if self.in_vain >= WAITS_IN_VAIN {
            self.looks = (self.looks / 2).max(LOOKS_MIN);
        }
    }

    /// Whether the last wait was for somebody who is just ahead.
    pub(super) fn is_at_heels(self) -> bool {
        self.at_heels > 0
    }

    /// Leaves the other side alone for a moment, where it was just ahead again and again: each look takes the cache line from it in which it counts.
    /// Returns whether it did.
    #[inline]
    pub(super) fn keep_off(self) -> bool {
        let keeps_off = self.at_heels > WAITS_AT_HEELS;
        if keeps_off {
            for _ in 0..PAUSES_KEPT_OFF {
                spin_loop();
            }
        }
        keeps_off
    }

    /// Learns how often it was looked and how much there was then. Where keeping off found one message and no more, nothing was won.
    #[inline]
    pub(super) fn came(&mut self, looks: u32, kept_off: bool, found: u64) {
        let is_at_heels = looks <= LOOKS_AT_HEELS && !(kept_off && found < 2);
        self.at_heels = if is_at_heels { self.at_heels.saturating_add(1) } else { 0 };
    }
}

/// Until when a call may wait.
pub(super) enum Limit {
    None,
    At(Instant),
    AtOnce,
}

impl From<Patience> for Limit {
    fn from(patience: Patience) -> Self {
        match patience {
            Patience::Forever => Self::None,
            Patience::Never => Self::AtOnce,
            Patience::For(timeout) => Self::At(Instant::now() + timeout),
        }
    }
}

impl Limit {
    /// Sleeps as long as the word has this value.
    pub(super) fn sleep(&self, word: &AtomicU32, value: u32) -> Result<()> {
        let slept = match self {
            Self::AtOnce => return Err(Errno::EAGAIN.into()),
            Self::None => futex::wait(word, value),
            Self::At(deadline) => futex::wait_for(word, value, deadline.saturating_duration_since(Instant::now())),
        };
        match slept {
            Ok(()) | Err(Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LOOKS_AT_HEELS, LOOKS_MAX, LOOKS_MIN, WAITS_AT_HEELS, WAITS_IN_VAIN, WAITS_OF_A_TRIAL, Waits};

    #[test]
    fn who_looks_in_vain_looks_less_and_tries_again() {
        let mut waits = Waits::default();
        let mut wait = |was_enough: bool| {
            let looks = waits.looks();
            waits.learn(was_enough);
            looks
        };
        // One wait in vain changes nothing, however often there is one.
        for _ in 0..WAITS_IN_VAIN {
            assert_eq!([wait(false), wait(true)], [LOOKS_MAX, LOOKS_MAX]);
        }
        let looks: Vec<u32> = (2 * WAITS_IN_VAIN..WAITS_OF_A_TRIAL).map(|_| wait(false)).collect();
        assert_eq!(looks[..WAITS_IN_VAIN as usize], [LOOKS_MAX; WAITS_IN_VAIN as usize]);
        assert_eq!(*looks.last().unwrap(), LOOKS_MIN);
        assert_eq!([wait(true), wait(true)], [LOOKS_MAX, LOOKS_MAX]);
    }

    #[test]
    fn who_is_always_at_the_heels_keeps_off_until_that_wins_nothing() {
        let mut waits = Waits::default();
        for _ in 0..=WAITS_AT_HEELS {
            assert!(!waits.keep_off());
            waits.came(0, false, 1);
        }
        assert!(waits.keep_off());
        waits.came(0, true, 5);
        assert!(waits.keep_off());
        waits.came(0, true, 1);
        assert!(!waits.keep_off());
    }

    #[test]
    fn one_real_wait_is_enough_to_come_near_again() {
        let mut waits = Waits::default();
        for _ in 0..2 * WAITS_AT_HEELS {
            waits.came(0, false, 1);
        }
        waits.came(LOOKS_AT_HEELS + 1, true, 5);
        assert!(!waits.keep_off());
    }
}
