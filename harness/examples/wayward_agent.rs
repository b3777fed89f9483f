//! An agent for the harness's own tests: it does pipes, and goes wrong in the way its first argument says.
//!
//! It is no model: it spawns itself for every process and polls. `impls/foreign/python/plumbline_agent.py` is one.

use harness_core::wire::{
    Begin, Closed, Data, Do, End, Exited, Finished, FromAgent, Hello, Met, Open, Opened, Outcome, PROTOCOL, Piece,
    ProcessEnding, ProcessHello, Received, RootHello, SOCKET_VARIABLE, ToAgent, capability,
};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::wait::waitpid,
    time::{ClockId, clock_gettime},
};
use spec::Operation;
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::{
        fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd},
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    process::{Child, Command, Stdio},
};

/// How many milliseconds a process that hangs up lives on: so long that whoever takes that for its end goes on before it.
const LIVES_ON_MS: u8 = 50;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mode = arguments.first().cloned().unwrap_or_else(|| "well".to_owned());
    if mode == "never-connects" {
        wait_for_ever();
    }
    let socket = std::env::var(SOCKET_VARIABLE).expect("the harness names its socket");
    let stream = UnixStream::connect(socket).expect("the harness listens");
    match arguments.get(1).map(String::as_str) {
        Some("process") => process(&mode, stream, &arguments[2..]),
        _ => root(&mode, stream),
    }
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

fn say(stream: &mut UnixStream, message: &FromAgent) {
    let mut line = serde_json::to_vec(message).expect("messages are JSON");
    line.push(b'\n');
    if stream.write_all(&line).is_err() {
        std::process::exit(0);
    }
}

fn now() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("there is a clock");
    let (seconds, nanoseconds) = (now.tv_sec(), now.tv_nsec());
    u64::try_from(seconds * 1_000_000_000 + nanoseconds).expect("the clock is not negative")
}

fn root(mode: &str, mut stream: UnixStream) {
    if mode == "no-hello" {
        wait_for_ever();
    }
    // What a root keeps open it opens before its hello: more would count as left behind.
    let mut reader = BufReader::new(stream.try_clone().expect("a socket can be cloned"));
    let protocol = if mode == "wrong-protocol" { 99 } else { PROTOCOL };
    let hello = RootHello {
        protocol,
        agent: format!("wayward ({mode})"),
        mechanisms: vec!["pipe".to_owned()],
        // All copies of a channel are the same pipe: good enough where each run takes out what it puts in.
        capabilities: Vec::from_iter(["copies", "lie-run"].contains(&mode).then(|| capability::COPIES.to_owned())),
        ..RootHello::default()
    };
    say(&mut stream, &FromAgent::Hello(Hello::Root(hello)));
    let mut children: Vec<(String, Child)> = Vec::new();
    let mut run = 0;
    loop {
        let mut polled = [PollFd::new(stream.as_fd(), PollFlags::POLLIN)];
        if reader.buffer().is_empty() && poll(&mut polled, PollTimeout::from(2_u8)) == Ok(0) {
            report_ended(&mut stream, run, &mut children);
            continue;
        }
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            end_all(&mut children);
            return;
        }
        match serde_json::from_str(&line).expect("the harness keeps to the protocol") {
            ToAgent::Open(open) => {
                run = open.run;
                match mode {
                    "stall-root" => {}
                    "die-root" => std::process::exit(3),
                    _ => {
                        children = start(mode, &open);
                        say(&mut stream, &FromAgent::Opened(Opened { run }));
                    }
                }
            }
            ToAgent::Close(close) => {
                end_all(&mut children);
                children.clear();
                say(&mut stream, &FromAgent::Closed(Closed { run: close.run, leaked: Vec::new() }));
            }
            _ => {}
        }
    }
}

fn end_all(children: &mut [(String, Child)]) {
    for (_, child) in children {
        let _ = child.kill();
        let _ = child.wait();
    }
    // What they forked is the root's now.
    while waitpid(None, None).is_ok() {}
}

fn report_ended(stream: &mut UnixStream, run: u64, children: &mut Vec<(String, Child)>) {
    let mut index = 0;
    while index < children.len() {
        if let Ok(Some(status)) = children[index].1.try_wait() {
            let (process, _) = children.remove(index);
            let ending = match (status.code(), status.signal()) {
                (Some(code), _) => ProcessEnding::Status(code),
                (None, Some(libc::SIGKILL)) => ProcessEnding::Signal("SIGKILL".parse().expect("a signal")),
                _ => ProcessEnding::Signal("SIGPIPE".parse().expect("a signal")),
            };
            say(stream, &FromAgent::Exited(Exited { run, process, ending }));
        } else {
            index += 1;
        }
    }
}

/// Opens a pipe a channel, and starts a process each, which closes what it does not hold.
fn start(mode: &str, open: &Open) -> Vec<(String, Child)> {
    let pipes: BTreeMap<&str, (OwnedFd, OwnedFd)> = open
        .channels
        .iter()
        .map(|channel| (channel.name.as_str(), nix::unistd::pipe().expect("a pipe can be made")))
        .collect();
    let program = std::env::current_exe().expect("this program has a path");
    let run = if mode == "unknown-run" { open.run + 7 } else { open.run };
    open.processes
        .iter()
        .filter(|process| !process.forked)
        .map(|process| {
            let mut command = Command::new(&program);
            command.args([mode, "process", &run.to_string(), &process.name]).stdin(Stdio::null());
            for (name, (read, write)) in &pipes {
                let holds = |end: &str| {
                    process.holds.iter().any(|hold| {
                        let held = serde_json::to_string(&hold.end).unwrap_or_default();
                        hold.channel == *name && (held.contains(end) || held.contains("both"))
                    })
                };
                for (end, descriptor) in [("read", read), ("write", write)] {
                    let keep = if holds(end) { "keep" } else { "close" };
                    command.arg(format!("{name}:{end}:{}:{keep}", descriptor.as_raw_fd()));
                }
            }
            (process.name.clone(), command.spawn().expect("this program can be started"))
        })
        .collect()
}

/// What a process holds, by channel and end.
type Held = BTreeMap<(String, String), File>;

fn process(mode: &str, mut stream: UnixStream, arguments: &[String]) {
    let [run, name, descriptors @ ..] = arguments else { return };
    let mut held = Held::new();
    let mut inherited: Vec<RawFd> = Vec::new();
    for word in descriptors {
        let parts: Vec<&str> = word.split(':').collect();
        let [channel, end, descriptor, keep] = parts.as_slice() else { continue };
        let descriptor: RawFd = descriptor.parse().expect("a descriptor is a number");
        if *keep == "keep" {
            // Opened anew by its name in /proc: a number alone can be used only by unsafe code.
            let opened =
                File::options().read(*end == "read").write(*end == "write").open(format!("/proc/self/fd/{descriptor}"));
            held.insert(((*channel).to_owned(), (*end).to_owned()), opened.expect("a pipe can be opened again"));
        }
        inherited.push(descriptor);
    }
    for descriptor in inherited {
        let _ = nix::unistd::close(descriptor);
    }
    let own = i32::try_from(std::process::id()).expect("process ids are small");
    let hello = ProcessHello {
        run: run.parse().expect("a run is a number"),
        process: name.clone(),
        pid: match mode {
            // A signal to -1 would go to every process there is.
            "lie-pid" => -1,
            "lie-neighbour" => own + 1,
            _ => own,
        },
        control_fd: Some(stream.as_raw_fd()),
    };
    say(&mut stream, &FromAgent::Hello(Hello::Process(hello)));
    if mode == "early-eof" {
        let _ = stream.shutdown(std::net::Shutdown::Both);
        wait_for_ever();
    }
    // The wait for commands is to be on the descriptor that hello named.
    let mut lines = Lines { buffer: Vec::new() };
    loop {
        match lines.next(&mut stream) {
            ToAgent::Do(Do { step, run: of, operation: Operation::Exit(exit), .. }) => {
                say(&mut stream, &FromAgent::Begin(Begin { step, run: of, at: now() }));
                if mode == "hang-up" {
                    let _ = stream.shutdown(std::net::Shutdown::Both);
                    let _ = poll(&mut [], PollTimeout::from(LIVES_ON_MS));
                }
                std::process::exit(i32::try_from(exit.status.unwrap_or(0)).unwrap_or(1));
            }
            ToAgent::Do(Do { step, run: of, operation: Operation::Fork(child), .. }) => {
                say(&mut stream, &FromAgent::Begin(Begin { step, run: of, at: now() }));
                let began = now();
                spawn_with(&held, mode, run, &child.process);
                let outcome = Outcome::Done;
                say(&mut stream, &FromAgent::End(End { step, run: of, began, ended: now(), outcome }));
            }
            ToAgent::Do(step) => {
                let run = if mode == "lie-run" { 0 } else { step.run };
                do_step(mode, &mut stream, &mut held, &step, run, &mut lines);
            }
            ToAgent::Steps(steps) => {
                for run in 0..steps.runs {
                    say(&mut stream, &FromAgent::Met(Met { meeting: "start".to_owned(), run }));
                    lines.next(&mut stream);
                    for step in &steps.steps {
                        do_step(mode, &mut stream, &mut held, step, run, &mut lines);
                    }
                }
                say(&mut stream, &FromAgent::Finished(Finished { runs: steps.runs }));
            }
            _ => {}
        }
    }
}

/// In place of a fork: starts a process that holds what this one does.
#[expect(clippy::zombie_processes, reason = "the root reaps it when the run is closed")]
fn spawn_with(held: &Held, mode: &str, run: &str, name: &str) {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command.args([mode, "process", run, name]).stdin(Stdio::null());
    for ((channel, end), file) in held {
        fcntl(file, FcntlArg::F_SETFD(FdFlag::empty())).expect("a descriptor can be inherited");
        command.arg(format!("{channel}:{end}:{}:keep", file.as_raw_fd()));
    }
    command.spawn().expect("this program can be started");
}

/// Reads commands from the connection itself.
struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    fn next(&mut self, stream: &mut UnixStream) -> ToAgent {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return serde_json::from_slice(&line).expect("the harness keeps to the protocol");
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => std::process::exit(0),
                Ok(length) => self.buffer.extend_from_slice(&chunk[..length]),
            }
        }
    }
}

fn do_step(mode: &str, stream: &mut UnixStream, held: &mut Held, step: &Do, run: u32, lines: &mut Lines) {
    let number = step.step;
    let begin = FromAgent::Begin(Begin { step: number, run, at: now() });
    let end = |step, began, ended, outcome| FromAgent::End(End { step, run, began, ended, outcome });
    match mode {
        "stall-process" => {
            lines.next(stream);
        }
        "die-process" => std::process::exit(3),
        "rubbish" => {
            let _ = stream.write_all(b"what is this?\n");
        }
        "binary" => {
            let _ = stream.write_all(&[0xff, 0xfe, 0x00, b'\n']);
        }
        "out-of-turn" => say(stream, &end(number, now(), now(), Outcome::Done)),
        _ => {}
    }
    say(stream, &begin);
    match mode {
        "stall-silent" => {
            lines.next(stream);
        }
        "spin" => loop {
            std::hint::spin_loop();
        },
        "flood" => loop {
            say(stream, &begin);
        },
        _ => {}
    }
    let began = now();
    let outcome = perform(held, step);
    let ended = now();
    match (mode, outcome) {
        ("lie-step", outcome) => say(stream, &end(number + 40, began, ended, outcome)),
        ("lie-time", outcome) => say(stream, &end(number, began, ended + 3_600_000_000_000, outcome)),
        ("lie-shape", _) => say(stream, &end(number, began, ended, Outcome::Signals(Vec::new()))),
        ("lie-count", Outcome::Count(count)) => say(stream, &end(number, began, ended, Outcome::Count(count + 1))),
        (_, outcome) => say(stream, &end(number, began, ended, outcome)),
    }
}

fn perform(held: &mut Held, step: &Do) -> Outcome {
    let channel = step.channel.clone().unwrap_or_default();
    let end = |end: &str| (channel.clone(), end.to_owned());
    match &step.operation {
        Operation::Write(write) => {
            let Some(mut file) = held.get(&end("write")) else { return failed(Errno::EBADF) };
            match file.write(write.text.clone().unwrap_or_default().as_bytes()) {
                Ok(count) => Outcome::Count(count as u64),
                Err(error) => failed(Errno::from_raw(error.raw_os_error().unwrap_or(0))),
            }
        }
        Operation::Read(read) => {
            let Some(mut file) = held.get(&end("read")) else { return failed(Errno::EBADF) };
            let mut buffer = vec![0; usize::try_from(read.size.unwrap_or(4096)).unwrap_or(4096)];
            match file.read(&mut buffer) {
                Ok(0) => Outcome::Received(Received { ended: true, ..Received::default() }),
                Ok(count) => {
                    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                    let piece = Piece {
                        length: count as u64,
                        data: Data::Text(text),
                        priority: None,
                        r#type: None,
                        truncated: false,
                    };
                    Outcome::Received(Received { pieces: vec![piece], ..Received::default() })
                }
                Err(error) => failed(Errno::from_raw(error.raw_os_error().unwrap_or(0))),
            }
        }
        Operation::Close(_) => {
            held.remove(&end("read"));
            held.remove(&end("write"));
            Outcome::Done
        }
        _ => failed(Errno::ENOSYS),
    }
}

fn failed(error: Errno) -> Outcome {
    let name = format!("{error:?}");
    Outcome::Failed(name.parse().expect("the errors of pipes are known"))
}
