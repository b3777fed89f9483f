//! The few statistics that reports need: medians, quantiles, and intervals by resampling.
//!
//! Medians, because what disturbs a measurement only ever adds to it, and sometimes much. Intervals by the bootstrap, because nothing is
//! known of how figures are distributed. The numbers that choose what is resampled have a fixed seed, so that the same samples
//! always come to the same interval.

/// How often samples are drawn anew for an interval.
const RESAMPLES: usize = 2_000;

/// Where nothing else is said.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Numbers that look random: xorshift64*, by Vigna.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed ^ SEED | 1)
    }

    /// The next number.
    fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below this one, which is above 0.
    pub fn below(&mut self, bound: usize) -> usize {
        // The upper half of a product is evenly spread; that it is not perfectly so is of no account here.
        let product = u128::from(self.number()) * bound.max(1) as u128;
        usize::try_from(product >> 64).unwrap_or(0)
    }

    /// Puts things into another order, each as likely as any.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for end in (1..things.len()).rev() {
            things.swap(end, self.below(end + 1));
        }
    }
}

/// The median of numbers; of an even count the mean of the two in the middle. 0 of none.
#[must_use]
pub fn median(numbers: &[f64]) -> f64 {
    quantile(numbers, 0.5)
}

/// The number below which this part of all lies, between its neighbours in proportion. 0 of none.
#[must_use]
pub fn quantile(numbers: &[f64], part: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    of_sorted(&sorted, part)
}

fn of_sorted(sorted: &[f64], part: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = part.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and `last`")]
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    let weight = place - below as f64;
    sorted[below] * (1.0 - weight) + sorted[above] * weight
}

/// How far numbers lie from their median, in the median.
#[must_use]
pub fn deviation(numbers: &[f64]) -> f64 {
    let middle = median(numbers);
    let distances: Vec<f64> = numbers.iter().map(|number| (number - middle).abs()).collect();
    median(&distances)
}

/// Between which two numbers something lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl Interval {
    /// Whether a number lies in it.
    #[must_use]
    pub fn holds(self, number: f64) -> bool {
        self.low <= number && number <= self.high
    }
}

/// The 95 % interval of the median, by the bootstrap. Of fewer than three numbers it is all that was seen.
#[must_use]
pub fn interval(numbers: &[f64]) -> Interval {
    if numbers.len() < 3 {
        return Interval { low: quantile(numbers, 0.0), high: quantile(numbers, 1.0) };
    }
    let mut random = Random::new(numbers.len() as u64);
    let mut drawn = vec![0.0; numbers.len()];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            for place in &mut drawn {
                *place = numbers[random.below(numbers.len())];
            }
            median(&drawn)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    Interval { low: of_sorted(&medians, 0.025), high: of_sorted(&medians, 0.975) }
}

#[cfg(test)]
mod tests {
    use super::{Random, deviation, interval, median, quantile};
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[], 0.5, 0.0)]
    #[case(&[3.0], 0.9, 3.0)]
    #[case(&[1.0, 2.0], 0.5, 1.5)]
    #[case(&[4.0, 1.0, 3.0, 2.0, 5.0], 0.5, 3.0)]
    #[case(&[4.0, 1.0, 3.0, 2.0, 5.0], 1.0, 5.0)]
    #[case(&[0.0, 10.0], 0.25, 2.5)]
    fn quantiles_lie_between_neighbours(#[case] numbers: &[f64], #[case] part: f64, #[case] expected: f64) {
        assert!((quantile(numbers, part) - expected).abs() < 1e-9);
    }

    #[test]
    fn one_number_far_away_moves_no_deviation() {
        assert!((deviation(&[1.0, 2.0, 3.0, 1e9]) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_interval_of_much_alike_is_narrow() {
        let numbers: Vec<f64> = (0..200).map(|number| 100.0 + f64::from(number % 5)).collect();
        let interval = interval(&numbers);
        assert!(interval.low >= 101.0 && interval.high <= 103.0, "{interval:?}");
    }

    /// Of 200 intervals around the median of random numbers about 95 in a hundred hold the true one.
    #[test]
    fn intervals_hold_the_median_as_often_as_they_say() {
        let mut random = Random::new(7);
        let held = (0..200)
            .filter(|_| {
                let numbers: Vec<f64> = (0..31).map(|_| random.below(1_000_000) as f64).collect();
                interval(&numbers).holds(500_000.0)
            })
            .count();
        assert!((180..=199).contains(&held), "{held}");
    }

    proptest! {
        #[test]
        fn an_interval_holds_the_median_of_its_own(numbers in prop::collection::vec(0.0..1e9_f64, 1..40)) {
            let interval = interval(&numbers);
            prop_assert!(interval.low <= median(&numbers) + 1e-6 && median(&numbers) <= interval.high + 1e-6);
        }

        #[test]
        fn shuffling_loses_nothing(seed: u64, count in 0..50_usize) {
            let mut things: Vec<usize> = (0..count).collect();
            Random::new(seed).shuffle(&mut things);
            things.sort_unstable();
            prop_assert_eq!(things, (0..count).collect::<Vec<_>>());
        }

        #[test]
        fn numbers_below_a_bound_are_below_it(seed: u64, bound in 1..1000_usize) {
            let mut random = Random::new(seed);
            prop_assert!((0..100).all(|_| random.below(bound) < bound));
        }
    }
}
