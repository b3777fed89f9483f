//! A small harness: starts the agent, opens runs, has processes do steps.

use harness_core::wire::{
    Close, Closed, Do, End, Exited, FromAgent, HeldEnd, Hello, Hold, Open, OpenChannel, OpenProcess, Outcome, Peers,
    ProcessHello, Refused, RootHello, SOCKET_VARIABLE, ToAgent,
};
use serde_json::{Value, json};
use spec::{Mechanism, scenario::Attach};
use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, ErrorKind, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// Nothing here takes longer; what does is a bug.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection to the agent.
pub(crate) struct Connection(BufReader<UnixStream>);

impl Connection {
    fn new(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next message; `None` at the end of the connection.
    pub(crate) fn hear(&mut self) -> Option<FromAgent> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    /// Whether nothing has come, or comes within a moment.
    pub(crate) fn is_silent(&mut self) -> bool {
        self.0.get_ref().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let silent = self.0.fill_buf().is_err();
        self.0.get_ref().set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    /// Whether nothing has come by now.
    fn has_said_nothing(&mut self) -> bool {
        self.0.get_ref().set_nonblocking(true).unwrap();
        let nothing = self.0.fill_buf().is_err();
        self.0.get_ref().set_nonblocking(false).unwrap();
        nothing
    }

    pub(crate) fn say(&mut self, message: &ToAgent) {
        let mut line = serde_json::to_string(message).unwrap();
        line.push('\n');
        self.say_raw(&line);
    }

    pub(crate) fn say_raw(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }
}

/// An agent, and the run that is open in it.
pub(crate) struct Lane {
    pub(crate) agent: Child,
    pub(crate) root: Connection,
    pub(crate) hello: RootHello,
    pub(crate) prefix: String,
    listener: UnixListener,
    directory: tempfile::TempDir,
    run: u64,
    processes: BTreeMap<String, Process>,
}

/// A process of the run.
pub(crate) struct Process {
    pub(crate) connection: Connection,
    pub(crate) hello: ProcessHello,
    step: u32,
    /// Which run its next steps are of.
    run: u32,
}

/// A run to open.
pub(crate) struct Run<'r> {
    pub(crate) mechanism: Mechanism,
    pub(crate) attach: Attach,
    /// Options of the channel `c`, as in a scenario.
    pub(crate) options: Value,
    pub(crate) stamped: bool,
    /// Who holds which end.
    pub(crate) processes: &'r [(&'r str, Option<HeldEnd>)],
    pub(crate) copies: u32,
}

impl<'r> Run<'r> {
    /// A channel with texts that processes inherit.
    pub(crate) fn new(mechanism: Mechanism, processes: &'r [(&'r str, Option<HeldEnd>)]) -> Self {
        Self { mechanism, attach: Attach::Inherit, options: json!({}), stamped: false, processes, copies: 1 }
    }

    fn open(&self, run: u64, directory: String, prefix: String) -> Open {
        let mut options = self.options.clone();
        options["is"] = json!(self.mechanism.ability());
        Open {
            run,
            mechanism: self.mechanism,
            attach: self.attach,
            directory,
            prefix,
            channels: vec![OpenChannel {
                name: "c".to_owned(),
                options: serde_json::from_value(options).unwrap(),
                stamped: self.stamped,
            }],
            processes: (1..)
                .zip(self.processes)
                .map(|(number, (name, end))| OpenProcess {
                    name: (*name).to_owned(),
                    number,
                    forked: false,
                    holds: end.iter().map(|end| Hold { channel: "c".to_owned(), end: *end }).collect(),
                })
                .collect(),
            copies: self.copies,
            processors: vec![0, 1],
        }
    }
}

impl Lane {
    /// Starts an agent and hears its hello.
    pub(crate) fn start() -> Self {
        Self::start_as(Command::new(env!("CARGO_BIN_EXE_plumbline-agent")))
    }

    /// Starts an agent that can have only so many descriptors.
    pub(crate) fn start_with_descriptors(count: u32) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {count}; exec \"$0\""), env!("CARGO_BIN_EXE_plumbline-agent")]);
        Self::start_as(shell)
    }

    fn start_as(mut command: Command) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("files")).unwrap();
        let socket = directory.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        let agent = command.env(SOCKET_VARIABLE, &socket).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let mut root = Connection::new(listener.accept().unwrap().0);
        let Some(FromAgent::Hello(Hello::Root(hello))) = root.hear() else { panic!("no hello of a root") };
        let prefix = format!("plumbline-test-{}-{number}-", std::process::id());
        Self { agent, root, hello, prefix, listener, directory, run: 0, processes: BTreeMap::new() }
    }

    /// Opens a run, or hears why not.
    pub(crate) fn try_open(&mut self, run: &Run<'_>) -> Result<(), Refused> {
        self.run += 1;
        let open = run.open(self.run, self.files().to_string_lossy().into_owned(), self.prefix.clone());
        self.root.say(&ToAgent::Open(open));
        match self.root.hear() {
            Some(FromAgent::Opened(opened)) => assert_eq!(opened.run, self.run),
            Some(FromAgent::Refused(refused)) => return Err(refused),
            other => panic!("the root answers {other:?}"),
        }
        self.processes.clear();
        for _ in run.processes {
            let mut connection = Connection::new(self.listener.accept().unwrap().0);
            let Some(FromAgent::Hello(Hello::Process(hello))) = connection.hear() else { panic!("no hello") };
            assert_eq!(hello.run, self.run);
            self.processes.insert(hello.process.clone(), Process { connection, hello, step: 0, run: 0 });
        }
        let pids: BTreeMap<String, i32> =
            self.processes.iter().map(|(name, process)| (name.clone(), process.hello.pid)).collect();
        for process in self.processes.values_mut() {
            process.connection.say(&ToAgent::Peers(Peers { pids: pids.clone() }));
        }
        Ok(())
    }

    pub(crate) fn open(&mut self, run: &Run<'_>) {
        self.try_open(run).unwrap_or_else(|refused| panic!("refused: {}", refused.reason));
    }

    /// Closes the run and opens another.
    pub(crate) fn open_again(&mut self, mechanism: Mechanism, processes: &[(&str, Option<HeldEnd>)]) {
        self.close();
        self.open(&Run::new(mechanism, processes));
    }

    /// Closes the harness's end of a process's connection.
    pub(crate) fn close_connection(&mut self, process: &str) {
        self.process(process).connection.0.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// Closes the harness's end of the root's connection.
    pub(crate) fn close_root(&mut self) {
        self.root.0.get_ref().shutdown(std::net::Shutdown::Both).unwrap();
    }

    /// The number of the run.
    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    /// Kills a process of the run.
    pub(crate) fn kill(&mut self, name: &str) {
        let pid = nix::unistd::Pid::from_raw(self.process(name).hello.pid);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    }

    pub(crate) fn process(&mut self, name: &str) -> &mut Process {
        self.processes.get_mut(name).unwrap()
    }

    /// Has a process do a step on the channel `c` and hears what it gave.
    pub(crate) fn do_step(&mut self, process: &str, operation: Value) -> Outcome {
        self.begin(process, operation);
        self.end(process)
    }

    /// Has the next steps be of another run.
    pub(crate) fn turn_to_run(&mut self, run: u32) {
        self.processes.values_mut().for_each(|process| process.run = run);
    }

    /// Has a process begin a step.
    pub(crate) fn begin(&mut self, process: &str, operation: Value) {
        let process = self.process(process);
        process.step += 1;
        let (step, run) = (process.step, process.run);
        let operation = serde_json::from_value(operation).unwrap();
        process.connection.say(&ToAgent::Do(Do { step, run, operation, channel: Some("c".to_owned()) }));
        match process.connection.hear() {
            Some(FromAgent::Begin(begin)) => assert_eq!((begin.step, begin.run), (step, run)),
            other => panic!("instead of a beginning came {other:?}"),
        }
    }

    /// Waits until a process sleeps in its call, as the system tells, and has said nothing.
    pub(crate) fn blocks(&mut self, process: &str) {
        let process = self.process(process);
        let limit = Instant::now() + PATIENCE;
        let control = format!("{:#x}", process.hello.control_fd.unwrap());
        loop {
            // The number of the call, then its arguments; `running` where it is in none.
            let call = std::fs::read_to_string(format!("/proc/{}/syscall", process.hello.pid)).unwrap();
            let words: Vec<&str> = call.split_ascii_whitespace().collect();
            let idle = words.get(1) == Some(&control.as_str()) && words[0] == libc::SYS_recvfrom.to_string();
            if words.len() > 1 && !idle {
                break;
            }
            assert!(Instant::now() < limit, "it does not block: {call}");
            std::thread::yield_now();
        }
        assert!(process.connection.has_said_nothing());
    }

    /// Hears what the step that a process is in gave.
    pub(crate) fn end(&mut self, process: &str) -> Outcome {
        let process = self.process(process);
        match process.connection.hear() {
            Some(FromAgent::End(End { step, run, began, ended, outcome })) => {
                assert_eq!((step, run), (process.step, process.run));
                assert!(began <= ended);
                outcome
            }
            other => panic!("instead of an end came {other:?}"),
        }
    }

    /// Hears how a process ended.
    pub(crate) fn exited(&mut self) -> Exited {
        match self.root.hear() {
            Some(FromAgent::Exited(exited)) => exited,
            other => panic!("instead of an end came {other:?}"),
        }
    }

    /// Closes the run; returns who was still there.
    pub(crate) fn close(&mut self) -> Vec<Exited> {
        self.root.say(&ToAgent::Close(Close { run: self.run }));
        let mut exited = Vec::new();
        loop {
            match self.root.hear() {
                Some(FromAgent::Exited(one)) => exited.push(one),
                Some(FromAgent::Closed(Closed { run, leaked })) => {
                    assert_eq!((run, leaked), (self.run, Vec::new()));
                    assert_eq!(self.leftovers(), Vec::<String>::new());
                    return exited;
                }
                other => panic!("instead of a close came {other:?}"),
            }
        }
    }

    pub(crate) fn files(&self) -> std::path::PathBuf {
        self.directory.path().join("files")
    }

    /// Everything with a name that the agent has left. What is found is removed, so that no later test of the same process number
    /// finds it.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let names = |directory: &std::path::Path| -> Vec<String> {
            std::fs::read_dir(directory)
                .map(|entries| {
                    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
                })
                .unwrap_or_default()
        };
        let mut left = names(&self.files());
        for directory in ["/dev/shm", "/dev/mqueue"] {
            for name in names(directory.as_ref()).into_iter().filter(|name| name.contains(&self.prefix)) {
                let _ = std::fs::remove_file(std::path::Path::new(directory).join(&name));
                left.push(name);
            }
        }
        // Where /dev/mqueue is not mounted a queue is found by its name alone.
        for copy in 0..64 {
            let name = std::ffi::CString::new(format!("/{}c-{copy}", self.prefix)).unwrap();
            if impls_sys::queue::unlink(&name).is_ok() {
                left.push(format!("queue {copy}"));
            }
        }
        left
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
        // A test may end with its run open, or kill the agent; process numbers come round, and names with them.
        self.leftovers();
    }
}

/// What a read or receive brought, as texts.
pub(crate) fn texts(outcome: &Outcome) -> Vec<String> {
    let Outcome::Received(received) = outcome else { panic!("nothing was received: {outcome:?}") };
    received
        .pieces
        .iter()
        .map(|piece| match &piece.data {
            harness_core::wire::Data::Text(text) => text.clone(),
            other => panic!("no text: {other:?}"),
        })
        .collect()
}

/// The end of a stream, and nothing before it.
pub(crate) fn is_end(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Received(received) if received.ended && received.pieces.is_empty())
}

/// A failure with this error.
pub(crate) fn failed(errno: &str) -> Outcome {
    Outcome::Failed(errno.parse().unwrap())
}
