//! Races: how a run is released, and which runs are alike.
//!
//! A race of many runs has few distinct ones. Two runs are of one kind when their calls gave the same and when the intervals of
//! their calls lie to each other in the same way. Whatever is judged looks at outcomes, and at times only to compare them; so
//! one judgement of a kind is the judgement of all its runs.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A way to let the processes of a race go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Each goes on as soon as it sees that all are there.
    Spin,
    /// All go on at a common instant of the clock.
    Instant,
    /// Each goes on some nanoseconds after a common instant, a different number in each run.
    Jitter,
    /// The harness lets them go by messages.
    Messages,
}

impl Environment {
    /// Those that take turns.
    pub const ROTATED: [Self; 3] = [Self::Spin, Self::Instant, Self::Jitter];

    /// The word in reports and commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Spin => "spin",
            Self::Instant => "instant",
            Self::Jitter => "jitter",
            Self::Messages => "messages",
        }
    }
}

/// How one run was released, or how all are to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The way.
    pub environment: Environment,
    /// How long after the instant each process went on, in the plan's order: nanoseconds. Empty where there was no instant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offsets: Vec<u32>,
}

impl fmt::Display for Release {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.environment.name())?;
        for (index, offset) in self.offsets.iter().enumerate().filter(|_| self.environment == Environment::Jitter) {
            write!(formatter, "{}{offset}", if index == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || {
            format!(
                "`{text}` is no release: say `spin`, `instant`, `jitter`, or `jitter:0,120` with nanoseconds for each process"
            )
        };
        let (name, offsets) = text.split_once(':').unwrap_or((text, ""));
        let environment =
            Environment::ROTATED.into_iter().find(|environment| environment.name() == name).ok_or_else(bad)?;
        let offsets = match offsets {
            "" => Vec::new(),
            _ if environment != Environment::Jitter => return Err(bad()),
            offsets => offsets.split(',').map(|offset| offset.parse().map_err(|_| bad())).collect::<Result<_, _>>()?,
        };
        Ok(Self { environment, offsets })
    }
}

/// How many runs go by until a sweep of offsets begins anew.
pub const SWEEP: usize = 256;

/// The widest offset of each quarter of a sweep: nanoseconds. What is raced may take from tens of nanoseconds (a store) to
/// microseconds (a message), and the relative offset has to go through all of that.
const REACH_NS: [u64; 4] = [100, 400, 1_600, 6_400];

/// How long after the instant each of so many processes goes on, for the runs of a sweep: one list a process. Seeded, so that the
/// same seed gives the same offsets.
///
/// In every run one process has the offset 0, each in its turn; the others' are spread evenly over the reach, in an order without
/// pattern, so that every relative offset is met.
#[must_use]
pub fn sweep(seed: u64, processes: usize) -> Vec<Vec<u32>> {
    let mut random = Random::new(seed);
    let mut offsets = vec![vec![0_u32; SWEEP]; processes];
    let (early, quarter) = (random.below(processes.max(1) as u64), SWEEP / REACH_NS.len());
    for (process, own) in offsets.iter_mut().enumerate() {
        for (reach, part) in REACH_NS.iter().zip(own.chunks_mut(quarter)) {
            let mut order: Vec<u64> = (0..quarter as u64).collect();
            random.shuffle(&mut order);
            for (run, (place, slot)) in (early..).zip(part.iter_mut().zip(order)) {
                let is_first = run % processes.max(1) as u64 == process as u64;
                let spread = (slot * reach + random.below(*reach)) / quarter as u64;
                *place = if is_first { 0 } else { u32::try_from(spread).unwrap_or(0) };
            }
        }
    }
    offsets
}

/// splitmix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators".
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut state = self.0;
        state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    fn shuffle(&mut self, list: &mut [u64]) {
        for last in (1..list.len()).rev() {
            let other = usize::try_from(self.below(last as u64 + 1)).unwrap_or(0);
            list.swap(last, other);
        }
    }
}

/// A call of a run: when it began and returned, and which of a list of outcomes it gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// When it began: nanoseconds.
    pub began: u64,
    /// When it returned: nanoseconds.
    pub ended: u64,
    /// Its outcome's place in a list in which each stands once.
    pub outcome: u32,
}

/// Finds out which runs are of one kind, without allocating for those that are known.
#[derive(Debug, Default)]
pub struct KindFinder {
    times: Vec<(u64, u32)>,
    key: Vec<u32>,
}

impl KindFinder {
    /// The kind of a run in which each process made these calls, as a key: equal for runs of one kind, and only for those.
    /// The processes have to make the same number of calls in all runs.
    pub fn key<'c>(&mut self, processes: impl Iterator<Item = &'c [Call]>) -> &[u32] {
        self.times.clear();
        self.key.clear();
        let mut place = 0;
        for call in processes.flatten() {
            self.key.push(call.outcome);
            self.times.extend([(call.began, place), (call.ended, place + 1)]);
            place += 2;
        }
        // Times as ranks: what is equal stays equal.
        self.times.sort_unstable();
        let outcomes = self.key.len();
        self.key.resize(outcomes + self.times.len(), 0);
        let mut rank = 0;
        let mut before = None;
        for (time, place) in &self.times {
            rank += u32::from(before.is_some_and(|before| before != *time));
            before = Some(*time);
            self.key[outcomes + *place as usize] = rank;
        }
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Environment, KindFinder, Release, SWEEP, sweep};
    use proptest::prelude::*;
    use rstest::rstest;

    #[test]
    fn a_sweep_repeats_with_its_seed_and_meets_every_relative_offset() {
        assert_eq!(sweep(7, 2), sweep(7, 2));
        assert_ne!(sweep(7, 2), sweep(8, 2));
        let offsets = sweep(1, 2);
        let mut relative: Vec<i64> =
            (0..SWEEP).map(|run| i64::from(offsets[0][run]) - i64::from(offsets[1][run])).collect();
        relative.sort_unstable();
        assert!(relative[0] < -5_000 && relative[SWEEP - 1] > 5_000, "{relative:?}");
        let near: Vec<i64> = relative.iter().copied().filter(|offset| offset.abs() <= 100).collect();
        assert!(near.windows(2).all(|pair| pair[1] - pair[0] <= 20), "{near:?}");
        assert!((0..SWEEP).all(|run| offsets.iter().any(|own| own[run] == 0)));
    }

    #[rstest]
    #[case("spin", Environment::Spin, &[])]
    #[case("instant", Environment::Instant, &[])]
    #[case("jitter", Environment::Jitter, &[])]
    #[case("jitter:0,120", Environment::Jitter, &[0, 120])]
    fn a_release_is_read_as_it_is_written(
        #[case] text: &str,
        #[case] environment: Environment,
        #[case] offsets: &[u32],
    ) {
        let release: Release = text.parse().unwrap();
        assert_eq!(release, Release { environment, offsets: offsets.to_vec() });
        assert_eq!(release.to_string(), text);
    }

    #[rstest]
    #[case("")]
    #[case("messages")]
    #[case("spin:1")]
    #[case("jitter:x")]
    fn what_is_no_release_is_refused(#[case] text: &str) {
        assert!(text.parse::<Release>().unwrap_err().contains("say `spin`"));
    }

    fn calls() -> impl Strategy<Value = Vec<Call>> {
        let call = (0_u64..12, 0_u64..12, 0_u32..2).prop_map(|(one, other, outcome)| Call {
            began: one.min(other),
            ended: one.max(other),
            outcome,
        });
        prop::collection::vec(call, 3)
    }

    /// Whether all comparisons of times, and all outcomes, are the same.
    fn alike(left: &[Call], right: &[Call]) -> bool {
        let times = |calls: &[Call]| calls.iter().flat_map(|call| [call.began, call.ended]).collect::<Vec<_>>();
        let (one, other) = (times(left), times(right));
        let order =
            |times: &[u64]| -> Vec<_> { times.iter().flat_map(|a| times.iter().map(move |b| a.cmp(b))).collect() };
        left.iter().zip(right).all(|(left, right)| left.outcome == right.outcome) && order(&one) == order(&other)
    }

    proptest! {
        #[test]
        fn keys_are_equal_for_what_compares_alike_and_only_for_that(left in calls(), right in calls()) {
            let (mut one, mut other) = (KindFinder::default(), KindFinder::default());
            let equal = one.key([left.as_slice()].into_iter()) == other.key([right.as_slice()].into_iter());
            prop_assert_eq!(equal, alike(&left, &right));
        }

        #[test]
        fn a_later_run_of_the_same_course_is_of_the_same_kind(calls in calls(), later in 0_u64..1_000_000, slower in 1_u64..9) {
            let moved: Vec<Call> = calls
                .iter()
                .map(|call| Call { began: later + call.began * slower, ended: later + call.ended * slower, ..*call })
                .collect();
            let (mut one, mut other) = (KindFinder::default(), KindFinder::default());
            prop_assert_eq!(one.key([calls.as_slice()].into_iter()), other.key([moved.as_slice()].into_iter()));
        }
    }
}
