//! The first promise of every agent: it connects, says hello, and dies when its connection ends.

use super::Note;
use harness_core::wire::{FromAgent, Hello, SOCKET_VARIABLE};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    ffi::OsString,
    io::BufReader,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::{net::UnixListener, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
    time::Duration,
};

/// How long an agent may take to connect, to say hello, and to die.
const PATIENCE_MS: u16 = 10_000;

/// Starts the agent, hears its hello, closes the connection, and waits for its end.
pub(super) fn check(command: &[OsString]) -> Note {
    match attempt(command) {
        Ok(()) => Note::Fine,
        Err(problem) => Note::Wrong(problem),
    }
}

fn attempt(command: &[OsString]) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| format!("cannot make a folder for its socket: {error}"))?;
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).map_err(|error| format!("cannot make its socket: {error}"))?;
    let [program, arguments @ ..] = command else { return Err("there is no command".to_owned()) };
    let child = Command::new(program)
        .args(arguments)
        .env(SOCKET_VARIABLE, &socket)
        .stdin(Stdio::null())
        // Whoever holds the other end of this pipe lives: its end is how we learn of theirs.
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let mut guard = Guard(child);
    let Some(stdout) = guard.0.stdout.take() else { return Err("its standard output is not ours".to_owned()) };
    match first_ready(listener.as_fd(), stdout.as_fd()) {
        First::Connection => {}
        First::End => return Err(format!("it ended without connecting to the socket in {SOCKET_VARIABLE}")),
        First::Nothing => {
            return Err(format!("it did not connect to the socket in {SOCKET_VARIABLE} within {PATIENCE_MS} ms"));
        }
    }
    let (stream, _) = listener.accept().map_err(|error| format!("it did not connect: {error}"))?;
    let patience = Duration::from_millis(u64::from(PATIENCE_MS));
    stream.set_read_timeout(Some(patience)).map_err(|error| error.to_string())?;
    hello(&mut BufReader::new(&stream))?;
    drop(stream);
    if !ended(stdout.as_fd()) {
        return Err(format!(
            "it still runs {PATIENCE_MS} ms after its connection has ended: end of file means die, for all of its processes"
        ));
    }
    Ok(())
}

fn hello(lines: &mut impl std::io::BufRead) -> Result<(), String> {
    let mut line = String::new();
    let read = lines.by_ref().read_line(&mut line).map_err(|error| format!("it did not say hello: {error}"))?;
    if read == 0 {
        return Err("it closed the connection without a hello".to_owned());
    }
    match serde_json::from_str::<FromAgent>(&line) {
        Ok(FromAgent::Hello(Hello::Root(_))) => Ok(()),
        Ok(_) => Err(format!("its first line is no hello of a root: {}", line.trim())),
        Err(error) => Err(format!("its first line is no message of the protocol: {error}: {}", line.trim())),
    }
}

/// What happens first.
enum First {
    Connection,
    End,
    Nothing,
}

fn first_ready(listener: BorrowedFd<'_>, stdout: BorrowedFd<'_>) -> First {
    // What it writes there is nothing to us: only the end shows.
    let mut polled = [PollFd::new(listener, PollFlags::POLLIN), PollFd::new(stdout, PollFlags::empty())];
    let _ = poll(&mut polled, PollTimeout::from(PATIENCE_MS));
    let is_ready = |index: usize| polled.get(index).and_then(PollFd::any).unwrap_or(false);
    match (is_ready(0), is_ready(1)) {
        (true, _) => First::Connection,
        (false, true) => First::End,
        (false, false) => First::Nothing,
    }
}

/// Whether all who held the other end of this pipe are gone, in time.
fn ended(stdout: BorrowedFd<'_>) -> bool {
    let mut polled = [PollFd::new(stdout, PollFlags::empty())];
    poll(&mut polled, PollTimeout::from(PATIENCE_MS)).is_ok_and(|ready| ready > 0)
}

/// Ends the agent whatever happens.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Ok(group) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}
