//! System V queues, semaphore sets and segments: sysvipc(7).

use crate::{Errno, Result, check};
use std::{mem::MaybeUninit, time::Duration};

/// The permissions of what is made: the owner's alone.
const MODE: libc::c_int = 0o600;

/// What is asked of `msgget()`, `semget()` and `shmget()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Creation {
    /// `IPC_CREAT`.
    pub create: bool,
    /// `IPC_EXCL`.
    pub exclusive: bool,
}

impl Creation {
    /// A new object, or an error.
    pub const NEW: Self = Self { create: true, exclusive: true };

    fn flags(self) -> libc::c_int {
        let create = if self.create { libc::IPC_CREAT } else { 0 };
        let exclusive = if self.exclusive { libc::IPC_EXCL } else { 0 };
        MODE | create | exclusive
    }
}

/// `msgget()`.
///
/// # Errors
/// As the call.
pub fn queue(key: i32, creation: Creation) -> Result<i32> {
    // SAFETY: the call takes numbers.
    check(unsafe { libc::msgget(key, creation.flags()) })
}

/// `msgctl(IPC_RMID)`.
///
/// # Errors
/// As the call.
pub fn remove_queue(id: i32) -> Result<()> {
    // SAFETY: this command takes no structure.
    check(unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

/// How many messages a queue holds: `msgctl(IPC_STAT)`.
///
/// # Errors
/// As the call.
pub fn queued(id: i32) -> Result<u64> {
    let mut state = MaybeUninit::<libc::msqid_ds>::zeroed();
    // SAFETY: the structure is valid for a write.
    check(unsafe { libc::msgctl(id, libc::IPC_STAT, state.as_mut_ptr()) })?;
    // SAFETY: zeroed numbers are valid numbers, and the call has overwritten them.
    Ok(unsafe { state.assume_init() }.msg_qnum)
}

/// The type of a message comes before its text: struct msgbuf of msgop(2). So many bytes it takes.
pub const TYPE_BYTES: usize = size_of::<libc::c_long>();

/// The room for a type and for a text of a message.
fn parts(message: &mut [u8]) -> Result<(&mut [u8; TYPE_BYTES], &mut [u8])> {
    message.split_first_chunk_mut().ok_or(Errno::EINVAL)
}

/// `msgsnd()` of the text that comes after the first [`TYPE_BYTES`] of a message; the type is written there.
///
/// # Errors
/// As the call; `EINVAL` where there is no room for a type.
#[inline]
pub fn send(id: i32, kind: libc::c_long, message: &mut [u8], wait: bool) -> Result<()> {
    let (head, text) = parts(message)?;
    *head = kind.to_ne_bytes();
    let length = text.len();
    let flags = if wait { 0 } else { libc::IPC_NOWAIT };
    // SAFETY: the message begins with its type and goes on with as many bytes as the call is told; the system copies both, from
    // wherever they lie.
    check(unsafe { libc::msgsnd(id, message.as_ptr().cast(), length, flags) }).map(drop)
}

/// `msgrcv()` of a text behind the first [`TYPE_BYTES`] of a message; `flags` as for the call. Returns the text's length, and the type.
///
/// # Errors
/// As the call; `EINVAL` where there is no room for a type.
#[inline]
pub fn receive(id: i32, kind: libc::c_long, message: &mut [u8], flags: libc::c_int) -> Result<(usize, libc::c_long)> {
    let room = parts(message)?.1.len();
    // SAFETY: the message has room for its type and for as many bytes as the call is told; the system copies both, to wherever they
    // are to lie.
    let length = unsafe { libc::msgrcv(id, message.as_mut_ptr().cast(), room, kind, flags) };
    let length = usize::try_from(length).map_err(|_| Errno::last())?;
    Ok((length, libc::c_long::from_ne_bytes(*parts(message)?.0)))
}

/// `semget()`.
///
/// # Errors
/// As the call.
pub fn semaphores(key: i32, count: i32, creation: Creation) -> Result<i32> {
    // SAFETY: the call takes numbers.
    check(unsafe { libc::semget(key, count, creation.flags()) })
}

/// `semctl(IPC_RMID)`.
///
/// # Errors
/// As the call.
pub fn remove_semaphores(id: i32) -> Result<()> {
    // SAFETY: this command takes no further argument.
    check(unsafe { libc::semctl(id, 0, libc::IPC_RMID) }).map(drop)
}

/// `semctl(SETVAL)`.
///
/// # Errors
/// As the call.
pub fn set_value(id: i32, number: i32, value: i32) -> Result<()> {
    // SAFETY: the argument of this command is a number; as the first member of union semun it is passed like one.
    check(unsafe { libc::semctl(id, number, libc::SETVAL, value) }).map(drop)
}

/// `semctl(GETVAL)`.
///
/// # Errors
/// As the call.
pub fn value(id: i32, number: i32) -> Result<i32> {
    // SAFETY: this command takes no further argument.
    check(unsafe { libc::semctl(id, number, libc::GETVAL) })
}

/// One change of `semop()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Which semaphore.
    pub number: u16,
    /// What is added; 0 waits for zero.
    pub add: i16,
    /// `SEM_UNDO`.
    pub undo: bool,
    /// `IPC_NOWAIT`.
    pub nonblocking: bool,
}

/// `semop()`, or `semtimedop()` with a timeout.
///
/// # Errors
/// As the call.
#[inline]
pub fn change(id: i32, changes: &[Change], timeout: Option<Duration>) -> Result<()> {
    if let ([change], None) = (changes, timeout) {
        // Most calls are like this; nothing has to be allocated for them.
        return operate(id, &mut [operation(change)]);
    }
    let mut operations: Vec<libc::sembuf> = changes.iter().map(operation).collect();
    match timeout {
        None => operate(id, &mut operations),
        Some(timeout) => timed(id, &mut operations, timeout),
    }
}

/// A change as the calls take it.
#[inline]
fn operation(change: &Change) -> libc::sembuf {
    let flag = |set: bool, flag: libc::c_int| if set { flag } else { 0 };
    let flags = flag(change.undo, libc::SEM_UNDO) | flag(change.nonblocking, libc::IPC_NOWAIT);
    libc::sembuf { sem_num: change.number, sem_op: change.add, sem_flg: i16::try_from(flags).unwrap_or(0) }
}

#[inline]
fn operate(id: i32, operations: &mut [libc::sembuf]) -> Result<()> {
    // SAFETY: the operations live through the call, and there are as many as it is told.
    check(unsafe { libc::semop(id, operations.as_mut_ptr(), operations.len()) }).map(drop)
}

#[cfg(target_os = "linux")]
fn timed(id: i32, operations: &mut [libc::sembuf], timeout: Duration) -> Result<()> {
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: operations and timeout live through the call, and there are as many operations as it is told.
    let result = unsafe {
        libc::syscall(libc::SYS_semtimedop, id, operations.as_mut_ptr(), operations.len(), &raw const timeout)
    };
    if result == 0 { Ok(()) } else { Err(Errno::last()) }
}

#[cfg(not(target_os = "linux"))]
fn timed(_: i32, _: &mut [libc::sembuf], _: Duration) -> Result<()> {
    Err(Errno::ENOSYS)
}

/// `shmget()`.
///
/// # Errors
/// As the call.
pub fn segment(key: i32, size: usize, creation: Creation) -> Result<i32> {
    // SAFETY: the call takes numbers.
    check(unsafe { libc::shmget(key, size, creation.flags()) })
}

/// `shmctl(IPC_RMID)`.
///
/// # Errors
/// As the call.
pub fn remove_segment(id: i32) -> Result<()> {
    // SAFETY: this command takes no structure.
    check(unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}
