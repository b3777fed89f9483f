//! The mechanisms: how a root opens each, and what a process then holds.
//!
//! A new mechanism is a file here, a line in [`crate::registry`] and a row in `spec::vocabulary::MECHANISMS`.

mod anonymous_memory;
mod barrier;
mod byte_stream;
mod condvar;
mod eventfd;
mod fifo;
mod file_lock;
mod futex;
mod futex_lock;
mod mapped_file;
mod memfd;
mod memory_object;
mod packet_pipe;
mod pipe;
mod posix_mq;
mod posix_named_sem;
mod posix_sem;
mod posix_shm;
mod pthread_mutex;
mod pthread_rwlock;
mod pthread_spinlock;
mod pty;
mod shm_ring;
mod signal;
mod socket;
mod sysv;
mod sysv_msg;
mod sysv_sem;
mod sysv_shm;
mod tcp;
mod udp;
mod unix_abstract_stream;
mod unix_datagram;
mod unix_seqpacket;
mod unix_stream;

pub use anonymous_memory::AnonymousMemory;
pub use barrier::Barrier;
pub use condvar::Condvar;
pub use eventfd::{EVENTFD, EVENTFD_SEMAPHORE, Eventfd};
pub use fifo::Fifo;
pub(crate) use file_lock::Call;
pub use file_lock::FileLock;
pub use futex::Futex;
pub use futex_lock::FutexLock;
pub use mapped_file::MappedFile;
pub use memfd::Memfd;
pub use packet_pipe::PacketPipe;
pub use pipe::Pipe;
pub use posix_mq::PosixMq;
pub use posix_named_sem::PosixNamedSem;
pub use posix_sem::PosixSem;
pub use posix_shm::PosixShm;
pub use pthread_mutex::PthreadMutex;
pub use pthread_rwlock::PthreadRwlock;
pub use pthread_spinlock::PthreadSpinlock;
pub use pty::Pty;
pub use shm_ring::{Look, Region, Reservation, Ring, ShmRing};
pub use signal::{ProcessSignals, Signal};
pub use sysv_msg::SysvMsg;
pub use sysv_sem::SysvSem;
pub use sysv_shm::SysvShm;
pub use tcp::{TCP, TCP6, Tcp};
pub use udp::{UDP, UDP6, Udp};
pub use unix_abstract_stream::UnixAbstractStream;
pub use unix_datagram::UnixDatagram;
pub use unix_seqpacket::UnixSeqpacket;
pub use unix_stream::UnixStream;

use crate::ability::{self, Failure, Object};
use harness_core::wire::HeldEnd;
use impls_sys::memory::Mapping;
use nix::errno::Errno;
use spec::{operation::End, scenario::Channel};
use std::{ffi::CString, path::PathBuf, sync::atomic::AtomicU32};

/// A mechanism as a root sees it.
pub trait Mechanism: Sync {
    /// Which one.
    fn which(&self) -> spec::Mechanism;

    /// Whether this system has it.
    fn works(&self) -> bool;

    /// Makes a channel for processes to inherit.
    ///
    /// # Errors
    /// The call that failed, and how. Nothing is left behind then but what [`Self::remove`] removes.
    fn open(&self, place: &Place, options: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError>;

    /// Prepares a channel that each process opens for itself; makes its object where it is to exist beforehand.
    ///
    /// # Errors
    /// As [`Self::open`]; `ENOTSUP` where the mechanism has no names.
    fn prepare(&self, place: &Place, options: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError>;

    /// Removes the name of a channel, whoever made it. That it is gone already is fine.
    fn remove(&self, place: &Place);
}

/// A channel that a root has opened, or prepared. After a fork each process has its own.
pub trait Opened {
    /// How many processes hold an end to send with and one to receive with, before any of them does; not called where processes may come to
    /// hold it later.
    fn held_by(&mut self, _senders: usize, _receivers: usize) {}

    /// What a process holds that uses this end. Everything else of the channel is closed in this process.
    ///
    /// # Errors
    /// As the calls that the process makes for it (`mmap()`); senseless for an end that the channel does not have.
    fn hold(self: Box<Self>, end: HeldEnd) -> ability::Result<Object>;
}

/// Where a channel has its name.
#[derive(Clone, Debug)]
pub struct Place {
    /// The directory for FIFOs and sockets.
    pub directory: PathBuf,
    /// What names in a name space of the system begin with.
    pub prefix: String,
    /// The channel.
    pub channel: String,
    /// Which copy of it.
    pub copy: u32,
}

impl Place {
    /// The name in the file system.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.join(format!("{}-{}", self.channel, self.copy))
    }

    /// The name in a name space of the system, with its slash.
    ///
    /// # Errors
    /// Where the prefix holds a NUL.
    pub fn name(&self) -> Result<CString, OpenError> {
        CString::new(format!("/{}{}-{}", self.prefix, self.channel, self.copy))
            .map_err(|_| OpenError { call: "the name", errno: Errno::EINVAL })
    }
}

/// Why a channel cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenError {
    /// The call.
    pub call: &'static str,
    /// How it failed.
    pub errno: Errno,
}

impl OpenError {
    /// For `map_err`: names the call.
    pub(crate) fn of(call: &'static str) -> impl FnOnce(Errno) -> Self {
        move |errno| Self { call, errno }
    }

    /// Of a mechanism without names.
    pub(crate) fn nameless() -> Self {
        Self { call: "attaching by name", errno: Errno::ENOTSUP }
    }
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {:?} ({})", self.call, self.errno, self.errno.desc())
    }
}

impl std::error::Error for OpenError {}

/// The complaint about an end that a channel does not have.
fn no_such_end(end: HeldEnd) -> Failure {
    Failure::Senseless(format!("it has no end `{end:?}`"))
}

/// Whether an end can be closed of what has no listener.
fn no_listener(end: Option<End>) -> ability::Result<()> {
    if end == Some(End::Listener) { Err(Failure::senseless("it has no listener")) } else { Ok(()) }
}

/// Whether this system has futexes between processes.
fn futexes_work() -> bool {
    Mapping::anonymous(size_of::<AtomicU32>())
        .is_ok_and(|pages| pages.word(0).is_some_and(|word| impls_sys::futex::wake(word, 1) == Ok(0)))
}

/// Whether the system has a place for named memory. On Linux that is a directory, which a bare container may lack.
fn shared_memory_works() -> bool {
    !cfg!(target_os = "linux") || std::path::Path::new("/dev/shm").is_dir()
}
