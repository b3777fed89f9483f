//! What processes share of POSIX threads: mutexes, read-write locks, spin locks, condition variables and barriers, each in
//! pages that every process forked from now on maps.

mod barrier;
mod condition;
mod mutex;
mod rwlock;
mod spinlock;

pub use barrier::Barrier;
pub use condition::Condition;
pub use mutex::{Kind, Mutex};
pub use rwlock::Rwlock;
pub use spinlock::Spinlock;

use crate::{Errno, Result, memory::Mapping};
use std::{mem::size_of, ptr::NonNull};

/// Reads the result of a call that gives an error number, and not -1.
#[inline]
fn number(result: libc::c_int) -> Result<()> {
    if result == 0 { Ok(()) } else { Err(Errno::from_raw(result)) }
}

/// An object in shared pages of its own, zeroed: to be initialized by its call.
#[derive(Debug)]
struct Shared<T> {
    address: NonNull<T>,
    _pages: Mapping,
}

impl<T> Shared<T> {
    fn zeroed() -> Result<Self> {
        let pages = Mapping::anonymous(size_of::<T>())?;
        let address = pages.inside(0, size_of::<T>()).ok_or(Errno::EINVAL)?.cast();
        Ok(Self { address, _pages: pages })
    }

    /// Mapped, aligned as pages are, and large enough, as long as `self` lives.
    #[inline]
    fn pointer(&self) -> *mut T {
        self.address.as_ptr()
    }
}
