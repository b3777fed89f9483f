//! Starting and ending processes: fork(2), waitpid(2), _exit(2), and a clean start.

use crate::{Result, check, signals};
use nix::unistd::{ForkResult, Pid};
use std::{
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

/// The status of a child whose code panicked.
pub const PANICKED: i32 = 101;

/// Starts a process that runs `child` and ends with the status it returns, by `_exit()`: it never comes back, nor does
/// it run what this process would do at its exit.
///
/// # Errors
/// As `fork()`; `EBUSY` where this process has more than one thread as far as the system tells: the child of such a
/// process may only make async-signal-safe calls.
pub fn fork(child: impl FnOnce() -> i32) -> Result<Pid> {
    if crate::system::thread_count().is_some_and(|threads| threads > 1) {
        return Err(crate::Errno::EBUSY);
    }
    // SAFETY: this process has a single thread, so that the child's memory is in no half-made state.
    match unsafe { nix::unistd::fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => exit(catch_unwind(AssertUnwindSafe(child)).unwrap_or(PANICKED)),
    }
}

/// `_exit()`.
pub fn exit(status: i32) -> ! {
    // SAFETY: the call touches no memory and does not return.
    unsafe { libc::_exit(status) }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Status(i32),
    /// The signal of this number ended it.
    Signal(i32),
}

/// Reaps a child that has ended: this one, or any. Without `block` it returns `None` where none has.
///
/// Unlike nix's `waitpid` it knows real-time signals.
///
/// # Errors
/// As `waitpid()`: `ECHILD` where there is no such child.
pub fn reap(child: Option<Pid>, block: bool) -> Result<Option<(Pid, Ending)>> {
    let mut status = 0;
    let flags = if block { 0 } else { libc::WNOHANG };
    // SAFETY: `status` is valid for a write.
    let pid = check(unsafe { libc::waitpid(child.map_or(-1, Pid::as_raw), &raw mut status, flags) })?;
    if pid == 0 {
        return Ok(None);
    }
    let ending = if libc::WIFSIGNALED(status) {
        Ending::Signal(libc::WTERMSIG(status))
    } else {
        Ending::Status(libc::WEXITSTATUS(status))
    };
    Ok(Some((Pid::from_raw(pid), ending)))
}

/// A change of a child's state, as `waitpid()` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It exited with this status.
    Exited(i32),
    /// The signal of this number ended it.
    Killed(i32),
    /// The signal of this number stopped it.
    Stopped(i32),
    /// SIGCONT continued it.
    Continued,
}

/// `waitpid()` for this child, or any, with these flags. `None` where none has changed and `WNOHANG` is set.
///
/// # Errors
/// As the call.
pub fn wait(child: Option<Pid>, flags: libc::c_int) -> Result<Option<Change>> {
    let mut status = 0;
    // SAFETY: `status` is valid for a write.
    let pid = check(unsafe { libc::waitpid(child.map_or(-1, Pid::as_raw), &raw mut status, flags) })?;
    Ok(match status {
        _ if pid == 0 => None,
        status if libc::WIFSIGNALED(status) => Some(Change::Killed(libc::WTERMSIG(status))),
        status if libc::WIFSTOPPED(status) => Some(Change::Stopped(libc::WSTOPSIG(status))),
        status if libc::WIFCONTINUED(status) => Some(Change::Continued),
        status => Some(Change::Exited(libc::WEXITSTATUS(status))),
    })
}

/// A descriptor of a process: pidfd_open(2).
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct ProcessDescriptor(OwnedFd);

#[cfg(target_os = "linux")]
impl ProcessDescriptor {
    /// `pidfd_open()`.
    ///
    /// # Errors
    /// As the call.
    pub fn open(process: Pid) -> Result<Self> {
        // SAFETY: the call takes numbers.
        let number = unsafe { libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0) };
        let number = check(libc::c_int::try_from(number).map_err(|_| crate::Errno::EBADF)?)?;
        // SAFETY: the system has just made this descriptor.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// `pidfd_send_signal()`.
    ///
    /// # Errors
    /// As the call.
    pub fn send(&self, signal: i32) -> Result<()> {
        let nothing = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the call takes numbers; without a `siginfo_t` it makes one as `kill()` does.
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal, nothing, 0) };
        check(libc::c_int::try_from(sent).map_err(|_| crate::Errno::EINVAL)?).map(drop)
    }

    /// Its number, to be polled.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

/// Marks all descriptors but the standard three to be closed by an exec, and then these to be kept.
///
/// # Errors
/// As `close_range()` and `fcntl()`.
#[cfg(target_os = "linux")]
pub fn keep_over_exec(kept: &[i32]) -> Result<()> {
    // SAFETY: the call closes nothing now, and takes numbers.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    check(libc::c_int::try_from(marked).map_err(|_| crate::Errno::EINVAL)?)?;
    for descriptor in kept {
        // SAFETY: the command takes a number and touches no memory of this process.
        check(unsafe { libc::fcntl(*descriptor, libc::F_SETFD, 0) })?;
    }
    Ok(())
}

/// Takes over a descriptor that was kept over an exec, and marks it to be closed by the next.
///
/// # Errors
/// `EBADF` where it was not kept; as `fcntl()`.
#[cfg(target_os = "linux")]
pub fn taken_over(number: i32) -> Result<OwnedFd> {
    if number < 3 {
        return Err(crate::Errno::EBADF);
    }
    // SAFETY: the command takes a number and touches no memory of this process.
    check(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: the system knows it, as the call has shown, and the program that was here before has left it to this one.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Gives this process the signal dispositions and the mask of a program that was just started.
///
/// # Errors
/// As `sigaction()` and `sigprocmask()`.
pub fn reset_signals() -> Result<()> {
    reset_actions()?;
    signals::set_mask(&[])
}

/// Gives this process the signal dispositions of a program that was just started, and leaves its mask alone. Those that it forks
/// have them, too.
///
/// # Errors
/// As `sigaction()`.
pub fn reset_actions() -> Result<()> {
    for signal in 1..=signals::maximum() {
        if signal != libc::SIGKILL && signal != libc::SIGSTOP && !(32..signals::real_time_minimum()).contains(&signal) {
            signals::set_action(signal, signals::Action::Default, 0, &[])?;
        }
    }
    Ok(())
}

/// Closes all descriptors but the standard three, whoever left them open. Has its place at the very beginning of `main`,
/// where nothing owns a descriptor yet; later calls do nothing.
pub fn close_inherited() {
    static CALLED: AtomicBool = AtomicBool::new(false);
    if !CALLED.swap(true, Ordering::Relaxed) {
        close_from_three();
    }
}

#[cfg(target_os = "linux")]
fn close_from_three() {
    // Kernels that lack the call leave open what a careless parent leaked, as other systems do.
    // SAFETY: nothing of this process owns a descriptor yet.
    unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

#[cfg(not(target_os = "linux"))]
fn close_from_three() {}

/// Has the system run this process only where nobody else wants to run: `sched_setscheduler()` with `SCHED_IDLE`, and the lowest
/// priority.
///
/// # Errors
/// As the calls; `ENOSYS` where there is no such class.
pub fn run_when_idle() -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        let parameters = libc::sched_param { sched_priority: 0 };
        // SAFETY: the parameters live through the call.
        check(unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const parameters) })?;
        // SAFETY: the call takes numbers.
        check(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, LOWEST_PRIORITY) }).map(drop)
    }
    #[cfg(not(target_os = "linux"))]
    Err(crate::Errno::ENOSYS)
}

/// The lowest priority: setpriority(2).
#[cfg(target_os = "linux")]
const LOWEST_PRIORITY: libc::c_int = 19;
