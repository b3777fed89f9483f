//! Steps about who sends: `SO_PASSCRED`, `SCM_CREDENTIALS`, `SO_PEERCRED`, of Linux.

use super::{Performer, Work};
use crate::ability::{Failure, Result};
use harness_core::wire::Outcome;
use spec::Operation;

/// What is said where the system tells nobody.
const NOBODY: &str = "nobody";
/// What is said of a process that is none of the scenario's.
const STRANGER: &str = "a stranger";

/// Whether an operation is about credentials.
pub(super) fn is_about(operation: &Operation<u64>) -> bool {
    matches!(
        operation,
        Operation::PassCredentials(_)
            | Operation::SendCredentials(_)
            | Operation::ReceiveCredentials(_)
            | Operation::PeerCredentials(_)
    )
}

/// Does such a step.
#[cfg(not(target_os = "linux"))]
pub(super) fn perform(
    operation: &Operation<u64>,
    _: &mut dyn crate::ability::Channel,
    _: &Performer,
    _: &mut Work,
) -> Result<Outcome> {
    Err(Failure::Senseless(format!("this agent has no `{}` here", operation.name())))
}

/// Does such a step on a socket.
#[cfg(target_os = "linux")]
pub(super) fn perform(
    operation: &Operation<u64>,
    channel: &mut dyn crate::ability::Channel,
    performer: &Performer,
    work: &mut Work,
) -> Result<Outcome> {
    use impls_sys::handles;
    use spec::operation::End;
    let socket = |end| channel.descriptor(Some(end)).ok_or_else(|| Failure::senseless("it has no socket"));
    // A process id is told as the name that the scenario knows it by: numbers differ from run to run.
    let name = |pid: Option<i32>| match pid {
        None | Some(0) => NOBODY.to_owned(),
        Some(pid) => performer.known_name_of(pid).unwrap_or_else(|| STRANGER.to_owned()),
    };
    match operation {
        Operation::PassCredentials(_) => {
            let socket = socket(End::Read)?;
            work.timed(|_, _| handles::pass_credentials(socket))?;
            Ok(Outcome::Done)
        }
        Operation::SendCredentials(send) => {
            let process = match &send.process {
                Some(process) => performer.process_of(process)?,
                None => nix::unistd::getpid(),
            };
            let socket = socket(End::Write)?;
            work.timed(|_, _| handles::send_credentials(socket, process.as_raw()))?;
            Ok(Outcome::Done)
        }
        Operation::ReceiveCredentials(_) => {
            let socket = socket(End::Read)?;
            let sender = work.timed(|_, _| handles::receive_credentials(socket))?;
            Ok(Outcome::Text(name(sender)))
        }
        _ => {
            let socket = channel.descriptor(None).ok_or_else(|| Failure::senseless("it has no socket"))?;
            let peer = work.timed(|_, _| handles::peer(socket))?;
            Ok(Outcome::Text(name(Some(peer))))
        }
    }
}
