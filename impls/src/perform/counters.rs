//! Steps about counters.

use super::{Work, patience};
use crate::ability::{Counter, Failure, Result};
use harness_core::wire::Outcome;
use impls_sys::sysv::Change;
use spec::{Operation, operation};
use std::time::Duration;

/// Whether an operation is a counter's.
pub(super) fn is_counting(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Wait(_) | Operation::Post(_) | Operation::Value(_) | Operation::Semop(_))
}

/// Does a step about a counter.
pub(super) fn perform(operation: &Operation<u64>, counter: &mut dyn Counter, work: &mut Work) -> Result<Outcome> {
    match operation {
        Operation::Wait(wait) => {
            let patience = patience(wait.nonblocking, wait.timeout);
            work.timed(|_, _| counter.wait(patience)).map(|taken| taken.map_or(Outcome::Done, Outcome::Count))
        }
        Operation::Post(post) => {
            let (value, patience) = (post.value.unwrap_or(1), patience(post.nonblocking, None));
            work.timed(|_, _| counter.post(value, patience)).map(|()| Outcome::Done)
        }
        Operation::Value(value) => {
            let number = value.number.unwrap_or(0);
            work.timed(|_, _| counter.value(number)).map(Outcome::Count)
        }
        Operation::Semop(semop) => {
            let changes: Vec<Change> = semop.changes.iter().map(change).collect();
            let timeout = semop.timeout.map(|timeout| Duration::from_nanos(timeout.ns()));
            work.timed(|_, _| counter.change(&changes, timeout)).map(|()| Outcome::Done)
        }
        _ => Err(Failure::senseless("a counter has no such call")),
    }
}

fn change(change: &operation::Change) -> Change {
    Change {
        number: change.number.unwrap_or(0),
        add: change.add.unwrap_or(0),
        undo: change.undo,
        nonblocking: change.nonblocking,
    }
}
