//! How the runs of a race are released: the environments take turns, and the one that brings most comes more often.

use crate::lane::Grounds;
use harness_core::{
    Plan,
    race::{self, Environment, Release},
};
use spec::Operation;
use std::collections::BTreeMap;

/// What is decided for one batch of runs.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) environment: Environment,
    /// The offsets of each process, run by run; empty where there are none.
    pub(super) offsets: Vec<Vec<u32>>,
}

impl Decided {
    /// How a run of the batch is released.
    pub(super) fn release(&self, run: usize) -> Release {
        let offsets = self.offsets.iter().filter(|own| !own.is_empty()).map(|own| own[run % own.len()]).collect();
        Release { environment: self.environment, offsets }
    }

    /// The offsets of a process.
    pub(super) fn offsets_of(&self, process: usize) -> Vec<u32> {
        self.offsets.get(process).cloned().unwrap_or_default()
    }
}

/// Decides batch by batch. The same seed gives the same offsets in the same batches.
#[derive(Debug)]
pub(super) struct Schedule {
    /// What was asked for.
    fixed: Option<Release>,
    processes: usize,
    seed: u64,
    batch: u64,
    /// What was best the last time that this race was run.
    remembered: Option<Environment>,
}

impl Schedule {
    pub(super) fn new(grounds: &Grounds, plan: &Plan) -> Self {
        Self {
            fixed: grounds.config.release.clone(),
            processes: plan.processes.len(),
            seed: grounds.seed(),
            batch: 0,
            remembered: grounds.best_environment(plan),
        }
    }

    /// Decides for the next batch.
    pub(super) fn next(&mut self, best: Option<Environment>) -> Decided {
        let batch = self.batch;
        self.batch += 1;
        if let Some(Release { environment, offsets }) = self.fixed.clone() {
            let offsets = match environment {
                Environment::Jitter if offsets.is_empty() => self.sweep(batch),
                Environment::Jitter => (0..self.processes).map(|process| vec![offset(&offsets, process)]).collect(),
                _ => Vec::new(),
            };
            return Decided { environment, offsets };
        }
        let environment = self.choose(batch, best);
        let offsets = if environment == Environment::Jitter { self.sweep(batch) } else { Vec::new() };
        Decided { environment, offsets }
    }

    fn choose(&self, batch: u64, best: Option<Environment>) -> Environment {
        let rounds = Environment::ROTATED.len() as u64;
        let turn = |number: u64| Environment::ROTATED[usize::try_from(number % rounds).unwrap_or(0)];
        match (batch, best) {
            // At first all have their turn, the one that is remembered before the others.
            (0, _) => self.remembered.unwrap_or(turn(0)),
            (1..=3, _) | (_, None) => turn(batch),
            (_, Some(best)) if batch.is_multiple_of(2) => best,
            _ => turn(batch / 2),
        }
    }

    fn sweep(&self, batch: u64) -> Vec<Vec<u32>> {
        race::sweep(mix(self.seed, batch), self.processes)
    }
}

fn offset(offsets: &[u32], process: usize) -> u32 {
    offsets.get(process).copied().unwrap_or(0)
}

/// A seed for one batch of a race: splitmix64 of the two.
fn mix(seed: u64, batch: u64) -> u64 {
    let mut state = seed ^ batch.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Who comes to each meeting, by its name; `start` is the one before each run.
pub(super) fn meetings(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let mut meetings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for process in &plan.processes {
        let named = process.steps.iter().filter_map(|step| meeting_of(&step.operation));
        for name in std::iter::once("start").chain(named) {
            let guests = meetings.entry(name.to_owned()).or_default();
            if guests.last() != Some(&process.name) && !guests.contains(&process.name) {
                guests.push(process.name.clone());
            }
        }
    }
    meetings
}

/// The meetings after which calls race. All others are only to wait for one another.
pub(super) fn racing_meetings(plan: &Plan) -> Vec<String> {
    racing(plan).into_keys().map(str::to_owned).collect()
}

/// Who races with whom: for each meeting after which calls race those who make them.
pub(super) fn racing_guests(plan: &Plan) -> Vec<Vec<usize>> {
    racing(plan).into_values().collect()
}

/// At least two of those who come to such a meeting go on with something else than a meeting.
fn racing(plan: &Plan) -> BTreeMap<&str, Vec<usize>> {
    let mut going_on: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, process) in plan.processes.iter().enumerate() {
        let names = process.steps.iter().map(|step| meeting_of(&step.operation));
        let sequence: Vec<Option<&str>> = std::iter::once(Some("start")).chain(names).collect();
        for pair in sequence.windows(2) {
            if let [Some(meeting), None] = pair {
                let guests = going_on.entry(meeting).or_default();
                if guests.last() != Some(&index) {
                    guests.push(index);
                }
            }
        }
    }
    going_on.retain(|_, guests| guests.len() >= 2);
    going_on
}

/// The meeting that an operation is.
pub(super) fn meeting_of(operation: &Operation<u64>) -> Option<&str> {
    match operation {
        Operation::Meet(meeting) => Some(&meeting.meeting),
        _ => None,
    }
}
