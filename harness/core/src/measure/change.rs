//! Whether one build is slower than another: judged from pairs of samples that were taken side by side.
//!
//! A machine has slow minutes and fast ones, and two figures of different minutes say little. So both builds are measured in turns, the one
//! first in every other pair, and each pair gives one quotient. A regression is called only where the 95 % interval of the median
//! quotient lies above the one threshold and the median above the other, and where a second, separate batch of pairs says the same.

use super::{
    cell::Cell,
    statistics::{Interval, interval, median},
};
use serde::{Deserialize, Serialize};

/// The whole interval has to lie above this: five in a hundred slower.
pub const LOW_MIN: f64 = 1.05;

/// The median has to lie above this: eight in a hundred slower.
pub const MEDIAN_MIN: f64 = 1.08;

/// Of fewer pairs nothing is said.
pub const PAIRS_MIN: usize = 8;

/// How often each switches the processor, for one operation, may differ by so much: else the two do not do the same, and a
/// quotient of their times is still a quotient of different things.
const SWITCHES_WITHIN: f64 = 0.35;

/// One pair: the same cell of both builds, one directly after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The figure of the build that is compared with: nanoseconds.
    pub base_ns: f64,
    /// The figure of the build in question.
    pub head_ns: f64,
    /// Context switches for one operation, of both.
    pub switches: [f64; 2],
}

/// What pairs say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tendency {
    /// Slower beyond doubt, in this batch.
    Slower,
    /// Faster beyond doubt, in this batch.
    Faster,
    /// Neither can be said.
    Alike,
}

/// How the pairs of a cell came out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// How many pairs.
    pub pairs: usize,
    /// The median quotient: above 1 is slower.
    pub quotient: f64,
    /// Its 95 % interval.
    pub interval: Interval,
    /// What it says.
    pub tendency: Tendency,
    /// Whether both builds switch processors equally often.
    pub is_like_for_like: bool,
}

impl Change {
    /// Of a batch of pairs.
    #[must_use]
    pub fn of(pairs: &[Pair]) -> Self {
        let logarithms: Vec<f64> =
            pairs.iter().filter(|pair| pair.base_ns > 0.0).map(|pair| (pair.head_ns / pair.base_ns).ln()).collect();
        let between = interval(&logarithms);
        let (quotient, interval) =
            (median(&logarithms).exp(), Interval { low: between.low.exp(), high: between.high.exp() });
        let tendency = if logarithms.len() < PAIRS_MIN {
            Tendency::Alike
        } else if interval.low > LOW_MIN && quotient > MEDIAN_MIN {
            Tendency::Slower
        } else if interval.high < 1.0 / LOW_MIN && quotient < 1.0 / MEDIAN_MIN {
            Tendency::Faster
        } else {
            Tendency::Alike
        };
        let switches = |place: usize| median(&pairs.iter().map(|pair| pair.switches[place]).collect::<Vec<_>>());
        let is_like_for_like = (switches(0) - switches(1)).abs() <= SWITCHES_WITHIN;
        Self { pairs: logarithms.len(), quotient, interval, tendency, is_like_for_like }
    }
}

/// The verdict on a cell, of one batch or two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The cell.
    pub cell: Cell,
    /// The first batch.
    pub first: Change,
    /// The second, which is taken where the first says that something changed.
    pub second: Option<Change>,
    /// One of the same build twice, taken where both say so: it must not say so.
    pub control: Option<Change>,
}

impl Verdict {
    /// What both batches say: a change only where they agree, and where the same build beside itself shows none.
    #[must_use]
    pub fn tendency(&self) -> Tendency {
        match (&self.second, &self.control) {
            (Some(second), Some(control)) if control.tendency == Tendency::Alike => self.agreed(second),
            _ => Tendency::Alike,
        }
    }

    /// Whether more has to be measured before anything is called a change.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match (&self.second, &self.control) {
            (None, _) => self.first.tendency != Tendency::Alike,
            (Some(second), None) => self.agreed(second) != Tendency::Alike,
            (Some(_), Some(_)) => false,
        }
    }

    fn agreed(&self, second: &Change) -> Tendency {
        if second.tendency == self.first.tendency { second.tendency } else { Tendency::Alike }
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Pair, Tendency, Verdict};
    use crate::measure::statistics::Random;
    use proptest::prelude::*;
    use rstest::rstest;

    /// Pairs as a machine gives them: bursts that both see, jitter that each sees for itself, and outliers.
    fn pairs(seed: u64, count: usize, slowdown: f64, jitter: f64) -> Vec<Pair> {
        let mut random = Random::new(seed);
        let mut unit = || random.below(1 << 20) as f64 / f64::from(1 << 20);
        (0..count)
            .map(|_| {
                let burst = 5_000.0 * (1.0 + 0.4 * unit());
                let mut one = || {
                    let outlier = if unit() > 0.95 { 1.5 } else { 1.0 };
                    burst * outlier * (1.0 + jitter * (unit() - 0.5))
                };
                Pair { base_ns: one(), head_ns: one() * slowdown, switches: [2.0, 2.0] }
            })
            .collect()
    }

    #[rstest]
    #[case::the_same(1.0, Tendency::Alike)]
    #[case::a_little_slower(1.04, Tendency::Alike)]
    #[case::a_fifth_slower(1.2, Tendency::Slower)]
    #[case::a_fifth_faster(1.0 / 1.2, Tendency::Faster)]
    fn a_planted_change_is_seen_and_nothing_else(#[case] slowdown: f64, #[case] expected: Tendency) {
        for seed in 0..50 {
            assert_eq!(Change::of(&pairs(seed, 30, slowdown, 0.1)).tendency, expected, "{seed}");
        }
    }

    #[test]
    fn few_pairs_say_nothing() {
        assert_eq!(Change::of(&pairs(1, 7, 3.0, 0.01)).tendency, Tendency::Alike);
        assert_eq!(Change::of(&[]).tendency, Tendency::Alike);
    }

    #[test]
    fn a_change_needs_both_batches() {
        let (slow, same) = (Change::of(&pairs(1, 30, 1.3, 0.1)), Change::of(&pairs(2, 30, 1.0, 0.1)));
        let cell = "pipe/round_trip/64/one_core".parse().unwrap();
        let verdict = |second, control| {
            let verdict = Verdict { cell, first: slow, second, control };
            (verdict.tendency(), verdict.is_open())
        };
        assert_eq!(verdict(None, None), (Tendency::Alike, true));
        assert_eq!(verdict(Some(same), None), (Tendency::Alike, false));
        assert_eq!(verdict(Some(slow), None), (Tendency::Alike, true));
        assert_eq!(verdict(Some(slow), Some(same)), (Tendency::Slower, false));
        // A machine on which a build is slower than itself says nothing about builds.
        assert_eq!(verdict(Some(slow), Some(slow)), (Tendency::Alike, false));
    }

    #[test]
    fn builds_that_switch_differently_do_not_do_the_same() {
        let mut pairs = pairs(1, 30, 1.0, 0.1);
        assert!(Change::of(&pairs).is_like_for_like);
        pairs.iter_mut().for_each(|pair| pair.switches[1] = 4.0);
        assert!(!Change::of(&pairs).is_like_for_like);
    }

    proptest! {
        /// Whatever both builds see alike takes no part in the verdict.
        #[test]
        fn the_machine_s_own_speed_does_not_matter(seed: u64, speed in 0.1..10.0_f64) {
            let pairs = pairs(seed, 20, 1.1, 0.3);
            let faster: Vec<Pair> = pairs.iter().map(|pair| Pair {
                base_ns: pair.base_ns * speed, head_ns: pair.head_ns * speed, ..*pair
            }).collect();
            let (one, other) = (Change::of(&pairs), Change::of(&faster));
            prop_assert!((one.quotient - other.quotient).abs() < 1e-9);
            prop_assert_eq!(one.tendency, other.tendency);
        }

        /// Exchanging the builds exchanges slower and faster.
        #[test]
        fn a_verdict_is_even_handed(seed: u64, slowdown in 0.5..2.0_f64) {
            let pairs = pairs(seed, 21, slowdown, 0.2);
            let exchanged: Vec<Pair> = pairs.iter().map(|pair| Pair {
                base_ns: pair.head_ns, head_ns: pair.base_ns, switches: pair.switches
            }).collect();
            let turned = match Change::of(&exchanged).tendency {
                Tendency::Slower => Tendency::Faster,
                Tendency::Faster => Tendency::Slower,
                Tendency::Alike => Tendency::Alike,
            };
            prop_assert_eq!(Change::of(&pairs).tendency, turned);
        }
    }
}
