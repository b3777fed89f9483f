//! What a process does that is told to measure: it gathers the channels, meets the others, drives the loop, and says what it took.

use super::{
    control::Over,
    meeting::{Leave, MEETINGS_MAX, Meeting},
    process::{Process, no_meetings},
};
use crate::{
    measure::{self, Channels, Company, Recorder, Stopped, Task},
    perform::{Held, Problem},
};
use harness_core::wire::{FromAgent, Measure, Measured, measure::Task as What};
use spec::vocabulary::Feature;
use std::hint;

/// The meeting of so many who measure: scenarios do not have so many meetings. Who comes to one has to have come as often as the others.
fn meeting_of(parties: usize) -> usize {
    MEETINGS_MAX.saturating_sub(parties)
}

/// How often a keeper pauses before it looks whether it is to go on: some 300 µs. It does nothing else meanwhile, not even look at a clock:
/// what it does takes room in the caches, and a processor that is taken from it is handed over later (measured: 2 % of a round trip).
const PAUSES: u32 = 20_000;

impl Process<'_> {
    /// Does what it was told to measure.
    pub(super) fn measure(&mut self, told: &Measure) -> Result<(), Over> {
        let measured = match told.task {
            What::KeepAwake => return self.keep_awake(),
            _ => self.drive(told),
        };
        let measured = match measured {
            Ok(measured) => measured,
            Err(Stopped::Impossible(why)) => Measured { impossible: Some(why), ..Measured::default() },
            Err(Stopped::Problem(problem)) => return Err(problem.into()),
        };
        self.control.send(&FromAgent::Measured(Box::new(measured)))
    }

    fn drive(&mut self, told: &Measure) -> Result<Measured, Stopped> {
        let number = |name: &String| {
            let number = self.numbers.get(name).copied();
            number.ok_or_else(|| Problem(format!("`{name}` is to take part and is no process of the run")))
        };
        let parties = told.parties.iter().map(number).collect::<Result<Vec<u8>, Problem>>()?;
        let own = self.performer.number;
        let place = parties.iter().position(|party| *party == own);
        let place = place.ok_or_else(|| Problem("it was told to measure what it takes no part in".to_owned()))?;
        let pids = told.parties.iter().map(|name| self.performer.pids.get(name).copied().unwrap_or(0)).collect();
        // Not how many this process may run on: it is bound to one, and the others may have others.
        let processors = self.processors;
        let meetings = self.meetings.ok_or_else(no_meetings)?;
        let meeting = Meeting::new(meetings, meeting_of(parties.len()), own, &parties, processors)?;
        let mut recorder = match self.recorder.take() {
            Some(recorder) => recorder,
            None => Recorder::new()?,
        };
        // Each is taken out of what the process holds while it is used, and put back.
        let [mut channel, mut answers, mut check] = [&told.channel, &told.answers, &told.check].map(|name| {
            let name = name.as_ref()?;
            self.channels.remove_entry(name)
        });
        let is_lossy = channel.as_ref().is_some_and(|(_, held)| held.mechanism().has(Feature::Lossy));
        let done = drive(
            told,
            Loop {
                channel: channel.as_mut().map(|(_, held)| held),
                answers: answers.as_mut().map(|(_, held)| held),
                check: check.as_mut().map(|(_, held)| held),
                meeting: &meeting,
                place,
                pids,
                processors,
                is_lossy,
            },
            &mut recorder,
        );
        self.recorder = Some(recorder);
        self.channels.extend([channel, answers, check].into_iter().flatten());
        done
    }

    /// Keeps a processor from going to sleep until it is told to go. The system runs it only where nobody else wants to run.
    fn keep_awake(&mut self) -> Result<(), Over> {
        let measured = match impls_sys::process::run_when_idle() {
            Ok(()) => Measured::default(),
            Err(errno) => {
                Measured { impossible: Some(format!("sched_setscheduler: {errno:?}")), ..Measured::default() }
            }
        };
        let is_kept = measured.impossible.is_none();
        self.control.send(&FromAgent::Measured(Box::new(measured)))?;
        while is_kept && !self.control.has_come()? {
            for _ in 0..PAUSES {
                hint::spin_loop();
            }
        }
        Ok(())
    }
}

/// What a loop needs of its process.
struct Loop<'l> {
    channel: Option<&'l mut Held>,
    answers: Option<&'l mut Held>,
    check: Option<&'l mut Held>,
    meeting: &'l Meeting<'l>,
    place: usize,
    pids: Vec<i32>,
    processors: usize,
    is_lossy: bool,
}

fn drive(told: &Measure, with: Loop<'_>, recorder: &mut Recorder) -> Result<Measured, Stopped> {
    let Loop { channel, answers, check, meeting, place, pids, processors, is_lossy } = with;
    let meet = || meeting.meet(Leave::AtOnce);
    let check = match check.and_then(|held| held.object(0)) {
        Some(crate::ability::Object::Memory(memory)) => memory.mapped(),
        _ => None,
    };
    let company = Company { place, pids, check, processors, is_lossy, meet: &meet };
    let mut task = Task::new(told, company, recorder);
    let channels =
        Channels { channel: channel.and_then(|held| held.object(0)), answers: answers.and_then(|held| held.object(0)) };
    measure::drive(channels, &mut task)?;
    Ok(task.finish())
}
