//! The loop of a race: many runs, the calls that race, and between them nothing that a system call is needed for.
//!
//! What has to be said is written into the shared journal, and what can be done before a meeting is done there: bytes to send are
//! laid out, the next step is noted as begun. Consecutive accesses to memory are made at once, with a look at the clock before the
//! first and after the last of them; where that is possible they are made ready before the first run.
//!
//! A look at the clock takes as long as a whole race of two stores. So a meeting has no looks of its own beside a call: it is said to
//! begin when the call before it has returned, and to end when the call after it begins. That is never shorter than it was.

use super::{
    control::Over,
    journal::Writer,
    meeting::{Leave, Meeting, Meetings},
    process::{Process, no_meetings},
};
use crate::{
    clock,
    perform::{
        self, Fresh, Given, Held, Performer, Problem, Recall, Work,
        words::{self, Access},
    },
};
use harness_core::wire::{Finished, FromAgent, Outcome, Steps};
use impls_sys::fence;
use spec::Operation;
use std::{collections::BTreeMap, ops::Range};

/// The longest sequence of accesses that is made at once.
const ACCESSES_MAX: usize = 16;

/// Up to so many steps each have buffers of their own, so that what they send is laid out once.
const OWN_BUFFERS_MAX: usize = 64;

/// One step of this process.
struct Step {
    operation: Operation<u64>,
    /// Which of the channels that it holds.
    channel: Option<usize>,
    /// How many copies of that there are.
    copies: usize,
    /// Which of the meetings, where it is one.
    meeting: Option<usize>,
    is_access: bool,
    /// Whether it is the process's own, whatever channel it names.
    is_own: bool,
    /// Which of the buffers.
    work: usize,
}

/// What is done at once, with nothing but a meeting before it.
enum Stage<'r> {
    Meet { step: usize, meeting: usize },
    Call { step: usize },
    Accesses(Accesses<'r>),
}

/// Accesses to memory that follow one another.
struct Accesses<'r> {
    steps: Range<usize>,
    /// All of them for each of the copies; `None` where they have to be made ready in each run.
    ready: Option<Vec<Access<'r>>>,
}

/// A channel that races are run on.
enum Channel<'r> {
    /// Memory of which this process does nothing but access words.
    Words(&'r Held),
    /// Any other.
    Other(&'r mut Held),
}

impl Channel<'_> {
    fn held(&self) -> &Held {
        match self {
            Self::Words(held) => held,
            Self::Other(held) => held,
        }
    }

    /// To make a call on it.
    fn for_calls(&mut self) -> Option<&mut Held> {
        match self {
            Self::Words(_) => None,
            Self::Other(held) => Some(held),
        }
    }
}

/// A channel that this process makes as new.
struct Renewed {
    channel: usize,
    fresh: Fresh,
    /// How much is sent in a run at most. A copy from which this process has received as much is as new already; to ask the system whether
    /// it is would cost more than the meeting, and makes every later write to a pipe wake up those who might poll.
    sent: Option<u64>,
    /// The copies in which something may be left.
    left: Vec<usize>,
}

/// A meeting that is due before the next step.
#[derive(Clone, Copy)]
struct Gate {
    meeting: usize,
    /// The step that it is; none for the meeting before each run.
    step: Option<usize>,
}

struct Racer<'r> {
    stages: Vec<Stage<'r>>,
    hands: Hands<'r>,
}

/// What it takes to do a step.
struct Hands<'r> {
    steps: Vec<Step>,
    /// Whether to leave each meeting at an instant.
    meetings: Vec<(Meeting<'r>, bool)>,
    channels: Vec<Channel<'r>>,
    works: Vec<Work>,
    /// What each step gave last.
    recalls: Vec<Recall>,
    performer: &'r mut Performer,
    journal: Writer<'r>,
    offsets: &'r [u32],
    renewed: Vec<Renewed>,
    /// The largest number of copies of a channel.
    copies: usize,
    turn: Turn,
    /// When the step before returned, in this run.
    ended: Option<u64>,
}

/// What changes from run to run, without a division.
#[derive(Default)]
struct Turn {
    run: u32,
    /// The run's number modulo the largest number of copies.
    copy: usize,
    /// The same modulo the number of offsets.
    offset: usize,
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
        let mut channels: Vec<&mut Held> = self.channels.values_mut().collect();
        let compiled = compile(steps, &place, &channels)?;
        let copies = channels.iter().map(|held| held.copies()).max().unwrap_or(1).max(1);
        let renewed = renewed.into_iter().map(|channel| {
            let own = compiled.iter().filter(|step| step.channel == Some(channel)).map(|step| &step.operation);
            let fresh = Fresh::of(channels[channel], own);
            let sent = names.get(channel).and_then(|name| steps.sent.get(name)).copied();
            Renewed { channel, fresh, sent, left: Vec::with_capacity(copies) }
        });
        let renewed = renewed.collect();
        let channels = hold(channels, &compiled)?;
        let mut racer = Racer {
            stages: stages(&compiled, &channels, copies)?,
            hands: Hands {
                works: (0..own_buffers(compiled.len())).map(|_| Work::default()).collect(),
                recalls: compiled.iter().map(|_| Recall::default()).collect(),
                steps: compiled,
                meetings,
                channels,
                performer: &mut self.performer,
                journal: journals.writer(number, self.raced, calls)?,
                offsets: &steps.offsets,
                renewed,
                copies,
                turn: Turn::default(),
                ended: None,
            },
        };
        let mut runs = 0;
        while runs < steps.runs && racer.hands.journal.goes_on(runs) {
            racer.run(start)?;
            runs += 1;
            let is_last = runs == steps.runs || !racer.hands.journal.goes_on(runs);
            if steps.renew.is_some() && (racer.hands.turn.copy == 0 || is_last) {
                racer.hands.meetings[round].0.meet(Leave::AtOnce);
                racer.hands.renew()?;
                // Everybody comes here too, also who has no words to look at.
                racer.hands.meetings[round].0.meet(Leave::AtOnce);
                racer.look_at_words();
            }
        }
        drop(racer);
        self.raced += u64::from(runs) + 1;
        self.control.send(&FromAgent::Finished(Finished { runs }))
    }
}

/// How many buffers so many steps have.
fn own_buffers(steps: usize) -> usize {
    if steps <= OWN_BUFFERS_MAX { steps.max(1) } else { 1 }
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
    let buffers = own_buffers(steps.steps.len());
    steps
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
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
            Ok(Step {
                is_own: perform::is_own(&operation),
                copies: channel.map_or(1, |channel| channels[channel].copies()),
                operation,
                channel,
                meeting,
                is_access,
                work: index % buffers,
            })
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

/// Tells memory of which this process accesses nothing but words from all other channels, and makes those words reachable.
fn hold<'r>(channels: Vec<&'r mut Held>, steps: &[Step]) -> Result<Vec<Channel<'r>>, Problem> {
    let hold = |(index, held): (usize, &'r mut Held)| {
        let own = || steps.iter().filter(|step| step.channel == Some(index));
        if !held.is_memory() || held.is_fickle() || !own().all(|step| step.is_access) {
            return Ok(Channel::Other(held));
        }
        for copy in 0..held.copies() {
            for step in own() {
                held.reach(&step.operation, copy)?;
            }
        }
        Ok(Channel::Words(held))
    };
    channels.into_iter().enumerate().map(hold).collect()
}

fn stages<'r>(steps: &[Step], channels: &[Channel<'r>], copies: usize) -> Result<Vec<Stage<'r>>, Problem> {
    let mut stages = Vec::new();
    let mut next = 0;
    while let Some(step) = steps.get(next) {
        let accesses = steps[next..].iter().take(ACCESSES_MAX).take_while(|step| step.is_access).count();
        stages.push(match step.meeting {
            Some(meeting) => Stage::Meet { step: next, meeting },
            None if accesses == 0 => Stage::Call { step: next },
            None => {
                let range = next..next + accesses;
                Stage::Accesses(Accesses { ready: ready(&steps[range.clone()], channels, copies)?, steps: range })
            }
        });
        next += accesses.max(1);
    }
    Ok(stages)
}

/// Accesses for each of the copies, where all are to words that are reachable.
fn ready<'r>(steps: &[Step], channels: &[Channel<'r>], copies: usize) -> Result<Option<Vec<Access<'r>>>, Problem> {
    let mut accesses = Vec::with_capacity(steps.len() * copies);
    for copy in 0..copies {
        for step in steps {
            accesses.push(match step.channel.map(|channel| &channels[channel]) {
                None => fence_of(&step.operation)?,
                Some(Channel::Words(held)) if held.copies() == copies => held.access(&step.operation, copy)?,
                Some(_) => return Ok(None),
            });
        }
    }
    Ok(Some(accesses))
}

impl Racer<'_> {
    /// Looks at all words that this process will access, when all have been cleared. Who has cleared a word has its line of the cache for
    /// itself, and a store to it is seen by all within a nanosecond; only where others have the line as well does a store wait in
    /// the buffer of its processor, and what weak orders allow comes to light.
    fn look_at_words(&self) {
        for stage in &self.stages {
            if let Stage::Accesses(Accesses { ready: Some(ready), .. }) = stage {
                ready.iter().for_each(|access| access.look());
            }
        }
    }

    /// All steps once.
    fn run(&mut self, start: usize) -> Result<(), Problem> {
        let Self { stages, hands } = self;
        hands.begin_run();
        let mut gate = Some(Gate { meeting: start, step: None });
        for stage in stages {
            match stage {
                Stage::Meet { step, meeting } => {
                    hands.journal.begin(1);
                    if let Some(passed) = gate.replace(Gate { meeting: *meeting, step: Some(*step) }) {
                        hands.pass_and_note(passed)?;
                    }
                }
                Stage::Call { step } => hands.make_call(*step, gate.take())?,
                Stage::Accesses(accesses) => hands.make_accesses(accesses, gate.take())?,
            }
        }
        if let Some(passed) = gate.take() {
            hands.pass_and_note(passed)?;
        }
        hands.end_run();
        Ok(())
    }
}

impl Hands<'_> {
    fn begin_run(&mut self) {
        for channel in &mut self.channels {
            if let Some(held) = channel.for_calls() {
                held.begin_run();
            }
        }
        self.ended = None;
    }

    fn end_run(&mut self) {
        for Renewed { channel, sent, left, .. } in &mut self.renewed {
            if let Channel::Other(held) = &self.channels[*channel]
                && sent.is_none_or(|sent| held.received() < sent)
            {
                left.push(self.turn.run as usize % held.copies().max(1));
            }
        }
        self.journal.end_run(self.turn.run, self.steps.len());
        let next = |turn: usize, of: usize| if turn + 1 < of { turn + 1 } else { 0 };
        self.turn = Turn {
            run: self.turn.run + 1,
            copy: next(self.turn.copy, self.copies),
            offset: next(self.turn.offset, self.offsets.len()),
        };
    }

    /// Makes copies as new.
    fn renew(&mut self) -> Result<(), Problem> {
        for Renewed { channel, fresh, left, .. } in &mut self.renewed {
            match &mut self.channels[*channel] {
                Channel::Words(held) => perform::clear(held, fresh),
                Channel::Other(held) => perform::renew(held, fresh, left)?,
            }
            left.clear();
        }
        Ok(())
    }

    /// Which copy of its channel a step is about.
    fn copy_of(&self, step: &Step) -> usize {
        if step.copies == self.copies { self.turn.copy } else { self.turn.run as usize % step.copies.max(1) }
    }

    /// Waits at a meeting.
    fn meet(&self, gate: Gate, leave: Leave) {
        let (meeting, is_instant) = &self.meetings[gate.meeting];
        meeting.meet(if *is_instant { leave } else { Leave::AtOnce });
    }

    /// Waits at a meeting after which a call follows. Returns when the meeting began, where that is to be noted.
    fn pass(&self, gate: Option<Gate>) -> Option<u64> {
        let gate = gate?;
        let came = gate.step.map(|_| self.ended.unwrap_or_else(clock::now));
        self.meet(gate, Leave::After(self.offsets.get(self.turn.offset).copied().unwrap_or(0)));
        came
    }

    /// Waits at a meeting after which no call follows, so that there is no reason to wait for an instant, and the processor is
    /// left to those who do.
    fn pass_and_note(&mut self, gate: Gate) -> Result<(), Problem> {
        let came = gate.step.map(|_| self.ended.unwrap_or_else(clock::now));
        self.meet(gate, Leave::Early);
        if came.is_none() {
            return Ok(());
        }
        let left = clock::now();
        self.ended = Some(left);
        self.note_meeting(came, left)
    }

    fn note_meeting(&mut self, came: Option<u64>, left: u64) -> Result<(), Problem> {
        let Some(came) = came else { return Ok(()) };
        let place = self.journal.place_of(0, &Outcome::Done)?;
        self.journal.end(came, left, place)
    }

    fn make_call(&mut self, index: usize, gate: Option<Gate>) -> Result<(), Problem> {
        let copy = self.copy_of(&self.steps[index]);
        let Step { operation, channel, work, .. } = &self.steps[index];
        let held = channel.and_then(|channel| self.channels[channel].for_calls());
        perform::lay_out(operation, held, copy, self.performer, &mut self.works[*work])?;
        self.journal.begin(1);
        let came = self.pass(gate);
        let Step { operation, channel, is_own, work, .. } = &self.steps[index];
        let held = channel.and_then(|channel| self.channels[channel].for_calls());
        let (work, recall) = (&mut self.works[*work], &mut self.recalls[index]);
        let given = perform::perform_again(operation, *is_own, held, copy, self.performer, work, recall)?;
        let (began, ended) = (work.began, work.ended);
        let place = match given {
            Given::Again(place) => place,
            Given::Done => self.journal.place_of(index, &Outcome::Done)?,
            Given::Count(count) => self.journal.place_of(index, &Outcome::Count(count))?,
            Given::Failed(errno) => self.journal.place_of(index, &Outcome::Failed(errno))?,
            Given::Other => {
                let place = self.journal.place_of(index, recall.other())?;
                recall.keep(work, place);
                place
            }
        };
        self.ended = Some(ended);
        self.note_meeting(came, began)?;
        self.journal.end(began, ended, place)
    }

    fn make_accesses(&mut self, Accesses { steps, ready }: &Accesses<'_>, gate: Option<Gate>) -> Result<(), Problem> {
        let mut told = [None; ACCESSES_MAX];
        let told = &mut told[..steps.len()];
        let (came, began, ended) = match ready {
            Some(ready) => {
                self.journal.begin(told.len() as u64);
                let first = self.turn.copy * steps.len();
                self.make_at_once(&ready[first..first + steps.len()], told, gate)
            }
            None => {
                self.reach(steps)?;
                self.journal.begin(told.len() as u64);
                let mut accesses = [words::NOTHING; ACCESSES_MAX];
                for (access, step) in accesses.iter_mut().zip(&self.steps[steps.clone()]) {
                    *access = match step.channel {
                        Some(channel) => self.channels[channel].held().access(&step.operation, self.copy_of(step))?,
                        None => fence_of(&step.operation)?,
                    };
                }
                self.make_at_once(&accesses[..steps.len()], told, gate)
            }
        };
        self.ended = Some(ended);
        self.note_meeting(came, began)?;
        for (index, told) in steps.clone().zip(told) {
            let place = self.journal.place_of(index, &told.map_or(Outcome::Done, Outcome::Count))?;
            self.journal.end(began, ended, place)?;
        }
        Ok(())
    }

    /// Makes words reachable that are not so from the beginning.
    fn reach(&mut self, steps: &Range<usize>) -> Result<(), Problem> {
        for step in &self.steps[steps.clone()] {
            let copy = self.copy_of(step);
            if let Some(held) = step.channel.and_then(|channel| self.channels[channel].for_calls()) {
                held.reach(&step.operation, copy)?;
            }
        }
        Ok(())
    }

    /// Waits at a meeting and makes accesses with nothing between them. Returns when the meeting began, where that is to be noted, and
    /// the times of the accesses; `told` is what they found, of those that tell.
    #[inline]
    fn make_at_once(
        &self,
        accesses: &[Access<'_>],
        told: &mut [Option<u64>],
        gate: Option<Gate>,
    ) -> (Option<u64>, u64, u64) {
        let mut found = [0; ACCESSES_MAX];
        let came = self.pass(gate);
        let began = clock::now();
        for (access, found) in accesses.iter().zip(&mut found) {
            *found = access.make();
        }
        // A store is not over before others can see it.
        fence::full();
        let ended = clock::now();
        for ((told, access), found) in told.iter_mut().zip(accesses).zip(found) {
            *told = access.tells().then_some(found);
        }
        (came, began, ended)
    }
}

fn fence_of(operation: &Operation<u64>) -> Result<Access<'static>, Problem> {
    Access::new(operation, None).map_err(|failure| Problem(format!("cannot fence: {failure:?}")))
}
