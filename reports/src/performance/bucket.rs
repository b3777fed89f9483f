//! Steps on a scale of multiples: twelve from one power of ten to the next, each a fifth more than the one before.
//!
//! A multiple that is measured again is a little different every time; the step that it falls into is the same, and where it lies between
//! two, the one that it was in before is kept as long as what was measured touches it.

use harness_core::measure::statistics::Interval;

/// Steps from one power of ten to the next.
const STEPS: f64 = 12.0;

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket(i32);

impl Bucket {
    /// The one that a multiple falls into.
    #[must_use]
    pub fn of(ratio: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "`as` saturates, and multiples are not that large")]
        let step = (ratio.max(f64::MIN_POSITIVE).log10() * STEPS).round() as i32;
        Self(step)
    }

    /// The multiple in its middle.
    #[must_use]
    pub fn middle(self) -> f64 {
        10_f64.powf(f64::from(self.0) / STEPS)
    }

    /// The multiples from which on and up to which it is this one.
    #[must_use]
    pub fn edges(self) -> Interval {
        let at = |step: f64| 10_f64.powf((f64::from(self.0) + step) / STEPS);
        Interval { low: at(-0.5), high: at(0.5) }
    }

    /// Whether an interval touches it.
    #[must_use]
    pub fn touches(self, interval: Interval) -> bool {
        let edges = self.edges();
        interval.low <= edges.high && edges.low <= interval.high
    }

    /// This one, where the interval touches it, else the one that the multiple falls into.
    #[must_use]
    pub fn kept(self, ratio: f64, interval: Interval) -> Self {
        if self.touches(interval) { self } else { Self::of(ratio) }
    }
}

#[cfg(test)]
mod tests {
    use super::Bucket;
    use harness_core::measure::statistics::Interval;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(1.0, 1.0)]
    #[case(1.09, 1.0)]
    #[case(1.11, 1.212)]
    #[case(10.0, 10.0)]
    #[case(0.5, 0.464)]
    fn multiples_fall_into_steps(#[case] ratio: f64, #[case] middle: f64) {
        assert!((Bucket::of(ratio).middle() - middle).abs() < 0.001);
    }

    #[test]
    fn one_between_two_stays_where_it_was() {
        let old = Bucket::of(1.0);
        let touching = Interval { low: 1.08, high: 1.16 };
        assert_eq!(old.kept(1.12, touching), old);
        assert_eq!(old.kept(1.2, Interval { low: 1.15, high: 1.25 }), Bucket::of(1.2));
    }

    proptest! {
        #[test]
        fn a_multiple_lies_within_its_step(ratio in 0.001..100_000.0_f64) {
            let edges = Bucket::of(ratio).edges();
            prop_assert!(edges.low <= ratio * 1.000_001 && ratio <= edges.high * 1.000_001);
            prop_assert_eq!(Bucket::of(Bucket::of(ratio).middle()), Bucket::of(ratio));
        }
    }
}
