//! The root: opens channels, starts processes, says how they end, removes everything.

use super::{
    control::{Control, Over},
    host,
    team::{NotOpened, Team},
};
use crate::{errno, perform::Problem, saboteur::Saboteur};
use harness_core::wire::{Close, Closed, Exited, FromAgent, Harvest, Harvested, Hello, Open, Opened, ToAgent};
use impls_sys::{
    descriptor::Descriptor,
    process::{reap, reset_actions},
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
        stat::{Mode, umask},
    },
};
use std::{
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
};

/// The signals that end an agent; it cleans up first.
const ENDING: [Signal; 3] = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM];

/// The size of what a signalfd tells of one signal: bytes.
const SIGNAL_BYTES: usize = 128;

struct Root {
    socket: PathBuf,
    control: Control,
    signals: Descriptor,
    team: Option<Team>,
    saboteur: Option<&'static Saboteur>,
}

/// Runs the agent until the harness goes away: a healthy one, or one with this saboteur.
///
/// # Errors
/// Why it cannot start, or cannot go on, as a person would say it.
pub fn run(socket: &Path, saboteur: Option<&'static Saboteur>) -> Result<(), String> {
    start_clean().map_err(|errno| format!("cannot set up a clean start: {errno}"))?;
    let control = Control::connect(socket)
        .map_err(|error| format!("cannot connect to the harness at {}: {error}", socket.display()))?;
    let signals = watch_signals().map_err(|errno| format!("cannot watch for signals: {errno}"))?;
    let _ = errno::names();
    let mut root = Root { socket: socket.to_owned(), control, signals, team: None, saboteur };
    let over = root.serve();
    if let Some(mut team) = root.team.take() {
        team.close();
    }
    match over {
        Over::Gone => Ok(()),
        Over::Problem(problem) => {
            root.control.complain(&problem);
            Err(problem.0)
        }
    }
}

/// What all processes of all runs have in common: the dispositions of a program that was just started (the runtime of Rust has changed
/// some), a known umask, timeouts that are no later than need be, and no core files of processes that scenarios kill.
fn start_clean() -> nix::Result<()> {
    reset_actions()?;
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    // Children inherit it. The system may make any timeout later by the timer slack, 50 µs if nobody says otherwise, but those of
    // some calls never: timeouts that are raced against something are to be raced alike.
    #[cfg(target_os = "linux")]
    nix::sys::prctl::set_timerslack(1)?;
    let (_, hard) = getrlimit(Resource::RLIMIT_CORE)?;
    setrlimit(Resource::RLIMIT_CORE, 0, hard)
}

/// A descriptor that tells when a child has ended, or when this agent is to.
fn watch_signals() -> nix::Result<Descriptor> {
    let mut watched = SigSet::empty();
    watched.add(Signal::SIGCHLD);
    for signal in ENDING {
        watched.add(signal);
    }
    watched.thread_block()?;
    let signals = SignalFd::with_flags(&watched, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    // nix hands out its descriptor as a borrowed one only.
    let owned: OwnedFd = signals.as_fd().try_clone_to_owned().map_err(|_| Errno::last())?;
    Ok(owned.into())
}

impl Root {
    fn serve(&mut self) -> Over {
        let hello = FromAgent::Hello(Hello::Root(host::hello(self.saboteur)));
        if let Err(over) = self.control.send(&hello) {
            return over;
        }
        loop {
            if let Err(over) = self.wait_and_act() {
                return over;
            }
        }
    }

    /// Waits for the harness or for a child, and does what has to be done.
    fn wait_and_act(&mut self) -> Result<(), Over> {
        let (commands, signals) = self.wait()?;
        if signals {
            self.hear_signals()?;
        }
        if commands {
            self.control.fetch()?;
        }
        while let Some(command) = self.control.take()? {
            self.obey(command)?;
        }
        Ok(())
    }

    fn wait(&self) -> Result<(bool, bool), Over> {
        let broken = |errno: Errno| Over::Problem(Problem(format!("poll: {errno}")));
        self.control
            .socket()
            .with(|control| {
                self.signals.with(|signals| {
                    let mut polled =
                        [control, signals].map(|descriptor| PollFd::new(descriptor.as_fd(), PollFlags::POLLIN));
                    match poll(&mut polled, PollTimeout::NONE) {
                        Ok(_) | Err(Errno::EINTR) => {}
                        Err(errno) => return Err(errno),
                    }
                    Ok((polled[0].any().unwrap_or(true), polled[1].any().unwrap_or(true)))
                })
            })
            .map_err(broken)
    }

    fn hear_signals(&mut self) -> Result<(), Over> {
        let mut information = [0_u8; SIGNAL_BYTES];
        while let Ok(SIGNAL_BYTES) = self.signals.read(&mut information) {
            // struct signalfd_siginfo begins with the number.
            let number = u32::from_ne_bytes([information[0], information[1], information[2], information[3]]);
            if ENDING.iter().any(|signal| *signal as i64 == i64::from(number)) {
                return Err(Over::Gone);
            }
        }
        self.reap_all()
    }

    /// Reaps every child that has ended; those that are none of ours were left to us because we are the first process.
    fn reap_all(&mut self) -> Result<(), Over> {
        while let Ok(Some((pid, ending))) = reap(None, false) {
            let noted = self.team.as_mut().and_then(|team| Some((team.run, team.note_end(pid, ending)?)));
            if let Some((run, (process, ending))) = noted {
                self.control.send(&FromAgent::Exited(Exited { run, process, ending }))?;
            }
        }
        Ok(())
    }

    fn obey(&mut self, command: ToAgent) -> Result<(), Over> {
        match command {
            ToAgent::Open(open) => self.open(&open),
            ToAgent::Close(close) => self.close(&close),
            ToAgent::Harvest(harvest) => self.harvest(&harvest),
            ToAgent::Peers(_) | ToAgent::Do(_) | ToAgent::Steps(_) | ToAgent::Go(_) | ToAgent::Measure(_) => {
                Err(Problem("the root was given a command that only a process can follow".to_owned()).into())
            }
        }
    }

    fn open(&mut self, open: &Open) -> Result<(), Over> {
        if let Some(team) = &self.team {
            return Err(Problem(format!("run {} is to be opened while run {} is open", open.run, team.run)).into());
        }
        let Self { socket, control, signals, team, saboteur } = self;
        let mut leave = || {
            control.abandon();
            let _ = signals.close();
        };
        match Team::open(open, socket, *saboteur, &mut leave) {
            Ok(opened) => {
                *team = Some(opened);
                self.control.send(&FromAgent::Opened(Opened { run: open.run }))
            }
            Err(NotOpened::Refused(refused)) => self.control.send(&FromAgent::Refused(refused)),
            Err(NotOpened::Problem(problem)) => Err(problem.into()),
        }
    }

    fn harvest(&mut self, harvest: &Harvest) -> Result<(), Over> {
        let Some(team) = self.team.as_ref().filter(|team| team.run == harvest.run) else {
            return Err(
                Problem(format!("the journals of run {} are asked for, and it is not open", harvest.run)).into()
            );
        };
        for journal in team.harvest()? {
            self.control.push(&FromAgent::Journal(journal))?;
        }
        self.control.send(&FromAgent::Harvested(Harvested { run: harvest.run }))
    }

    fn close(&mut self, close: &Close) -> Result<(), Over> {
        let Some(mut team) = self.team.take_if(|team| team.run == close.run) else {
            return Err(Problem(format!("run {} is to be closed and is not open", close.run)).into());
        };
        for (process, ending) in team.close() {
            self.control.push(&FromAgent::Exited(Exited { run: close.run, process, ending }))?;
        }
        self.control.send(&FromAgent::Closed(Closed { run: close.run, leaked: team.leaked() }))
    }
}
