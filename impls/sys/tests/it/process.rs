//! Starting and reaping.

use impls_sys::{
    Errno,
    process::{Ending, fork, reap},
};
use nix::unistd::Pid;

#[test]
fn a_process_with_threads_does_not_fork() {
    // The test runner's main thread and this one are two at least.
    if cfg!(target_os = "linux") {
        assert_eq!(fork(|| 0), Err(Errno::EBUSY));
    }
}

#[test]
fn endings_are_told_with_real_time_signals() {
    #[expect(clippy::zombie_processes, reason = "it is reaped by the call that is examined")]
    let spawn = |script: String| {
        let child = std::process::Command::new("sh").args(["-c", &script]).spawn().unwrap();
        Pid::from_raw(i32::try_from(child.id()).unwrap())
    };
    let child = spawn("exit 7".to_owned());
    assert_eq!(reap(Some(child), true), Ok(Some((child, Ending::Status(7)))));
    assert_eq!(reap(Some(child), true), Err(Errno::ECHILD));
    let signal = impls_sys::signals::real_time_minimum() + 2;
    let child = spawn(format!("kill -{signal} $$"));
    assert_eq!(reap(Some(child), true), Ok(Some((child, Ending::Signal(signal)))));
    let child = spawn("exec sleep 60".to_owned());
    assert_eq!(reap(Some(child), false), Ok(None));
    impls_sys::signals::send(child, libc::SIGKILL).unwrap();
    assert_eq!(reap(Some(child), true), Ok(Some((child, Ending::Signal(libc::SIGKILL)))));
}
