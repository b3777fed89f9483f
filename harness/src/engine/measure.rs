//! The engine of measuring: opens a cell's channels and processes, places them, has them warm up until they are steady, and takes a sample
//! between two looks at the floors.

mod calls;

use super::{
    deadline::Deadline,
    team::{Arrival, Opening, Team, out_of_turn},
};
use crate::{
    clock,
    fault::Fault,
    host,
    lane::{Grounds, Lane, pin},
    measure::{Effort, Order},
};
use harness_core::{
    measure::{
        Cell, Floor, Placement, Sample, floor,
        layout::Layout,
        sample::{Latencies, Reading},
    },
    wire::{FromAgent, Go, Measure, Measured, ToAgent},
};
use std::{collections::HashMap, sync::PoisonError};

/// How many operations are tried to learn how long one takes.
const FIRST_OPERATIONS: u64 = 16;

/// The fewest operations of a sample, and the most.
const OPERATIONS: (u64, u64) = (16, 50_000_000);

/// Two batches in a row that differ by less than this part are steady.
const STEADY_WITHIN: f64 = 0.03;

/// How often system calls are counted over, and over how many operations more: the difference has nothing of what is done once.
const COUNTED_OPERATIONS: (u64, u64) = (64, 2_048);

/// The meeting that keepers are let go from.
const AWAKE: &str = "awake";

/// How long one operation takes, as it was last seen: nanoseconds, by what was done.
pub(crate) type Paces = HashMap<String, f64>;

/// What became of an attempt to measure.
#[derive(Debug)]
pub(crate) enum Taken<T> {
    /// It was done.
    All(T),
    /// It cannot be done here, and why.
    Not(String),
}

/// Takes a sample; anew where strangers disturb it, as often as the order says.
pub(crate) fn sample(grounds: &Grounds, lane: &mut Lane, order: &Order) -> Result<Taken<Sample>, Fault> {
    let mut best: Option<Sample> = None;
    for tried in 0..order.effort.tries.max(1) {
        let mut sample = match attempt(grounds, lane, order)? {
            Taken::All(sample) => sample,
            Taken::Not(reason) => return Ok(Taken::Not(reason)),
        };
        sample.voided = tried;
        if !sample.is_disturbed() {
            return Ok(Taken::All(sample));
        }
        let foreign = |sample: &Sample| sample.foreign().unwrap_or(0.0);
        if best.as_ref().is_none_or(|best| foreign(&sample) < foreign(best)) {
            best = Some(sample);
        }
        // What is left is the least disturbed, and says how often it was tried.
        best.iter_mut().for_each(|best| best.voided = tried);
    }
    Ok(best.map_or_else(|| Taken::Not("it was not tried".to_owned()), Taken::All))
}

fn attempt(grounds: &Grounds, lane: &mut Lane, order: &Order) -> Result<Taken<Sample>, Fault> {
    with_crew(grounds, lane, order.cell, order.round, |crew| crew.sample(order))
}

/// Counts the system calls of all parties for one operation.
pub(crate) fn count(grounds: &Grounds, lane: &mut Lane, cell: Cell) -> Result<Taken<Option<f64>>, Fault> {
    with_crew(grounds, lane, cell, 0, |crew| crew.count())
}

/// The processors of the parties, and whether each has one of them for itself; `None` where there are too few.
pub(crate) fn places(grounds: &Grounds, placement: Placement, round: u32) -> Option<Vec<usize>> {
    let mut processors = grounds.processors.clone();
    let turn = round as usize % processors.len().max(1);
    processors.rotate_left(turn);
    match placement {
        Placement::OneCore => processors.truncate(1),
        Placement::TwoCores | Placement::TwoAwake => {
            if processors.len() < 2 {
                return None;
            }
            processors.truncate(2);
        }
        Placement::Free => {}
    }
    Some(processors)
}

/// Opens a cell, has something done with it, and closes it.
fn with_crew<T>(
    grounds: &Grounds,
    lane: &mut Lane,
    cell: Cell,
    round: u32,
    work: impl FnOnce(&mut Crew<'_>) -> Result<Taken<T>, Fault>,
) -> Result<Taken<T>, Fault> {
    let Some(processors) = places(grounds, cell.placement, round) else {
        return Ok(Taken::Not("there is but one processor".to_owned()));
    };
    // The root starts the processes where it runs itself.
    let _ = pin(lane.root.pid, &grounds.processors);
    let layout = Layout::of(cell, processors.len());
    let team = match Team::open(grounds, lane, &layout.plan, 1, &processors)? {
        Opening::Opened(team) => team,
        Opening::Refused(refused) => return Ok(Taken::Not(refused.reason)),
    };
    let mut crew = Crew { grounds, lane, layout, cell, team, processors, bound: Vec::new() };
    crew.place();
    let taken = match crew.keep_awake()? {
        Taken::All(()) => work(&mut crew)?,
        Taken::Not(reason) => Taken::Not(reason),
    };
    for keeper in crew.layout.parties.len()..crew.team.members.len() {
        let go = ToAgent::Go(Go { meeting: AWAKE.to_owned() });
        crew.team.members[keeper].connection.send(&go, grounds.patience_ns())?;
    }
    let Crew { lane, team, .. } = crew;
    team.close(grounds, lane)?;
    Ok(taken)
}

/// The open processes of a cell.
struct Crew<'c> {
    grounds: &'c Grounds,
    lane: &'c mut Lane,
    layout: Layout,
    cell: Cell,
    team: Team,
    processors: Vec<usize>,
    /// The processors that parties were bound to; none where they are free, or could not be bound.
    bound: Vec<u32>,
}

impl Crew<'_> {
    /// Binds every process to its processor.
    fn place(&mut self) {
        let free = self.cell.placement == Placement::Free;
        let mut all_bound = !free;
        for (place, member) in self.team.members.iter().enumerate() {
            // Keepers come after the parties, one a processor.
            let turn = if place < self.layout.parties.len() { place } else { place - self.layout.parties.len() };
            let own = [self.processors[turn % self.processors.len()]];
            let processors = if free { self.processors.as_slice() } else { &own };
            all_bound &= pin(member.pid, processors);
        }
        if all_bound {
            self.bound = self.processors.iter().filter_map(|processor| u32::try_from(*processor).ok()).collect();
        }
    }

    /// Has keepers keep their processors awake.
    fn keep_awake(&mut self) -> Result<Taken<()>, Fault> {
        let keepers: Vec<(usize, Measure)> = self
            .layout
            .keepers
            .iter()
            .enumerate()
            .map(|(place, keeper)| (self.layout.parties.len() + place, Layout::keep_awake(keeper)))
            .collect();
        if keepers.is_empty() {
            return Ok(Taken::All(()));
        }
        Ok(match self.tell(&keepers)? {
            Taken::All(_) => Taken::All(()),
            Taken::Not(reason) => Taken::Not(format!("a processor cannot be kept awake: {reason}")),
        })
    }

    /// Tells members what to do, and waits until all have done it.
    fn tell(&mut self, told: &[(usize, Measure)]) -> Result<Taken<Vec<Measured>>, Fault> {
        let patience = self.grounds.patience_ns();
        for (member, measure) in told {
            let message = ToAgent::Measure(measure.clone());
            self.team.members[*member].connection.send(&message, patience)?;
        }
        let mut deadline = Deadline::of_an_answer(self.grounds);
        let mut heard: Vec<Option<Measured>> = told.iter().map(|_| None).collect();
        while heard.iter().any(Option::is_none) {
            for arrival in self.team.arrivals(self.lane, 50_000_000)? {
                let (member, measured) = match arrival {
                    Arrival::Said(member, FromAgent::Measured(measured)) => (member, *measured),
                    Arrival::Said(member, other) => {
                        return Err(out_of_turn(&self.team.members[member].name, &other, "it measures"));
                    }
                    Arrival::Ended(member, ending) => {
                        let ending = super::team::describe(&ending);
                        return Err(Fault::agent(
                            &self.team.members[member].name,
                            format!("ended ({ending}) while it measured"),
                        ));
                    }
                };
                if let Some(reason) = measured.impossible {
                    return Ok(Taken::Not(reason));
                }
                let place = told.iter().position(|(told, _)| *told == member);
                match place.and_then(|place| heard.get_mut(place)) {
                    Some(slot @ None) => *slot = Some(measured),
                    _ => {
                        let who = &self.team.members[member].name;
                        return Err(Fault::agent(who, "says what it measured, and was not told to"));
                    }
                }
            }
            if deadline.is_over(&self.team.members)? {
                let silent = heard.iter().position(Option::is_none).map_or(0, |place| told[place].0);
                let who = self.team.members[silent].name.clone();
                return Err(deadline.silence(who, "say what it measured"));
            }
        }
        Ok(Taken::All(heard.into_iter().flatten().collect()))
    }

    /// Has all parties do the cell's task so often.
    fn do_task(&mut self, operations: u64, interval_ns: u64) -> Result<Taken<Vec<Measured>>, Fault> {
        let told: Vec<(usize, Measure)> = (0..self.layout.parties.len())
            .map(|party| (party, self.layout.task(party, operations, interval_ns)))
            .collect();
        self.tell(&told)
    }

    fn known_pace(&self, of: &str) -> Option<f64> {
        self.grounds.paces.lock().unwrap_or_else(PoisonError::into_inner).get(of).copied()
    }

    fn remember_pace(&self, of: &str, pace_ns: f64) {
        self.grounds.paces.lock().unwrap_or_else(PoisonError::into_inner).insert(of.to_owned(), pace_ns);
    }

    /// How long a floor takes: nanoseconds.
    fn floor(&mut self, floor: Floor, effort: &Effort) -> Result<Taken<f64>, Fault> {
        let name =
            format!("{floor:?} {} {}", self.cell.placement, if floor == Floor::Copy { self.cell.bytes } else { 0 });
        let operations = match self.known_pace(&name) {
            Some(pace_ns) => operations_in(effort.floor_ns, pace_ns),
            None => {
                let pace_ns = match self.do_floor(floor, FIRST_OPERATIONS)? {
                    Taken::All(pace_ns) => pace_ns,
                    not => return Ok(not),
                };
                operations_in(effort.floor_ns, pace_ns)
            }
        };
        let taken = self.do_floor(floor, operations)?;
        if let Taken::All(pace_ns) = &taken {
            self.remember_pace(&name, *pace_ns);
        }
        Ok(taken)
    }

    fn do_floor(&mut self, floor: Floor, operations: u64) -> Result<Taken<f64>, Fault> {
        let parties = if floor.takes_two() { 2 } else { 1 };
        let told: Vec<(usize, Measure)> =
            (0..parties).map(|party| (party, self.layout.floor(floor, operations))).collect();
        Ok(match self.tell(&told)? {
            Taken::All(measured) => Taken::All(floor_ns(floor, &measured)),
            Taken::Not(reason) => Taken::Not(reason),
        })
    }

    fn floors(&mut self, effort: &Effort) -> Result<Taken<Vec<(Floor, f64)>>, Fault> {
        let mut readings = Vec::new();
        let floors = if effort.floor_ns > 0 { floor::measured(&self.cell) } else { Vec::new() };
        for floor in floors {
            match self.floor(floor, effort)? {
                Taken::All(ns) => readings.push((floor, ns)),
                Taken::Not(reason) => return Ok(Taken::Not(format!("{floor}: {reason}"))),
            }
        }
        Ok(Taken::All(readings))
    }

    /// Does the task until two batches in a row take equally long. Gives how long one operation takes, how long all that
    /// took, and whether it became steady.
    fn warm_up(&mut self, order: &Order) -> Result<Taken<(f64, u64, bool)>, Fault> {
        let began = clock::now();
        let name = self.cell.to_string();
        let known = self.known_pace(&name);
        let mut operations = known.map_or(FIRST_OPERATIONS, |pace_ns| operations_in(order.effort.batch_ns, pace_ns));
        let mut before: Option<f64> = None;
        loop {
            let measured = match self.do_task(operations, order.interval_ns)? {
                Taken::All(measured) => measured,
                Taken::Not(reason) => return Ok(Taken::Not(reason)),
            };
            let pace_ns = pace_ns(&self.cell, &measured);
            let taken = clock::now() - began;
            let is_steady = before.is_some_and(|before| (pace_ns / before - 1.0).abs() < STEADY_WITHIN);
            if is_steady || taken > order.effort.warm_up_max_ns {
                self.remember_pace(&name, pace_ns);
                return Ok(Taken::All((pace_ns, taken, is_steady)));
            }
            let next = operations_in(order.effort.batch_ns, pace_ns);
            // A batch that was much shorter than a batch should be says how long the next one has to be, and nothing more.
            before = (operations * 2 >= next).then_some(pace_ns);
            operations = next;
        }
    }

    fn sample(&mut self, order: &Order) -> Result<Taken<Sample>, Fault> {
        let is_open_loop = order.interval_ns > 0;
        let before = match self.floors(&order.effort)? {
            Taken::All(readings) => readings,
            Taken::Not(reason) => return Ok(Taken::Not(reason)),
        };
        let (pace_ns, warm_up_ns, is_steady) = if is_open_loop {
            // Its pace is what it is told; it warms up once, for as long as a batch.
            let operations = operations_in(order.effort.batch_ns, order.interval_ns as f64);
            match self.do_task(operations, order.interval_ns)? {
                Taken::All(_) => (order.interval_ns as f64, order.effort.batch_ns, true),
                Taken::Not(reason) => return Ok(Taken::Not(reason)),
            }
        } else {
            match self.warm_up(order)? {
                Taken::All(warm) => warm,
                Taken::Not(reason) => return Ok(Taken::Not(reason)),
            }
        };
        let operations = order.operations.unwrap_or_else(|| operations_in(order.effort.sample_ns, pace_ns));
        let (delays, steal) = (self.delays(), host::steal_ns());
        let measured = match self.do_task(operations, order.interval_ns)? {
            Taken::All(measured) => measured,
            Taken::Not(reason) => return Ok(Taken::Not(reason)),
        };
        let delays_ns =
            self.delays().iter().zip(&delays).map(|(after, before)| after.saturating_sub(*before)).collect();
        let steal_ns = host::steal_ns().saturating_sub(steal);
        let after = match self.floors(&order.effort)? {
            Taken::All(readings) => readings,
            Taken::Not(reason) => return Ok(Taken::Not(reason)),
        };
        let floors = before
            .into_iter()
            .zip(after)
            .map(|((floor, before_ns), (_, after_ns))| Reading { floor, before_ns, after_ns })
            .collect();
        Ok(Taken::All(Sample {
            cell: self.cell,
            round: order.round,
            processors: self.bound.clone(),
            measured,
            delays_ns,
            floors,
            warm_up_ns,
            is_steady,
            steal_ns,
            voided: 0,
        }))
    }

    /// How long each party was ready to run so far and did not; empty where the system does not tell.
    fn delays(&self) -> Vec<u64> {
        let parties = self.team.members.iter().take(self.layout.parties.len());
        parties.map(|member| host::delay_ns_of(member.pid)).collect::<Option<Vec<u64>>>().unwrap_or_default()
    }

    /// Counts system calls, by doing more and looking how many more there are.
    fn count(&mut self) -> Result<Taken<Option<f64>>, Fault> {
        let pids: Vec<i32> =
            self.team.members.iter().take(self.layout.parties.len()).map(|member| member.pid).collect();
        let Some(counter) = calls::Counter::start(pids) else { return Ok(Taken::All(None)) };
        let (few, more) = COUNTED_OPERATIONS;
        let mut counts = Vec::new();
        for operations in [few, few, few + more] {
            let before = counter.calls();
            match self.do_task(operations, 0)? {
                Taken::All(_) => counts.push(counter.calls() - before),
                Taken::Not(reason) => return Ok(Taken::Not(reason)),
            }
        }
        // The first time around there is more to be done once.
        let calls = counts[2].saturating_sub(counts[1]);
        Ok(Taken::All(Some(calls as f64 / more as f64)))
    }
}

/// As many operations as fill this time.
fn operations_in(time_ns: u64, pace_ns: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and it is not below zero"
    )]
    let operations = (time_ns as f64 / pace_ns.max(0.1)) as u64;
    operations.clamp(OPERATIONS.0, OPERATIONS.1)
}

/// How long one operation took of a floor: nanoseconds.
fn floor_ns(floor: Floor, measured: &[Measured]) -> f64 {
    let Some(first) = measured.first() else { return 0.0 };
    if floor == Floor::Switch {
        return Latencies::of(&first.latencies).quantile(0.5);
    }
    let mut slices: Vec<u64> = first.slices.clone();
    slices.sort_unstable();
    let middle = slices.get(slices.len() / 2).copied();
    middle.map_or_else(|| mean_ns(first), |slice| slice as f64 / first.slice_operations.max(1) as f64)
}

fn mean_ns(measured: &Measured) -> f64 {
    measured.ended.saturating_sub(measured.began) as f64 / measured.operations.max(1) as f64
}

/// How long one operation took of a task, on average: nanoseconds. What is taken side by side is counted together.
fn pace_ns(cell: &Cell, measured: &[Measured]) -> f64 {
    if cell.shape.is_taking() {
        // Each party is told how often; what it does in company takes it this long.
        return measured.iter().map(mean_ns).fold(f64::INFINITY, f64::min);
    }
    measured.first().map_or(0.0, mean_ns)
}
