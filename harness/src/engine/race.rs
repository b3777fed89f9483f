//! Races whose journals lie in memory that the agent's root shares with its processes: batch by batch the processes run without a
//! word, then the root is asked for the journals, and runs are sorted by kind.

use super::{
    Ran,
    deadline::Deadline,
    placement::placement,
    release::{Decided, Schedule, meeting_of, meetings, racing_meetings},
    renewal::{never_waiting, renewal, sent_at_most},
    rest::{self, GRACE_SURPRISE_NS, Owes, Round},
    team::{Arrival, Opening, Team, out_of_turn},
};
use crate::{
    clock,
    fault::Fault,
    host::Look,
    lane::{self, Grounds, Lane},
    listener::Listener,
    reply::{self, Asked},
};
use harness_core::{
    Event, History, Plan,
    finding::RaceReport,
    history::Waiting,
    judge::Kind,
    plan::PlanStep,
    race::{Call, KindFinder},
    stamp::Decoder,
    wire::{Do, End, FromAgent, Journal, Outcome, ProcessEnding, Steps, ToAgent},
};
use spec::{Ability, Operation};
use std::collections::{HashMap, HashSet};

/// Copies of every channel that are open at once at most; each takes descriptors.
const COPIES_MAX: u32 = 64;

/// The longest batch: runs.
const BATCH_MAX: u32 = 8_192;

/// A race is cut into at least so many batches, for the environments to take turns.
const BATCHES_MIN: u32 = 12;

/// Runs of more calls than this are hardly ever alike: each is judged for itself.
const KEY_CALLS_MAX: usize = 64;

/// How many kinds of runs are remembered.
const KINDS_MAX: usize = 50_000;

/// How many steps a process may have begun that have not returned: a meeting, and the accesses to memory that are made at once.
const OPEN_MAX: u64 = 32;

/// How long the harness leaves a race alone before it looks whether all sleep: nanoseconds, at first and at most. Every look takes
/// a processor from the race.
const PACE_NS: [u64; 2] = [2_000_000, 50_000_000];

/// Whether a plan can be raced like this: one team does many runs, and nothing in a run changes the processes themselves.
pub(super) fn is_possible(plan: &Plan) -> bool {
    let is_fit = |step: &PlanStep| match (&step.operation, step.channel) {
        (Operation::SendHandle(_) | Operation::ReceiveHandle(_), _) => false,
        (_, Some(channel)) => plan.channels[channel].options.is != Ability::Signals,
        // Whatever else a process does to itself or to others stays done.
        (operation, None) => {
            matches!(operation, Operation::Meet(_) | Operation::Enter(_) | Operation::Leave(_) | Operation::Fence(_))
        }
    };
    plan.runs > 1
        && plan.attach == spec::scenario::Attach::Inherit
        && plan.processes.iter().all(|process| !process.steps.is_empty() && process.steps.iter().all(is_fit))
}

/// What is the same in all batches.
struct Race<'r, 'p> {
    grounds: &'r Grounds,
    plan: &'p Plan,
    listener: &'r mut Listener<'p>,
    /// Which channels each process makes as new, where copies are used again.
    renewal: Option<Vec<Vec<String>>>,
    deadline: Deadline,
    known: Known,
    report: RaceReport,
    /// How many runs were done.
    done: u32,
}

/// What was seen before.
#[derive(Default)]
struct Known {
    finder: KindFinder,
    kinds: HashMap<Box<[u32]>, Kind>,
    outcomes: Vec<Outcome>,
    places: HashMap<Outcome, u32>,
    /// Which outcomes of which steps were checked: process, step, outcome.
    checked: HashSet<(usize, usize, u32)>,
}

/// What is known of each process in a batch.
#[derive(Clone, Debug, Default)]
struct Progress {
    finished: Option<u32>,
    ending: Option<(ProcessEnding, u64)>,
}

/// A journal that was checked.
#[derive(Debug, Default)]
struct Calls {
    returned: Vec<Call>,
    begun: usize,
}

/// Runs a plan as often as it says.
pub(super) fn run<'p>(
    grounds: &Grounds,
    lane: &mut Lane,
    plan: &'p Plan,
    listener: &mut Listener<'p>,
) -> Result<Ran, Fault> {
    let roomy = plan.processes.len() <= grounds.processors.len();
    let mut schedule = Schedule::new(grounds, plan);
    let renewal = renewal(plan);
    let report =
        RaceReport { pinned: roomy, shared_journal: true, renewed: renewal.is_some(), ..RaceReport::default() };
    let deadline = Deadline::new(grounds, plan);
    listener.limit_extension(deadline.at());
    let mut race = Race { grounds, plan, listener, renewal, deadline, known: Known::default(), report, done: 0 };
    let mut copies_max = COPIES_MAX;
    while race.listener.goes_on(race.done) {
        let wanted = copies_max.min(race.listener.wanted(race.done));
        let (team, copies) = match Team::open_copies(grounds, lane, plan, wanted, &grounds.processors)? {
            (Opening::Opened(team), copies) => (team, copies),
            (Opening::Refused(refused), _) => return Ok(Ran::Refused(refused)),
        };
        if copies < wanted {
            copies_max = copies;
        }
        let (team, through) = race.with_team(lane, team, copies, &mut schedule)?;
        team.close(grounds, lane)?;
        if !through {
            break;
        }
    }
    if let Some(best) = race.listener.best_environment() {
        grounds.remember_environment(plan, best);
    }
    race.listener.note_race(race.report);
    Ok(Ran::Through)
}

impl Race<'_, '_> {
    /// Does as many batches as can be done with one team. Returns whether to go on with another.
    fn with_team(
        &mut self,
        lane: &mut Lane,
        mut team: Team,
        copies: u32,
        schedule: &mut Schedule,
    ) -> Result<(Team, bool), Fault> {
        let processors = &self.grounds.processors;
        for (member, place) in team.members.iter().zip(placement(self.plan, processors.len())) {
            self.report.pinned &= lane::pin(member.pid, &processors[place..=place]);
        }
        let mut runs = copies;
        while self.listener.goes_on(self.done) {
            let asked = runs.min(self.listener.wanted(self.done));
            let decided = schedule.next(self.listener.best_environment());
            let through = self.batch(lane, &mut team, asked, &decided)?;
            if !through || self.listener.has_enough() {
                return Ok((team, false));
            }
            if self.renewal.is_none() {
                break;
            }
            let longest = (self.plan.runs / BATCHES_MIN).clamp(copies, BATCH_MAX);
            runs = (runs * 2).min(longest);
        }
        Ok((team, true))
    }

    /// One batch. Returns whether all came to their end.
    fn batch(&mut self, lane: &mut Lane, team: &mut Team, runs: u32, decided: &Decided) -> Result<bool, Fault> {
        let started_at = clock::now();
        self.send_steps(team, runs, decided)?;
        let mut progress = vec![Progress::default(); team.members.len()];
        let ended_early = self.watch(lane, team, &mut progress, started_at)?;
        let journals = team.harvest(lane, self.grounds, &mut |arrival, team| note(team, &mut progress, arrival))?;
        let calls = self.check(team, journals, started_at)?;
        let done = self.judge_whole_runs(team, &calls, runs, &progress, decided)?;
        if ended_early.is_none() && progress.iter().all(|progress| progress.ending.is_none()) {
            return Ok(true);
        }
        self.judge_last_run(&calls, done, &progress, ended_early, decided);
        Ok(false)
    }

    fn send_steps(&self, team: &mut Team, runs: u32, decided: &Decided) -> Result<(), Fault> {
        let meetings = meetings(self.plan);
        let instants = match decided.environment {
            harness_core::race::Environment::Spin => Vec::new(),
            _ => racing_meetings(self.plan),
        };
        let nonblocking = never_waiting(self.plan);
        for (index, (member, process)) in team.members.iter_mut().zip(&self.plan.processes).enumerate() {
            let steps = (0..)
                .zip(&process.steps)
                .map(|(number, step)| Do {
                    step: number,
                    run: 0,
                    operation: step.operation.clone(),
                    channel: step.channel.map(|channel| self.plan.channels[channel].name.clone()),
                })
                .collect();
            let holds = |name: &&String| {
                let channel = self.plan.channel(name);
                process.holds.iter().any(|(held, _)| Some(*held) == channel)
            };
            // Also where this batch is no longer than there are copies: the next one finds them as new.
            let renew = self.renewal.as_ref().and_then(|renewal| renewal.get(index)).cloned();
            let steps = Steps {
                steps,
                runs,
                meetings: meetings.clone(),
                shared_meeting: true,
                instants: instants.clone(),
                offsets: decided.offsets_of(index),
                shared_journal: true,
                nonblocking: nonblocking.iter().filter(holds).cloned().collect(),
                sent: sent_at_most(self.plan, renew.as_deref().unwrap_or_default()),
                renew,
            };
            member.connection.send(&ToAgent::Steps(steps), self.grounds.patience_ns())?;
        }
        Ok(())
    }

    /// Waits until all are finished or ended. Returns what happened where it came to an untimely end.
    fn watch(
        &mut self,
        lane: &mut Lane,
        team: &mut Team,
        progress: &mut [Progress],
        started_at: u64,
    ) -> Result<Option<Event>, Fault> {
        let mut pause = PACE_NS[0];
        loop {
            let arrivals = team.arrivals(lane, pause)?;
            let heard = !arrivals.is_empty();
            for arrival in arrivals {
                note(team, progress, arrival)?;
            }
            let is_over =
                |(member, progress): (&super::team::Member, &Progress)| progress.finished.is_some() || member.is_over();
            if team.members.iter().zip(progress.iter()).all(is_over) {
                return Ok(None);
            }
            if self.deadline.is_over(&team.members)? {
                let (owes, _) = self.owes(lane, team, progress, started_at)?;
                let waiting = waiting(&owes, &vec![None; owes.len()]);
                return Ok(Some(Event::Overdue { at: clock::now(), waiting }));
            }
            if heard {
                pause = PACE_NS[0];
                continue;
            }
            if let Some(stuck) = self.stuck(lane, team, progress, started_at)? {
                return Ok(Some(stuck));
            }
            pause = (pause * 2).min(PACE_NS[1]);
        }
    }

    /// Whether nobody can go on: proven by looks at all of them, between which nothing was said and nothing was written.
    fn stuck(
        &self,
        lane: &mut Lane,
        team: &mut Team,
        progress: &mut [Progress],
        started_at: u64,
    ) -> Result<Option<Event>, Fault> {
        // What each is in is not known yet; a first look is cheap, and mostly somebody runs.
        let unknown: Vec<Option<Owes>> = progress
            .iter()
            .map(|progress| {
                progress.finished.is_none().then_some(Owes { step: 0, begun: true, meets: true, timed: false })
            })
            .collect();
        let Some(first) = quiet(team, &unknown)? else { return Ok(None) };
        let (owes, begun) = self.owes(lane, team, progress, started_at)?;
        let Some(second) = quiet(team, &owes)? else { return Ok(None) };
        if first != second {
            return Ok(None);
        }
        let (rests_since, grace) = (clock::now(), self.grounds.config.scaled_ns(GRACE_SURPRISE_NS));
        while !rest::kernel_is_done(self.plan, lane, clock::now().saturating_sub(rests_since), grace) {
            lane::wait(&[], PACE_NS[0]);
        }
        let (owes, begun_later) = self.owes(lane, team, progress, started_at)?;
        let Some(third) = quiet(team, &owes)? else { return Ok(None) };
        let late = team.drain(lane)?;
        if third != second || begun != begun_later || !late.is_empty() {
            for arrival in late {
                note(team, progress, arrival)?;
            }
            return Ok(None);
        }
        rest::accuse(&team.members, &owes, &third)?;
        Ok(Some(Event::Stuck { at: clock::now(), waiting: waiting(&owes, &third) }))
    }

    /// What each process is in, as its journal tells; and how many steps all have begun.
    fn owes(
        &self,
        lane: &mut Lane,
        team: &mut Team,
        progress: &mut [Progress],
        started_at: u64,
    ) -> Result<(Vec<Option<Owes>>, Vec<usize>), Fault> {
        let journals = team.harvest(lane, self.grounds, &mut |arrival, team| note(team, progress, arrival))?;
        let mut known = Known::default();
        let calls = check(self.plan, team, journals, started_at, &mut known)?;
        let owes = calls
            .iter()
            .zip(&self.plan.processes)
            .zip(progress.iter().zip(&team.members))
            .map(|((calls, process), (progress, member))| {
                if progress.finished.is_some() || member.is_over() {
                    return None;
                }
                let open = calls.returned.len()..calls.begun;
                let place = |number: usize| number % process.steps.len();
                let is_meeting = |number: usize| matches!(process.steps[place(number)].operation, Operation::Meet(_));
                // Before a run's first step is the meeting of all, which no step speaks of.
                let meets = open.is_empty() || place(open.start) == 0 || open.clone().any(is_meeting);
                let step = place(if open.is_empty() { calls.returned.len() } else { open.start });
                let last = &process.steps[place(open.end.saturating_sub(1).max(open.start))];
                Some(Owes { step, begun: true, meets, timed: last.operation.timeout_ns().is_some() })
            })
            .collect();
        Ok((owes, calls.iter().map(|calls| calls.begun).collect()))
    }

    fn check(&mut self, team: &Team, journals: Vec<Journal>, started_at: u64) -> Result<Vec<Calls>, Fault> {
        check(self.plan, team, journals, started_at, &mut self.known)
    }

    /// Judges the runs of a batch that all came to the end of. Returns how many.
    fn judge_whole_runs(
        &mut self,
        team: &Team,
        calls: &[Calls],
        asked: u32,
        progress: &[Progress],
        decided: &Decided,
    ) -> Result<usize, Fault> {
        let steps: Vec<usize> = self.plan.processes.iter().map(|process| process.steps.len()).collect();
        let whole = calls.iter().zip(&steps).map(|(calls, steps)| calls.returned.len() / steps).min().unwrap_or(0);
        for (index, progress) in progress.iter().enumerate() {
            let Some(finished) = progress.finished else { continue };
            let has = calls[index].returned.len() / steps[index];
            if finished as usize != has || finished > asked || finished == 0 && asked > 0 {
                let who = &team.members[index].name;
                let what = format!("says that it finished {finished} of {asked} runs, and its journal has {has}");
                return Err(Fault::agent(who, what));
            }
        }
        let is_short = steps.iter().sum::<usize>() <= KEY_CALLS_MAX;
        for run in 0..whole {
            let own = |index: usize| &calls[index].returned[run * steps[index]..(run + 1) * steps[index]];
            let environment = decided.environment;
            if is_short {
                let key = self.known.finder.key((0..steps.len()).map(own));
                if let Some(kind) = self.known.kinds.get(key) {
                    self.listener.hear_again(*kind, environment, 1);
                    continue;
                }
            }
            let number = self.done + u32::try_from(run).unwrap_or(u32::MAX);
            let history = History { run: number, events: self.events((0..steps.len()).map(own)) };
            let release = decided.release(run);
            if is_short && self.known.kinds.len() < KINDS_MAX {
                let key = self.known.finder.key((0..steps.len()).map(own)).into();
                let kind = self.listener.hear_kind(&history, &release);
                self.known.kinds.insert(key, kind);
            } else {
                self.listener.hear(&history, Some(&release));
            }
            if self.listener.has_enough() {
                break;
            }
        }
        let first = calls.iter().filter_map(|calls| Some(calls.returned.first()?.began)).min();
        let last = calls.iter().filter_map(|calls| Some(calls.returned.last()?.ended)).max();
        let racing_ns = first.zip(last).map_or(0, |(first, last)| last.saturating_sub(first));
        self.report.environments.entry(decided.environment).or_default().racing_ns += racing_ns;
        self.done += u32::try_from(whole).unwrap_or(u32::MAX);
        Ok(whole)
    }

    /// The events of calls, in the order of their times; of one instant, beginnings first. But a meeting may begin at the instant at which
    /// the call before it returned, and end at the one at which the call after it began: then it lies between them.
    fn events<'c>(&self, processes: impl Iterator<Item = &'c [Call]>) -> Vec<Event> {
        let mut events: Vec<(u64, u8, Event)> = Vec::new();
        for (process, calls) in processes.enumerate() {
            for (step, call) in calls.iter().enumerate() {
                let Call { began, ended, outcome } = *call;
                let outcome = self.known.outcomes[outcome as usize].clone();
                let is_meeting = meeting_of(&self.plan.processes[process].steps[step].operation).is_some();
                let [first, last] = if is_meeting && began < ended { [3, 0] } else { [1, 2] };
                events.push((began, first, Event::Began { process, step, at: began }));
                events.push((ended, last, Event::Returned { process, step, began, ended, outcome }));
            }
        }
        events.sort_by_key(|(at, place, _)| (*at, *place));
        events.into_iter().map(|(_, _, event)| event).collect()
    }

    /// Judges the run that did not come to its end.
    fn judge_last_run(
        &mut self,
        calls: &[Calls],
        whole: usize,
        progress: &[Progress],
        ended_early: Option<Event>,
        decided: &Decided,
    ) {
        let steps: Vec<usize> = self.plan.processes.iter().map(|process| process.steps.len()).collect();
        let own = |index: usize| {
            let calls = &calls[index].returned;
            let end = ((whole + 1) * steps[index]).min(calls.len());
            &calls[(whole * steps[index]).min(end)..end]
        };
        let mut events = self.events((0..steps.len()).map(own));
        for (process, calls) in calls.iter().enumerate() {
            let end = (whole + 1) * steps[process];
            let at = calls.returned.last().map_or(0, |call| call.ended);
            events.extend((calls.returned.len()..calls.begun.min(end)).map(|number| Event::Began {
                process,
                step: number % steps[process],
                at,
            }));
        }
        for (process, progress) in progress.iter().enumerate() {
            if let Some((ending, at)) = &progress.ending {
                events.push(Event::Ended { process, at: *at, ending: ending.clone() });
            }
        }
        events.extend(ended_early);
        let history = History { run: self.done, events };
        self.listener.hear(&history, Some(&decided.release(whole)));
    }
}

/// Two equal looks at all, where nobody runs.
fn quiet(team: &Team, owes: &[Option<Owes>]) -> Result<Option<Vec<Option<Look>>>, Fault> {
    let unreported = team.members.iter().any(|member| member.ending.is_some() != member.connection.is_over());
    if unreported {
        return Ok(None);
    }
    let Round::Quiet(first) = rest::look(&team.members, owes, false)? else { return Ok(None) };
    let Round::Quiet(second) = rest::look(&team.members, owes, false)? else { return Ok(None) };
    Ok((first == second).then_some(second))
}

fn waiting(owes: &[Option<Owes>], looks: &[Option<Look>]) -> Vec<Waiting> {
    let one = |(process, (owes, look)): (usize, (&Option<Owes>, &Option<Look>))| {
        let owes = owes.as_ref()?;
        Some(Waiting { process, step: owes.step, call: rest::call_name(look.as_ref()) })
    };
    owes.iter().zip(looks).enumerate().filter_map(one).collect()
}

/// Takes in what a process said, or that it ended.
fn note(team: &Team, progress: &mut [Progress], arrival: Arrival) -> Result<(), Fault> {
    match arrival {
        Arrival::Said(process, FromAgent::Finished(finished)) if progress[process].finished.is_none() => {
            progress[process].finished = Some(finished.runs);
            Ok(())
        }
        Arrival::Said(process, message) => {
            Err(out_of_turn(&team.members[process].name, &message, "it races, with a journal in shared memory"))
        }
        Arrival::Ended(process, ProcessEnding::Status(status)) => {
            let who = &team.members[process].name;
            Err(Fault::agent(who, format!("exited with status {status} without being told to")))
        }
        Arrival::Ended(process, ending) => {
            progress[process].ending = Some((ending, clock::now()));
            Ok(())
        }
    }
}

/// Checks the journals, and gives every distinct outcome its place.
fn check(
    plan: &Plan,
    team: &Team,
    journals: Vec<Journal>,
    started_at: u64,
    known: &mut Known,
) -> Result<Vec<Calls>, Fault> {
    let latest = clock::now();
    let mut all: Vec<Calls> = plan.processes.iter().map(|_| Calls::default()).collect();
    let mut seen = vec![false; all.len()];
    for journal in journals {
        let fault = |what: String| Fault::agent(&journal.process, what);
        let Some(process) = plan.process(&journal.process).filter(|process| !seen[*process]) else {
            return Err(fault("has two journals, or is no process of the plan".to_owned()));
        };
        seen[process] = true;
        let steps = &plan.processes[process].steps;
        let returned = (journal.calls.len() / 3) as u64;
        let open = journal.begun.checked_sub(returned).filter(|open| *open <= OPEN_MAX);
        if !journal.calls.len().is_multiple_of(3) || open.is_none() {
            let begun = journal.begun;
            return Err(fault(format!("has a journal of {returned} calls that have returned, and {begun} that began")));
        }
        let places: Vec<u32> = journal.outcomes.iter().map(|outcome| known.place(outcome)).collect();
        let mut calls = Vec::with_capacity(journal.calls.len() / 3);
        let mut earliest = 0_u64;
        for (number, numbers) in journal.calls.chunks_exact(3).enumerate() {
            let [later, length, outcome] = [numbers[0], numbers[1], numbers[2]];
            let began = earliest.checked_add(later).filter(|began| *began >= started_at);
            let ended = began.and_then(|began| began.checked_add(length)).filter(|ended| *ended <= latest);
            let (Some(began), Some(ended)) = (began, ended) else {
                return Err(fault(format!(
                    "has a call in its journal, number {number}, that was not between {started_at} and {latest}: times are nanoseconds of CLOCK_MONOTONIC",
                )));
            };
            let place = usize::try_from(outcome).ok().and_then(|outcome| places.get(outcome)).copied();
            let place = place.ok_or_else(|| {
                fault(format!("has a call in its journal that gave outcome {outcome}, of which it does not tell"))
            })?;
            let step = number % steps.len();
            if known.checked.insert((process, step, place)) {
                check_outcome(plan, &team.members[process].name, &steps[step], step, &known.outcomes[place as usize])?;
            }
            calls.push(Call { began, ended, outcome: place });
            earliest = began;
        }
        let begun = usize::try_from(journal.begun).unwrap_or(usize::MAX);
        all[process] = Calls { returned: calls, begun };
    }
    match seen.iter().position(|seen| !seen) {
        Some(process) => {
            Err(Fault::agent("the agent's root", format!("has no journal of `{}`", plan.processes[process].name)))
        }
        None => Ok(all),
    }
}

/// Whether a step can give this outcome; the times were checked.
fn check_outcome(plan: &Plan, who: &str, step: &PlanStep, number: usize, outcome: &Outcome) -> Result<(), Fault> {
    let stamped = step.channel.and_then(|channel| plan.channels.get(channel)).is_some_and(|channel| channel.stamped);
    let asked = Asked { who, operation: &step.operation, stamped, earliest: 0, latest: 0 };
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let end = End { step: number, run: 0, began: 0, ended: 0, outcome: outcome.clone() };
    let checked = reply::check(&asked, end, &mut Decoder::new())?;
    if checked.outcome != *outcome {
        return Err(Fault::agent(who, "has raw bytes in its journal: with a shared one, send texts and runs"));
    }
    Ok(())
}

impl Known {
    /// The place of an outcome in the list in which each stands once.
    fn place(&mut self, outcome: &Outcome) -> u32 {
        if let Some(place) = self.places.get(outcome) {
            return *place;
        }
        let place = u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX);
        self.outcomes.push(outcome.clone());
        self.places.insert(outcome.clone(), place);
        place
    }
}
