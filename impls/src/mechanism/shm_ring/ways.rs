//! Which way of copying long messages is the fastest just now.
//!
//! That depends on where the cache lines are: whether sender and receiver share a cache, whether the receiver keeps up, how large the messages
//! are. Under a hypervisor it changes while a program runs, since virtual processors move. So nobody asks what processor this is: now and
//! then each way is tried with a few messages, and the best is used for the others.

use crate::clock;
use impls_sys::copying::Way;

/// What is shorter is copied in the first way: looking at the clock would cost more than there is to win.
pub(super) const LONG: usize = 2048;

/// How many messages a way is tried with. The first finds what the way before has left, and does not count.
const TRIED: u32 = 4;
/// How many messages are copied until all ways are tried again: at least, and at most. As long as the best stays the best, the pauses grow.
const PAUSE_MIN: u32 = 128;
const PAUSE_MAX: u32 = 4096;
/// What goes around the caches has to be fetched from memory by the receiver. That is its time, which the sender does not see; so the cost of
/// this way counts as often. It is worth it where lines come from far away, and then by much.
const AROUND_COUNTS: u64 = 3;
/// Costs are compared by this many bytes: messages may have different lengths.
const UNIT: u64 = 1 << 16;

/// Learns from the messages that one side of a ring copies.
#[derive(Debug)]
pub(super) struct Ways {
    ways: &'static [Way],
    /// What each cost in the last trial: nanoseconds for so many messages of [`UNIT`] bytes.
    costs: [u64; 3],
    /// The place of the way in use.
    used: usize,
    /// Whether that is being tried.
    is_trial: bool,
    /// The place of the way that was the best.
    best: usize,
    /// How many messages until something else is used.
    left: u32,
    pause: u32,
}

impl Ways {
    /// Of a sender.
    pub(super) fn in_() -> Self {
        Self::new(&[Way::Library, Way::Wide, Way::Around])
    }

    /// Of a receiver.
    pub(super) fn out() -> Self {
        Self::new(&[Way::Library, Way::Wide])
    }

    fn new(ways: &'static [Way]) -> Self {
        Self { ways, costs: [0; 3], used: 0, is_trial: true, best: 0, left: TRIED, pause: PAUSE_MIN }
    }

    /// Copies a message in one of the ways.
    #[inline]
    pub(super) fn copy<T>(&mut self, length: usize, copy: impl FnOnce(Way) -> T) -> T {
        if length < LONG {
            return copy(Way::Library);
        }
        let way = self.ways.get(self.used).copied().unwrap_or_default();
        self.left = self.left.saturating_sub(1);
        if !self.is_trial {
            let copied = copy(way);
            if self.left == 0 {
                self.try_all();
            }
            return copied;
        }
        let began = clock::now();
        let copied = copy(way);
        self.learn(clock::now().saturating_sub(began), length);
        copied
    }

    fn try_all(&mut self) {
        (self.used, self.is_trial, self.left, self.costs) = (0, true, TRIED, [0; 3]);
    }

    /// Learns what a message has cost, and goes on to the next way when this has been tried often enough.
    fn learn(&mut self, time_ns: u64, length: usize) {
        if self.left + 1 < TRIED
            && let Some(cost) = self.costs.get_mut(self.used)
        {
            let times = if self.ways.get(self.used) == Some(&Way::Around) { AROUND_COUNTS } else { 1 };
            *cost += time_ns.saturating_mul(times * UNIT) / (length as u64).max(1);
        }
        if self.left > 0 {
            return;
        }
        self.used += 1;
        self.left = TRIED;
        if self.used < self.ways.len() {
            return;
        }
        let best = (0..self.ways.len()).min_by_key(|place| self.costs.get(*place)).unwrap_or(0);
        self.pause = if best == self.best { (self.pause * 2).min(PAUSE_MAX) } else { PAUSE_MIN };
        (self.best, self.used, self.is_trial, self.left) = (best, best, false, self.pause);
    }
}

#[cfg(test)]
mod tests {
    use super::{AROUND_COUNTS, LONG, PAUSE_MIN, TRIED, Ways};
    use impls_sys::copying::Way;

    /// The ways of the next so many messages, each of which takes as long as is said.
    fn drive(ways: &mut Ways, messages: u32, cost: impl Fn(Way) -> u64) -> Vec<Way> {
        (0..messages)
            .map(|_| {
                let used = ways.ways[ways.used];
                ways.left -= 1;
                if ways.is_trial {
                    ways.learn(cost(used), LONG);
                } else if ways.left == 0 {
                    ways.try_all();
                }
                used
            })
            .collect()
    }

    #[test]
    fn the_best_of_all_is_used_until_all_are_tried_again() {
        let mut ways = Ways::in_();
        let cost = |way| if way == Way::Wide { 100 } else { 200 };
        drive(&mut ways, 3 * TRIED, cost);
        assert!(drive(&mut ways, PAUSE_MIN, cost).iter().all(|way| *way == Way::Wide));
        // Now another one is better, and by enough.
        let cost = |way| if way == Way::Around { 100 } else { 100 * AROUND_COUNTS + 1 };
        drive(&mut ways, 3 * TRIED, cost);
        assert!(drive(&mut ways, PAUSE_MIN, cost).iter().all(|way| *way == Way::Around));
    }

    #[test]
    fn short_messages_are_not_timed() {
        let mut ways = Ways::out();
        assert_eq!(ways.copy(LONG - 1, |way| way), Way::Library);
        assert_eq!(ways.left, TRIED);
    }
}
