//! Faults of processes' lives: ends, children, limits, users, groups.

use harness_core::wire::Outcome;
use spec::{Mechanism, Operation};

/// Ends with another status.
pub(super) fn another_status(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Exit(exit) = operation {
        exit.status = Some(exit.status.unwrap_or(0) ^ 64);
    }
}

/// Waits for stops and continuations of children, unasked.
pub(super) fn wait_for_stops(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Waitpid(wait) = operation {
        (wait.untraced, wait.continued) = (true, true);
    }
}

/// Waits for the ends of children alone.
pub(super) fn wait_for_ends_alone(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Waitpid(wait) = operation {
        (wait.untraced, wait.continued) = (false, false);
    }
}

/// Tells that a child exited which a signal has ended.
pub(super) fn tell_exit_for_signal(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::Waitpid(_), Outcome::Text(text)) if text.starts_with("killed") => {
            Outcome::Text("exited 0".to_owned())
        }
        (_, outcome) => outcome,
    }
}

/// Tells of a child that there is not, or no longer.
pub(super) fn tell_of_children_again(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::Waitpid(_), Outcome::Failed(errno)) if errno.name() == "ECHILD" => {
            Outcome::Text("exited 0".to_owned())
        }
        (_, outcome) => outcome,
    }
}

/// Leaves limits as they are.
pub(super) fn is_limit(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Setrlimit(_))
}

/// Remains the user that it is.
pub(super) fn is_change_of_user(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::ChangeUser(_))
}

/// Remains in the group that it is in.
pub(super) fn is_change_of_group(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Setpgid(_))
}
