//! Faults of locks.

use super::{
    Ground,
    over::{self, LockFault},
    own_lock::{self, Wrong},
};
use crate::{
    ability::{Bytes, Channel, Failure, Lock, Object, Patience, Result},
    mechanism::{OpenError, Opened},
};
use harness_core::wire::HeldEnd;
use impls_sys::semaphore::Semaphore;
use nix::errno::Errno;
use spec::{
    Mechanism, Operation,
    operation::{End, Mode},
    scenario,
};

type Made = std::result::Result<Box<dyn Opened>, OpenError>;

pub(super) fn checked_then_set(kind: Mechanism, _: &scenario::Channel<u64>) -> Made {
    own_lock::make(kind, Wrong::CheckedThenSet)
}

pub(super) fn released_by_strangers(kind: Mechanism, _: &scenario::Channel<u64>) -> Made {
    own_lock::make(kind, Wrong::ReleasedByStrangers)
}

pub(super) fn forgets_two_waiters(kind: Mechanism, _: &scenario::Channel<u64>) -> Made {
    own_lock::make(kind, Wrong::ForgetsTwoWaiters)
}

pub(super) fn not_counted(kind: Mechanism, _: &scenario::Channel<u64>) -> Made {
    own_lock::make(kind, Wrong::NotCounted)
}

/// A lock that two can hold.
struct TwoPermits(Semaphore);

pub(super) fn lets_two_in(_: Mechanism, _: &scenario::Channel<u64>) -> Made {
    Ok(Box::new(TwoPermits(Semaphore::unnamed(2).map_err(OpenError::of("sem_init"))?)))
}

impl Opened for TwoPermits {
    fn hold(self: Box<Self>, _: HeldEnd) -> Result<Object> {
        Ok(Object::Lock(self))
    }
}

impl Channel for TwoPermits {
    fn close(&mut self, _: Option<End>) -> Result<()> {
        Ok(())
    }
}

impl Lock for TwoPermits {
    fn lock(&mut self, _: Mode, _: Bytes, patience: Patience) -> Result<()> {
        loop {
            let taken = match patience {
                Patience::Forever => self.0.wait(),
                Patience::Never => self.0.try_wait(),
                Patience::For(timeout) => self.0.wait_for(timeout),
            };
            match taken {
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Err(Errno::EBUSY.into()),
                taken => return Ok(taken?),
            }
        }
    }

    fn unlock(&mut self, _: Bytes) -> Result<()> {
        Ok(self.0.post()?)
    }
}

/// Releases it as soon as it is taken.
struct ReleaseAtOnce;

impl LockFault for ReleaseAtOnce {
    fn lock(&mut self, lock: &mut dyn Lock, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        lock.lock(mode, bytes, patience)?;
        lock.unlock(bytes)
    }

    fn unlock(&mut self, _: &mut dyn Lock, _: Bytes) -> Result<()> {
        Ok(())
    }
}

pub(super) fn release_at_once(object: Object, _: &Ground) -> Object {
    over::lock(object, ReleaseAtOnce)
}

/// Does not release it.
struct KeepLocked;

impl LockFault for KeepLocked {
    fn unlock(&mut self, _: &mut dyn Lock, _: Bytes) -> Result<()> {
        Ok(())
    }
}

pub(super) fn keep_locked(object: Object, _: &Ground) -> Object {
    over::lock(object, KeepLocked)
}

/// Does not tell that the owner of a robust mutex has died.
struct KeepDeathSecret;

impl LockFault for KeepDeathSecret {
    fn lock(&mut self, lock: &mut dyn Lock, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        match lock.lock(mode, bytes, patience) {
            Err(Failure::Errno(Errno::EOWNERDEAD)) => lock.consistent(),
            locked => locked,
        }
    }
}

pub(super) fn keep_death_secret(object: Object, _: &Ground) -> Object {
    over::lock(object, KeepDeathSecret)
}

/// Takes it for granted that what a robust mutex protects is consistent.
struct AssumeConsistent;

impl LockFault for AssumeConsistent {
    fn lock(&mut self, lock: &mut dyn Lock, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        let locked = lock.lock(mode, bytes, patience);
        if matches!(locked, Err(Failure::Errno(Errno::EOWNERDEAD))) {
            lock.consistent()?;
        }
        locked
    }
}

pub(super) fn assume_consistent(object: Object, _: &Ground) -> Object {
    over::lock(object, AssumeConsistent)
}

/// Finds no lock free that it is not to wait for.
struct FindBusy;

impl LockFault for FindBusy {
    fn lock(&mut self, lock: &mut dyn Lock, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        lock.lock(mode, bytes, patience)?;
        if matches!(patience, Patience::Never) {
            lock.unlock(bytes)?;
            return Err(Errno::EBUSY.into());
        }
        Ok(())
    }
}

pub(super) fn find_busy(object: Object, _: &Ground) -> Object {
    over::lock(object, FindBusy)
}

/// Says that a wait was too long though it brought the lock.
struct TimeOutTooLate;

impl LockFault for TimeOutTooLate {
    fn lock(&mut self, lock: &mut dyn Lock, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        if !matches!(patience, Patience::For(_)) {
            return lock.lock(mode, bytes, patience);
        }
        match lock.lock(mode, bytes, Patience::Never) {
            Err(Failure::Errno(Errno::EBUSY)) => {
                lock.lock(mode, bytes, patience)?;
                Err(Errno::ETIMEDOUT.into())
            }
            locked => locked,
        }
    }
}

pub(super) fn time_out_too_late(object: Object, _: &Ground) -> Object {
    over::lock(object, TimeOutTooLate)
}

/// Leaves a copy of the descriptor behind that a lock is held by, whenever this is.
struct LeaveCopy {
    ground: Ground,
    at_close: bool,
}

impl LeaveCopy {
    fn leave(&self, lock: &dyn Lock) {
        if let Some(descriptor) = lock.descriptor(None) {
            self.ground.never_close(descriptor);
        }
    }
}

impl LockFault for LeaveCopy {
    fn lock(&mut self, lock: &mut dyn Lock, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        lock.lock(mode, bytes, patience)?;
        if !self.at_close {
            self.leave(lock);
        }
        Ok(())
    }

    fn close(&mut self, lock: &mut dyn Lock, end: Option<End>) -> Result<()> {
        if self.at_close {
            self.leave(lock);
        } else {
            // It is death alone that this one survives.
            let _ = lock.unlock(Bytes::default());
        }
        lock.close(end)
    }
}

pub(super) fn survive_close(object: Object, ground: &Ground) -> Object {
    over::lock(object, LeaveCopy { ground: ground.clone(), at_close: true })
}

pub(super) fn survive_death(object: Object, ground: &Ground) -> Object {
    over::lock(object, LeaveCopy { ground: ground.clone(), at_close: false })
}

/// A mutex that is not robust. What asks for robustness is told what it wants to hear.
struct Forgetful(Box<dyn Lock>);

/// A mutex that is not robust in the place of one that should be.
struct OpenForgetful(Box<dyn Opened>);

pub(super) fn forgets_deaths(_: Mechanism, options: &scenario::Channel<u64>) -> Made {
    let place = crate::mechanism::Place {
        directory: std::path::PathBuf::new(),
        prefix: String::new(),
        channel: String::new(),
        copy: 0,
    };
    let plain = crate::registry::find(Mechanism::PthreadMutex).ok_or_else(OpenError::nameless)?;
    Ok(Box::new(OpenForgetful(plain.open(&place, options)?)))
}

impl Opened for OpenForgetful {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match self.0.hold(end)? {
            Object::Lock(lock) => Ok(Object::Lock(Box::new(Forgetful(lock)))),
            object => Ok(object),
        }
    }
}

impl Channel for Forgetful {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        self.0.close(end)
    }
}

impl Lock for Forgetful {
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        self.0.lock(mode, bytes, patience)
    }

    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        match self.0.unlock(bytes) {
            // What POSIX leaves open for a plain mutex is an error of a robust one.
            Err(Failure::Senseless(_)) => Err(Errno::EPERM.into()),
            unlocked => unlocked,
        }
    }

    fn consistent(&mut self) -> Result<()> {
        Err(Errno::EINVAL.into())
    }
}

/// Takes the lock of a writer as if it were a reader's.
pub(super) fn write_as_a_reader(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Lock(lock) = operation {
        lock.mode = Mode::Shared;
    }
}

/// Takes the lock of a reader as if it were a writer's.
pub(super) fn read_as_a_writer(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Lock(lock) = operation {
        lock.mode = Mode::Exclusive;
    }
}

/// Locks and unlocks the whole file, whatever range was named.
pub(super) fn ignore_ranges(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    match operation {
        Operation::Lock(lock) => (lock.start, lock.length) = (None, None),
        Operation::Unlock(unlock) => (unlock.start, unlock.length) = (None, None),
        _ => {}
    }
}

/// Locks one byte less than was asked for, where that was more than one.
pub(super) fn lock_one_byte_less(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::Lock(lock) = operation {
        lock.length = lock.length.map(|length| if length > 1 { length - 1 } else { length });
    }
}
