//! The clock of all histories.

use std::hint;

/// Nanoseconds of `CLOCK_MONOTONIC`. Where there is no such clock all times are 0, and the harness says so.
#[inline]
pub(crate) fn now() -> u64 {
    impls_sys::clock::monotonic()
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
            time::{ClockId, ClockNanosleepFlags, clock_nanosleep},
        };
        let time = TimeSpec::from_duration(std::time::Duration::from_nanos(time_ns));
        let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::empty(), &time);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = time_ns;
}
