//! What a channel can do, whatever mechanism it is made of: one trait an ability.
//!
//! A method is one call of the mechanism. It is not repeated when it is interrupted or does less than was asked: what it
//! gave is the outcome.

mod connections;
mod counter;
mod lock;
mod memory;
mod names;
mod queue;
mod signals;
mod stream;
mod wake;

pub use connections::{Binding, Connections, Shutdown};
pub use counter::Counter;
pub use impls_sys::signals::{Action, Arrival};
pub use lock::{Bytes, Lock};
pub(crate) use lock::{exclusive_only, not_held};
pub use memory::Memory;
pub use names::{Names, Opening};
pub use queue::{Filter, HEAD, Message, Queue};
pub use signals::Signals;
pub use stream::Stream;
pub use wake::{Sleepers, Wake};

use nix::errno::Errno;
use spec::operation::End;
use std::{any::Any, os::fd::OwnedFd, time::Duration};

/// Why a method did not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The call failed. That is an outcome.
    Errno(Errno),
    /// There is no call to make: what was asked has no meaning here. That is a problem of whoever asked.
    Senseless(String),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl Failure {
    /// There is no call to make, and why.
    ///
    /// It is made apart from where it is found out: so what checks for it stays small, and is inlined into the loops that are measured.
    #[cold]
    #[inline(never)]
    pub(crate) fn senseless(why: &str) -> Self {
        Self::Senseless(why.to_owned())
    }
}

/// What a method gave.
pub type Result<T> = std::result::Result<T, Failure>;

/// How long a call may wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// As long as it takes.
    #[default]
    Forever,
    /// Not at all.
    Never,
    /// So long, from now on.
    For(Duration),
}

/// What every channel can do. The methods that return an `Option` tell what a mechanism offers beyond its ability.
pub trait Channel: Any {
    /// Closes an end, or all that this process holds.
    ///
    /// # Errors
    /// As the mechanism's call.
    fn close(&mut self, end: Option<End>) -> Result<()>;

    /// Sets or clears `O_NONBLOCK` on the open file description.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where there is no such flag.
    fn set_nonblocking(&mut self, _nonblocking: bool) -> Result<()> {
        Err(Failure::senseless("it has no O_NONBLOCK"))
    }

    /// The number of an end's descriptor, -1 where it is closed; `None` where it has no descriptors.
    fn descriptor(&self, _end: Option<End>) -> Option<i32> {
        None
    }

    /// Takes a descriptor that was received over another channel as an end of this one.
    ///
    /// # Errors
    /// Senseless where its ends are no descriptors.
    fn adopt(&mut self, _handle: OwnedFd, _end: End) -> Result<()> {
        Err(Failure::senseless("its ends are not descriptors"))
    }

    /// How it is opened and removed by name.
    fn names(&mut self) -> Option<&mut dyn Names> {
        None
    }

    /// How a socket is bound and connected.
    fn binding(&mut self) -> Option<&mut dyn Binding> {
        None
    }

    /// How connections are waited for and taken.
    fn connections(&mut self) -> Option<&mut dyn Connections> {
        None
    }

    /// How one direction is ended.
    fn shutdown(&mut self) -> Option<&mut dyn Shutdown> {
        None
    }
}

/// What a process holds of a channel.
pub enum Object {
    /// Bytes without boundaries.
    Stream(Box<dyn Stream>),
    /// Messages with boundaries.
    Queue(Box<dyn Queue>),
    /// Bytes and atomic cells.
    Memory(Box<dyn Memory>),
    /// A counter.
    Counter(Box<dyn Counter>),
    /// A lock.
    Lock(Box<dyn Lock>),
    /// A place to wait.
    Wake(Box<dyn Wake>),
    /// Signals: nothing is held, every process can send and receive them.
    Signals,
}

impl Object {
    /// Which ability it has.
    #[must_use]
    pub fn ability(&self) -> spec::Ability {
        match self {
            Self::Stream(_) => spec::Ability::Stream,
            Self::Queue(_) => spec::Ability::Queue,
            Self::Memory(_) => spec::Ability::Memory,
            Self::Counter(_) => spec::Ability::Counter,
            Self::Lock(_) => spec::Ability::Lock,
            Self::Wake(_) => spec::Ability::Wake,
            Self::Signals => spec::Ability::Signals,
        }
    }

    /// What every channel can do; `None` for signals.
    pub fn channel(&mut self) -> Option<&mut dyn Channel> {
        match self {
            Self::Stream(stream) => Some(stream.as_mut()),
            Self::Queue(queue) => Some(queue.as_mut()),
            Self::Memory(memory) => Some(memory.as_mut()),
            Self::Counter(counter) => Some(counter.as_mut()),
            Self::Lock(lock) => Some(lock.as_mut()),
            Self::Wake(wake) => Some(wake.as_mut()),
            Self::Signals => None,
        }
    }
}

impl std::fmt::Debug for Object {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Object({})", self.ability())
    }
}
