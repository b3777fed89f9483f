//! Faults of descriptors and credentials that are passed.

use harness_core::wire::Outcome;
use spec::{Mechanism, Operation};

/// Makes room for a descriptor that was to find none.
pub(super) fn make_room(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::ReceiveHandle(receive) = operation {
        receive.without_room = false;
    }
}

/// Leaves no room for a descriptor.
pub(super) fn leave_no_room(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::ReceiveHandle(receive) = operation {
        receive.without_room = true;
    }
}

/// Says that no descriptor came.
pub(super) fn none_came(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::ReceiveHandle(_), Outcome::Count(_)) => Outcome::Count(0),
        (_, outcome) => outcome,
    }
}

/// Sends the descriptor of the socket itself.
pub(super) fn send_another(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::SendHandle(send) = operation
        && let Some(carrier) = &send.channel
    {
        send.handle.clone_from(carrier);
        send.end = spec::operation::End::Write;
    }
}

/// Sends no descriptor.
pub(super) fn is_send(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::SendHandle(_))
}

/// Does not ask who sends.
pub(super) fn is_pass_credentials(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::PassCredentials(_))
}

/// Says that nobody sent it, or connected.
pub(super) fn name_nobody(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::ReceiveCredentials(_) | Operation::PeerCredentials(_), Outcome::Text(_)) => {
            Outcome::Text("nobody".to_owned())
        }
        (_, outcome) => outcome,
    }
}

/// Says that it sent in the name of whomever it was told, whether it may or not.
pub(super) fn let_lies_pass(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::SendCredentials(_), Outcome::Failed(_)) => Outcome::Done,
        (_, outcome) => outcome,
    }
}
