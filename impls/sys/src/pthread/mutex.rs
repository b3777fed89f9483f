//! `pthread_mutex_lock()` and its kin on process-shared mutexes.

use super::{Shared, number};
use crate::{Result, deadline};
use std::{
    mem::{ManuallyDrop, MaybeUninit},
    time::Duration,
};

/// What a mutex does beyond excluding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `PTHREAD_MUTEX_NORMAL`: nothing.
    Normal,
    /// `PTHREAD_MUTEX_ERRORCHECK`: it refuses what makes no sense.
    ErrorCheck,
    /// `PTHREAD_MUTEX_RECURSIVE`: its owner may lock it again.
    Recursive,
    /// `PTHREAD_MUTEX_ROBUST`, and else normal: the next one learns that its owner has died.
    Robust,
    /// `PTHREAD_PRIO_INHERIT`, and else normal: its owner inherits the priority of who waits.
    PriorityInheritance,
}

/// A mutex that this process shares with those forked after it was made.
#[derive(Debug)]
pub struct Mutex {
    /// Its pages go with it, but for those of a robust mutex that is held.
    shared: ManuallyDrop<Shared<libc::pthread_mutex_t>>,
    kind: Kind,
    /// How many times this process has locked it and not unlocked it.
    held: u32,
}

impl Mutex {
    /// `pthread_mutex_init()` with `PTHREAD_PROCESS_SHARED`.
    ///
    /// # Errors
    /// As `mmap()`, `pthread_mutexattr_settype()`, `…setrobust()`, `…setprotocol()` and `pthread_mutex_init()`.
    pub fn new(kind: Kind) -> Result<Self> {
        let shared = Shared::zeroed()?;
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are valid for a write.
        number(unsafe { libc::pthread_mutexattr_init(attributes) })?;
        // SAFETY: the attributes are initialized.
        number(unsafe { libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED) })?;
        let type_ = match kind {
            Kind::Normal | Kind::Robust | Kind::PriorityInheritance => libc::PTHREAD_MUTEX_NORMAL,
            Kind::ErrorCheck => libc::PTHREAD_MUTEX_ERRORCHECK,
            Kind::Recursive => libc::PTHREAD_MUTEX_RECURSIVE,
        };
        // SAFETY: the attributes are initialized.
        number(unsafe { libc::pthread_mutexattr_settype(attributes, type_) })?;
        if kind == Kind::Robust {
            // SAFETY: the attributes are initialized.
            number(unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) })?;
        }
        if kind == Kind::PriorityInheritance {
            // SAFETY: the attributes are initialized.
            number(unsafe { libc::pthread_mutexattr_setprotocol(attributes, libc::PTHREAD_PRIO_INHERIT) })?;
        }
        let mutex = Self { shared: ManuallyDrop::new(shared), kind, held: 0 };
        // SAFETY: the pages are new, large enough and aligned, and the attributes are initialized.
        number(unsafe { libc::pthread_mutex_init(mutex.pointer(), attributes) })?;
        // SAFETY: the attributes are initialized, and used no more.
        number(unsafe { libc::pthread_mutexattr_destroy(attributes) })?;
        Ok(mutex)
    }

    /// Whether this process has locked it and not unlocked it.
    #[must_use]
    #[inline]
    pub fn is_held(&self) -> bool {
        self.held > 0
    }

    /// What it does beyond excluding.
    #[must_use]
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// `pthread_mutex_lock()`.
    ///
    /// # Errors
    /// As the call. At `EOWNERDEAD` the mutex is locked nevertheless.
    #[inline]
    pub fn lock(&mut self) -> Result<()> {
        // SAFETY: the mutex is initialized and lives as long as `self`.
        self.locked(number(unsafe { libc::pthread_mutex_lock(self.pointer()) }))
    }

    /// `pthread_mutex_trylock()`.
    ///
    /// # Errors
    /// As the call. At `EOWNERDEAD` the mutex is locked nevertheless.
    pub fn try_lock(&mut self) -> Result<()> {
        // SAFETY: the mutex is initialized and lives as long as `self`.
        self.locked(number(unsafe { libc::pthread_mutex_trylock(self.pointer()) }))
    }

    /// `pthread_mutex_timedlock()` with a timeout from now on.
    ///
    /// # Errors
    /// As the call. At `EOWNERDEAD` the mutex is locked nevertheless.
    pub fn lock_for(&mut self, timeout: Duration) -> Result<()> {
        let deadline = deadline(timeout);
        // SAFETY: the mutex is initialized and lives as long as `self`, and the deadline through the call.
        self.locked(number(unsafe { libc::pthread_mutex_timedlock(self.pointer(), &raw const deadline) }))
    }

    /// `pthread_mutex_unlock()`. What this means for a normal mutex that is not held is undefined by POSIX; the memory
    /// stays sound.
    ///
    /// # Errors
    /// As the call.
    #[inline]
    pub fn unlock(&mut self) -> Result<()> {
        // SAFETY: the mutex is initialized and lives as long as `self`.
        let unlocked = number(unsafe { libc::pthread_mutex_unlock(self.pointer()) });
        if unlocked.is_ok() {
            self.held = self.held.saturating_sub(1);
        }
        unlocked
    }

    /// `pthread_mutex_consistent()`.
    ///
    /// # Errors
    /// As the call.
    pub fn consistent(&mut self) -> Result<()> {
        // SAFETY: the mutex is initialized and lives as long as `self`.
        number(unsafe { libc::pthread_mutex_consistent(self.pointer()) })
    }

    #[inline]
    pub(super) fn pointer(&self) -> *mut libc::pthread_mutex_t {
        self.shared.pointer()
    }

    #[inline]
    fn locked(&mut self, result: Result<()>) -> Result<()> {
        if matches!(result, Ok(()) | Err(crate::Errno::EOWNERDEAD)) {
            self.held += 1;
        }
        result
    }
}

impl Drop for Mutex {
    fn drop(&mut self) {
        // A robust mutex that is held is linked into this thread's list of such: its memory must outlive the thread.
        if self.kind == Kind::Robust && self.is_held() {
            return;
        }
        // SAFETY: `self` is being dropped, and nothing looks at its pages afterwards.
        unsafe { ManuallyDrop::drop(&mut self.shared) };
    }
}
