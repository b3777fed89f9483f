//! `plumbline-agent`: the reference agent. A harness starts it; it calls back on the socket named by `PLUMBLINE_SOCKET`.

use harness_core::wire::SOCKET_VARIABLE;
use impls::saboteur::{Saboteur, registry};
use std::{env, path::Path, process::ExitCode};

const HELP: &str = "\
The reference agent of Plumbline: offers pipes, queues, shared memory, sockets, semaphores and signals to a harness.

Usage: plumbline-agent [--sabotage NAME]
       plumbline-agent --list-saboteurs | --help | --version

It is not started by hand: `cargo xtask conform` does that, and tells it by the environment variable
PLUMBLINE_SOCKET where to call back. docs/agent-protocol.md describes what the two then say to each other.

With --sabotage it has one planted fault, by which the harness is tested (`cargo xtask sabotage`); --list-saboteurs prints
all there are, as a JSON object a line.
";

/// The exit status of a wrong use, and of an agent that cannot go on.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    #[cfg(target_os = "linux")]
    if let [argument, legacy] = arguments.as_slice()
        && argument == impls::agent::GO_ON
    {
        // A process of a scenario has run this program anew, and left its descriptors to it.
        impls_sys::process::exit(impls::agent::go_on(&legacy.to_string_lossy()));
    }
    impls_sys::process::close_inherited();
    let words: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    match words.iter().map(AsRef::as_ref).collect::<Vec<&str>>().as_slice() {
        [] => start(None),
        ["--sabotage", name] => match registry::find(name) {
            Some(saboteur) => start(Some(saboteur)),
            None => fail(&format!("there is no saboteur `{name}`: `plumbline-agent --list-saboteurs` prints them")),
        },
        ["--sabotage"] => fail("--sabotage is told no name: `plumbline-agent --list-saboteurs` prints them"),
        ["--list-saboteurs", ..] => list(),
        ["--help" | "-h", ..] => say(HELP),
        ["--version" | "-V", ..] => say(concat!("plumbline-agent ", env!("CARGO_PKG_VERSION"), "\n")),
        ["--sabotage", _, other, ..] | [other, ..] => {
            fail(&format!("there is no argument `{other}`: try `plumbline-agent --help`"))
        }
    }
}

fn list() -> ExitCode {
    let lines: Result<String, _> = registry::SABOTEURS
        .iter()
        .map(|saboteur| serde_json::to_string(&saboteur.describe()).map(|line| line + "\n"))
        .collect();
    match lines {
        Ok(lines) => say(&lines),
        Err(error) => fail(&format!("the saboteurs cannot be written: {error}")),
    }
}

fn start(saboteur: Option<&'static Saboteur>) -> ExitCode {
    let Some(socket) = env::var_os(SOCKET_VARIABLE) else {
        return fail(&format!(
            "{SOCKET_VARIABLE} is not set: a harness starts this program, as `cargo xtask conform` does"
        ));
    };
    match impls::agent::run(Path::new(&socket), saboteur) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => fail(&reason),
    }
}

#[expect(clippy::print_stdout, reason = "help and version are what was asked for")]
fn say(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "the only way to say why an agent does not start")]
fn fail(reason: &str) -> ExitCode {
    eprintln!("plumbline-agent: {reason}");
    ExitCode::from(FAILED)
}
