//! A connection to the harness: JSON Lines over a stream socket.

use crate::perform::Problem;
use harness_core::wire::{FromAgent, LINE_BYTES_MAX, Problem as ProblemMessage, ToAgent};
use impls_sys::descriptor::Descriptor;
use nix::{
    errno::Errno,
    sys::{
        select::{FD_SETSIZE, FdSet, pselect},
        socket::{MsgFlags, recv, send},
    },
};
use std::{
    io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
};

/// How many bytes are read at once: a page, as each page that a new process touches costs it a fault, and most lines are short.
const CHUNK_BYTES: usize = 4 << 10;

/// How many characters of a bad line a message shows.
const SHOWN_MAX: usize = 120;

/// Why a conversation is over.
#[derive(Debug)]
pub(super) enum Over {
    /// The harness has closed, or died: the order to die.
    Gone,
    /// The harness is to be told that this agent cannot go on.
    Problem(Problem),
}

impl From<Problem> for Over {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// One connection to the harness.
#[derive(Debug)]
pub(super) struct Control {
    socket: Descriptor,
    /// What has come and was not taken.
    incoming: Vec<u8>,
    /// How many bytes of it were searched for a line's end.
    searched: usize,
    /// What is to be sent with the next flush.
    outgoing: Vec<u8>,
}

impl Control {
    /// Connects to the harness.
    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        // The standard library makes its sockets close-on-exec.
        let socket = OwnedFd::from(UnixStream::connect(path)?);
        Ok(Self { socket: socket.into(), incoming: Vec::new(), searched: 0, outgoing: Vec::new() })
    }

    /// A connection that was made before.
    #[cfg(target_os = "linux")]
    pub(super) fn over(socket: OwnedFd) -> Self {
        Self { socket: socket.into(), incoming: Vec::new(), searched: 0, outgoing: Vec::new() }
    }

    /// The number of the connection's descriptor.
    pub(super) fn number(&self) -> i32 {
        self.socket.number()
    }

    /// The descriptor, to be polled.
    pub(super) fn socket(&self) -> &Descriptor {
        &self.socket
    }

    /// Closes this process's copy of the connection.
    pub(super) fn abandon(&mut self) {
        let _ = self.socket.close();
    }

    /// Adds a message to what the next flush sends.
    pub(super) fn push(&mut self, message: &FromAgent) -> Result<(), Problem> {
        let start = self.outgoing.len();
        serde_json::to_writer(&mut self.outgoing, message)
            .map_err(|error| Problem(format!("a message cannot be written: {error}")))?;
        let length = self.outgoing.len() - start + 1;
        if length > LINE_BYTES_MAX {
            self.outgoing.truncate(start);
            return Err(Problem(format!(
                "a message of {length} bytes is longer than a line may be ({LINE_BYTES_MAX}): receive less in one step"
            )));
        }
        self.outgoing.push(b'\n');
        Ok(())
    }

    /// Sends all that was pushed, in as few calls as the socket allows. A signal of the scenario does not disturb it.
    pub(super) fn flush(&mut self) -> Result<(), Over> {
        let mut sent = 0;
        while sent < self.outgoing.len() {
            match send(self.socket.number(), &self.outgoing[sent..], MsgFlags::MSG_NOSIGNAL) {
                Ok(length) => sent += length,
                Err(Errno::EINTR) => {}
                Err(_) => return Err(Over::Gone),
            }
        }
        self.outgoing.clear();
        Ok(())
    }

    /// Sends one message.
    pub(super) fn send(&mut self, message: &FromAgent) -> Result<(), Over> {
        self.push(message)?;
        self.flush()
    }

    /// Says that this agent cannot go on; whether anybody listens does not matter any more.
    pub(super) fn complain(&mut self, problem: &Problem) {
        let _ = self.send(&FromAgent::Problem(ProblemMessage { message: problem.0.clone() }));
    }

    /// Waits for the next message.
    pub(super) fn next(&mut self) -> Result<ToAgent, Over> {
        loop {
            if let Some(message) = self.take()? {
                return Ok(message);
            }
            if self.wait() {
                self.fetch()?;
            }
        }
    }

    /// Waits for something to come. Returns whether it is to be fetched now; a signal of the scenario may have ended the wait.
    ///
    /// Who sleeps in a receive of a local stream socket is woken by Linux also when the other end takes what was sent before, and
    /// finds nothing: a fifth of the cost of a step. `pselect()` sleeps through that, and its first argument, unlike that of
    /// `poll()`, tells the harness which descriptor is waited for.
    fn wait(&self) -> bool {
        let number = self.socket.number();
        if !usize::try_from(number).is_ok_and(|number| number < FD_SETSIZE) {
            // The receive itself waits.
            return true;
        }
        let waited = self.socket.with(|socket| {
            let mut readable = FdSet::new();
            readable.insert(socket.as_fd());
            pselect(number + 1, &mut readable, None, None, None, None)
        });
        waited != Err(Errno::EINTR)
    }

    /// Reads once what has come, waiting for something.
    pub(super) fn fetch(&mut self) -> Result<(), Over> {
        let mut chunk = [0_u8; CHUNK_BYTES];
        match recv(self.socket.number(), &mut chunk, MsgFlags::empty()) {
            Ok(0) => Err(Over::Gone),
            Ok(length) => {
                self.incoming.extend_from_slice(&chunk[..length]);
                Ok(())
            }
            Err(Errno::EINTR) => Ok(()),
            Err(_) => Err(Over::Gone),
        }
    }

    /// Whether anything has come that was not taken, or the other end is gone. Does not wait.
    pub(super) fn has_come(&self) -> Result<bool, Over> {
        if !self.incoming.is_empty() {
            return Ok(true);
        }
        match recv(self.socket.number(), &mut [0], MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT) {
            Ok(0) => Err(Over::Gone),
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(false),
            Err(_) => Err(Over::Gone),
        }
    }

    /// The next message that has come whole, if any.
    pub(super) fn take(&mut self) -> Result<Option<ToAgent>, Problem> {
        let Some(end) = self.incoming[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.incoming.len();
            if self.incoming.len() > LINE_BYTES_MAX {
                return Err(Problem(format!("the harness sent a line of more than {LINE_BYTES_MAX} bytes")));
            }
            return Ok(None);
        };
        let line: Vec<u8> = self.incoming.drain(..=self.searched + end).collect();
        self.searched = 0;
        serde_json::from_slice(&line).map(Some).map_err(|error| {
            let text: String = String::from_utf8_lossy(&line).trim_end().chars().take(SHOWN_MAX).collect();
            Problem(format!("the harness sent a line that this agent does not understand ({error}): `{text}`"))
        })
    }
}
