//! Steps about signals: names become numbers on the way in, and names again on the way out.

use super::{Performer, Work};
use crate::{
    ability::{Action, Arrival, Failure, Result},
    signal_name,
};
use harness_core::wire::{Outcome, SignalReport};
use nix::{errno::Errno, unistd::Pid};
use spec::{
    Operation, Signal,
    operation::{ActionFlag, Disposition},
};
use std::time::Duration;

/// Does a step about signals; `None` for other steps.
pub(super) fn perform(
    operation: &Operation<u64>,
    performer: &mut Performer,
    work: &mut Work,
) -> Option<Result<Outcome>> {
    Some(match operation {
        Operation::Kill(kill) => {
            let signal = kill.signal.as_ref().map_or(Ok(libc::SIGKILL), |signal| performer.number_of(signal));
            if kill.group {
                return Some(signal.and_then(|signal| send_to_group(&kill.process, signal, performer, work)));
            }
            send(&kill.process, signal, performer, work, None)
        }
        Operation::Sigaltstack(_) => {
            work.timed(|_, _| impls_sys::signals::use_own_stack()).map(|()| Outcome::Done).map_err(Failure::from)
        }
        Operation::Sigqueue(queue) => {
            let signal = performer.number_of_given(queue.signal.as_ref());
            send(&queue.process, signal, performer, work, Some(queue.value.unwrap_or(0)))
        }
        Operation::Sigmask(mask) => mask_signals(&mask.block, &mask.unblock, performer, work),
        Operation::Sigaction(action) => set_action(action, performer, work),
        Operation::Sigwait(wait) => {
            let timeout = wait.timeout.map(|timeout| Duration::from_nanos(timeout.ns()));
            accept(&wait.signals.0, timeout, performer, work)
        }
        Operation::Sigsuspend(suspend) => performer
            .numbers_of(&suspend.block)
            .and_then(|mask| work.timed(|_, _| performer.signals.suspend(&mask)).map(|()| Outcome::Done)),
        Operation::Sigpending(_) => work.timed(|_, _| performer.signals.pending()).and_then(|pending| {
            let reports = pending.into_iter().map(|number| performer.bare_report(number)).collect::<Result<_>>()?;
            Ok(Outcome::Signals(reports))
        }),
        Operation::Caught(_) => work.timed(|_, _| performer.signals.caught()).and_then(|caught| {
            let reports = caught.iter().map(|arrival| performer.report(arrival)).collect::<Result<_>>()?;
            Ok(Outcome::Signals(reports))
        }),
        _ => return None,
    })
}

fn send(
    process: &str,
    signal: Result<i32>,
    performer: &mut Performer,
    work: &mut Work,
    value: Option<u64>,
) -> Result<Outcome> {
    let signal = signal?;
    let pid = performer.process_of(process)?.as_raw();
    let signals = &mut performer.signals;
    work.timed(|_, _| match value {
        Some(value) => signals.queue(pid, signal, value),
        None => signals.kill(pid, signal),
    })
    .map(|()| Outcome::Done)
}

/// `killpg()`. A group that a process of the scenario leads has no members but processes of the scenario.
fn send_to_group(process: &str, signal: i32, performer: &mut Performer, work: &mut Work) -> Result<Outcome> {
    let leader = performer.process_of(process)?.as_raw();
    let signals = &mut performer.signals;
    work.timed(|_, _| signals.kill(-leader, signal)).map(|()| Outcome::Done)
}

fn mask_signals(block: &[Signal], unblock: &[Signal], performer: &mut Performer, work: &mut Work) -> Result<Outcome> {
    let (block, unblock) = (performer.numbers_of(block)?, performer.numbers_of(unblock)?);
    work.timed(|_, _| performer.signals.mask(&block, &unblock)).map(|()| Outcome::Done)
}

fn set_action(action: &spec::operation::Sigaction, performer: &mut Performer, work: &mut Work) -> Result<Outcome> {
    let signal = performer.number_of_given(action.signal.as_ref())?;
    let mask = performer.numbers_of(&action.mask)?;
    let flags = action.flags.iter().fold(0, |flags, flag| {
        flags
            | match flag {
                ActionFlag::Restart => libc::SA_RESTART,
                ActionFlag::ResetHand => libc::SA_RESETHAND,
                ActionFlag::NoDefer => libc::SA_NODEFER,
                ActionFlag::NoChildStop => libc::SA_NOCLDSTOP,
                ActionFlag::NoChildWait => libc::SA_NOCLDWAIT,
                ActionFlag::OnStack => libc::SA_ONSTACK,
            }
    });
    let what = match action.action {
        Disposition::Catch => Action::Catch,
        Disposition::Ignore => Action::Ignore,
        Disposition::Default => Action::Default,
    };
    work.timed(|_, _| performer.signals.action(signal, what, flags, &mask)).map(|()| Outcome::Done)
}

fn accept(
    signals: &[Signal],
    timeout: Option<Duration>,
    performer: &mut Performer,
    work: &mut Work,
) -> Result<Outcome> {
    let numbers = performer.numbers_of(signals)?;
    let arrival = work.timed(|_, _| performer.signals.wait(&numbers, timeout))?;
    Ok(Outcome::Signals(vec![performer.report(&arrival)?]))
}

impl Performer {
    /// The process of this name.
    pub(super) fn process_of(&self, name: &str) -> Result<Pid> {
        let Some(pid) = self.pids.get(name).copied() else {
            return Err(Failure::Senseless(format!("no process `{name}` is known here")));
        };
        // 0, -1 and all below mean groups of processes, and 1 is whoever started this machine.
        if pid <= 1 {
            return Err(Failure::Senseless(format!("`{name}` cannot have the process id {pid}")));
        }
        Ok(Pid::from_raw(pid))
    }

    pub(super) fn number_of(&mut self, signal: &Signal) -> Result<i32> {
        // Of a signal that this system does not have, its calls would say that its number is invalid.
        let number = signal_name::number(signal).ok_or(Errno::EINVAL)?;
        self.spellings.insert(number, signal.clone());
        Ok(number)
    }

    fn number_of_given(&mut self, signal: Option<&Signal>) -> Result<i32> {
        match signal {
            Some(signal) => self.number_of(signal),
            None => Err(Failure::senseless("it was told no signal")),
        }
    }

    pub(super) fn numbers_of(&mut self, signals: &[Signal]) -> Result<Vec<i32>> {
        signals.iter().map(|signal| self.number_of(signal)).collect()
    }

    /// A report of a signal of which nothing but its number is known.
    fn bare_report(&self, number: i32) -> Result<SignalReport> {
        let signal = self.spellings.get(&number).cloned().or_else(|| signal_name::name(number));
        let signal = signal.ok_or_else(|| Failure::Senseless(format!("signal {number} has no name")))?;
        Ok(SignalReport { signal, value: None, code: None, own_stack: false, from: None })
    }

    pub(super) fn report(&self, arrival: &Arrival) -> Result<SignalReport> {
        let of_child = arrival.signal == libc::SIGCHLD && CHILD_CODES.iter().any(|(_, code)| *code == arrival.code);
        let queued = [libc::SI_QUEUE, libc::SI_MESGQ, libc::SI_TIMER].contains(&arrival.code);
        let sent = [libc::SI_USER, libc::SI_QUEUE, libc::SI_TKILL, libc::SI_MESGQ].contains(&arrival.code);
        Ok(SignalReport {
            value: (queued || of_child).then_some(arrival.value),
            code: Some(code_name(if of_child { CHILD_CODES } else { CODES }, arrival.code)),
            own_stack: arrival.own_stack,
            from: (sent || of_child).then(|| self.name_of(arrival.pid)),
            ..self.bare_report(arrival.signal)?
        })
    }

    fn name_of(&self, pid: i32) -> String {
        self.known_name_of(pid).unwrap_or_else(|| pid.to_string())
    }

    /// The name of the process with this id, if it is one of the scenario's.
    pub(super) fn known_name_of(&self, pid: i32) -> Option<String> {
        self.pids.iter().find(|(_, known)| **known == pid).map(|(name, _)| name.clone())
    }
}

macro_rules! codes {
    ($($name:ident)*) => { &[$((stringify!($name), libc::$name)),*] };
}

/// The codes that say how a signal was sent; those that only one signal has are numbers.
const CODES: &[(&str, i32)] = codes! { SI_USER SI_QUEUE SI_TIMER SI_MESGQ SI_ASYNCIO SI_TKILL SI_KERNEL };

/// The codes of SIGCHLD that say what has become of a child.
const CHILD_CODES: &[(&str, i32)] = codes! { CLD_EXITED CLD_KILLED CLD_DUMPED CLD_TRAPPED CLD_STOPPED CLD_CONTINUED };

fn code_name(codes: &[(&str, i32)], code: i32) -> String {
    codes.iter().find(|(_, known)| *known == code).map_or_else(|| code.to_string(), |(name, _)| (*name).to_owned())
}
