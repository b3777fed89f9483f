//! `orders: every`: all interleavings of the steps of a few processes, one after another.
//!
//! An order is a list of choices: which of the processes that can begin a step begins one next. All of them are walked
//! depth first: each run follows a list of choices and goes on with the first possibility from there; then the last choice that
//! has another possibility takes it. A process whose step is proven to wait can begin nothing, so that orders which cannot be
//! prune themselves. No order is left out as equivalent to another.

use crate::{Event, History, Plan};
use std::fmt::Write as _;

/// How many orders are run at most: a scenario whose steps have more is not run at all.
pub const MAX: u128 = 20_000;

/// How many orders steps of these lengths have, if none ever waits.
#[must_use]
pub fn count(lengths: &[usize]) -> u128 {
    let mut count: u128 = 1;
    let mut placed: u128 = 0;
    for length in lengths {
        for step in 1..=*length as u128 {
            placed += 1;
            // A product of consecutive binomials stays whole at every division.
            match count.checked_mul(placed) {
                Some(product) => count = product / step,
                None => return u128::MAX,
            }
        }
    }
    count
}

/// The walk through all orders.
#[derive(Debug, Default)]
pub struct Walk {
    /// The choices of this order so far, and how many possibilities there were at each.
    choices: Vec<(usize, usize)>,
    /// How many of them are given, from the walk so far.
    given: usize,
    /// Where in the choices this order is.
    place: usize,
}

impl Walk {
    /// Chooses one of so many possibilities.
    ///
    /// Where a system wakes one of several waiters, it may wake another one the next time, and a choice that is given may not
    /// be there any more: then the last one is taken.
    pub fn choose(&mut self, possibilities: usize) -> usize {
        let place = self.place;
        self.place += 1;
        match self.choices.get_mut(place) {
            Some(given) if place < self.given => {
                *given = (given.0.min(possibilities.saturating_sub(1)), possibilities);
                given.0
            }
            _ => {
                self.choices.truncate(place);
                self.choices.push((0, possibilities));
                0
            }
        }
    }

    /// Turns to the next order. Returns whether there is one.
    pub fn advance(&mut self) -> bool {
        self.choices.truncate(self.place);
        self.place = 0;
        while let Some((choice, possibilities)) = self.choices.pop() {
            if choice + 1 < possibilities {
                self.choices.push((choice + 1, possibilities));
                self.given = self.choices.len();
                return true;
            }
        }
        false
    }
}

/// The order of a history as a story, to be pasted into a file.
#[must_use]
pub fn as_story(plan: &Plan, history: &History) -> String {
    let mut text = String::from("story:\n");
    let mut begun: Vec<(u64, usize, usize)> = history
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Began { process, step, at } => Some((*at, *process, *step)),
            _ => None,
        })
        .collect();
    begun.sort_unstable();
    for (_, process, step) in begun {
        let process = &plan.processes[process];
        let Some(step) = process.steps.get(step) else { continue };
        let name = process.name.replace('.', "_");
        let source = plan.source.as_ref().and_then(|source| source.text.get(step.span.start..step.span.end));
        let written = source.map_or_else(|| crate::describe::operation(&step.operation), one_line);
        writeln!(text, "  - {name}: {{ {written} }}").expect("a String takes all");
    }
    text
}

/// A step as it stands in the file, without braces and breaks of its own.
fn one_line(source: &str) -> String {
    let source = source.trim();
    let inner = source.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(source);
    inner.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Walk, count};
    use rstest::rstest;
    use std::collections::BTreeSet;

    #[rstest]
    #[case(&[2, 2], 6)]
    #[case(&[3, 3, 3], 1680)]
    #[case(&[4, 4], 70)]
    #[case(&[2, 2, 2, 2], 2520)]
    #[case(&[], 1)]
    fn orders_are_counted(#[case] lengths: &[usize], #[case] expected: u128) {
        assert_eq!(count(lengths), expected);
    }

    /// Walks all orders of steps of these lengths; a step of the second process waits until the first has ended one.
    fn walked(lengths: &[usize], waits: bool) -> BTreeSet<Vec<usize>> {
        let mut walk = Walk::default();
        let mut orders = BTreeSet::new();
        loop {
            let mut left = lengths.to_vec();
            let mut order = Vec::new();
            loop {
                let can: Vec<usize> = (0..left.len())
                    .filter(|process| left[*process] > 0)
                    .filter(|process| !(waits && *process == 1 && left[0] == lengths[0]))
                    .collect();
                if can.is_empty() {
                    break;
                }
                let process = can[walk.choose(can.len())];
                left[process] -= 1;
                order.push(process);
            }
            assert!(orders.insert(order), "no order comes twice");
            if !walk.advance() {
                return orders;
            }
        }
    }

    #[test]
    fn all_orders_are_walked_once() {
        assert_eq!(walked(&[2, 2], false).len(), 6);
        assert_eq!(walked(&[3, 3, 3], false).len(), 1680);
        assert_eq!(walked(&[1, 1, 1, 1], false).len(), 24);
        // Those in which the second process comes first cannot be.
        assert_eq!(walked(&[2, 2], true).len(), 3);
    }
}
