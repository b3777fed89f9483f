//! Passing descriptors: `sendmsg()` and `recvmsg()` with `SCM_RIGHTS`.

use crate::Result;
use nix::{
    cmsg_space,
    sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg},
};
use std::{
    io::{IoSlice, IoSliceMut},
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
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
