//! The loops of signals: there by one way of sending, and accepted by one way of receiving.

use super::task::{Stopped, Task};
use crate::{
    ability::{Action, Failure, Signals},
    mechanism::ProcessSignals,
    perform::Problem,
};
use harness_core::wire::measure::Task as What;

/// The signal: one that programs are free to use.
const SIGNAL: i32 = libc::SIGUSR1;

/// Does a task.
pub(super) fn round_trips(task: &mut Task<'_>) -> Result<(), Stopped> {
    let mut signals = ProcessSignals;
    signals.mask(&[SIGNAL], &[]).map_err(|failure| Stopped::of("sigprocmask", failure))?;
    match task.what() {
        What::Sigwait => by_wait(&mut signals, task),
        What::Sigqueue => by_value(&mut signals, task),
        What::Signalfd => by_descriptor(&mut signals, task),
        What::Handler => by_handler(&mut signals, task),
        what => Err(Problem(format!("signals have nothing to do with {what:?}")).into()),
    }
}

/// There and back: what the first does before it waits, the second does after it.
#[inline(always)]
fn go<S: Signals>(
    signals: &mut S,
    task: &mut Task<'_>,
    send: impl Fn(&mut S, i32, u64) -> crate::ability::Result<()>,
    mut accept: impl FnMut(&mut S, i32, u64) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let other = task.other()?;
    let send = |signals: &mut S, number| send(signals, other, number).map_err(|failure| Stopped::of("kill", failure));
    if task.leads() {
        task.timed(|number| {
            send(signals, number)?;
            accept(signals, other, number)
        })
    } else {
        task.untimed(|number| {
            accept(signals, other, number)?;
            send(signals, number)
        })
    }
}

/// Whether a signal is the one that the other sent.
#[inline]
fn check(signal: i32, pid: i32, other: i32) -> Result<(), Stopped> {
    if signal == SIGNAL && pid == other {
        return Ok(());
    }
    Err(Problem(format!("signal {signal} came from process {pid}, and {SIGNAL} from {other} was due")).into())
}

fn by_wait<S: Signals>(signals: &mut S, task: &mut Task<'_>) -> Result<(), Stopped> {
    go(
        signals,
        task,
        |signals, other, _| signals.kill(other, SIGNAL),
        |signals, other, _| {
            let arrival = signals.wait(&[SIGNAL], None).map_err(|failure| Stopped::of("sigwaitinfo", failure))?;
            check(arrival.signal, arrival.pid, other)
        },
    )
}

fn by_value<S: Signals>(signals: &mut S, task: &mut Task<'_>) -> Result<(), Stopped> {
    go(
        signals,
        task,
        |signals, other, number| signals.queue(other, SIGNAL, number),
        |signals, other, number| {
            let arrival = signals.wait(&[SIGNAL], None).map_err(|failure| Stopped::of("sigwaitinfo", failure))?;
            check(arrival.signal, arrival.pid, other)?;
            if arrival.value == number { Ok(()) } else { Err(Stopped::wrong(number, arrival.value)) }
        },
    )
}

#[cfg(target_os = "linux")]
fn by_descriptor<S: Signals>(signals: &mut S, task: &mut Task<'_>) -> Result<(), Stopped> {
    let descriptor = impls_sys::signals::SignalDescriptor::new(&[SIGNAL])
        .map_err(|errno| Stopped::of("signalfd", Failure::Errno(errno)))?;
    go(
        signals,
        task,
        |signals, other, _| signals.kill(other, SIGNAL),
        |_, other, _| {
            let arrival = descriptor.read(false).map_err(|errno| Stopped::of("read", Failure::Errno(errno)))?;
            check(arrival.signal, arrival.pid, other)
        },
    )
}

#[cfg(not(target_os = "linux"))]
fn by_descriptor<S: Signals>(_: &mut S, _: &mut Task<'_>) -> Result<(), Stopped> {
    Err(Stopped::Impossible("this system has no signalfd()".to_owned()))
}

/// The signal is blocked but while `sigsuspend()` waits, so that none is caught at another time.
fn by_handler<S: Signals>(signals: &mut S, task: &mut Task<'_>) -> Result<(), Stopped> {
    signals.action(SIGNAL, Action::Catch, 0, &[]).map_err(|failure| Stopped::of("sigaction", failure))?;
    let before = impls_sys::signals::caught_count();
    let done = go(
        signals,
        task,
        |signals, other, _| signals.kill(other, SIGNAL),
        |signals, _, number| {
            match signals.suspend(&[]) {
                Err(Failure::Errno(nix::errno::Errno::EINTR)) | Ok(()) => {}
                Err(failure) => return Err(Stopped::of("sigsuspend", failure)),
            }
            let caught = (impls_sys::signals::caught_count() - before) as u64;
            if caught == number + 1 { Ok(()) } else { Err(Stopped::wrong(number + 1, caught)) }
        },
    );
    signals.action(SIGNAL, Action::Default, 0, &[]).map_err(|failure| Stopped::of("sigaction", failure))?;
    done
}
