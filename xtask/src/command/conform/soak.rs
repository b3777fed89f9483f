//! `--until-failure` and `--for`: the same instances again and again, each round with another seed.

use super::run::{Runner, Step};
use crate::select::Selected;
use harness_core::{InstanceReport, Verdict};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Soak {
    /// Whether the first instance that is broken or faulty is the last.
    pub(super) until_failure: bool,
    /// The bound; none, if left out.
    pub(super) time: Option<Duration>,
}

/// A length of time as a command line has it: `90s`, `10m`, `2h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("`{text}` is no length of time: write a number and a unit (s, m, h), as `10m`");
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let factor = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return Err(bad()),
    };
    let number: u64 = digits.parse().map_err(|_| bad())?;
    number.checked_mul(factor).filter(|seconds| *seconds > 0).map(Duration::from_secs).ok_or_else(bad)
}

/// Runs round after round. Returns the worst report of each instance, in the order of their ids, and how many rounds there were.
pub(super) fn run(
    soak: Soak,
    runner: &mut Runner,
    selected: &[Selected<'_>],
    on_step: &mut dyn FnMut(&Step),
) -> (Vec<InstanceReport>, u64) {
    let until = soak.time.map(|time| Instant::now() + time);
    let mut worst: BTreeMap<String, InstanceReport> = BTreeMap::new();
    let mut rounds = 0;
    loop {
        runner.run(selected, &mut |step| {
            on_step(&step);
            if let Step::Done(report) = step {
                keep(&mut worst, *report);
            }
        });
        rounds += 1;
        let failed = worst.values().any(|report| matches!(report.verdict, Verdict::Broken | Verdict::Faulty));
        let is_over = until.is_some_and(|until| Instant::now() >= until);
        if runner.is_cancelled() || is_over || soak.until_failure && failed {
            return (worst.into_values().collect(), rounds);
        }
        runner.next_seed();
    }
}

/// The first of the worst reports is kept: it is the one that was shown.
fn keep(worst: &mut BTreeMap<String, InstanceReport>, report: InstanceReport) {
    match worst.get_mut(&report.id) {
        Some(known) if known.verdict >= report.verdict => {}
        Some(known) => *known = report,
        None => {
            worst.insert(report.id.clone(), report);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::duration;
    use rstest::rstest;
    use std::time::Duration;

    #[rstest]
    #[case("90s", 90)]
    #[case("10m", 600)]
    #[case("2h", 7_200)]
    fn lengths_of_time_are_read(#[case] text: &str, #[case] seconds: u64) {
        assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
    }

    #[rstest]
    #[case("")]
    #[case("10")]
    #[case("m")]
    #[case("0s")]
    #[case("1d")]
    #[case("-1s")]
    fn what_is_none_is_refused(#[case] text: &str) {
        assert!(duration(text).unwrap_err().contains("as `10m`"));
    }
}
