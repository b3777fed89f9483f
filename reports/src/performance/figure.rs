//! Figures as a person reads them: three digits and a unit.

/// A length of time.
#[must_use]
pub fn time(ns: f64) -> String {
    match ns {
        ns if ns < 999.5 => format!("{} ns", digits(ns)),
        ns if ns < 999.5e3 => format!("{} µs", digits(ns / 1e3)),
        ns if ns < 999.5e6 => format!("{} ms", digits(ns / 1e6)),
        ns => format!("{} s", digits(ns / 1e9)),
    }
}

/// How many a second.
#[must_use]
pub fn rate(per_second: f64) -> String {
    format!("{}/s", scaled(per_second))
}

/// Bytes a second, in powers of ten as networks have it.
#[must_use]
pub fn bytes_per_second(bytes: f64) -> String {
    format!("{}B/s", scaled(bytes))
}

fn scaled(number: f64) -> String {
    match number {
        number if number < 999.5 => format!("{} ", digits(number)),
        number if number < 999.5e3 => format!("{} k", digits(number / 1e3)),
        number if number < 999.5e6 => format!("{} M", digits(number / 1e6)),
        number => format!("{} G", digits(number / 1e9)),
    }
}

/// A size, in powers of two as memory has it.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 20 && bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        bytes if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        bytes => format!("{bytes} B"),
    }
}

/// How many times as much.
#[must_use]
pub fn multiple(ratio: f64) -> String {
    format!("{}×", digits(ratio))
}

/// A number with three digits that say something.
#[must_use]
pub fn digits(number: f64) -> String {
    match number.abs() {
        magnitude if magnitude >= 99.95 => format!("{number:.0}"),
        magnitude if magnitude >= 9.995 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// A count that ought to be whole: with one digit behind the point where it is not.
#[must_use]
pub fn count(number: f64) -> String {
    if (number - number.round()).abs() < 0.05 { format!("{number:.0}") } else { format!("{number:.1}") }
}

#[cfg(test)]
mod tests {
    use super::{bytes_per_second, count, multiple, rate, size, time};
    use rstest::rstest;

    #[rstest]
    #[case(2.0, "2.00 ns")]
    #[case(67.04, "67.0 ns")]
    #[case(999.7, "1.00 µs")]
    #[case(4_939.0, "4.94 µs")]
    #[case(52_123.0, "52.1 µs")]
    #[case(8_002_000.0, "8.00 ms")]
    #[case(2.5e9, "2.50 s")]
    fn times_have_three_digits(#[case] ns: f64, #[case] expected: &str) {
        assert_eq!(time(ns), expected);
    }

    #[test]
    fn other_figures_have_their_units() {
        assert_eq!(rate(1_234_567.0), "1.23 M/s");
        assert_eq!(rate(12.0), "12.0 /s");
        assert_eq!(bytes_per_second(4.1e9), "4.10 GB/s");
        assert_eq!(size(65_536), "64 KiB");
        assert_eq!(size(1_048_576), "1 MiB");
        assert_eq!(size(100), "100 B");
        assert_eq!(multiple(1.1), "1.10×");
        assert_eq!((count(2.01).as_str(), count(2.46).as_str()), ("2", "2.5"));
    }
}
