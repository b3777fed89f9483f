//! Faults that cut across abilities: opening, closing and names, waiting and not waiting, errors.

use harness_core::wire::Outcome;
use spec::{
    Mechanism, Operation,
    operation::{Access, ActionFlag, Timeout},
    vocabulary::Feature,
};

/// Makes what exists as if it did not.
pub(super) fn ignore_exclusive(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Open(open) = operation {
        open.exclusive = false;
    }
}

/// Makes what does not exist, unasked.
pub(super) fn create_unasked(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Open(open) = operation {
        open.create = true;
    }
}

/// Opens everything for reading and for writing.
pub(super) fn ignore_access(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Open(open) = operation {
        open.r#for = Access::Both;
    }
}

/// Leaves names where they are.
pub(super) fn is_unlink(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Unlink(_))
}

/// Leaves ends open.
pub(super) fn is_close(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Close(_))
}

/// Leaves directions open.
pub(super) fn is_shutdown(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Shutdown(_))
}

/// Leaves flags as they are.
pub(super) fn is_flag(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::SetNonblocking(_))
}

/// Leaves an object's size as it is.
pub(super) fn is_resize(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Resize(_))
}

/// Forbids nothing.
pub(super) fn is_seal(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Seal(_))
}

/// Does not ask for a notice.
pub(super) fn is_notice(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::MqNotify(_))
}

/// Lets many more connections wait than it was told.
pub(super) fn long_backlog(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Listen(listen) = operation {
        listen.backlog = Some(64);
    }
}

/// Says that a name was given that another has.
pub(super) fn share_names(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, &outcome) {
        (Operation::Bind(_), Outcome::Failed(errno)) if errno.name() == "EADDRINUSE" => Outcome::Done,
        _ => outcome,
    }
}

/// Says that a connection was made that was refused.
pub(super) fn connect_to_nobody(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::Connect(_), Outcome::Failed(_)) => Outcome::Done,
        (_, outcome) => outcome,
    }
}

/// Waits where it was told not to.
pub(super) fn always_wait(operation: &mut Operation<u64>, mechanism: Option<Mechanism>) {
    wait(operation, mechanism, false);
}

/// Does not wait where it was to.
pub(super) fn never_wait(operation: &mut Operation<u64>, mechanism: Option<Mechanism>) {
    wait(operation, mechanism, true);
}

fn wait(operation: &mut Operation<u64>, mechanism: Option<Mechanism>, nonblocking: bool) {
    if nonblocking && !mechanism.is_some_and(|mechanism| mechanism.has(Feature::Nonblocking)) {
        return;
    }
    match operation {
        Operation::Write(write) => write.nonblocking = nonblocking,
        Operation::Read(read) if read.until.is_none() => read.nonblocking = nonblocking,
        Operation::Send(send) if send.timeout.is_none() => send.nonblocking = nonblocking,
        Operation::Receive(receive) if receive.until.is_none() && receive.timeout.is_none() => {
            receive.nonblocking = nonblocking;
        }
        Operation::Wait(wait) if wait.timeout.is_none() => wait.nonblocking = nonblocking,
        Operation::Post(post) => post.nonblocking = nonblocking,
        Operation::Lock(lock) if lock.timeout.is_none() => lock.nonblocking = nonblocking,
        Operation::Accept(accept) => accept.nonblocking = nonblocking,
        Operation::Connect(connect) => connect.nonblocking = nonblocking,
        Operation::Open(open) => open.nonblocking = nonblocking,
        Operation::Semop(semop) => semop.changes.iter_mut().for_each(|change| change.nonblocking = nonblocking),
        Operation::Waitpid(wait) => wait.nohang = nonblocking,
        Operation::SignalfdRead(read) => read.nonblocking = nonblocking,
        _ => {}
    }
}

/// Gives up as soon as it would have to wait.
pub(super) fn give_up_at_once(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    let timeout = match operation {
        Operation::Send(send) => &mut send.timeout,
        Operation::Receive(receive) => &mut receive.timeout,
        Operation::Wait(wait) => &mut wait.timeout,
        Operation::Semop(semop) => &mut semop.timeout,
        Operation::Lock(lock) => &mut lock.timeout,
        Operation::WaitOn(wait) => &mut wait.timeout,
        Operation::Sigwait(wait) => &mut wait.timeout,
        _ => return,
    };
    if timeout.is_some() {
        *timeout = Some(Timeout::from_ns(0));
    }
}

/// Has every handler restart the call that it interrupts.
pub(super) fn restart_unasked(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Sigaction(action) = operation
        && !action.flags.contains(&ActionFlag::Restart)
    {
        action.flags.push(ActionFlag::Restart);
    }
}

/// Has no handler restart the call that it interrupts.
pub(super) fn never_restart(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Sigaction(action) = operation {
        action.flags.retain(|flag| *flag != ActionFlag::Restart);
    }
}

/// Tells another error than the call gave.
pub(super) fn another_error(_: &Operation<u64>, outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(errno) => {
            let instead = if errno.name() == "EIO" { "EINVAL" } else { "EIO" };
            instead.parse().map_or(Outcome::Failed(errno), Outcome::Failed)
        }
        outcome => outcome,
    }
}

/// Tells that a call failed which did what it was to do.
pub(super) fn error_for_success(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::Enter(_) | Operation::Leave(_) | Operation::Meet(_) | Operation::Caught(_), outcome) => outcome,
        (_, Outcome::Done | Outcome::Count(_)) => "EINTR".parse().map_or(Outcome::Done, Outcome::Failed),
        (_, outcome) => outcome,
    }
}
