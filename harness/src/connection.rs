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
    /// Bytes of the buffer whose lines were taken. They are left in it until no whole line is: to move up the rest for each of many lines
    /// takes longer than to read them.
    taken: usize,
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
        Ok(Some(Self {
            stream,
            buffer: Vec::new(),
            taken: 0,
            searched: 0,
            put_off: Vec::new(),
            ended: false,
            who,
            pid,
        }))
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
                    let untaken = &self.buffer[self.taken..];
                    if untaken.len() > LINE_BYTES_MAX && !untaken.contains(&b'\n') {
                        return Err(Fault::agent(
                            &self.who,
                            format!("sent a line of more than {LINE_BYTES_MAX} bytes"),
                        ));
                    }
                    if length < chunk.len() || untaken.len() > LINE_BYTES_MAX {
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
            self.buffer.drain(..self.taken);
            (self.taken, self.searched) = (0, self.buffer.len());
            if self.ended && !self.buffer.is_empty() {
                let text = shown(&self.buffer);
                self.buffer.clear();
                self.searched = 0;
                return Err(Fault::agent(&self.who, format!("ended in the middle of a line: {text}")));
            }
            return Ok(None);
        };
        let past = self.searched + end + 1;
        let line = &self.buffer[self.taken..past];
        (self.taken, self.searched) = (past, past);
        serde_json::from_slice(line).map(Some).map_err(|error| {
            Fault::agent(
                &self.who,
                format!("sent a line that is no message of the protocol ({error}): {}", shown(line)),
            )
        })
    }

    /// Whether the other end has closed, or died, and all it said was taken.
    pub(crate) fn is_over(&self) -> bool {
        self.ended && self.taken == self.buffer.len()
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

#[cfg(test)]
mod tests {
    use super::Connection;
    use harness_core::wire::{FromAgent, Met};
    use std::{
        io::Write as _,
        os::unix::net::{UnixListener, UnixStream},
    };

    /// A connection, and the agent's end of it.
    fn connected() -> (Connection, UnixStream) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let agent = UnixStream::connect(&path).unwrap();
        (Connection::accept(&listener, "the test").unwrap().unwrap(), agent)
    }

    fn line(run: u32) -> String {
        let met = FromAgent::Met(Met { meeting: "start".to_owned(), run });
        format!("{}\n", serde_json::to_string(&met).unwrap())
    }

    /// The runs of all messages that have come whole.
    fn runs(connection: &mut Connection) -> Vec<u32> {
        connection.fetch().unwrap();
        let next = || match connection.next().unwrap()? {
            FromAgent::Met(met) => Some(met.run),
            other => panic!("nobody said {other:?}"),
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn lines_come_one_by_one_however_they_were_sent() {
        let (mut connection, mut agent) = connected();
        let (third, fourth) = (line(3), line(4));
        let (head, tail) = third.split_at(9);
        agent.write_all(format!("{}{}{head}", line(1), line(2)).as_bytes()).unwrap();
        assert_eq!(runs(&mut connection), [1, 2]);
        assert!(runs(&mut connection).is_empty());
        agent.write_all(format!("{tail}{fourth}").as_bytes()).unwrap();
        // One is taken, and the other waits while more comes.
        connection.fetch().unwrap();
        assert!(connection.next().unwrap().is_some());
        agent.write_all(line(5).as_bytes()).unwrap();
        drop(agent);
        assert!(!connection.is_over());
        assert_eq!(runs(&mut connection), [4, 5]);
        assert!(runs(&mut connection).is_empty());
        assert!(connection.is_over());
    }

    #[test]
    fn an_end_in_the_middle_of_a_line_is_told() {
        let (mut connection, mut agent) = connected();
        agent.write_all(format!("{}{{\"met\":", line(1)).as_bytes()).unwrap();
        drop(agent);
        assert_eq!(runs(&mut connection), [1]);
        connection.fetch().unwrap();
        let fault = connection.next().unwrap_err().to_string();
        assert!(fault.contains("the test: ended in the middle of a line") && fault.contains("met"), "{fault}");
        assert!(connection.is_over());
    }
}
