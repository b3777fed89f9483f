//! The warden: a process that outlives a harness that was killed, and cleans up after it.
//!
//! It holds the read end of a pipe whose other end only the harness has. The harness says which lanes it started; the end of
//! the pipe without a goodbye means that it died.

use crate::{clock, helper, host, lane_processes::Leader, sweep};
use nix::unistd::setsid;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    io::{self, BufRead as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ExitCode, Stdio},
    sync::Mutex,
};

const GOODBYE: &str = "goodbye";

/// How long all lanes of a harness that was killed have to end by themselves: nanoseconds.
const GRACE_NS: u64 = 2_000_000_000;

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
    pub(crate) fn watch(&self, leader: Leader) {
        self.say(&format!("{leader}\n"));
    }

    /// Tells of queues that may be made, and that no directory will show.
    pub(crate) fn expect_queues(&self, names: &[String]) {
        let text: String = names.iter().map(|name| format!("{name}\n")).collect();
        self.say(&text);
    }

    fn say(&self, text: &str) {
        if let Ok(mut guard) = self.child.lock()
            && let Some(stdin) = guard.1.as_mut()
        {
            // A warden that is gone cannot be helped; the next run sweeps.
            let _ = stdin.write_all(text.as_bytes());
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
    let mut lanes: Vec<Leader> = Vec::new();
    let mut queues: BTreeSet<String> = BTreeSet::new();
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if line == GOODBYE {
            return ExitCode::SUCCESS;
        }
        if line.starts_with('/') {
            queues.insert(line);
        } else {
            lanes.extend(line.parse::<Leader>());
        }
    }
    // A root that learns of the harness's death removes what it made; nobody else knows of all of it.
    let until = clock::now() + GRACE_NS;
    lanes.iter().for_each(|lane| lane.wait_for_end(until));
    lanes.into_iter().for_each(Leader::kill_session);
    for queue in queues {
        host::unlink_queue(&queue);
    }
    sweep::sweep_names(&prefix.to_string_lossy());
    sweep::remove(&PathBuf::from(directory));
    ExitCode::SUCCESS
}
