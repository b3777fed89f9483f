//! A process of a run: does the steps it is told to do, and writes down the beginning and the end of each.

use super::{
    control::{Control, Over},
    journal::Journals,
    meeting::{Leave, Meeting, Meetings},
    race,
};
use crate::{
    clock,
    measure::Recorder,
    perform::{self, Held, Performer, Problem, Work},
    saboteur::Saboteur,
};
use harness_core::wire::{Begin, Do, End, Finished, FromAgent, Hello, Met, Outcome, ProcessHello, Steps, ToAgent};
use impls_sys::process::fork;
use nix::unistd::getpid;
use spec::Operation;
use std::{collections::BTreeMap, path::Path};

/// The status of a process that could not do what it was told; its last message says why.
pub(super) const FAILED: i32 = 2;

/// What a process is born with.
pub(super) struct Birth<'r> {
    pub(super) run: u64,
    pub(super) name: &'r str,
    pub(super) number: u8,
    pub(super) socket: &'r Path,
    pub(super) meetings: &'r Meetings,
    pub(super) journals: Option<&'r Journals>,
    /// How many processors all processes have together.
    pub(super) processors: usize,
    /// The numbers of all processes of the run, by name: those that it forks have them as well.
    pub(super) numbers: &'r BTreeMap<String, u8>,
    /// What it holds, by channel; or why it cannot have it.
    pub(super) held: Result<BTreeMap<String, Held>, Problem>,
    pub(super) saboteur: Option<&'static Saboteur>,
}

/// A process at work.
pub(super) struct Process<'r> {
    pub(super) run: u64,
    pub(super) socket: &'r Path,
    pub(super) numbers: &'r BTreeMap<String, u8>,
    pub(super) control: Control,
    pub(super) channels: BTreeMap<String, Held>,
    pub(super) performer: Performer,
    pub(super) work: Work,
    /// None in a program that an exec has started: stories have no meetings.
    pub(super) meetings: Option<&'r Meetings>,
    pub(super) journals: Option<&'r Journals>,
    pub(super) processors: usize,
    /// The run of the last step that it was told to do by itself.
    told: u32,
    /// How many runs it has raced in its life, and one more for each time that it was told to; the same in all processes of a run.
    pub(super) raced: u64,
    /// What measuring writes down; made when it is first told to.
    pub(super) recorder: Option<Recorder>,
    pub(super) saboteur: Option<&'static Saboteur>,
}

/// The meeting that a process is told to go from which keeps a processor awake.
const KEPT_AWAKE: &str = "awake";

/// The life of a process. Returns its exit status.
pub(super) fn live(birth: Birth<'_>) -> i32 {
    let Ok(mut control) = Control::connect(birth.socket) else { return FAILED };
    let greeted = greet(&mut control, birth.run, birth.name);
    let channels = match (greeted, birth.held) {
        (Ok(()), Ok(channels)) => channels,
        (Ok(()), Err(problem)) => {
            control.complain(&problem);
            return FAILED;
        }
        (Err(_), _) => return FAILED,
    };
    let mut process = Process {
        run: birth.run,
        socket: birth.socket,
        numbers: birth.numbers,
        control,
        channels,
        performer: performer(birth.number, birth.saboteur),
        work: Work::default(),
        meetings: Some(birth.meetings),
        journals: birth.journals,
        processors: birth.processors,
        told: 0,
        raced: 1,
        recorder: None,
        saboteur: birth.saboteur,
    };
    process.live()
}

/// What a process was before an exec.
#[cfg(target_os = "linux")]
pub(super) struct Past<'r> {
    pub(super) run: u64,
    pub(super) number: u8,
    pub(super) socket: &'r Path,
    pub(super) numbers: &'r BTreeMap<String, u8>,
    pub(super) pids: BTreeMap<String, i32>,
    pub(super) spellings: BTreeMap<i32, spec::Signal>,
    /// The step that was the exec, and when it began.
    pub(super) step: u32,
    pub(super) began: u64,
    pub(super) saboteur: Option<&'static Saboteur>,
}

/// The life of a process after an exec. Returns its exit status.
#[cfg(target_os = "linux")]
pub(super) fn go_on(control: Control, channels: BTreeMap<String, Held>, past: Past<'_>) -> i32 {
    let mut performer = performer(past.number, past.saboteur);
    performer.pids = past.pids;
    performer.spellings = past.spellings;
    let mut work = Work::default();
    (work.began, work.ended) = (past.began, clock::now());
    let Past { run, socket, numbers, step, saboteur, .. } = past;
    let mut process = Process {
        run,
        socket,
        numbers,
        control,
        channels,
        performer,
        work,
        meetings: None,
        journals: None,
        processors: 1,
        told: 0,
        raced: 1,
        recorder: None,
        saboteur,
    };
    let said = process.push_end(step, 0, Outcome::Done).map_err(Over::from).and_then(|()| process.control.flush());
    match said {
        Ok(()) => process.live(),
        Err(_) => FAILED,
    }
}

/// Who performs, with the signals that it has.
fn performer(number: u8, saboteur: Option<&Saboteur>) -> Performer {
    let mut performer = Performer::new(number);
    if let Some(signals) = saboteur.and_then(Saboteur::signals) {
        performer.signals = signals;
    }
    performer
}

fn greet(control: &mut Control, run: u64, name: &str) -> Result<(), Over> {
    let (pid, control_fd) = (getpid().as_raw(), Some(control.number()));
    control.send(&FromAgent::Hello(Hello::Process(ProcessHello { run, process: name.to_owned(), pid, control_fd })))
}

impl Process<'_> {
    /// Obeys until it is over. Returns the exit status.
    fn live(&mut self) -> i32 {
        loop {
            match self.obey() {
                Ok(()) => {}
                Err(Over::Gone) => return 0,
                Err(Over::Problem(problem)) => {
                    self.control.complain(&problem);
                    return FAILED;
                }
            }
        }
    }

    /// `fork()`. The child lives here as the process of another name, with all that this one holds.
    fn fork(&mut self, step: &Do, name: &str) -> Result<Outcome, Problem> {
        let number = self.numbers.get(name).copied();
        let number =
            number.ok_or_else(|| Problem(format!("it was told to fork `{name}`, which is not in the plan")))?;
        self.work.began = clock::now();
        let forked = fork(|| {
            self.control.abandon();
            let Ok(control) = Control::connect(self.socket) else { return FAILED };
            self.control = control;
            self.performer.number = number;
            if greet(&mut self.control, self.run, name).is_err() {
                return FAILED;
            }
            self.live()
        });
        self.work.ended = clock::now();
        match forked {
            Ok(pid) => {
                self.performer.pids.insert(name.to_owned(), pid.as_raw());
                Ok(Outcome::Done)
            }
            Err(errno) => perform::failed(errno)
                .map_err(|Problem(why)| Problem(format!("cannot {}: {why}", step.operation.name()))),
        }
    }

    /// Waits for one command and does it.
    fn obey(&mut self) -> Result<(), Over> {
        match self.control.next()? {
            ToAgent::Peers(peers) => {
                self.performer.pids = peers.pids;
                Ok(())
            }
            ToAgent::Do(mut step) => {
                self.twist(&mut step);
                self.do_step(&step)
            }
            ToAgent::Steps(mut steps) => {
                steps.steps.iter_mut().for_each(|step| self.twist(step));
                if steps.shared_journal { self.race(&steps) } else { self.do_steps(&steps) }
            }
            ToAgent::Measure(told) => self.measure(&told),
            // What keeps a processor awake is told to go, and has nothing else to do then.
            ToAgent::Go(go) if go.meeting == KEPT_AWAKE => Ok(()),
            ToAgent::Go(go) => {
                Err(Problem(format!("it was let go from the meeting `{}`, where it is not", go.meeting)).into())
            }
            ToAgent::Open(_) | ToAgent::Close(_) | ToAgent::Harvest(_) => {
                Err(Problem("it was given a command that only the root can follow".to_owned()).into())
            }
        }
    }

    /// What a channel is made of.
    fn mechanism_of(&self, step: &Do) -> Option<spec::Mechanism> {
        step.channel.as_ref().and_then(|channel| self.channels.get(channel)).map(Held::mechanism)
    }

    /// Makes of a step what this process does instead.
    fn twist(&self, step: &mut Do) {
        if let Some(saboteur) = self.saboteur {
            saboteur.twist(step, self.mechanism_of(step));
        }
    }

    /// A step of a story.
    fn do_step(&mut self, step: &Do) -> Result<(), Over> {
        if matches!(step.operation, Operation::Meet(_)) {
            return Err(Problem("a story has no meetings".to_owned()).into());
        }
        if step.run != self.told {
            self.told = step.run;
            self.begin_run();
        }
        self.prepare(step, step.run)?;
        self.push_begin(step.step, step.run)?;
        self.control.flush()?;
        let outcome = match &step.operation {
            Operation::Fork(fork) => self.fork(step, &fork.process)?,
            #[cfg(target_os = "linux")]
            Operation::Exec(exec) => {
                self.work.began = clock::now();
                let failed = super::exec::exec(self, step.step, &exec.keep)?;
                self.work.ended = clock::now();
                failed
            }
            _ => self.perform(step, step.run)?,
        };
        self.push_end(step.step, step.run, outcome)?;
        self.control.flush()
    }

    /// All steps, as often as asked for, with a journal by messages.
    fn do_steps(&mut self, steps: &Steps) -> Result<(), Over> {
        let meetings = match steps.shared_meeting {
            true => {
                let meetings = self.meetings.ok_or_else(no_meetings)?;
                race::open_meetings(steps, meetings, self.numbers, self.performer.number, self.processors)?.0
            }
            false => Vec::new(),
        };
        for run in 0..steps.runs {
            self.begin_run();
            self.do_run(steps, run, &meetings)?;
        }
        self.control.send(&FromAgent::Finished(Finished { runs: steps.runs }))
    }

    /// What is sent from now on is of another run.
    fn begin_run(&mut self) {
        self.channels.values_mut().for_each(Held::begin_run);
    }

    /// All steps once.
    ///
    /// What can be said before a meeting is said there: nothing but a clock reading lies between the release and the call. So the
    /// beginning of a step after a meeting stands before the meeting, and ends are sent along with the next beginning.
    fn do_run(&mut self, steps: &Steps, run: u32, meetings: &[(Meeting<'_>, bool)]) -> Result<(), Over> {
        self.announce(steps.steps.first(), run)?;
        self.meet(steps, "start", run, meetings)?;
        for (index, step) in steps.steps.iter().enumerate() {
            let next = steps.steps.get(index + 1);
            let outcome = if let Operation::Meet(meeting) = &step.operation {
                self.announce(next, run)?;
                self.work.began = clock::now();
                self.meet(steps, &meeting.meeting, run, meetings)?;
                self.work.ended = clock::now();
                Outcome::Done
            } else {
                self.perform(step, run)?
            };
            self.push_end(step.step, run, outcome)?;
            if !matches!(step.operation, Operation::Meet(_)) && next.is_some() {
                self.announce(next, run)?;
                self.control.flush()?;
            }
        }
        Ok(())
    }

    /// Makes the next step ready and puts its beginning into the journal.
    fn announce(&mut self, step: Option<&Do>, run: u32) -> Result<(), Over> {
        if let Some(step) = step {
            self.prepare(step, run)?;
            self.push_begin(step.step, run)?;
        }
        Ok(())
    }

    /// Sends the journal so far, then waits for the others.
    fn meet(&mut self, steps: &Steps, meeting: &str, run: u32, meetings: &[(Meeting<'_>, bool)]) -> Result<(), Over> {
        let Some(index) = steps.meetings.keys().position(|name| *name == meeting) else {
            return Err(Problem(format!("it was told of no meeting `{meeting}`")).into());
        };
        if let Some((meeting, is_instant)) = meetings.get(index) {
            let offset = steps.offsets.get(run as usize % steps.offsets.len().max(1)).copied().unwrap_or(0);
            self.control.flush()?;
            meeting.meet(if *is_instant { Leave::After(offset) } else { Leave::AtOnce });
            return Ok(());
        }
        self.control.send(&FromAgent::Met(Met { meeting: meeting.to_owned(), run }))?;
        match self.control.next()? {
            ToAgent::Go(go) if go.meeting == meeting => Ok(()),
            _ => Err(Problem(format!("it waits at the meeting `{meeting}` and was told something else")).into()),
        }
    }

    fn prepare(&mut self, step: &Do, run: u32) -> Result<(), Problem> {
        let copy = self.copy_of(step, run)?;
        let held = step.channel.as_ref().and_then(|channel| self.channels.get_mut(channel));
        perform::prepare(&step.operation, held, copy, &self.performer, &mut self.work)
    }

    fn perform(&mut self, step: &Do, run: u32) -> Result<Outcome, Problem> {
        let Some(saboteur) = self.saboteur else { return self.perform_as_told(step, run) };
        let mechanism = self.mechanism_of(step);
        if saboteur.omits(&step.operation, mechanism) {
            self.work.began = clock::now();
            self.work.ended = self.work.began;
            return Ok(perform::omitted(&step.operation));
        }
        let outcome = self.perform_as_told(step, run)?;
        Ok(saboteur.say(&step.operation, mechanism, outcome))
    }

    fn perform_as_told(&mut self, step: &Do, run: u32) -> Result<Outcome, Problem> {
        let copy = self.copy_of(step, run)?;
        if let Operation::SendHandle(send) = &step.operation {
            let handle = self.channels.get_mut(&send.handle).and_then(|held| held.descriptor(copy, send.end));
            self.work.handle = handle.ok_or_else(|| Problem(format!("`{}` has no descriptor to send", send.handle)))?;
        }
        let held = step.channel.as_ref().and_then(|channel| self.channels.get_mut(channel));
        let outcome = perform::perform(&step.operation, held, copy, &mut self.performer, &mut self.work)?;
        if let (Operation::ReceiveHandle(receive), Some(handle)) = (&step.operation, self.work.received.take()) {
            let held = self.channels.get_mut(&receive.handle);
            held.ok_or_else(|| Problem(format!("it holds nothing of `{}`", receive.handle)))?.adopt(
                copy,
                handle,
                receive.end,
            )?;
        }
        Ok(outcome)
    }

    /// Which copy of its channel a step is about.
    fn copy_of(&self, step: &Do, run: u32) -> Result<usize, Problem> {
        let Some(channel) = &step.channel else { return Ok(0) };
        let held = self.channels.get(channel).ok_or_else(|| {
            Problem(format!("it was told to {} on `{channel}`, of which it holds nothing", step.operation.name()))
        })?;
        Ok(run as usize % held.copies().max(1))
    }

    fn push_begin(&mut self, step: u32, run: u32) -> Result<(), Problem> {
        self.control.push(&FromAgent::Begin(Begin { step, run, at: clock::now() }))
    }

    fn push_end(&mut self, step: u32, run: u32, outcome: Outcome) -> Result<(), Problem> {
        let Work { began, ended, .. } = self.work;
        self.control.push(&FromAgent::End(End { step, run, began, ended, outcome }))
    }
}

/// A program that an exec has started does not have the memory that processes meet in.
pub(super) fn no_meetings() -> Problem {
    Problem("it has no place to meet, and no journal, after an exec".to_owned())
}
