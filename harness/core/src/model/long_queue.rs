//! Long histories of queues, judged in near-linear time.
//!
//! The general checker follows every state that is possible, and how many those are grows with the calls that overlap. Where all
//! messages are distinct there are shorter ways: a queue in order of arrival is judged by four patterns that no correct history has
//! (Henzinger, Sezgin, Vafeiadis, *Aspect-oriented linearizability proofs*, 2013; Bouajjani, Emmi, Enea, Hamza, *On reducing linearizability to
//! state reachability*, 2015), a queue by priority by following sets of applied calls, which are all that its content depends on.
//! Among messages of equal priority only the order of arrival of whole pairs is judged, which never convicts the innocent.

use crate::finding::Anomaly;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// How many sets of applied calls are followed at most.
const SETS_MAX: usize = 20_000;

/// When a call began and when it returned, in nanoseconds; [`NEVER`] for one that did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// When it began.
    pub began: u64,
    /// When it returned.
    pub ended: u64,
}

/// The end of a call that never returned.
pub const NEVER: u64 = u64::MAX;

/// A message's way through a queue. Messages are distinct.
#[derive(Clone, Copy, Debug)]
pub struct Passage {
    /// Its priority; 0 where there are none.
    pub priority: u64,
    /// The call that sent it.
    pub sent: Interval,
    /// The call that received it, if one did.
    pub received: Option<Interval>,
}

/// What a long history shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing that may not be.
    Nothing,
    /// This, about this message (its place in the history).
    Wrong(Anomaly, usize),
    /// Too many calls overlap.
    TooWide,
}

/// Judges a queue in order of arrival. `empty` are the receives that found nothing.
#[must_use]
pub fn by_arrival(passages: &[Passage], empty: &[Interval]) -> Found {
    if let Some(early) = received_early(passages) {
        return Found::Wrong(Anomaly::Phantom, early);
    }
    if let Some(overtaken) = overtaken(passages.iter().copied().enumerate()) {
        return Found::Wrong(Anomaly::Reordered, overtaken);
    }
    match empty_while_full(passages, empty) {
        Some(waiting) => Found::Wrong(Anomaly::Lost, waiting),
        None => Found::Nothing,
    }
}

/// A message whose receive returned before its send began.
fn received_early(passages: &[Passage]) -> Option<usize> {
    passages.iter().position(|passage| passage.received.is_some_and(|received| received.ended < passage.sent.began))
}

/// A message that was certainly sent before another, and certainly received after it, or never.
fn overtaken(passages: impl Iterator<Item = (usize, Passage)>) -> Option<usize> {
    let mut by_send_end: Vec<(usize, Passage)> = passages.collect();
    let mut by_send_begin = by_send_end.clone();
    by_send_end.sort_unstable_by_key(|(_, passage)| passage.sent.ended);
    by_send_begin.sort_unstable_by_key(|(_, passage)| passage.sent.began);
    let mut earlier = by_send_end.into_iter().peekable();
    // Of those certainly sent before, the one whose receive began last.
    let mut latest: Option<(u64, usize)> = None;
    for (_, passage) in by_send_begin {
        while let Some((index, before)) = earlier.next_if(|(_, before)| before.sent.ended < passage.sent.began) {
            let began = before.received.map_or(NEVER, |received| received.began);
            latest = latest.max(Some((began, index)));
        }
        if let (Some(received), Some((began, index))) = (passage.received, latest)
            && began > received.ended
        {
            return Some(index);
        }
    }
    None
}

/// A message that was there while a receive found nothing: at each instant of that receive some message certainly was.
fn empty_while_full(passages: &[Passage], empty: &[Interval]) -> Option<usize> {
    let mut certain: Vec<(u64, u64, usize)> = passages
        .iter()
        .enumerate()
        .map(|(index, passage)| (passage.sent.ended, passage.received.map_or(NEVER, |received| received.began), index))
        .filter(|(from, until, _)| from < until)
        .collect();
    certain.sort_unstable();
    // Stretches of time without a gap, each with the message it begins with.
    let mut stretches: Vec<(u64, u64, usize)> = Vec::new();
    for (from, until, index) in certain {
        match stretches.last_mut() {
            Some((_, end, _)) if from < *end => *end = (*end).max(until),
            _ => stretches.push((from, until, index)),
        }
    }
    empty.iter().find_map(|receive| {
        let after = stretches.partition_point(|(from, ..)| *from < receive.began);
        let (_, until, index) = *stretches.get(after.checked_sub(1)?)?;
        (receive.ended < until).then_some(index)
    })
}

/// A call on a queue by priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Call {
    Send(usize),
    Receive(usize),
}

/// What all possibilities have in common, and the sets of pending calls that have taken effect.
struct Frontier<'p> {
    passages: &'p [Passage],
    /// Pending calls; a place is free where there is none.
    pending: Vec<Option<Call>>,
    /// The place of each pending call.
    places: HashMap<Call, usize>,
    /// Messages whose sends have returned and whose receives have not, the highest first.
    content: BTreeSet<(std::cmp::Reverse<u64>, usize)>,
    /// Messages whose receives have returned before their sends.
    gone: HashSet<usize>,
    sets: HashSet<u64>,
}

/// Judges a queue by priority.
#[must_use]
pub fn by_priority(passages: &[Passage]) -> Found {
    if let Some(early) = received_early(passages) {
        return Found::Wrong(Anomaly::Phantom, early);
    }
    let mut equal: BTreeMap<u64, Vec<(usize, Passage)>> = BTreeMap::new();
    for (index, passage) in passages.iter().enumerate() {
        equal.entry(passage.priority).or_default().push((index, *passage));
    }
    if let Some(overtaken) = equal.into_values().find_map(|passages| overtaken(passages.into_iter())) {
        return Found::Wrong(Anomaly::Reordered, overtaken);
    }
    // At the same instant calls begin before others return.
    let mut events: Vec<(u64, bool, Call)> = Vec::new();
    for (index, passage) in passages.iter().enumerate() {
        let calls = [(Call::Send(index), Some(passage.sent)), (Call::Receive(index), passage.received)];
        for (call, interval) in calls.into_iter().filter_map(|(call, interval)| Some((call, interval?))) {
            events.push((interval.began, false, call));
            if interval.ended != NEVER {
                events.push((interval.ended, true, call));
            }
        }
    }
    events.sort_unstable_by_key(|(at, returns, _)| (*at, *returns));
    let mut frontier = Frontier {
        passages,
        pending: Vec::new(),
        places: HashMap::new(),
        content: BTreeSet::new(),
        gone: HashSet::new(),
        sets: HashSet::from([0]),
    };
    for (_, returns, call) in events {
        if !returns {
            if !frontier.begin(call) {
                return Found::TooWide;
            }
            continue;
        }
        if !frontier.end(call) {
            let (Call::Send(message) | Call::Receive(message)) = call;
            return Found::Wrong(Anomaly::PriorityInverted, message);
        }
        if frontier.sets.len() > SETS_MAX {
            return Found::TooWide;
        }
    }
    Found::Nothing
}

impl Frontier<'_> {
    /// Takes a call among the pending ones; there may be 64.
    fn begin(&mut self, call: Call) -> bool {
        let place = self.pending.iter().position(Option::is_none).unwrap_or(self.pending.len());
        if place == 64 {
            return false;
        }
        if place == self.pending.len() {
            self.pending.push(None);
        }
        self.pending[place] = Some(call);
        self.places.insert(call, place);
        true
    }

    fn applied(&self, set: u64, call: Call) -> Option<bool> {
        self.places.get(&call).map(|place| set & (1 << place) != 0)
    }

    /// Whether a message is in the queue, in this possibility.
    fn is_in(&self, set: u64, message: usize) -> bool {
        let sent = self
            .applied(set, Call::Send(message))
            .unwrap_or_else(|| self.content.contains(&(std::cmp::Reverse(self.passages[message].priority), message)));
        let received = self.applied(set, Call::Receive(message)).unwrap_or_else(|| self.gone.contains(&message));
        sent && !received
    }

    /// Whether a pending call may take effect now.
    fn may(&self, set: u64, call: Call) -> bool {
        let Call::Receive(message) = call else { return true };
        let priority = self.passages[message].priority;
        if !self.is_in(set, message) {
            return false;
        }
        // The highest of those whose sends have returned, and of those that are being sent.
        let highest = self.content.iter().find(|(_, other)| self.is_in(set, *other));
        let sending = self.pending.iter().flatten().filter_map(|call| match call {
            Call::Send(other) if self.is_in(set, *other) => Some(self.passages[*other].priority),
            _ => None,
        });
        highest.is_none_or(|(highest, _)| highest.0 <= priority)
            && sending.max().is_none_or(|highest| highest <= priority)
    }

    /// Has a call return: it has taken effect in every possibility. `false` where there is none left.
    fn end(&mut self, call: Call) -> bool {
        let Some(place) = self.places.get(&call).copied() else { return true };
        let goal = 1_u64 << place;
        let mut reached: HashSet<u64> = HashSet::new();
        let mut seen: HashSet<u64> = HashSet::new();
        let mut open: Vec<u64> = self.sets.iter().copied().collect();
        while let Some(set) = open.pop() {
            if set & goal != 0 {
                reached.insert(set);
                continue;
            }
            for (place, pending) in self.pending.iter().enumerate() {
                let Some(pending) = pending else { continue };
                let next = set | (1 << place);
                if next != set && !seen.contains(&next) && self.may(set, *pending) {
                    seen.insert(next);
                    open.push(next);
                }
            }
        }
        self.pending[place] = None;
        self.places.remove(&call);
        self.sets = reached.into_iter().map(|set| set & !goal).collect();
        match call {
            Call::Send(message) if !self.gone.remove(&message) => {
                self.content.insert((std::cmp::Reverse(self.passages[message].priority), message));
            }
            Call::Receive(message) => {
                if !self.content.remove(&(std::cmp::Reverse(self.passages[message].priority), message)) {
                    self.gone.insert(message);
                }
            }
            Call::Send(_) => {}
        }
        !self.sets.is_empty()
    }
}
