//! Passing descriptors and credentials: `sendmsg()` and `recvmsg()` with `SCM_RIGHTS` and `SCM_CREDENTIALS`.

use crate::Result;
use nix::{
    cmsg_space,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, UnixCredentials, getsockopt, recvmsg, sendmsg, setsockopt,
        sockopt,
    },
    unistd::{getgid, getuid},
};
use std::{
    io::{IoSlice, IoSliceMut},
    os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
};

/// Sends one byte, and a descriptor with it.
///
/// # Errors
/// As the call.
pub fn send(socket: RawFd, handle: RawFd) -> Result<()> {
    sendmsg::<()>(socket, &[IoSlice::new(b"h")], &[ControlMessage::ScmRights(&[handle])], MsgFlags::empty(), None)
        .map(drop)
}

/// What came with a message.
#[derive(Debug, Default)]
pub struct Received {
    /// The descriptors, in order.
    pub handles: Vec<OwnedFd>,
    /// How many bytes came.
    pub length: usize,
}

/// Receives a byte, and descriptors if there is `room` for them.
///
/// # Errors
/// As the call.
pub fn receive(socket: RawFd, room: bool) -> Result<Received> {
    let mut byte = [0];
    let mut pieces = [IoSliceMut::new(&mut byte)];
    let mut space = cmsg_space!([RawFd; 4]);
    let control = room.then_some(&mut space[..]);
    let message = recvmsg::<()>(socket, &mut pieces, control, MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut received = Received { length: message.bytes, ..Received::default() };
    // Of one descriptor that found no room nothing is left; nix gives no control messages then.
    if room && !message.flags.contains(MsgFlags::MSG_CTRUNC) {
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(handles) = control {
                // SAFETY: the kernel has just made these descriptors for this process, and nobody else knows them.
                received.handles.extend(handles.into_iter().map(|handle| unsafe { OwnedFd::from_raw_fd(handle) }));
            }
        }
    }
    Ok(received)
}

/// Sends one byte and the credentials of a process: this one's, or those it has to be allowed to claim.
///
/// # Errors
/// As the call: `EPERM` for another process's without the privilege.
#[cfg(target_os = "linux")]
pub fn send_credentials(socket: RawFd, process: i32) -> Result<()> {
    let claimed = libc::ucred { pid: process, uid: getuid().as_raw(), gid: getgid().as_raw() };
    let credentials = UnixCredentials::from(claimed);
    let control = [ControlMessage::ScmCredentials(&credentials)];
    sendmsg::<()>(socket, &[IoSlice::new(b"c")], &control, MsgFlags::empty(), None).map(drop)
}

/// Receives one byte; gives the process that sent it, as the system tells; `None` where it does not.
///
/// # Errors
/// As the call.
#[cfg(target_os = "linux")]
pub fn receive_credentials(socket: RawFd) -> Result<Option<i32>> {
    let mut byte = [0];
    let mut pieces = [IoSliceMut::new(&mut byte)];
    let mut space = cmsg_space!(UnixCredentials);
    let message = recvmsg::<()>(socket, &mut pieces, Some(&mut space[..]), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let sender = message.cmsgs()?.find_map(|control| match control {
        ControlMessageOwned::ScmCredentials(credentials) => Some(credentials.pid()),
        _ => None,
    });
    Ok(sender)
}

/// Has the system tell who sends: `SO_PASSCRED`.
///
/// # Errors
/// As `setsockopt()`.
#[cfg(target_os = "linux")]
pub fn pass_credentials(socket: RawFd) -> Result<()> {
    setsockopt(&borrowed(socket)?, sockopt::PassCred, &true)
}

/// Who connected, or listened: `SO_PEERCRED`.
///
/// # Errors
/// As `getsockopt()`.
#[cfg(target_os = "linux")]
pub fn peer(socket: RawFd) -> Result<i32> {
    getsockopt(&borrowed(socket)?, sockopt::PeerCredentials).map(|credentials| credentials.pid())
}

/// A descriptor as nix wants it.
#[cfg(target_os = "linux")]
fn borrowed<'s>(socket: RawFd) -> Result<BorrowedFd<'s>> {
    if socket < 0 {
        return Err(crate::Errno::EBADF);
    }
    // SAFETY: it is used for one call, and is no -1; whether it is open, the system says.
    Ok(unsafe { BorrowedFd::borrow_raw(socket) })
}
