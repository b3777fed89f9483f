//! The mechanisms that this agent offers: a list to read.

use crate::mechanism::{
    Barrier, Call, Condvar, Fifo, FileLock, Futex, FutexLock, Mechanism, Pipe, PosixMq, PosixNamedSem, PosixSem,
    PosixShm, PthreadMutex, PthreadRwlock, PthreadSpinlock, Signal, Tcp, Udp, UnixDatagram, UnixSeqpacket, UnixStream,
};
use impls_sys::pthread::Kind;

/// All of them, in the order of the documentation.
pub const MECHANISMS: &[&dyn Mechanism] = &[
    &Pipe,
    &Fifo,
    &UnixStream,
    &Tcp,
    &UnixDatagram,
    &UnixSeqpacket,
    &Udp,
    &PosixMq,
    &PosixShm,
    &PosixSem,
    &PosixNamedSem,
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
