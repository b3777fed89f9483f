//! Faults of signals.

use crate::{
    ability::{Action, Arrival, Failure, Result, Signals},
    mechanism::ProcessSignals,
};
use harness_core::wire::{Outcome, SignalReport};
use nix::errno::Errno;
use spec::{
    Mechanism, Operation, Signal,
    operation::{ActionFlag, Disposition},
};
use std::{collections::BTreeSet, time::Duration};

/// A fault over the signals of a process: what it does not change goes its way.
trait SignalFault: std::fmt::Debug + 'static {
    fn kill(&mut self, pid: i32, signal: i32) -> Result<()> {
        ProcessSignals.kill(pid, signal)
    }
    fn queue(&mut self, pid: i32, signal: i32, value: u64) -> Result<()> {
        ProcessSignals.queue(pid, signal, value)
    }
    fn wait(&mut self, signals: &[i32], timeout: Option<Duration>) -> Result<Arrival> {
        ProcessSignals.wait(signals, timeout)
    }
}

/// The signals of a process with a fault over them.
#[derive(Debug)]
struct Over<F>(F);

impl<F: SignalFault> Signals for Over<F> {
    fn kill(&mut self, pid: i32, signal: i32) -> Result<()> {
        self.0.kill(pid, signal)
    }

    fn queue(&mut self, pid: i32, signal: i32, value: u64) -> Result<()> {
        self.0.queue(pid, signal, value)
    }

    fn mask(&mut self, block: &[i32], unblock: &[i32]) -> Result<()> {
        ProcessSignals.mask(block, unblock)
    }

    fn action(&mut self, signal: i32, action: Action, flags: i32, mask: &[i32]) -> Result<()> {
        ProcessSignals.action(signal, action, flags, mask)
    }

    fn wait(&mut self, signals: &[i32], timeout: Option<Duration>) -> Result<Arrival> {
        self.0.wait(signals, timeout)
    }

    fn suspend(&mut self, mask: &[i32]) -> Result<()> {
        ProcessSignals.suspend(mask)
    }

    fn pending(&mut self) -> Result<Vec<i32>> {
        ProcessSignals.pending()
    }

    fn caught(&mut self) -> Result<Vec<Arrival>> {
        ProcessSignals.caught()
    }
}

/// Forgets every second signal that it is to send.
#[derive(Debug, Default)]
struct LoseEverySecond {
    sent: u64,
}

impl LoseEverySecond {
    fn is_lost(&mut self) -> bool {
        self.sent += 1;
        self.sent.is_multiple_of(2)
    }
}

impl SignalFault for LoseEverySecond {
    fn kill(&mut self, pid: i32, signal: i32) -> Result<()> {
        if self.is_lost() { Ok(()) } else { ProcessSignals.kill(pid, signal) }
    }

    fn queue(&mut self, pid: i32, signal: i32, value: u64) -> Result<()> {
        if self.is_lost() { Ok(()) } else { ProcessSignals.queue(pid, signal, value) }
    }
}

pub(super) fn lose_every_second() -> Box<dyn Signals> {
    Box::new(Over(LoseEverySecond::default()))
}

/// Sends each signal twice.
#[derive(Debug)]
struct SendTwice;

impl SignalFault for SendTwice {
    fn kill(&mut self, pid: i32, signal: i32) -> Result<()> {
        ProcessSignals.kill(pid, signal)?;
        let _ = ProcessSignals.kill(pid, signal);
        Ok(())
    }

    fn queue(&mut self, pid: i32, signal: i32, value: u64) -> Result<()> {
        ProcessSignals.queue(pid, signal, value)?;
        let _ = ProcessSignals.queue(pid, signal, value);
        Ok(())
    }
}

pub(super) fn send_twice() -> Box<dyn Signals> {
    Box::new(Over(SendTwice))
}

/// Queues a signal once, as if it were pending ever after: of what the system knows to be pending, nothing is told across namespaces.
#[derive(Debug, Default)]
struct Coalesce {
    queued: BTreeSet<(i32, i32)>,
}

impl SignalFault for Coalesce {
    fn queue(&mut self, pid: i32, signal: i32, value: u64) -> Result<()> {
        if self.queued.insert((pid, signal)) { ProcessSignals.queue(pid, signal, value) } else { Ok(()) }
    }
}

pub(super) fn coalesce() -> Box<dyn Signals> {
    Box::new(Over(Coalesce::default()))
}

/// Sends each value with the signal after the one that it belongs to.
#[derive(Debug, Default)]
struct SwapValues {
    last: u64,
}

impl SignalFault for SwapValues {
    fn queue(&mut self, pid: i32, signal: i32, value: u64) -> Result<()> {
        let instead = std::mem::replace(&mut self.last, value);
        ProcessSignals.queue(pid, signal, instead)
    }
}

pub(super) fn swap_values() -> Box<dyn Signals> {
    Box::new(Over(SwapValues::default()))
}

/// Accepts the signal of the highest number first.
#[derive(Debug)]
struct HighestFirst;

impl SignalFault for HighestFirst {
    fn wait(&mut self, signals: &[i32], timeout: Option<Duration>) -> Result<Arrival> {
        let mut highest = signals.to_vec();
        highest.sort_unstable_by_key(|signal| std::cmp::Reverse(*signal));
        for signal in highest {
            match ProcessSignals.wait(&[signal], Some(Duration::ZERO)) {
                Err(Failure::Errno(Errno::EAGAIN)) => {}
                accepted => return accepted,
            }
        }
        ProcessSignals.wait(signals, timeout)
    }
}

pub(super) fn highest_first() -> Box<dyn Signals> {
    Box::new(Over(HighestFirst))
}

/// Leaves masks as they are.
pub(super) fn is_mask(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Sigmask(_))
}

/// Has no stack for handlers.
pub(super) fn is_own_stack(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Sigaltstack(_))
}

/// Does what a signal does by default where it was to be ignored.
pub(super) fn ignore_nothing(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Sigaction(action) = operation
        && action.action == Disposition::Ignore
    {
        action.action = Disposition::Default;
    }
}

/// Ignores what was to be caught.
pub(super) fn ignore_everything(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Sigaction(action) = operation
        && action.action == Disposition::Catch
    {
        action.action = Disposition::Ignore;
    }
}

/// Drops all flags of handlers but that which restarts calls.
pub(super) fn forget_flags(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Sigaction(action) = operation {
        action.flags.retain(|flag| *flag == ActionFlag::Restart);
    }
}

/// Sends to the process alone what was for its group.
pub(super) fn forget_groups(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Kill(kill) = operation {
        kill.group = false;
    }
}

/// Sends another signal.
pub(super) fn send_another(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    let signal = match operation {
        Operation::Kill(kill) => &mut kill.signal,
        Operation::PidfdSendSignal(send) => &mut send.signal,
        _ => return,
    };
    if let Some(known) = signal.as_ref().map(Signal::name)
        && ["SIGUSR1", "SIGUSR2", "SIGTERM", "SIGHUP"].contains(&known)
    {
        *signal = "SIGURG".parse().ok();
    }
}

/// Waits with all signals let through.
pub(super) fn suspend_without_a_mask(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Sigsuspend(suspend) = operation {
        suspend.block.clear();
    }
}

/// Accepts the two signals of users whichever it waits for.
pub(super) fn accept_others(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    let signals = match operation {
        Operation::Sigwait(wait) => &mut wait.signals.0,
        Operation::Signalfd(made) => &mut made.signals.0,
        _ => return,
    };
    for name in ["SIGUSR1", "SIGUSR2"] {
        if let Ok(signal) = name.parse::<Signal>()
            && !signals.contains(&signal)
        {
            signals.push(signal);
        }
    }
}

/// Changes what a step tells of signals.
fn told(outcome: Outcome, change: impl Fn(Vec<SignalReport>) -> Vec<SignalReport>) -> Outcome {
    match outcome {
        Outcome::Signals(signals) => Outcome::Signals(change(signals)),
        outcome => outcome,
    }
}

/// Tells of nothing that is pending.
pub(super) fn hide_pending(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    if matches!(operation, Operation::Sigpending(_)) { told(outcome, |_| Vec::new()) } else { outcome }
}

/// Tells of nothing that was caught.
pub(super) fn hide_caught(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    if matches!(operation, Operation::Caught(_)) { told(outcome, |_| Vec::new()) } else { outcome }
}

/// Tells the last signal that was caught first.
pub(super) fn turn_caught(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    let turn = |signals: Vec<SignalReport>| signals.into_iter().rev().collect();
    if matches!(operation, Operation::Caught(_)) { told(outcome, turn) } else { outcome }
}

/// Does not tell who sent.
pub(super) fn hide_senders(_: &Operation<u64>, outcome: Outcome) -> Outcome {
    told(outcome, |signals| signals.into_iter().map(|signal| SignalReport { from: None, ..signal }).collect())
}

/// Tells of every signal that the kernel sent it.
pub(super) fn blame_the_kernel(_: &Operation<u64>, outcome: Outcome) -> Outcome {
    let kernel = |signal| SignalReport { code: Some("SI_KERNEL".to_owned()), ..signal };
    told(outcome, |signals| signals.into_iter().map(kernel).collect())
}

/// Tells no value.
pub(super) fn hide_values(_: &Operation<u64>, outcome: Outcome) -> Outcome {
    told(outcome, |signals| signals.into_iter().map(|signal| SignalReport { value: None, ..signal }).collect())
}
