//! Steps about descriptors of signals and of processes: signalfd(2), pidfd_open(2), of Linux.

use super::{Performer, Work};
use crate::ability::{Failure, Result};
use harness_core::wire::Outcome;
use spec::Operation;

/// Whether an operation is about such a descriptor.
pub(super) fn is_about(operation: &Operation<u64>) -> bool {
    matches!(
        operation,
        Operation::Signalfd(_)
            | Operation::SignalfdRead(_)
            | Operation::PidfdOpen(_)
            | Operation::PidfdSendSignal(_)
            | Operation::PidfdPoll(_)
    )
}

/// The descriptors that a process has made.
#[derive(Debug, Default)]
pub struct Descriptors {
    #[cfg(target_os = "linux")]
    signals: Option<impls_sys::signals::SignalDescriptor>,
    #[cfg(target_os = "linux")]
    processes: std::collections::BTreeMap<String, impls_sys::process::ProcessDescriptor>,
}

/// Does such a step.
#[cfg(not(target_os = "linux"))]
pub(super) fn perform(operation: &Operation<u64>, _: &mut Performer, _: &mut Work) -> Result<Outcome> {
    Err(Failure::Senseless(format!("this system has no `{}`", operation.name())))
}

/// Does such a step.
#[cfg(target_os = "linux")]
pub(super) fn perform(operation: &Operation<u64>, performer: &mut Performer, work: &mut Work) -> Result<Outcome> {
    use impls_sys::{process::ProcessDescriptor, signals::SignalDescriptor};
    match operation {
        Operation::Signalfd(wanted) => {
            let numbers = performer.numbers_of(&wanted.signals.0)?;
            let known = &mut performer.descriptors.signals;
            work.timed(|_, _| match known {
                Some(descriptor) => descriptor.change(&numbers),
                None => SignalDescriptor::new(&numbers).map(|descriptor| *known = Some(descriptor)),
            })?;
            Ok(Outcome::Done)
        }
        Operation::SignalfdRead(read) => {
            let descriptor = performer.descriptors.signals.as_ref();
            let descriptor = descriptor.ok_or_else(|| Failure::senseless("it has made no signalfd"))?;
            let arrival = work.timed(|_, _| descriptor.read(read.nonblocking))?;
            Ok(Outcome::Signals(vec![performer.report(&arrival)?]))
        }
        Operation::PidfdOpen(of) => {
            let name = of.process.clone().unwrap_or_default();
            let process = performer.process_of(&name)?;
            let descriptor = work.timed(|_, _| ProcessDescriptor::open(process))?;
            performer.descriptors.processes.insert(name, descriptor);
            Ok(Outcome::Done)
        }
        Operation::PidfdSendSignal(send) => {
            let signal = send.signal.as_ref().map_or(Ok(libc::SIGKILL), |signal| performer.number_of(signal))?;
            let descriptor = performer.descriptors.of(&send.process)?;
            work.timed(|_, _| descriptor.send(signal))?;
            Ok(Outcome::Done)
        }
        Operation::PidfdPoll(poll) => {
            let descriptor = performer.descriptors.of(&poll.process)?.number();
            super::readiness::poll_input(descriptor, poll.timeout, work)
        }
        _ => Err(Failure::senseless("it is about no such descriptor")),
    }
}

#[cfg(target_os = "linux")]
impl Descriptors {
    fn of(&self, process: &str) -> Result<&impls_sys::process::ProcessDescriptor> {
        let known = self.processes.get(process);
        known.ok_or_else(|| Failure::Senseless(format!("it has opened no pidfd of `{process}`")))
    }
}
