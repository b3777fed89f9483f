//! The one clock: `CLOCK_MONOTONIC`, in nanoseconds, the same for the harness and for every process.

use nix::{
    sys::time::TimeValLike,
    time::{ClockId, clock_gettime},
};

/// Now.
///
/// # Panics
/// If the system has no monotonic clock: nothing could be judged then.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the system has CLOCK_MONOTONIC");
    u64::try_from(now.num_nanoseconds()).expect("CLOCK_MONOTONIC is not negative")
}
