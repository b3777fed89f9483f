//! The step `exec`: a process runs this program anew and goes on as the same process of the scenario.
//!
//! What the kernel keeps over an exec is kept: the process id, the mask, ignored and pending signals, locks, adjustments of
//! semaphores. Of its descriptors a process keeps the connection to the harness and those of the channels that it was told to keep;
//! the rest is closed, as all is that has no descriptor. What the new program has to know stands on its command line.
//!
//! The runtime of Rust sets SIGPIPE, SIGSEGV and SIGBUS as it likes at the start of a program. What they were set to before the exec
//! is carried over by hand; all other dispositions are as the kernel left them.

use super::{control::Control, process::Process};
use crate::{
    ability::Failure,
    perform::{Held, Problem},
    registry,
    saboteur::{Ground, Saboteur},
};
use harness_core::wire::Outcome;
use impls_sys::{
    process::{keep_over_exec, taken_over},
    signals::{self, Action},
};
use nix::{errno::Errno, unistd::execv};
use serde::{Deserialize, Serialize};
use spec::{Ability, Mechanism, Signal, operation::End, scenario::Channel};
use std::{collections::BTreeMap, ffi::CString, path::PathBuf};

/// The argument by which a program learns that it goes on as a process of a scenario.
pub const GO_ON: &str = "--go-on-as";

/// The signals whose dispositions the runtime changes.
const CHANGED_BY_RUNTIME: [i32; 3] = [libc::SIGPIPE, libc::SIGSEGV, libc::SIGBUS];

/// What one program tells the next.
#[derive(Debug, Serialize, Deserialize)]
struct Legacy {
    run: u64,
    number: u8,
    socket: PathBuf,
    numbers: BTreeMap<String, u8>,
    pids: BTreeMap<String, i32>,
    spellings: BTreeMap<i32, Signal>,
    control: i32,
    /// The step that was the exec, and when it began.
    step: u32,
    began: u64,
    /// Which of [`CHANGED_BY_RUNTIME`] were ignored.
    ignored: Vec<i32>,
    channels: Vec<KeptChannel>,
    /// The name of its saboteur.
    saboteur: Option<String>,
}

/// A channel, by its descriptors.
#[derive(Debug, Serialize, Deserialize)]
struct KeptChannel {
    name: String,
    mechanism: Mechanism,
    stamped: bool,
    sent: u32,
    read: Option<i32>,
    write: Option<i32>,
}

/// Runs this program anew. Returns only where that fails.
pub(super) fn exec(process: &mut Process<'_>, step: u32, keep: &[String]) -> Result<Outcome, Problem> {
    let mut legacy = Legacy {
        run: process.run,
        number: process.performer.number,
        socket: process.socket.to_owned(),
        numbers: process.numbers.clone(),
        pids: process.performer.pids.clone(),
        spellings: process.performer.spellings.clone(),
        control: process.control.number(),
        step,
        began: process.work.began,
        ignored: CHANGED_BY_RUNTIME.into_iter().filter(|signal| signals::is_ignored(*signal) == Ok(true)).collect(),
        channels: Vec::new(),
        saboteur: process.saboteur.map(|saboteur| saboteur.name.to_owned()),
    };
    let mut kept = vec![legacy.control];
    // Signals have no descriptors, and are every program's.
    let signals = process.channels.iter().filter(|(_, held)| held.mechanism() == Mechanism::Signal);
    let keep: Vec<String> = signals.map(|(name, _)| name.clone()).chain(keep.iter().cloned()).collect();
    for name in keep {
        let held = process.channels.get_mut(&name);
        let held = held.ok_or_else(|| Problem(format!("it was told to keep `{name}`, of which it holds nothing")))?;
        let open = |descriptor: Option<i32>| descriptor.filter(|number| *number >= 0);
        let (read, write) = (open(held.descriptor(0, End::Read)), open(held.descriptor(0, End::Write)));
        // A process that has one descriptor only tells that for both ends. Of a pipe it is the end that is told last.
        let (read, write) = match (read, write) {
            (Some(one), Some(same)) if one == same && is_pipe(held.mechanism()) => (None, Some(same)),
            (Some(one), Some(same)) if one == same => (Some(one), None),
            both => both,
        };
        kept.extend([read, write].into_iter().flatten());
        let (mechanism, stamped, sent) = (held.mechanism(), held.is_stamped(), held.sent());
        legacy.channels.push(KeptChannel { name, mechanism, stamped, sent, read, write });
    }
    let text = serde_json::to_string(&legacy).map_err(|error| Problem(format!("cannot exec: {error}")))?;
    let failed = || -> Result<Errno, Errno> {
        keep_over_exec(&kept)?;
        let argument = |text: &str| CString::new(text).map_err(|_| Errno::EINVAL);
        let arguments = [argument("plumbline-agent")?, argument(GO_ON)?, argument(&text)?];
        match execv(c"/proc/self/exe", &arguments) {
            Err(errno) => Ok(errno),
            Ok(never) => match never {},
        }
    };
    let errno = failed().unwrap_or_else(|errno| errno);
    crate::perform::failed(errno)
}

/// Goes on as the process that this program was before. Returns its exit status.
pub fn go_on(text: &str) -> i32 {
    let Ok(legacy) = serde_json::from_str::<Legacy>(text) else { return super::process::FAILED };
    let Ok(control) = taken_over(legacy.control) else { return super::process::FAILED };
    let mut control = Control::over(control);
    for signal in CHANGED_BY_RUNTIME {
        let action = if legacy.ignored.contains(&signal) { Action::Ignore } else { Action::Default };
        if signals::set_action(signal, action, 0, &[]).is_err() {
            return super::process::FAILED;
        }
    }
    let saboteur = legacy.saboteur.as_deref().and_then(crate::saboteur::registry::find);
    let channels = legacy.channels.iter().filter(|channel| channel.mechanism.ability() != Ability::Lock);
    let channels: Result<BTreeMap<String, Held>, Problem> =
        channels.map(|channel| Ok((channel.name.clone(), adopt(channel, saboteur)?))).collect();
    match channels {
        Ok(channels) => super::process::go_on(
            control,
            channels,
            super::process::Past {
                run: legacy.run,
                number: legacy.number,
                socket: &legacy.socket,
                numbers: &legacy.numbers,
                pids: legacy.pids,
                spellings: legacy.spellings,
                step: legacy.step,
                began: legacy.began,
                saboteur,
            },
        ),
        Err(problem) => {
            control.complain(&problem);
            super::process::FAILED
        }
    }
}

/// Whether the two ends are always two descriptors.
fn is_pipe(mechanism: Mechanism) -> bool {
    matches!(mechanism, Mechanism::Pipe | Mechanism::Fifo | Mechanism::PacketPipe)
}

/// A channel of descriptors that were kept. (A lock that was kept is held by the open descriptor alone.)
fn adopt(kept: &KeptChannel, saboteur: Option<&'static Saboteur>) -> Result<Held, Problem> {
    let problem = |failure: &dyn std::fmt::Debug| {
        Problem(format!("cannot take over `{}` from the program before: {failure:?}", kept.name))
    };
    // An open FIFO is a pipe, and needs no name.
    let which = if kept.mechanism == Mechanism::Fifo { Mechanism::Pipe } else { kept.mechanism };
    let mechanism = registry::find(which).ok_or_else(|| problem(&which))?;
    let place = crate::mechanism::Place {
        directory: PathBuf::new(),
        prefix: String::new(),
        channel: kept.name.clone(),
        copy: 0,
    };
    let opened = mechanism.open(&place, &Channel::plain(which.ability())).map_err(|error| problem(&error.errno))?;
    let mut object = opened.hold(harness_core::wire::HeldEnd::Nothing).map_err(|failure: Failure| problem(&failure))?;
    if let Some(saboteur) = saboteur.filter(|saboteur| saboteur.spoils(kept.mechanism)) {
        // What the program before shared of it with others is lost.
        object = saboteur.hold(object, &Ground::new().map_err(|error| problem(&error.errno))?);
    }
    let mut held = Held::new(&kept.name, kept.mechanism, kept.stamped, vec![object]);
    held.go_on_counting(kept.sent);
    for (number, end) in [(kept.read, End::Read), (kept.write, End::Write)] {
        if let Some(number) = number {
            held.adopt(0, taken_over(number).map_err(|errno| problem(&errno))?, end)?;
        }
    }
    Ok(held)
}
