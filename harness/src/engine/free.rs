//! Processes that run freely, once or many times, with journals that come over the connections while they run.
//!
//! Where the agent offers it, a race's processes are started once for many runs, each run on a fresh copy of every channel,
//! and meet in shared memory before each. Where the journals can lie in shared memory too, races are the other engine's.

use super::{
    Ran,
    deadline::Deadline,
    placement::placement,
    release::{meeting_of, meetings},
    renewal,
    rest::{self, GRACE_SURPRISE_NS, Owes, Pause, Round},
    team::{Arrival, Opening, Team, out_of_turn},
};
use crate::{
    clock,
    fault::Fault,
    host::Look,
    lane::{self, Grounds, Lane, wait},
    listener::Listener,
    reply::{self, Asked},
};
use harness_core::{
    Event, History, Plan,
    finding::RaceReport,
    history::Waiting,
    plan::PlanStep,
    race::{Environment, Release},
    stamp::Decoder,
    wire::{Begin, Do, End, FromAgent, Go, Met, ProcessEnding, Steps, ToAgent, capability},
};
use spec::Operation;
use std::collections::BTreeMap;

/// Copies of every channel that one batch has open at most; each takes descriptors.
const COPIES_MAX: u32 = 64;

/// How long the harness looks away while a race runs, so as not to take a processor from it: nanoseconds. The journals
/// wait in the connections meanwhile.
const RACE_PACE_NS: u64 = 300_000;

/// How far a process has come.
#[derive(Debug)]
struct Progress {
    run: u32,
    /// Steps of this run that were begun and have not returned, with the time of `begin`: two at most, where the first is a meeting.
    open: Vec<(usize, u64)>,
    /// The next step to begin.
    next: usize,
    finished: bool,
    /// The meeting it waits at, where meetings go by messages.
    met: Option<String>,
}

struct Race<'p> {
    plan: &'p Plan,
    team: Team,
    progress: Vec<Progress>,
    /// The events of each run of this batch.
    runs: Vec<Vec<Event>>,
    /// When the steps were sent.
    started_at: u64,
    /// Who comes to each.
    meetings: BTreeMap<String, Vec<String>>,
}

/// Runs a plan of free processes as often as it says.
pub(super) fn run(grounds: &Grounds, lane: &mut Lane, plan: &Plan, listener: &mut Listener<'_>) -> Result<Ran, Fault> {
    let has = |capability: &str| lane.hello.capabilities.iter().any(|known| known == capability);
    let shared = has(capability::SHARED_MEETING);
    let mut copies_max =
        if has(capability::COPIES) && plan.runs > 1 && renewal::stays_in_channels(plan) { COPIES_MAX } else { 1 };
    let mut deadline = Deadline::new(grounds, plan);
    let environment = if shared { Environment::Spin } else { Environment::Messages };
    let release = Release { environment, offsets: Vec::new() };
    if plan.race {
        let pinned = plan.processes.len() <= grounds.processors.len();
        listener.note_race(RaceReport { pinned, ..RaceReport::default() });
    }
    listener.limit_extension(deadline.at());
    let mut done = 0;
    while listener.goes_on(done) {
        let wanted = copies_max.min(listener.wanted(done));
        let processors: &[usize] = if plan.race { &grounds.processors } else { &[] };
        let (team, batch) = match Team::open_copies(grounds, lane, plan, wanted, processors)? {
            (Opening::Opened(team), copies) => (team, copies),
            (Opening::Refused(refused), _) => return Ok(Ran::Refused(refused)),
        };
        if batch < wanted {
            copies_max = batch;
        }
        let mut race = Race::new(plan, team, batch);
        race.start(grounds, batch, shared)?;
        let ended_early = race.watch(grounds, lane, &mut deadline)?;
        let Race { team, runs, .. } = race;
        team.close(grounds, lane)?;
        for (index, events) in (0..).zip(runs) {
            listener.hear(&History { run: done + index, events }, Some(&release).filter(|_| plan.race));
            if listener.has_enough() {
                return Ok(Ran::Through);
            }
        }
        if ended_early {
            return Ok(Ran::Through);
        }
        done += batch;
    }
    Ok(Ran::Through)
}

impl<'p> Race<'p> {
    fn new(plan: &'p Plan, team: Team, batch: u32) -> Self {
        let progress = plan
            .processes
            .iter()
            .map(|_| Progress { run: 0, open: Vec::new(), next: 0, finished: false, met: None })
            .collect();
        Self {
            plan,
            team,
            progress,
            runs: (0..batch).map(|_| Vec::new()).collect(),
            started_at: clock::now(),
            meetings: meetings(plan),
        }
    }

    /// Sends every process its steps; the implicit meeting `start` keeps the first from running ahead.
    fn start(&mut self, grounds: &Grounds, runs: u32, shared_meeting: bool) -> Result<(), Fault> {
        self.started_at = clock::now();
        let processors = &grounds.processors;
        let places = placement(self.plan, processors.len());
        for ((member, process), place) in self.team.members.iter_mut().zip(&self.plan.processes).zip(places) {
            if self.plan.race {
                let _ = lane::pin(member.pid, &processors[place..=place]);
            }
            let steps = (0..)
                .zip(&process.steps)
                .map(|(number, step)| Do {
                    step: number,
                    run: 0,
                    operation: step.operation.clone(),
                    channel: step.channel.map(|channel| self.plan.channels[channel].name.clone()),
                })
                .collect();
            let steps = Steps {
                steps,
                runs,
                meetings: self.meetings.clone(),
                shared_meeting,
                instants: Vec::new(),
                offsets: Vec::new(),
                shared_journal: false,
                nonblocking: Vec::new(),
                renew: None,
                sent: BTreeMap::new(),
            };
            member.connection.send(&ToAgent::Steps(steps), grounds.patience_ns())?;
        }
        Ok(())
    }

    /// Listens until all are finished or ended. Returns whether it came to an untimely end.
    fn watch(&mut self, grounds: &Grounds, lane: &mut Lane, deadline: &mut Deadline) -> Result<bool, Fault> {
        let mut pause = Pause::new();
        let mut before: Option<Vec<Option<Look>>> = None;
        let mut quiet_since = 0;
        let grace = grounds.config.scaled_ns(GRACE_SURPRISE_NS);
        loop {
            let arrivals = if self.plan.race && self.plan.runs > 1 {
                wait(&[], RACE_PACE_NS);
                self.team.drain(lane)?
            } else {
                self.team.arrivals(lane, pause.next_ns())?
            };
            let heard = !arrivals.is_empty();
            for arrival in arrivals {
                self.hear(arrival)?;
            }
            self.release(grounds)?;
            if self
                .team
                .members
                .iter()
                .zip(&self.progress)
                .all(|(member, progress)| progress.finished || member.is_over())
            {
                return Ok(false);
            }
            let overdue = deadline.is_over(&self.team.members)?;
            if heard && !overdue {
                (before, pause) = (None, Pause::new());
                continue;
            }
            let unreported =
                self.team.members.iter().any(|member| member.ending.is_some() != member.connection.is_over());
            let owes = self.owes();
            let look = || rest::look(&self.team.members, &owes, false);
            let round = if unreported { Round::Running } else { look()? };
            match round {
                Round::Quiet(looks) if before.as_ref() == Some(&looks) => {
                    let lasted = clock::now().saturating_sub(quiet_since);
                    let is_done = rest::kernel_is_done(self.plan, lane, lasted, grace);
                    let again = look()?;
                    if is_done && matches!(again, Round::Quiet(again) if again == looks) {
                        let late = self.team.drain(lane)?;
                        if late.is_empty() {
                            rest::accuse(&self.team.members, &owes, &looks)?;
                            let waiting = self.waiting(&looks);
                            self.end_early(Event::Stuck { at: clock::now(), waiting });
                            return Ok(true);
                        }
                        for arrival in late {
                            self.hear(arrival)?;
                        }
                        before = None;
                    }
                }
                Round::Quiet(looks) => {
                    quiet_since = clock::now();
                    before = Some(looks);
                }
                Round::Running => before = None,
            }
            if overdue {
                if unreported {
                    return Err(Fault::agent(
                        "a process",
                        "closed its connection, or was reported ended, and not both",
                    ));
                }
                let looks: Vec<Option<Look>> = before.unwrap_or_default();
                let waiting = self.waiting(&looks);
                self.end_early(Event::Overdue { at: clock::now(), waiting });
                return Ok(true);
            }
        }
    }

    /// Keeps the runs up to the one that did not come to its end.
    fn end_early(&mut self, event: Event) {
        let run = self
            .team
            .members
            .iter()
            .zip(&self.progress)
            .filter(|(member, progress)| !progress.finished && !member.is_over())
            .map(|(_, progress)| progress.run)
            .min()
            .unwrap_or(0);
        self.runs.truncate(run as usize + 1);
        if let Some(events) = self.runs.last_mut() {
            events.push(event);
        }
    }

    /// Releases the meetings that go by messages and at which all have arrived.
    fn release(&mut self, grounds: &Grounds) -> Result<(), Fault> {
        for (meeting, parties) in &self.meetings {
            let there: Vec<usize> = self
                .progress
                .iter()
                .enumerate()
                .filter(|(_, progress)| progress.met.as_ref() == Some(meeting))
                .map(|(index, _)| index)
                .collect();
            if there.len() == parties.len() {
                for index in there {
                    self.progress[index].met = None;
                    let go = ToAgent::Go(Go { meeting: meeting.clone() });
                    self.team.members[index].connection.send(&go, grounds.patience_ns())?;
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, arrival: Arrival) -> Result<(), Fault> {
        match arrival {
            Arrival::Said(process, FromAgent::Begin(begin)) => self.hear_begin(process, &begin),
            Arrival::Said(process, FromAgent::End(end)) => self.hear_end(process, end),
            Arrival::Said(process, FromAgent::Met(met)) => self.hear_met(process, met),
            Arrival::Said(process, FromAgent::Finished(finished)) => {
                let progress = &mut self.progress[process];
                let all = self.runs.len();
                if finished.runs as usize != all || progress.run as usize != all || progress.finished {
                    let who = &self.team.members[process].name;
                    return Err(Fault::agent(
                        who,
                        format!(
                            "says that it finished {} runs, but it was told to do {all} and has journalled {}",
                            finished.runs, progress.run
                        ),
                    ));
                }
                progress.finished = true;
                Ok(())
            }
            Arrival::Said(process, message) => {
                Err(out_of_turn(&self.team.members[process].name, &message, "it does its steps"))
            }
            Arrival::Ended(process, ending) => self.hear_ended(process, ending),
        }
    }

    fn hear_ended(&mut self, process: usize, ending: ProcessEnding) -> Result<(), Fault> {
        let progress = &self.progress[process];
        let steps = &self.plan.processes[process].steps;
        let exits = progress.open.iter().any(|(step, _)| matches!(steps[*step].operation, Operation::Exit(_)));
        if let ProcessEnding::Status(status) = ending
            && !exits
        {
            let who = &self.team.members[process].name;
            return Err(Fault::agent(who, format!("exited with status {status} without being told to")));
        }
        let run = (progress.run as usize).min(self.runs.len() - 1);
        self.runs[run].push(Event::Ended { process, at: clock::now(), ending });
        Ok(())
    }

    fn hear_begin(&mut self, process: usize, begin: &Begin) -> Result<(), Fault> {
        let now = clock::now();
        let steps = &self.plan.processes[process].steps;
        let progress = &mut self.progress[process];
        let room = progress.open.iter().all(|(step, _)| meeting_of(&steps[*step].operation).is_some())
            && progress.open.len() < 2;
        let step = begin.step as usize;
        if progress.finished
            || begin.run != progress.run
            || begin.run as usize >= self.runs.len()
            || step != progress.next
            || step >= steps.len()
            || !room
        {
            let who = &self.team.members[process].name;
            return Err(out_of_turn(
                who,
                &FromAgent::Begin(begin.clone()),
                &format!("step {} of run {} is next", progress.next, progress.run),
            ));
        }
        if begin.at < self.started_at || begin.at > now {
            let who = &self.team.members[process].name;
            return Err(Fault::agent(
                who,
                format!("says that it begins step {step} at {}, which is not now", begin.at),
            ));
        }
        progress.open.push((step, begin.at));
        progress.next += 1;
        self.runs[begin.run as usize].push(Event::Began { process, step, at: begin.at });
        Ok(())
    }

    fn hear_end(&mut self, process: usize, end: End) -> Result<(), Fault> {
        let latest = clock::now();
        let member = &mut self.team.members[process];
        let steps = &self.plan.processes[process].steps;
        let progress = &mut self.progress[process];
        let step = end.step as usize;
        let Some(open) = progress.open.iter().position(|(open, _)| *open == step && end.run == progress.run) else {
            return Err(out_of_turn(&member.name, &FromAgent::End(end), "it has not begun that"));
        };
        let (_, earliest) = progress.open.remove(open);
        let PlanStep { operation, channel, .. } = &steps[step];
        let index = channel.unwrap_or(0);
        let asked = Asked {
            who: &member.name,
            operation,
            stamped: self.plan.channels.get(index).is_some_and(|channel| channel.stamped),
            earliest,
            latest,
        };
        let mut spare = Decoder::new();
        let decoder = member.decoders.get_mut(index).unwrap_or(&mut spare);
        let End { began, ended, outcome, .. } = reply::check(&asked, end, decoder)?;
        self.runs[progress.run as usize].push(Event::Returned { process, step, began, ended, outcome });
        if progress.next == steps.len() && progress.open.is_empty() {
            progress.run += 1;
            progress.next = 0;
            member.begin_run();
        }
        Ok(())
    }

    fn hear_met(&mut self, process: usize, met: Met) -> Result<(), Fault> {
        let progress = &mut self.progress[process];
        if progress.met.is_some() || met.run != progress.run || !self.meetings.contains_key(&met.meeting) {
            return Err(out_of_turn(&self.team.members[process].name, &FromAgent::Met(met), "no such meeting is due"));
        }
        progress.met = Some(met.meeting);
        Ok(())
    }

    fn owes(&self) -> Vec<Option<Owes>> {
        self.progress
            .iter()
            .zip(&self.plan.processes)
            .map(|(progress, process)| {
                if progress.finished {
                    return None;
                }
                let step = progress.open.last().map_or(progress.next, |(step, _)| *step);
                let meets = progress.met.is_some()
                    || progress.open.iter().any(|(step, _)| meeting_of(&process.steps[*step].operation).is_some());
                let timed = process.steps.get(step).is_some_and(|step| step.operation.timeout_ns().is_some());
                Some(Owes { step, begun: meets || !progress.open.is_empty(), meets, timed })
            })
            .collect()
    }

    fn waiting(&self, looks: &[Option<Look>]) -> Vec<Waiting> {
        self.progress
            .iter()
            .zip(&self.team.members)
            .enumerate()
            .filter(|(_, (progress, member))| !progress.finished && !member.is_over())
            .map(|(process, (progress, _))| Waiting {
                process,
                step: progress.open.first().map_or(progress.next, |(step, _)| *step),
                call: rest::call_name(looks.get(process).and_then(Option::as_ref)),
            })
            .collect()
    }
}
