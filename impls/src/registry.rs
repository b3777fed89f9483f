//! The mechanisms that this agent offers: a list to read.

use crate::mechanism::{
    Fifo, Mechanism, Pipe, PosixMq, PosixNamedSem, PosixSem, PosixShm, Signal, Tcp, Udp, UnixDatagram, UnixSeqpacket,
    UnixStream,
};

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
    &Signal,
];

/// The one of this kind, where there is one.
#[must_use]
pub fn find(which: spec::Mechanism) -> Option<&'static dyn Mechanism> {
    MECHANISMS.iter().copied().find(|mechanism| mechanism.which() == which)
}
