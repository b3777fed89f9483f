//! A logarithmic axis: where numbers lie on it, and its marks.

/// An axis from one place to another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// The smallest number on it and the largest.
    numbers: (f64, f64),
    /// Where they lie.
    places: (f64, f64),
}

impl Axis {
    /// An axis on which all of these numbers have room, widened to whole powers of the base.
    pub(super) fn around(numbers: impl IntoIterator<Item = f64>, base: f64, places: (f64, f64)) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for number in numbers.into_iter().filter(|number| *number > 0.0) {
            low = low.min(number);
            high = high.max(number);
        }
        if low > high {
            (low, high) = (1.0, base);
        }
        let power =
            |number: f64, round: fn(f64) -> f64| base.powf(round((number.ln() / base.ln() * 1e6).round() / 1e6));
        let (low, mut high) = (power(low, f64::floor), power(high, f64::ceil));
        if high <= low {
            high = low * base;
        }
        Self { numbers: (low, high), places }
    }

    /// Where a number lies; one beyond an end lies at it.
    pub(super) fn place(&self, number: f64) -> f64 {
        let (low, high) = self.numbers;
        let part = (number.clamp(low, high).ln() - low.ln()) / (high.ln() - low.ln());
        self.places.0 + part * (self.places.1 - self.places.0)
    }

    /// The numbers at its marks: powers of the base.
    pub(super) fn marks(&self, base: f64) -> Vec<f64> {
        let (low, high) = self.numbers;
        let mut marks = Vec::new();
        let mut mark = low;
        while mark <= high * 1.000_1 {
            marks.push(mark);
            mark *= base;
        }
        marks
    }

    /// The ends, as places.
    pub(super) fn ends(&self) -> (f64, f64) {
        self.places
    }

    /// The ends, as numbers.
    pub(super) fn numbers(&self) -> (f64, f64) {
        self.numbers
    }
}

/// A figure as it stands at a mark, without digits that are zero.
pub(super) fn short(figure: &str) -> String {
    let (number, unit) = figure.split_once(' ').unwrap_or((figure, ""));
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::{Axis, short};
    use proptest::prelude::*;

    #[test]
    fn ends_are_whole_powers() {
        let axis = Axis::around([3.0, 250.0], 10.0, (0.0, 300.0));
        assert_eq!(axis.marks(10.0), [1.0, 10.0, 100.0, 1000.0]);
        assert!((axis.place(10.0) - 100.0).abs() < 1e-9);
        assert!((axis.place(0.001) - 0.0).abs() < 1e-9);
    }

    #[test]
    fn figures_at_marks_are_short() {
        assert_eq!(short("1.00 GB/s"), "1 GB/s");
        assert_eq!(short("100 MB/s"), "100 MB/s");
    }

    #[test]
    fn an_axis_of_nothing_is_an_axis() {
        assert_eq!(Axis::around([], 10.0, (0.0, 1.0)).marks(10.0), [1.0, 10.0]);
        assert_eq!(Axis::around([100.0], 10.0, (0.0, 1.0)).marks(10.0), [100.0, 1000.0]);
    }

    proptest! {
        #[test]
        fn larger_numbers_lie_further(numbers in prop::collection::vec(0.1..1e9_f64, 2..20)) {
            let axis = Axis::around(numbers.clone(), 10.0, (10.0, 500.0));
            let mut sorted = numbers;
            sorted.sort_by(f64::total_cmp);
            let places: Vec<f64> = sorted.iter().map(|number| axis.place(*number)).collect();
            prop_assert!(places.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(places.iter().all(|place| (9.99..=500.01).contains(place)));
        }
    }
}
