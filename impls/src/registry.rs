//! The mechanisms that this agent offers: a list to read.

use crate::mechanism::{
    AnonymousMemory, Barrier, Call, Condvar, EVENTFD, EVENTFD_SEMAPHORE, Fifo, FileLock, Futex, FutexLock, MappedFile,
    Mechanism, Memfd, PacketPipe, Pipe, PosixMq, PosixNamedSem, PosixSem, PosixShm, PthreadMutex, PthreadRwlock,
    PthreadSpinlock, Pty, ShmRing, Signal, SysvMsg, SysvSem, SysvShm, TCP, TCP6, UDP, UDP6, UnixAbstractStream,
    UnixDatagram, UnixSeqpacket, UnixStream,
};
use impls_sys::pthread::Kind;

/// All of them, in the order of the documentation.
pub const MECHANISMS: &[&dyn Mechanism] = &[
    &Pipe,
    &Fifo,
    &UnixStream,
    &TCP,
    &TCP6,
    &UnixAbstractStream,
    &Pty,
    &UnixDatagram,
    &UnixSeqpacket,
    &UDP,
    &UDP6,
    &PacketPipe,
    &PosixMq,
    &SysvMsg,
    &ShmRing,
    &PosixShm,
    &SysvShm,
    &Memfd,
    &MappedFile,
    &AnonymousMemory,
    &PosixSem,
    &PosixNamedSem,
    &SysvSem,
    &EVENTFD,
    &EVENTFD_SEMAPHORE,
    &PthreadMutex(Kind::Normal),
    &PthreadMutex(Kind::ErrorCheck),
    &PthreadMutex(Kind::Recursive),
    &PthreadMutex(Kind::Robust),
    &PthreadMutex(Kind::PriorityInheritance),
    &PthreadRwlock,
    &PthreadSpinlock,
    &FileLock(Call::Flock),
    &FileLock(Call::Record),
    &FileLock(Call::Description),
    &FutexLock,
    &Condvar,
    &Barrier,
    &Futex,
    &Signal,
];

/// The one of this kind, where there is one.
#[must_use]
pub fn find(which: spec::Mechanism) -> Option<&'static dyn Mechanism> {
    MECHANISMS.iter().copied().find(|mechanism| mechanism.which() == which)
}
