//! A lane: one root agent in a world of its own, and the socket on which it and its processes call.

use crate::{
    connection::Connection,
    engine::{deadline::Deadline, measure::Paces},
    fault::{Fault, StartError},
    host::KernelLooker,
    isolation::{self, Isolation},
    lane_processes::Leader,
    leftovers::Ground,
    session::Config,
    warden::Warden,
};
use harness_core::{
    Plan,
    race::Environment,
    wire::{FromAgent, Hello, PROTOCOL, RootHello, SOCKET_VARIABLE},
};
use nix::{
    poll::{PollFd, PollFlags, ppoll},
    sched::{CpuSet, sched_setaffinity},
    sys::time::TimeSpec,
    unistd::Pid,
};
use std::{
    collections::HashMap,
    fs,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// What all lanes of a session share.
#[derive(Debug)]
pub(crate) struct Grounds {
    pub(crate) config: Config,
    pub(crate) isolation: Isolation,
    /// The directory of the run, removed at its end.
    pub(crate) directory: PathBuf,
    /// The prefix of all names.
    pub(crate) prefix: String,
    /// The processors that may be used.
    pub(crate) processors: Vec<usize>,
    pub(crate) warden: Option<Warden>,
    /// The seed of the races from now on.
    pub(crate) seed: AtomicU64,
    /// The environments that brought most, by scenario and mechanism.
    pub(crate) best_environments: Mutex<HashMap<String, Environment>>,
    /// How long things that were measured take.
    pub(crate) paces: Mutex<Paces>,
}

impl Grounds {
    pub(crate) fn seed(&self) -> u64 {
        self.seed.load(Ordering::Relaxed)
    }

    /// The environment that brought most the last time that a race of this scenario was run on this mechanism.
    pub(crate) fn best_environment(&self, plan: &Plan) -> Option<Environment> {
        self.best_environments.lock().unwrap_or_else(PoisonError::into_inner).get(&race_name(plan)).copied()
    }

    pub(crate) fn remember_environment(&self, plan: &Plan, environment: Environment) {
        self.best_environments.lock().unwrap_or_else(PoisonError::into_inner).insert(race_name(plan), environment);
    }

    /// How long an agent may take to answer what needs no waiting: nanoseconds.
    pub(crate) fn patience_ns(&self) -> u64 {
        self.config.scaled(self.config.patience)
    }
}

fn race_name(plan: &Plan) -> String {
    format!("{}[{}]", plan.scenario, plan.mechanism)
}

/// Where an agent's standard error goes: a file never makes it wait.
const STDERR: &str = "stderr";

/// Where a lane with namespaces of its own shows its POSIX message queues: a directory beside the lane's socket.
const QUEUES: &str = "queues";

/// The directory on which the lane that this process is to become mounts its queues; empty where there is no lane.
pub(crate) fn queue_directory() -> PathBuf {
    let socket = std::env::var_os(SOCKET_VARIABLE).map(PathBuf::from).unwrap_or_default();
    socket.parent().filter(|lane| lane.is_absolute()).map(|lane| lane.join(QUEUES)).unwrap_or_default()
}

/// One lane.
#[derive(Debug)]
pub(crate) struct Lane {
    /// The outer helper, which leads the lane's session.
    helper: Child,
    leader: Option<Leader>,
    pub(crate) listener: UnixListener,
    pub(crate) root: Connection,
    pub(crate) hello: RootHello,
    pub(crate) files: PathBuf,
    pub(crate) prefix: String,
    pub(crate) ground: Ground,
    pub(crate) kernel: KernelLooker,
    /// The number of the last run.
    pub(crate) run: u64,
    directory: PathBuf,
}

/// A lane whose agent was started and has not said hello yet.
#[derive(Debug)]
pub(crate) struct Starting {
    number: usize,
    helper: Child,
    leader: Option<Leader>,
    listener: UnixListener,
    files: PathBuf,
    directory: PathBuf,
}

impl Starting {
    /// Starts an agent.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn new(grounds: &Grounds, number: usize) -> Result<Self, StartError> {
        let directory = grounds.directory.join(format!("lane-{number}"));
        let files = directory.join("files");
        let socket = directory.join("socket");
        let make = || {
            crate::sweep::remove(&directory);
            fs::create_dir_all(&files)?;
            fs::create_dir(directory.join(QUEUES))?;
            Ok((UnixListener::bind(&socket)?, fs::File::create(directory.join(STDERR))?))
        };
        let (listener, stderr) =
            make().map_err(|error| StartError::Directory { directory: directory.clone(), error })?;
        let failed = |reason: String| StartError::Agent { program: program(grounds), reason };
        listener.set_nonblocking(true).map_err(|error| failed(format!("its socket cannot be made: {error}")))?;
        let helper = isolation::lane_command(grounds.isolation, &grounds.config.helper, &grounds.config.agent)
            .env(SOCKET_VARIABLE, &socket)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let leader = Leader::of(helper.id());
        if let (Some(warden), Some(leader)) = (&grounds.warden, leader) {
            warden.watch(leader);
        }
        Ok(Self { number, helper, leader, listener, files, directory })
    }

    /// Waits for the agent's hello.
    ///
    /// # Errors
    /// When it does not say hello, or speaks another protocol, or there is no world for it. It is ended then.
    pub(crate) fn greet(mut self, grounds: &Grounds) -> Result<Lane, StartError> {
        let (root, hello) = match greet(grounds, &self.listener, &mut self.helper) {
            Ok(greeted) => greeted,
            Err(reason) => {
                let words = self.stop();
                if let Some(obstacle) = isolation::obstacle(grounds.isolation, &words) {
                    return Err(StartError::Isolation(obstacle));
                }
                return Err(match reason {
                    StartError::Agent { program, reason } if !words.is_empty() => {
                        StartError::Agent { program, reason: format!("{reason}; it said: {words}") }
                    }
                    reason => reason,
                });
            }
        };
        let Self { number, helper, leader, listener, files, directory } = self;
        let prefix = format!("{}{number}-", grounds.prefix);
        let ground = Ground::new(grounds.isolation, root.pid, &directory.join(QUEUES), &files, &prefix);
        let has_own_network = grounds.isolation != Isolation::Names;
        let kernel = KernelLooker::new(has_own_network.then_some(root.pid));
        Ok(Lane { helper, leader, listener, root, hello, files, prefix, ground, kernel, run: 0, directory })
    }

    /// Ends the agent. Returns what it wrote on its standard error.
    pub(crate) fn stop(mut self) -> String {
        end(&mut self.helper, self.leader);
        let words = last_words(&self.directory);
        crate::sweep::remove(&self.directory);
        words
    }
}

impl Lane {
    /// Has the agent and everything in its world end, without waiting for it: for who stops several lanes.
    pub(crate) fn kill(&mut self) {
        kill(&mut self.helper);
    }

    /// Ends the agent and everything in its world.
    pub(crate) fn stop(mut self) {
        end(&mut self.helper, self.leader);
        self.ground.remove_hidden_queues();
        crate::sweep::sweep_names(&self.prefix);
        crate::sweep::remove(&self.directory);
    }

    /// What the agent wrote on its standard error, to be called when it is known to be gone.
    pub(crate) fn last_words(&mut self) -> String {
        end(&mut self.helper, self.leader);
        last_words(&self.directory)
    }
}

/// The agent's program, for messages.
fn program(grounds: &Grounds) -> String {
    grounds.config.agent.first().map_or_else(String::new, |word| word.to_string_lossy().into_owned())
}

/// Waits for the root's hello.
fn greet(
    grounds: &Grounds,
    listener: &UnixListener,
    helper: &mut Child,
) -> Result<(Connection, RootHello), StartError> {
    let failed = |reason: String| StartError::Agent { program: program(grounds), reason };
    let started = i32::try_from(helper.id()).unwrap_or(0);
    let mut deadline = Deadline::of_an_answer(grounds);
    let mut connection: Option<Connection> = None;
    loop {
        match &mut connection {
            None => wait(&[listener.as_fd()], 5_000_000),
            Some(connection) => wait(&[connection.descriptor()], 5_000_000),
        };
        if connection.is_none() {
            connection = Connection::accept(listener, "the agent's root").map_err(|fault| failed(fault.to_string()))?;
        }
        if let Some(mut open) = connection.take() {
            open.fetch().map_err(|fault| failed(fault.to_string()))?;
            match open.next().map_err(|fault| failed(fault.to_string()))? {
                Some(FromAgent::Hello(Hello::Root(hello))) if hello.protocol == PROTOCOL => return Ok((open, hello)),
                Some(FromAgent::Hello(Hello::Root(hello))) => {
                    return Err(StartError::Protocol { theirs: hello.protocol, ours: PROTOCOL });
                }
                Some(other) => return Err(failed(format!("it began with {other:?} instead of a root's hello"))),
                None if open.is_over() => return Err(failed("it closed its connection before its hello".to_owned())),
                None => connection = Some(open),
            }
        }
        if let Ok(Some(status)) = helper.try_wait() {
            return Err(failed(format!("it ended ({status}) before its hello")));
        }
        if deadline.is_over_for(started).map_err(|fault| failed(fault.to_string()))? {
            let what = if connection.is_some() { "say hello" } else { "connect to its socket" };
            return Err(failed(deadline.silence("it", what).to_string()));
        }
    }
}

fn kill(helper: &mut Child) {
    if matches!(helper.try_wait(), Ok(None)) {
        let _ = helper.kill();
    }
}

fn end(helper: &mut Child, leader: Option<Leader>) {
    kill(helper);
    let _ = helper.wait();
    // Without namespaces the session is all we have to find the rest by.
    if let Some(leader) = leader {
        leader.kill_session();
    }
}

/// The end of what the agent wrote on its standard error.
fn last_words(directory: &Path) -> String {
    let text = fs::read(directory.join(STDERR)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text[text.len().saturating_sub(2000)..]).into_owned();
    let text = text.trim();
    let skip = text.chars().count().saturating_sub(400);
    text.chars().skip(skip).collect()
}

/// Waits until one of these can be read, or for so long. Returns whether each can.
pub(crate) fn wait(descriptors: &[BorrowedFd<'_>], timeout_ns: u64) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> =
        descriptors.iter().map(|descriptor| PollFd::new(*descriptor, PollFlags::POLLIN)).collect();
    let timeout = TimeSpec::from_duration(Duration::from_nanos(timeout_ns));
    let any = ppoll(&mut polled, Some(timeout), None).is_ok_and(|ready| ready > 0);
    polled.iter().map(|polled| any && polled.any().unwrap_or(true)).collect()
}

/// Binds a process (0: this thread) to processors. Where that is refused, it runs unbound: order never depends on it.
/// Returns whether it was bound.
pub(crate) fn pin(pid: i32, processors: &[usize]) -> bool {
    let mut set = CpuSet::new();
    for processor in processors {
        let _ = set.set(*processor);
    }
    sched_setaffinity(Pid::from_raw(pid), &set).is_ok()
}

/// What a fault says when an agent's root is gone.
pub(crate) fn root_gone(lane: &mut Lane) -> Fault {
    let words = lane.last_words();
    let what = if words.is_empty() { "ended".to_owned() } else { format!("ended; it said: {words}") };
    Fault::agent("the agent's root", what)
}

/// The path under which runs keep their directories.
pub(crate) fn runs_directory() -> PathBuf {
    let directory = std::env::temp_dir();
    // A socket's path has to fit into 108 bytes.
    if directory.as_os_str().len() > 40 { Path::new("/tmp").to_owned() } else { directory }
}
