//! The clock of all histories.

use nix::time::{ClockId, clock_gettime};
use std::hint;

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn now() -> u64 {
    // The clock is there on every system that POSIX knows of; where it is not, all times are 0 and the harness says so.
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
        seconds * 1_000_000_000 + u64::try_from(time.tv_nsec()).unwrap_or(0)
    })
}

/// What is further away is slept for, the rest is spent looking: a sleeper comes late.
const LOOKED_NS: u64 = 100_000;

/// Waits until then. It is for what has to be done at a certain time, and makes no order.
pub(crate) fn wait_until(due: u64) {
    loop {
        let left = due.saturating_sub(now());
        if left == 0 {
            return;
        }
        if left > 2 * LOOKED_NS {
            rest(left - LOOKED_NS);
        } else {
            hint::spin_loop();
        }
    }
}

/// Gives the processor up for so long. That it was interrupted only makes the loop turn once more.
fn rest(time_ns: u64) {
    #[cfg(target_os = "linux")]
    {
        use nix::{
            sys::time::TimeSpec,
            time::{ClockNanosleepFlags, clock_nanosleep},
        };
        let time = TimeSpec::from_duration(std::time::Duration::from_nanos(time_ns));
        let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::empty(), &time);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = time_ns;
}
