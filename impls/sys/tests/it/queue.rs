//! POSIX message queues.

use impls_sys::{
    Errno,
    queue::{self, MessageQueue, Room},
};
use std::{ffi::CString, time::Duration};

fn make(name: &str, capacity: u64) -> MessageQueue {
    let name = CString::new(format!("/impls-sys-{name}-{}", std::process::id())).unwrap();
    let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL;
    let queue = MessageQueue::open(&name, flags, Some(Room { capacity, message_size: 16 })).unwrap();
    queue::unlink(&name).unwrap();
    assert_eq!(queue::unlink(&name), Err(Errno::ENOENT));
    queue
}

#[test]
fn messages_come_by_priority() {
    let queue = make("priority", 4);
    for (text, priority) in [("low", 0), ("high", 3), ("low too", 0)] {
        queue.send(text.as_bytes(), priority, None).unwrap();
    }
    assert_eq!(queue.attributes().unwrap().messages, 3);
    let mut buffer = [0; 16];
    assert_eq!(queue.receive(&mut buffer, None), Ok((4, 3)));
    assert_eq!(&buffer[..4], b"high");
    assert_eq!(queue.receive(&mut buffer, None), Ok((3, 0)));
    assert_eq!(queue.receive(&mut [0; 15], None), Err(Errno::EMSGSIZE));
}

#[test]
fn a_timeout_ends_a_wait_and_is_not_looked_at_without_one() {
    let queue = make("timeout", 1);
    let mut buffer = [0; 16];
    assert_eq!(queue.receive(&mut buffer, Some(Duration::ZERO)), Err(Errno::ETIMEDOUT));
    let start = std::time::Instant::now();
    assert_eq!(queue.receive(&mut buffer, Some(Duration::from_millis(20))), Err(Errno::ETIMEDOUT));
    assert!(start.elapsed() >= Duration::from_millis(20));
    queue.send(b"x", 0, Some(Duration::ZERO)).unwrap();
    assert_eq!(queue.send(b"y", 0, Some(Duration::ZERO)), Err(Errno::ETIMEDOUT));
    assert_eq!(queue.receive(&mut buffer, Some(Duration::MAX)), Ok((1, 0)));
}

#[test]
fn the_flag_and_the_room_are_told() {
    let mut queue = make("flag", 2);
    assert_eq!(queue.attributes().unwrap().room, Room { capacity: 2, message_size: 16 });
    assert_eq!(queue.set_nonblocking(true), Ok(false));
    assert_eq!(queue.set_nonblocking(true), Ok(true));
    assert!(queue.attributes().unwrap().nonblocking);
    assert_eq!(queue.receive(&mut [0; 16], None), Err(Errno::EAGAIN));
    queue.close().unwrap();
    assert_eq!(queue.close(), Err(Errno::EBADF));
    assert_eq!(queue.send(b"x", 0, None), Err(Errno::EBADF));
    assert_eq!(queue.receive(&mut [0; 16], None), Err(Errno::EBADF));
}
