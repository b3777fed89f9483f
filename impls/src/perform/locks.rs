//! Steps about locks, and about what is waited on.

use super::Work;
use crate::ability::{Bytes, Failure, Lock, Result, Sleepers, Wake};
use harness_core::wire::Outcome;
use nix::errno::Errno;
use spec::{Operation, operation};

/// Whether an operation is about a lock.
pub(super) fn is_of_lock(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Lock(_) | Operation::Unlock(_) | Operation::Consistent(_))
}

/// Does a step about a lock.
pub(super) fn lock(operation: &Operation<u64>, lock: &mut dyn Lock, work: &mut Work) -> Result<Outcome> {
    match operation {
        Operation::Lock(asked) => {
            let patience = super::patience(asked.nonblocking, asked.timeout);
            let bytes = Bytes { start: asked.start, length: asked.length };
            work.timed(|_, _| lock.lock(asked.mode, bytes, patience))
        }
        Operation::Unlock(asked) => {
            let bytes = Bytes { start: asked.start, length: asked.length };
            work.timed(|_, _| lock.unlock(bytes))
        }
        _ => work.timed(|_, _| lock.consistent()),
    }
    .map(|()| Outcome::Done)
}

/// Whether an operation is about what is waited on.
pub(super) fn is_of_wake(operation: &Operation<u64>) -> bool {
    matches!(
        operation,
        Operation::WaitOn(_)
            | Operation::Notify(_)
            | Operation::Requeue(_)
            | Operation::WaitOnAny(_)
            | Operation::Arrive(_)
            | Operation::Lock(_)
            | Operation::Unlock(_)
            | Operation::Store(_)
            | Operation::Load(_)
    )
}

/// Does a step about what is waited on.
pub(super) fn wake(operation: &Operation<u64>, wake: &mut dyn Wake, work: &mut Work) -> Result<Outcome> {
    match operation {
        Operation::WaitOnAny(asked) => {
            let patience = super::patience(false, asked.timeout);
            let expected = asked.expected.unwrap_or(0);
            work.timed(|_, _| wake.wait_on_any(&asked.words, expected, patience)).map(Outcome::Count)
        }
        Operation::WaitOn(asked) => {
            let patience = super::patience(false, asked.timeout);
            let expected = asked.expected.unwrap_or(0);
            wake.choose_word(asked.word.unwrap_or(0))?;
            let woken = work.timed(|_, _| match asked.bits {
                Some(bits) => wake.wait_for_bits(expected, patience, bits),
                None => wake.wait_on(expected, patience),
            });
            // With EPERM the mutex was not held, and is not.
            if asked.unlock && woken != Err(Failure::Errno(Errno::EPERM)) {
                let mutex = wake.mutex().ok_or_else(|| Failure::senseless("it has no mutex"))?;
                mutex.unlock(Bytes::default())?;
            }
            woken.map(|()| Outcome::Done)
        }
        Operation::Notify(asked) => {
            let sleepers = if asked.all { Sleepers::All } else { Sleepers::Some(asked.count.unwrap_or(1)) };
            wake.choose_word(asked.word.unwrap_or(0))?;
            let woken = work.timed(|_, _| match asked.bits {
                Some(bits) => wake.notify_bits(sleepers, bits),
                None => wake.notify(sleepers),
            })?;
            Ok(woken.map_or(Outcome::Done, Outcome::Count))
        }
        Operation::Requeue(asked) => work.timed(|_, _| wake.requeue(asked)).map(Outcome::Count),
        Operation::Arrive(_) => work.timed(|_, _| wake.arrive()).map(|serial| Outcome::Count(serial.into())),
        Operation::Store(operation::Store { value, cell, text: None, at: None, .. }) => {
            wake.choose_word(cell.unwrap_or(0))?;
            work.timed(|_, _| wake.store(value.unwrap_or(0))).map(|()| Outcome::Done)
        }
        Operation::Load(operation::Load { cell, size: None, at: None, .. }) => {
            wake.choose_word(cell.unwrap_or(0))?;
            work.timed(|_, _| wake.load()).map(Outcome::Count)
        }
        Operation::Lock(_) | Operation::Unlock(_) => match wake.mutex() {
            Some(mutex) => lock(operation, mutex, work),
            None => Err(Failure::senseless("it has no mutex")),
        },
        _ => Err(Failure::senseless("it has words, and no bytes")),
    }
}
