//! A fence that one process makes for all: membarrier(2).
//!
//! Where one side of an exchange is hot and the other is about to sleep, the hot side need not pay for a fence each time: the other asks the
//! system to have every registered process that runs just now make one.

use crate::{Errno, Result};
use std::sync::atomic::{Ordering, fence};

// As in linux/membarrier.h; the `libc` crate does not have them.
const GLOBAL_EXPEDITED: libc::c_long = 1 << 1;
const REGISTER_GLOBAL_EXPEDITED: libc::c_long = 1 << 2;

fn membarrier(command: libc::c_long) -> Result<()> {
    let no_flags: libc::c_long = 0;
    // SAFETY: the call takes numbers, and touches none of our memory.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, no_flags, no_flags) };
    Errno::result(result).map(drop)
}

/// Has this process take part in the fences of others, from now on. What it forks has to register itself.
///
/// # Errors
/// `ENOSYS` or `EINVAL` where the system does not know it.
pub fn register() -> Result<()> {
    membarrier(REGISTER_GLOBAL_EXPEDITED)
}

/// A full fence here, and in all registered processes.
///
/// # Errors
/// As [`register`].
pub fn everywhere() -> Result<()> {
    fence(Ordering::SeqCst);
    membarrier(GLOBAL_EXPEDITED)
}

#[cfg(test)]
mod tests {
    use super::{everywhere, register};

    #[test]
    fn who_can_register_can_fence() {
        // A system that has neither says so both times.
        assert_eq!(register().is_ok(), everywhere().is_ok());
    }
}
