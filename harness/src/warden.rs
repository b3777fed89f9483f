//! The warden: a process that outlives a harness that was killed, and cleans up after it.
//!
//! It holds the read end of a pipe whose other end only the harness has. The harness says which lanes it started; the end of
//! the pipe without a goodbye means that it died.

use crate::{helper, sweep};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, setsid},
};
use std::{
    ffi::OsString,
    fs,
    io::{self, BufRead as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ExitCode, Stdio},
    sync::Mutex,
};

const GOODBYE: &str = "goodbye";

/// The harness's side.
#[derive(Debug)]
pub(crate) struct Warden {
    child: Mutex<(Child, Option<ChildStdin>)>,
}

impl Warden {
    /// Starts the warden of a run with this directory and this prefix of names.
    pub(crate) fn start(helper: &Path, directory: &Path, prefix: &str) -> io::Result<Self> {
        let mut child = helper::command(helper, "warden")
            .arg(directory)
            .arg(prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let stdin = child.stdin.take();
        Ok(Self { child: Mutex::new((child, stdin)) })
    }

    /// Tells of a lane's first process, which leads a session of its own.
    pub(crate) fn watch(&self, pid: u32) {
        if let Ok(mut guard) = self.child.lock()
            && let Some(stdin) = guard.1.as_mut()
        {
            // A warden that is gone cannot be helped; the next run sweeps.
            let _ = writeln!(stdin, "{pid}");
        }
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        if let Ok(mut guard) = self.child.lock() {
            if let Some(mut stdin) = guard.1.take() {
                let _ = writeln!(stdin, "{GOODBYE}");
            }
            let _ = guard.0.wait();
        }
    }
}

/// The warden's main. Arguments: the run's directory, the prefix of its names.
pub(crate) fn main(arguments: &[OsString]) -> ExitCode {
    let [directory, prefix] = arguments else { return ExitCode::from(2) };
    // Signals from the terminal are for the harness.
    let _ = setsid();
    let mut lanes: Vec<i32> = Vec::new();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if line == GOODBYE {
            return ExitCode::SUCCESS;
        }
        lanes.extend(line.parse::<i32>());
    }
    for lane in lanes {
        kill_session(lane);
    }
    sweep::sweep_names(&prefix.to_string_lossy());
    sweep::remove(&PathBuf::from(directory));
    ExitCode::SUCCESS
}

/// Kills every process of a session, until none is left.
pub(crate) fn kill_session(session: i32) {
    for _ in 0..100 {
        let members = session_members(session);
        if members.is_empty() {
            return;
        }
        for pid in members {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

/// The living processes of a session, by `/proc/pid/stat` (field 6).
fn session_members(session: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| {
            fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
                let mut fields = stat[stat.rfind(')').map_or(0, |end| end + 1)..].split_ascii_whitespace();
                let state = fields.next().unwrap_or("Z");
                let member = fields.nth(2).and_then(|field| field.parse::<i32>().ok());
                state != "Z" && state != "X" && member == Some(session)
            })
        })
        .collect()
}
