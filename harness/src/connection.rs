//! One connection to an agent: JSON Lines, never blocking, never trusting.

use crate::{clock, fault::Fault};
use harness_core::wire::{FromAgent, LINE_BYTES_MAX, ToAgent};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{getsockopt, sockopt::PeerCredentials},
};
use std::{
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::{UnixListener, UnixStream},
    },
};

/// How many characters of a bad line a message shows.
const SHOWN_MAX: usize = 120;

/// One connection to an agent.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were searched for a line's end.
    searched: usize,
    /// What is told with the next message.
    put_off: Vec<u8>,
    ended: bool,
    /// Who is at the other end, for messages.
    pub(crate) who: String,
    /// The other end's process id as this process sees it.
    pub(crate) pid: i32,
}

impl Connection {
    /// Takes the next connection that waits at a listener, if any does.
    pub(crate) fn accept(listener: &UnixListener, who: &str) -> Result<Option<Self>, Fault> {
        let Ok((stream, _)) = listener.accept() else { return Ok(None) };
        stream.set_nonblocking(true).map_err(|error| Fault::io("make a connection non-blocking", error))?;
        let credentials = getsockopt(&stream, PeerCredentials)
            .map_err(|error| Fault::io("ask who is at the other end of a connection", error))?;
        let (who, pid) = (who.to_owned(), credentials.pid());
        // By 0 the kernel says that whoever connected is in no process-id namespace of ours.
        if pid <= 1 {
            return Err(Fault::agent(
                &who,
                format!("connected from a process that cannot be seen from here (id {pid})"),
            ));
        }
        Ok(Some(Self { stream, buffer: Vec::new(), searched: 0, put_off: Vec::new(), ended: false, who, pid }))
    }

    /// Reads what has come. Returns whether anything did, the end included.
    pub(crate) fn fetch(&mut self) -> Result<bool, Fault> {
        let mut chunk = [0_u8; 16 << 10];
        let mut any = false;
        while !self.ended {
            match self.stream.read(&mut chunk) {
                Ok(0) => {
                    self.ended = true;
                    any = true;
                }
                Ok(length) => {
                    self.buffer.extend_from_slice(&chunk[..length]);
                    any = true;
                    if self.buffer.len() > LINE_BYTES_MAX && !self.buffer.contains(&b'\n') {
                        return Err(Fault::agent(
                            &self.who,
                            format!("sent a line of more than {LINE_BYTES_MAX} bytes"),
                        ));
                    }
                    if length < chunk.len() || self.buffer.len() > LINE_BYTES_MAX {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    self.ended = true;
                    any = true;
                }
                Err(error) => return Err(Fault::io(format!("read from {}", self.who), error)),
            }
        }
        Ok(any)
    }

    /// The next message that has come whole, if any.
    pub(crate) fn next(&mut self) -> Result<Option<FromAgent>, Fault> {
        let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            if self.ended && !self.buffer.is_empty() {
                let text = shown(&self.buffer);
                self.buffer.clear();
                self.searched = 0;
                return Err(Fault::agent(&self.who, format!("ended in the middle of a line: {text}")));
            }
            return Ok(None);
        };
        let line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
        self.searched = 0;
        serde_json::from_slice(&line).map(Some).map_err(|error| {
            Fault::agent(
                &self.who,
                format!("sent a line that is no message of the protocol ({error}): {}", shown(&line)),
            )
        })
    }

    /// Whether the other end has closed, or died, and all it said was taken.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && self.buffer.is_empty()
    }

    /// Has a message sent before the next one, together with it: whoever waits is not woken for it alone.
    pub(crate) fn put_off(&mut self, message: &ToAgent) -> Result<(), Fault> {
        serde_json::to_writer(&mut self.put_off, message).map_err(|error| Fault::io("write a message", error))?;
        self.put_off.push(b'\n');
        Ok(())
    }

    /// Sends a message, waiting for room until the limit (nanoseconds).
    pub(crate) fn send(&mut self, message: &ToAgent, limit_ns: u64) -> Result<(), Fault> {
        self.put_off(message)?;
        let line = std::mem::take(&mut self.put_off);
        let until = clock::now() + limit_ns;
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(length) => rest = &rest[length..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if clock::now() > until {
                        let limit_ms = limit_ns / 1_000_000;
                        return Err(Fault::Silent { who: self.who.clone(), what: "read its commands", limit_ms });
                    }
                    let mut polled = [PollFd::new(self.stream.as_fd(), PollFlags::POLLOUT)];
                    // A failed wait only makes this loop turn once more.
                    let _ = poll(&mut polled, PollTimeout::from(20_u8));
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                    return Err(Fault::agent(&self.who, "closed its connection while it was being told what to do"));
                }
                Err(error) => return Err(Fault::io(format!("write to {}", self.who), error)),
            }
        }
        Ok(())
    }

    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end();
    let mut shown: String = text.chars().take(SHOWN_MAX).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN_MAX {
        shown.push('…');
    }
    format!("`{shown}`")
}
