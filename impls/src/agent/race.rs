//! The loop of a race: many runs, the calls that race, and between them nothing that a system call is needed for.
//!
//! What has to be said is written into the shared journal, and what can be done before a meeting is done there: bytes to send are
//! laid out, the next step is noted as begun. Consecutive accesses to memory are made at once, with a look at the clock before the
//! first and after the last of them.

use super::{
    control::Over,
    journal::Writer,
    meeting::{Leave, Meeting, Meetings},
    process::{Process, no_meetings},
};
use crate::{
    clock,
    perform::{
        self, Fresh, Held, Performer, Problem, Work,
        words::{self, Access},
    },
};
use harness_core::wire::{Finished, FromAgent, Outcome, Steps};
use spec::Operation;
use std::{
    collections::BTreeMap,
    sync::atomic::{Ordering, fence},
};

/// The longest sequence of accesses that is made at once.
const ACCESSES_MAX: usize = 16;

/// Up to so many steps each have buffers of their own, so that what they send is laid out once.
const OWN_BUFFERS_MAX: usize = 64;

/// One step of this process.
struct Step {
    operation: Operation<u64>,
    /// Which of the channels that it holds.
    channel: Option<usize>,
    /// Which of the meetings, where it is one.
    meeting: Option<usize>,
    is_access: bool,
    /// Whether it is the process's own, whatever channel it names.
    is_own: bool,
}

/// A meeting that is due before the next step.
#[derive(Clone, Copy)]
struct Gate {
    meeting: usize,
    /// The step that it is; none for the meeting before each run.
    step: Option<usize>,
}

struct Racer<'r> {
    steps: Vec<Step>,
    /// Whether to leave each meeting at an instant.
    meetings: Vec<(Meeting<'r>, bool)>,
    channels: Vec<&'r mut Held>,
    works: Vec<Work>,
    performer: &'r mut Performer,
    journal: Writer<'r>,
    offsets: &'r [u32],
}

impl Process<'_> {
    /// Does all steps as often as asked for, with the journal in shared memory.
    pub(super) fn race(&mut self, steps: &Steps) -> Result<(), Over> {
        let (shared_meetings, journals) = self.meetings.zip(self.journals).ok_or_else(no_meetings)?;
        let names: Vec<String> = self.channels.keys().cloned().collect();
        let place = |name: &String| {
            let place = names.iter().position(|known| known == name);
            place.ok_or_else(|| Problem(format!("it was told something of `{name}`, of which it holds nothing")))
        };
        for name in &steps.nonblocking {
            if let Some(held) = self.channels.get_mut(name) {
                held.set_nonblocking()?;
            }
        }
        let number = self.performer.number;
        let (mut meetings, start) = open_meetings(steps, shared_meetings, self.numbers, number, self.processors)?;
        // One more, at the end of a round, for those who make copies as new.
        let everybody: Vec<u8> = parties(steps, "start", self.numbers)?;
        let round = meetings.len();
        meetings.push((Meeting::new(shared_meetings, round, number, &everybody, self.processors)?, false));
        let renewed: Vec<usize> = steps.renew.iter().flatten().map(place).collect::<Result<_, _>>()?;
        let calls = (steps.runs as usize).saturating_mul(steps.steps.len());
        let own_buffers = if steps.steps.len() <= OWN_BUFFERS_MAX { steps.steps.len() } else { 1 };
        let channels: Vec<&mut Held> = self.channels.values_mut().collect();
        let mut racer = Racer {
            steps: compile(steps, &place, &channels)?,
            meetings,
            channels,
            works: (0..own_buffers.max(1)).map(|_| Work::default()).collect(),
            performer: &mut self.performer,
            journal: journals.writer(number, self.raced, calls)?,
            offsets: &steps.offsets,
        };
        let copies = racer.channels.iter().map(|held| held.copies()).max().unwrap_or(1).max(1);
        let mut fresh: Vec<(usize, Fresh)> = Vec::new();
        for channel in renewed {
            let own = racer.steps.iter().filter(|step| step.channel == Some(channel)).map(|step| &step.operation);
            fresh.push((channel, Fresh::of(racer.channels[channel], own)));
        }
        let mut runs = 0;
        while runs < steps.runs && racer.journal.goes_on(runs) {
            racer.run(runs, start)?;
            runs += 1;
            let is_last = runs == steps.runs || !racer.journal.goes_on(runs);
            if steps.renew.is_some() && ((runs as usize).is_multiple_of(copies) || is_last) {
                racer.meetings[round].0.meet(Leave::AtOnce);
                for (channel, fresh) in &fresh {
                    perform::renew(racer.channels[*channel], fresh)?;
                }
            }
        }
        drop(racer);
        self.raced += u64::from(runs) + 1;
        self.control.send(&FromAgent::Finished(Finished { runs }))
    }
}

/// The numbers of those who come to a meeting.
fn parties(steps: &Steps, meeting: &str, numbers: &BTreeMap<String, u8>) -> Result<Vec<u8>, Problem> {
    let names = steps.meetings.get(meeting);
    let names = names.ok_or_else(|| Problem(format!("it was told of no meeting `{meeting}`")))?;
    names
        .iter()
        .map(|name| {
            let number = numbers.get(name).copied();
            number.ok_or_else(|| Problem(format!("`{name}` is to come to `{meeting}` and is no process of the run")))
        })
        .collect()
}

/// All meetings, each with whether it is left at an instant, in the order of their names; and which of them is `start`.
pub(super) fn open_meetings<'m>(
    steps: &Steps,
    meetings: &'m Meetings,
    numbers: &BTreeMap<String, u8>,
    number: u8,
    processors: usize,
) -> Result<(Vec<(Meeting<'m>, bool)>, usize), Problem> {
    let open = steps
        .meetings
        .keys()
        .enumerate()
        .map(|(index, name)| {
            let parties = parties(steps, name, numbers)?;
            let is_instant = steps.instants.contains(name);
            Ok((Meeting::new(meetings, index, number, &parties, processors)?, is_instant))
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    let start = steps.meetings.keys().position(|name| name == "start");
    Ok((open, start.ok_or_else(|| Problem("it was told of no meeting `start`".to_owned()))?))
}

fn compile(
    steps: &Steps,
    place: &dyn Fn(&String) -> Result<usize, Problem>,
    channels: &[&mut Held],
) -> Result<Vec<Step>, Problem> {
    steps
        .steps
        .iter()
        .map(|step| {
            let mut operation = step.operation.clone();
            if step.channel.as_ref().is_some_and(|channel| steps.nonblocking.contains(channel)) {
                leave_flag_alone(&mut operation);
            }
            let meeting = match &operation {
                Operation::Meet(meeting) => {
                    let place = steps.meetings.keys().position(|name| *name == meeting.meeting);
                    Some(place.ok_or_else(|| Problem(format!("it was told of no meeting `{}`", meeting.meeting)))?)
                }
                _ => None,
            };
            let channel = step.channel.as_ref().map(place).transpose()?;
            // The word of a futex is not of the memory that accesses go to.
            let of_memory =
                channel.map_or(matches!(operation, Operation::Fence(_)), |channel| channels[channel].is_memory());
            let is_access = of_memory && words::is_access(&operation);
            if let Some(channel) = channel {
                channels[channel].check(&operation)?;
            }
            Ok(Step { is_own: perform::is_own(&operation), operation, channel, meeting, is_access })
        })
        .collect()
}

/// Where the descriptor does not wait anyway, a call need not see to that itself.
fn leave_flag_alone(operation: &mut Operation<u64>) {
    match operation {
        Operation::Write(write) => write.nonblocking = false,
        Operation::Read(read) => read.nonblocking = false,
        Operation::Send(send) => send.nonblocking = false,
        Operation::Receive(receive) => receive.nonblocking = false,
        _ => {}
    }
}

impl Racer<'_> {
    /// All steps once.
    fn run(&mut self, run: u32, start: usize) -> Result<(), Problem> {
        for held in &mut self.channels {
            held.begin_run();
        }
        let offset = match self.offsets {
            [] => 0,
            offsets => offsets[run as usize % offsets.len()],
        };
        let mut gate = Some(Gate { meeting: start, step: None });
        let mut next = 0;
        while next < self.steps.len() || gate.is_some() {
            if let Some(meeting) = self.steps.get(next).and_then(|step| step.meeting) {
                self.journal.begin();
                if let Some(passed) = gate.take() {
                    self.pass_and_note(passed)?;
                }
                gate = Some(Gate { meeting, step: Some(next) });
                next += 1;
                continue;
            }
            let end = self.end_of_accesses(next);
            if end > next {
                self.make_accesses(next..end, run, gate.take(), offset)?;
                next = end;
            } else if next < self.steps.len() {
                self.make_call(next, run, gate.take(), offset)?;
                next += 1;
            } else if let Some(passed) = gate.take() {
                self.pass_and_note(passed)?;
            }
        }
        self.journal.end_run(run, self.steps.len());
        Ok(())
    }

    /// The end of the accesses to memory that begin with this step.
    fn end_of_accesses(&self, first: usize) -> usize {
        let accesses = self.steps[first..].iter().take(ACCESSES_MAX).take_while(|step| step.is_access);
        first + accesses.count()
    }

    /// Waits at a meeting, after which a call follows. Returns when it came and when it left, where that is asked for.
    fn pass(&self, gate: Gate, offset: u32) -> (u64, u64) {
        self.meet(gate, Leave::After(offset))
    }

    fn meet(&self, gate: Gate, leave: Leave) -> (u64, u64) {
        let (meeting, is_instant) = &self.meetings[gate.meeting];
        let leave = if *is_instant { leave } else { Leave::AtOnce };
        if gate.step.is_none() {
            meeting.meet(leave);
            return (0, 0);
        }
        let came = clock::now();
        meeting.meet(leave);
        (came, clock::now())
    }

    /// Waits at a meeting after which no call follows, so that there is no reason to wait for an instant, and the processor is
    /// left to those who do.
    fn pass_and_note(&mut self, gate: Gate) -> Result<(), Problem> {
        let (came, left) = self.meet(gate, Leave::Early);
        self.note_gate(Some(gate), came, left)
    }

    fn note_gate(&mut self, gate: Option<Gate>, came: u64, left: u64) -> Result<(), Problem> {
        match gate.and_then(|gate| gate.step) {
            Some(step) => self.journal.end(step, came, left, Outcome::Done),
            None => Ok(()),
        }
    }

    fn copy_of(&self, channel: Option<usize>, run: u32) -> usize {
        channel.map_or(0, |channel| run as usize % self.channels[channel].copies().max(1))
    }

    fn make_call(&mut self, index: usize, run: u32, gate: Option<Gate>, offset: u32) -> Result<(), Problem> {
        let copy = self.copy_of(self.steps[index].channel, run);
        let buffers = self.works.len();
        let Step { operation, channel, .. } = &self.steps[index];
        let work = &mut self.works[index % buffers];
        let held = channel.map(|channel| &mut *self.channels[channel]);
        perform::lay_out(operation, held, copy, self.performer, work)?;
        self.journal.begin();
        let (came, left) = gate.map_or((0, 0), |gate| self.pass(gate, offset));
        let Step { operation, channel, is_own, .. } = &self.steps[index];
        let work = &mut self.works[index % buffers];
        let held = channel.map(|channel| &mut *self.channels[channel]);
        let outcome = perform::perform_known(operation, *is_own, held, copy, self.performer, work)?;
        let (began, ended) = (work.began, work.ended);
        self.note_gate(gate, came, left)?;
        self.journal.end(index, began, ended, outcome)
    }

    fn make_accesses(
        &mut self,
        indices: std::ops::Range<usize>,
        run: u32,
        gate: Option<Gate>,
        offset: u32,
    ) -> Result<(), Problem> {
        for index in indices.clone() {
            let copy = self.copy_of(self.steps[index].channel, run);
            let Step { operation, channel, .. } = &self.steps[index];
            if let Some(channel) = channel {
                self.channels[*channel].reach(operation, copy)?;
            }
            self.journal.begin();
        }
        let mut accesses = [words::NOTHING; ACCESSES_MAX];
        for (access, index) in accesses.iter_mut().zip(indices.clone()) {
            let Step { operation, channel, .. } = &self.steps[index];
            *access = match channel {
                Some(channel) => self.channels[*channel].access(operation, self.copy_of(Some(*channel), run))?,
                None => fence_of(operation)?,
            };
        }
        let accesses = &accesses[..indices.len()];
        let mut found = [0; ACCESSES_MAX];
        let (came, left) = gate.map_or((0, 0), |gate| self.pass(gate, offset));
        let began = clock::now();
        for (access, found) in accesses.iter().zip(&mut found) {
            *found = access.make();
        }
        // A store is not over before others can see it.
        fence(Ordering::SeqCst);
        let ended = clock::now();
        let mut tells = [false; ACCESSES_MAX];
        for (access, tells) in accesses.iter().zip(&mut tells) {
            *tells = access.tells();
        }
        self.note_gate(gate, came, left)?;
        for (place, index) in indices.enumerate() {
            let outcome = if tells[place] { Outcome::Count(found[place]) } else { Outcome::Done };
            self.journal.end(index, began, ended, outcome)?;
        }
        Ok(())
    }
}

fn fence_of(operation: &Operation<u64>) -> Result<Access<'static>, Problem> {
    Access::new(operation, None).map_err(|failure| Problem(format!("cannot fence: {failure:?}")))
}
