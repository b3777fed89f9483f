//! The histogram of a race: distinct outcomes with their counts, and what each way to release brought.

use super::results;
use crate::{
    History, Plan,
    finding::{EnvironmentCount, OutcomeCount},
    race::Environment,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How many distinct outcomes of a race are told apart.
const OUTCOMES_MAX: usize = 64;

/// What outcomes beyond that are counted as.
const OTHERS: &str = "any other";

/// Of how many outcomes, the most frequent, one run is kept in full.
const EXAMPLES_MAX: usize = 8;

/// The longest history that is kept as an example: events.
const EXAMPLE_EVENTS_MAX: usize = 200;

/// What has been seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    places: HashMap<String, usize>,
    outcomes: Vec<OutcomeCount>,
    environments: BTreeMap<Environment, (EnvironmentCount, BTreeSet<usize>)>,
}

impl Tally {
    /// The place of a run's outcome in the histogram, where it is entered with a count of 0 if it is new.
    pub(super) fn place(&mut self, plan: &Plan, history: &History) -> usize {
        let mut outcome = results::outcome_text(plan, history);
        if self.outcomes.len() >= OUTCOMES_MAX && !self.places.contains_key(&outcome) {
            OTHERS.clone_into(&mut outcome);
        }
        *self.places.entry(outcome).or_insert_with_key(|outcome| {
            let example = (history.events.len() <= EXAMPLE_EVENTS_MAX).then(|| history.clone());
            self.outcomes.push(OutcomeCount { outcome: outcome.clone(), count: 0, overlapped: 0, example });
            self.outcomes.len() - 1
        })
    }

    /// Counts runs.
    pub(super) fn count(&mut self, place: usize, overlapped: bool, environment: Option<Environment>, times: u32) {
        let overlaps = if overlapped { times } else { 0 };
        let outcome = &mut self.outcomes[place];
        outcome.count += times;
        outcome.overlapped += overlaps;
        if let Some(environment) = environment {
            let (count, places) = self.environments.entry(environment).or_default();
            count.runs += times;
            count.overlapped += overlaps;
            places.insert(place);
        }
    }

    /// The environment that brought most: the most distinct outcomes, or among equals the most overlaps. None where all outcomes
    /// are alike: then it is not outcomes that matter, and no environment is better.
    pub(super) fn best(&self) -> Option<Environment> {
        if self.outcomes.len() < 2 {
            return None;
        }
        let score = |(count, places): &(EnvironmentCount, BTreeSet<usize>)| {
            (places.len(), f64::from(count.overlapped) / f64::from(count.runs.max(1)))
        };
        self.environments
            .iter()
            .max_by(|(_, one), (_, other)| {
                let ((one, one_overlap), (other, other_overlap)) = (score(one), score(other));
                one.cmp(&other).then(one_overlap.total_cmp(&other_overlap))
            })
            .map(|(environment, _)| *environment)
    }

    pub(super) fn environments(&self) -> BTreeMap<Environment, EnvironmentCount> {
        let whole = |(count, places): &(EnvironmentCount, BTreeSet<usize>)| EnvironmentCount {
            outcomes: u32::try_from(places.len()).unwrap_or(u32::MAX),
            ..*count
        };
        self.environments.iter().map(|(environment, seen)| (*environment, whole(seen))).collect()
    }

    /// The histogram, the most frequent first.
    pub(super) fn histogram(self) -> Vec<OutcomeCount> {
        let mut outcomes = self.outcomes;
        outcomes.retain(|outcome| outcome.count > 0);
        outcomes.sort_by(|left, right| right.count.cmp(&left.count).then_with(|| left.outcome.cmp(&right.outcome)));
        for outcome in outcomes.iter_mut().skip(EXAMPLES_MAX) {
            outcome.example = None;
        }
        outcomes
    }
}
