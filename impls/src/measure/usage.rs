//! What a process has used: processor time and switches; and how fast its processor is.

use nix::{
    sys::resource::{UsageWho, getrusage},
    time::{ClockId, clock_gettime},
};
use std::hint::black_box;

/// Steps of arithmetic, each of which needs the one before: some 5 µs.
const PACE_STEPS: u64 = 4_096;

/// How often they are done; the fastest counts.
const PACE_TRIES: usize = 5;

/// What a process has used since it began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) processor_ns: u64,
    pub(super) voluntary_switches: u64,
    pub(super) involuntary_switches: u64,
}

impl Usage {
    /// Up to now. What the system does not tell is 0.
    pub(super) fn now() -> Self {
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        let processor_ns = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID)
            .map_or(0, |time| number(time.tv_sec()) * 1_000_000_000 + number(time.tv_nsec()));
        let switches = getrusage(UsageWho::RUSAGE_SELF).map_or((0, 0), |usage| {
            (number(usage.voluntary_context_switches()), number(usage.involuntary_context_switches()))
        });
        Self { processor_ns, voluntary_switches: switches.0, involuntary_switches: switches.1 }
    }

    /// What was used since then.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            processor_ns: self.processor_ns.saturating_sub(before.processor_ns),
            voluntary_switches: self.voluntary_switches.saturating_sub(before.voluntary_switches),
            involuntary_switches: self.involuntary_switches.saturating_sub(before.involuntary_switches),
        }
    }
}

/// The processor that this process runs on, where the system tells.
#[cfg(target_os = "linux")]
pub(super) fn processor() -> Option<u32> {
    nix::sched::sched_getcpu().ok().and_then(|processor| u32::try_from(processor).ok())
}

/// The processor that this process runs on, where the system tells.
#[cfg(not(target_os = "linux"))]
pub(super) fn processor() -> Option<u32> {
    None
}

/// How long a fixed piece of arithmetic takes just now: nanoseconds.
pub(super) fn pace_ns() -> u64 {
    (0..PACE_TRIES)
        .map(|_| {
            let began = crate::clock::now();
            let sum =
                (0..PACE_STEPS).fold(1_u64, |sum, step| black_box(sum).wrapping_mul(6_364_136_223_846_793_005) ^ step);
            black_box(sum);
            crate::clock::now() - began
        })
        .min()
        .unwrap_or(0)
}
