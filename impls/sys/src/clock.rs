//! The clock: clock_gettime(2).
//!
//! nix has the call, but not to be inlined; between two calls that race every nanosecond counts.

use std::mem::MaybeUninit;

/// Nanoseconds of `CLOCK_MONOTONIC`; 0 where there is no such clock.
#[inline]
#[must_use]
pub fn monotonic() -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the time is valid for a write.
    if unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr()) } != 0 {
        return 0;
    }
    // SAFETY: the call has succeeded, and so has written it.
    let time = unsafe { time.assume_init() };
    // Time since the machine was started: neither is negative.
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.wrapping_mul(1_000_000_000).wrapping_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::monotonic;
    use nix::time::{ClockId, clock_gettime};

    #[test]
    fn it_is_the_system_s_clock() {
        let other = || {
            let time = std::time::Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap());
            u64::try_from(time.as_nanos()).unwrap()
        };
        let times = [other(), monotonic(), other(), monotonic()];
        assert!(times.is_sorted(), "{times:?}");
    }
}
