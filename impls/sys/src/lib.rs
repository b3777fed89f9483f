//! The calls that nix lacks or marks unsafe, wrapped safely: the only package with unsafe code.
//!
//! Each unsafe block holds one obligation and says why it is met. Results are `errno` values as the system gave them:
//! no call is repeated, none is hidden, and `EINTR` comes back as it is.

pub mod clock;
pub mod copying;
pub mod descriptor;
pub mod fence;
pub mod futex;
pub mod handles;
pub mod memory;
pub mod process;
pub mod pthread;
pub mod queue;
pub mod readiness;
pub mod semaphore;
pub mod signals;
pub mod system;
pub mod sysv;

pub use nix::errno::Errno;

/// What a call gave: its value, or the error that the system named.
pub type Result<T> = std::result::Result<T, Errno>;

/// Reads the result of a call that says -1 where it failed.
#[inline]
fn check(result: libc::c_int) -> Result<libc::c_int> {
    Errno::result(result)
}

/// The point in time that lies `timeout` ahead, by the clock that POSIX measures absolute timeouts with.
fn deadline(timeout: std::time::Duration) -> libc::timespec {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    timespec(now.saturating_add(timeout))
}

/// A length of time as the system takes it; what is too long is the longest.
fn timespec(duration: std::time::Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(duration.subsec_nanos()),
    }
}
