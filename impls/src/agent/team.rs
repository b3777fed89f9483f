//! The processes and channels of one run, as the root has them: opened, started, reaped, removed.

use super::{
    journal::Journals,
    meeting::Meetings,
    process::{self, Birth},
};
use crate::{
    mechanism::{Mechanism, OpenError, Opened, Place},
    perform::{Held, Problem},
    registry,
    saboteur::{Leftover, Saboteur},
    signal_name,
};
use harness_core::wire::{
    HeldEnd, Hold, Journal, Open, OpenChannel, OpenProcess, ProcessEnding, RefusalClass, Refused,
};
use impls_sys::{
    process::{Ending, fork, reap},
    signals::set_mask,
};
use nix::{
    errno::Errno,
    sys::signal::Signal,
    unistd::{Pid, getpid, getppid},
};
use spec::scenario::Attach;
use std::{collections::BTreeMap, fs, path::Path};

/// How many copies of all channels together a run may have.
const CHANNELS_MAX: u64 = 4_096;

/// One run.
pub(super) struct Team {
    pub(super) run: u64,
    places: Vec<(&'static dyn Mechanism, Place)>,
    children: Vec<Child>,
    /// What the processes of a race write down; made with them.
    journals: Option<Journals>,
    /// The numbers of all processes, by name.
    numbers: BTreeMap<String, u8>,
    /// How many descriptors the root had before.
    descriptors: Option<usize>,
    saboteur: Option<&'static Saboteur>,
}

struct Child {
    name: String,
    pid: Pid,
    ended: bool,
}

/// What all processes of a run share.
struct Shared<'t> {
    meetings: &'t Meetings,
    journals: Option<&'t Journals>,
    numbers: &'t BTreeMap<String, u8>,
    /// How many processors they have together.
    processors: usize,
    saboteur: Option<&'static Saboteur>,
}

/// A channel with its copies, opened and not yet held by anybody.
struct OpenedChannel {
    name: String,
    mechanism: spec::Mechanism,
    /// Whether the channel says itself what it is made of.
    is_of_its_own: bool,
    stamped: bool,
    copies: Vec<Box<dyn Opened>>,
}

/// Why a run was not opened.
pub(super) enum NotOpened {
    /// The system does not allow it: nothing was left behind.
    Refused(Refused),
    /// The harness asked for what makes no sense.
    Problem(Problem),
}

impl Team {
    /// Opens the channels and starts the processes. `leave` is what a child does first: it gives up what is the root's.
    pub(super) fn open(
        open: &Open,
        socket: &Path,
        saboteur: Option<&'static Saboteur>,
        leave: &mut dyn FnMut(),
    ) -> Result<Self, NotOpened> {
        let descriptors = descriptor_count();
        let refuse = |class, reason| NotOpened::Refused(Refused { run: open.run, class, reason });
        check(open).map_err(NotOpened::Problem)?;
        let places = places(open)
            .map_err(|missing| refuse(RefusalClass::Unsupported, format!("this agent does not offer {missing}")))?;
        let mut team = Self {
            run: open.run,
            places,
            children: Vec::new(),
            journals: None,
            numbers: BTreeMap::new(),
            descriptors,
            saboteur,
        };
        if saboteur.is_some_and(|saboteur| saboteur.leaves(Leftover::Descriptor)) {
            leave_descriptor();
        }
        let started = team.open_channels(open).and_then(|mut channels| {
            tell_holders(open, &mut channels);
            let meetings = Meetings::new().map_err(OpenError::of("mmap"))?;
            // Only races are told which processors are theirs, and only they may write their journals so.
            if !open.processors.is_empty() {
                team.journals = Some(Journals::new().map_err(OpenError::of("mmap"))?);
            }
            let journals = team.journals.as_ref();
            team.numbers = open.processes.iter().map(|process| (process.name.clone(), process.number)).collect();
            let processors = processors(open);
            let shared = Shared { meetings: &meetings, journals, numbers: &team.numbers, processors, saboteur };
            for process in open.processes.iter().filter(|process| !process.forked) {
                let pid = start(open, process, socket, &shared, &mut channels, leave).map_err(OpenError::of("fork"))?;
                team.children.push(Child { name: process.name.clone(), pid, ended: false });
            }
            Ok(())
        });
        match started {
            Ok(()) => Ok(team),
            Err(error) => {
                let class = class_of(&error);
                team.close();
                Err(refuse(class, format!("{} on {}", error, open.mechanism)))
            }
        }
    }

    fn open_channels(&self, open: &Open) -> Result<Vec<OpenedChannel>, OpenError> {
        let mut places = self.places.iter();
        open.channels
            .iter()
            .map(|channel| {
                let copies = places
                    .by_ref()
                    .take(open.copies as usize)
                    .map(|(mechanism, place)| match (attach(open, channel.options.made_of.is_some()), self.saboteur) {
                        (Attach::Inherit, None) => mechanism.open(place, &channel.options),
                        (Attach::ByName, None) => mechanism.prepare(place, &channel.options),
                        (Attach::Inherit, Some(saboteur)) => saboteur.open(*mechanism, place, &channel.options),
                        (Attach::ByName, Some(saboteur)) => saboteur.prepare(*mechanism, place, &channel.options),
                    })
                    .collect::<Result<_, _>>()?;
                let mechanism = made_of(open, channel);
                Ok(OpenedChannel {
                    name: channel.name.clone(),
                    mechanism,
                    is_of_its_own: channel.options.made_of.is_some(),
                    stamped: channel.stamped,
                    copies,
                })
            })
            .collect()
    }

    /// Whether this process is one of the run; notes that it has ended. Returns its name and how it ended, for the harness.
    pub(super) fn note_end(&mut self, pid: Pid, ending: Ending) -> Option<(String, ProcessEnding)> {
        let child = self.children.iter_mut().find(|child| child.pid == pid && !child.ended)?;
        child.ended = true;
        Some((child.name.clone(), describe(ending)))
    }

    /// Ends the processes that are left, and removes every name that the run may have made. Returns who ended now, and how.
    pub(super) fn close(&mut self) -> Vec<(String, ProcessEnding)> {
        let left: Vec<Pid> = self.children.iter().filter(|child| !child.ended).map(|child| child.pid).collect();
        for pid in &left {
            let _ = impls_sys::signals::send(*pid, libc::SIGKILL);
        }
        let mut ended = Vec::new();
        for pid in left {
            // A wait for a child that was killed ends; it is repeated where something interrupts it.
            let reaped = loop {
                match reap(Some(pid), true) {
                    Err(Errno::EINTR) => {}
                    reaped => break reaped,
                }
            };
            if let Ok(Some((pid, ending))) = reaped {
                ended.extend(self.note_end(pid, ending));
            }
        }
        end_orphans();
        if self.saboteur.is_some_and(|saboteur| saboteur.leaves(Leftover::Names)) {
            return ended;
        }
        for (mechanism, place) in &self.places {
            mechanism.remove(place);
        }
        ended
    }

    /// What the processes have written into their shared journals so far.
    pub(super) fn harvest(&self) -> Result<Vec<Journal>, Problem> {
        let journals = self.journals.iter();
        journals
            .flat_map(|journals| self.numbers.iter().map(|(process, number)| journals.read(self.run, process, *number)))
            .collect()
    }

    /// What the root has more than before the run, as a person would say it. To be asked when the run is closed.
    pub(super) fn leaked(&self) -> Vec<String> {
        match (self.descriptors, descriptor_count()) {
            (Some(before), Some(now)) if now > before => vec![format!("{} descriptors of the root", now - before)],
            _ => Vec::new(),
        }
    }
}

/// Whether an order to open makes sense.
fn check(open: &Open) -> Result<(), Problem> {
    let channels = open.channels.len() as u64 * u64::from(open.copies);
    if open.copies == 0 || channels > CHANNELS_MAX {
        return Err(Problem(format!(
            "{} copies of {} channels were asked for: 1 to {CHANNELS_MAX} in all can be had",
            open.copies,
            open.channels.len()
        )));
    }
    for process in &open.processes {
        if process.number == 0 || process.number > 15 {
            return Err(Problem(format!("`{}` has the number {}: stamps have 1 to 15", process.name, process.number)));
        }
        if let Some(hold) =
            process.holds.iter().find(|hold| open.channels.iter().all(|channel| channel.name != hold.channel))
        {
            return Err(Problem(format!("`{}` is to hold `{}`, which is no channel", process.name, hold.channel)));
        }
    }
    Ok(())
}

/// How processes come to hold a channel: one that says itself what it is made of is always inherited.
fn attach(open: &Open, is_of_its_own: bool) -> Attach {
    if is_of_its_own { Attach::Inherit } else { open.attach }
}

/// What a channel is made of.
fn made_of(open: &Open, channel: &OpenChannel) -> spec::Mechanism {
    channel.options.made_of.unwrap_or(open.mechanism)
}

/// Where every copy of every channel has its name, and what it is made of; or the mechanism that is not offered.
fn places(open: &Open) -> Result<Vec<(&'static dyn Mechanism, Place)>, spec::Mechanism> {
    let mut places = Vec::new();
    for channel in &open.channels {
        let which = made_of(open, channel);
        let mechanism = registry::find(which).ok_or(which)?;
        places.extend((0..open.copies).map(|copy| {
            let (directory, prefix) = (open.directory.clone().into(), open.prefix.clone());
            (mechanism, Place { directory, prefix, channel: channel.name.clone(), copy })
        }));
    }
    Ok(places)
}

/// How many processors the processes have together.
fn processors(open: &Open) -> usize {
    if open.processors.is_empty() { processors_of_root() } else { open.processors.len() }
}

/// How many processors this process, and what it starts, may run on.
#[cfg(target_os = "linux")]
pub(super) fn processors_of_root() -> usize {
    use nix::sched::{CpuSet, sched_getaffinity};
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    (0..CpuSet::count()).filter(|processor| allowed.is_set(*processor).unwrap_or(false)).count().max(1)
}

/// How many processors this process, and what it starts, may run on.
#[cfg(not(target_os = "linux"))]
fn processors_of_root() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts a process. It takes its ends from its own copy of the channels; the root keeps all of them for the next.
fn start(
    open: &Open,
    process: &OpenProcess,
    socket: &Path,
    shared: &Shared<'_>,
    channels: &mut Vec<OpenedChannel>,
    leave: &mut dyn FnMut(),
) -> impls_sys::Result<Pid> {
    let root = getpid();
    fork(|| {
        leave();
        // The root waits for its signals by a descriptor, and blocks them. Dispositions it has as they are to be.
        if set_mask(&[]).is_err() || !die_with(root) {
            return process::FAILED;
        }
        let held = hold(open, process, std::mem::take(channels));
        process::live(Birth {
            run: open.run,
            name: &process.name,
            number: process.number,
            socket,
            meetings: shared.meetings,
            journals: shared.journals,
            processors: shared.processors,
            numbers: shared.numbers,
            held,
            saboteur: shared.saboteur,
        })
    })
}

/// Sees to it that this process does not survive its root. Returns whether the root still lives.
fn die_with(root: Pid) -> bool {
    #[cfg(target_os = "linux")]
    if nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).is_err() {
        return false;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = Signal::SIGKILL;
    // It may have died before that.
    getppid() == root
}

/// What a process holds of the channels; everything else is closed.
fn hold(open: &Open, process: &OpenProcess, channels: Vec<OpenedChannel>) -> Result<BTreeMap<String, Held>, Problem> {
    let mut held = BTreeMap::new();
    for channel in channels {
        let end = match attach(open, channel.is_of_its_own) {
            Attach::ByName => Some(HeldEnd::Both),
            Attach::Inherit => end_of(&process.holds, &channel.name),
        };
        let Some(end) = end else { continue };
        let copies = channel
            .copies
            .into_iter()
            .map(|copy| copy.hold(end))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|failure| Problem(format!("cannot hold `{}` ({end:?}): {failure:?}", channel.name)))?;
        let of_channel = Held::new(&channel.name, channel.mechanism, channel.stamped, copies);
        held.insert(channel.name, of_channel);
    }
    Ok(held)
}

/// Tells channels how many processes hold them, where that is known: who is forked later holds what its parent does.
fn tell_holders(open: &Open, channels: &mut [OpenedChannel]) {
    if open.processes.iter().any(|process| process.forked) {
        return;
    }
    for channel in channels {
        if attach(open, channel.is_of_its_own) == Attach::ByName {
            continue;
        }
        let ends: Vec<HeldEnd> =
            open.processes.iter().filter_map(|process| end_of(&process.holds, &channel.name)).collect();
        let with = |end: HeldEnd| ends.iter().filter(|held| [end, HeldEnd::Both].contains(held)).count();
        let (senders, receivers) = (with(HeldEnd::Write), with(HeldEnd::Read));
        channel.copies.iter_mut().for_each(|copy| copy.held_by(senders, receivers));
    }
}

/// The end of a channel that a process holds; two different ones are both.
fn end_of(holds: &[Hold], channel: &str) -> Option<HeldEnd> {
    let ends = holds.iter().filter(|hold| hold.channel == channel).map(|hold| hold.end);
    ends.reduce(|one, other| if one == other { one } else { HeldEnd::Both })
}

/// Why the system does not let us open.
fn class_of(error: &OpenError) -> RefusalClass {
    match error.errno {
        Errno::ENOSYS | Errno::ENOTSUP | Errno::EAFNOSUPPORT | Errno::EPROTONOSUPPORT | Errno::ENODEV => {
            RefusalClass::Unsupported
        }
        Errno::EACCES
        | Errno::EPERM
        | Errno::EMFILE
        | Errno::ENFILE
        | Errno::ENOSPC
        | Errno::ENOMEM
        | Errno::EAGAIN => RefusalClass::Privilege,
        // What a queue may be is limited for users without privilege, and this is how it says so.
        Errno::EINVAL if error.call == "mq_open" => RefusalClass::Privilege,
        _ => RefusalClass::Fault,
    }
}

/// An ending in the words of the protocol.
fn describe(ending: Ending) -> ProcessEnding {
    match ending {
        Ending::Status(status) => ProcessEnding::Status(status),
        Ending::Signal(number) => match signal_name::name(number) {
            Some(signal) => ProcessEnding::Signal(signal),
            // As shells have it.
            None => ProcessEnding::Status(128 + number),
        },
    }
}

/// Ends the processes that came to this one when those died that had forked them.
fn end_orphans() {
    if getpid() == Pid::from_raw(1) {
        // The first process of a namespace: all the others there are its own. `/proc` may be that of another namespace.
        let _ = impls_sys::signals::send(Pid::from_raw(-1), libc::SIGKILL);
        while !matches!(reap(None, true), Err(Errno::ECHILD)) {}
        return;
    }
    // One that dies may leave others: until there are none.
    loop {
        let text = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
        let orphans: Vec<Pid> =
            text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok().map(Pid::from_raw)).collect();
        if orphans.is_empty() {
            return;
        }
        for orphan in orphans {
            let _ = impls_sys::signals::send(orphan, libc::SIGKILL);
            if reap(Some(orphan), true) == Err(Errno::ECHILD) {
                return;
            }
        }
    }
}

/// Leaves a descriptor open for ever: what a saboteur of a root does.
fn leave_descriptor() {
    if let Ok(file) = fs::File::open("/dev/null") {
        std::mem::forget(file);
    }
}

/// How many descriptors this process has open, where the system tells.
fn descriptor_count() -> Option<usize> {
    // Linux tells it as the size of the directory since 6.2; before that, one reads it.
    let told = fs::metadata("/proc/self/fd").ok()?.len();
    usize::try_from(told)
        .ok()
        .filter(|count| *count > 0)
        .or_else(|| fs::read_dir("/proc/self/fd").ok().map(Iterator::count))
}
