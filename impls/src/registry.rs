//! The mechanisms that this agent offers: a list to read.

use crate::mechanism::{
    Fifo, Mechanism, PacketPipe, Pipe, PosixMq, PosixNamedSem, PosixSem, PosixShm, Pty, Signal, TCP, TCP6, UDP, UDP6,
    UnixAbstractStream, UnixDatagram, UnixSeqpacket, UnixStream,
};

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
