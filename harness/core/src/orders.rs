//! `orders: every`: all interleavings of the steps of a few processes, one after another.
//!
//! An order is a list of choices: which of the processes that can begin a step begins one next. All of them are walked
//! depth first: each run follows a list of choices and goes on with the first possibility from there; then the last choice that
//! has another possibility takes it. A process whose step is proven to wait can begin nothing, so that orders which cannot be
//! prune themselves. No order is left out as equivalent to another.

use crate::{Event, History, Plan};
use std::{collections::BTreeMap, fmt::Write as _};

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

/// The order of a history as a story: what stands in a file in the place of `orders:` and `processes:`.
#[must_use]
pub fn as_story(plan: &Plan, history: &History) -> String {
    let mut text = String::from("story:\n");
    // Calls that are proven to wait, by process: what the story calls them.
    let mut waiting: BTreeMap<usize, String> = BTreeMap::new();
    let segments = history.events.split(|event| matches!(event, Event::Line { .. }));
    for segment in segments {
        let resumed = |event: &Event| match event {
            Event::Returned { process, .. } if waiting.contains_key(process) => Some(*process),
            _ => None,
        };
        // What a step has woken may have been heard before it.
        let resumed: Vec<usize> = segment.iter().filter_map(resumed).collect();
        for event in segment {
            let Event::Began { process, step, .. } = event else { continue };
            let blocks = segment.iter().any(|event| {
                matches!(event, Event::Blocked { process: who, step: which, .. } if (who, which) == (process, step))
            });
            let name = format!("{}_{}", named(plan, *process), step + 1);
            let blocks = blocks.then(|| waiting.entry(*process).insert_entry(name).get().clone());
            text.push_str(&line(plan, *process, *step, blocks.as_deref()));
        }
        for process in resumed {
            let Some(name) = waiting.remove(&process) else { continue };
            writeln!(text, "  - {}: {{ resumes: {name} }}", named(plan, process)).expect("a String takes all");
        }
    }
    text
}

/// The name of a process in a story; of several of a kind each has its own.
fn named(plan: &Plan, process: usize) -> String {
    plan.processes[process].name.replace('.', "_")
}

/// A step as a line of a story, in the style in which it stands in the file.
fn line(plan: &Plan, process: usize, step: usize, blocks: Option<&str>) -> String {
    let Some(step) = plan.processes[process].steps.get(step) else { return String::new() };
    let who = named(plan, process);
    let source = plan.source.as_ref().and_then(|source| source.text.get(step.span.start..step.span.end));
    let written = source.map_or_else(|| crate::describe::operation(&step.operation), str::to_owned);
    let written = written.trim();
    if let Some(inner) = written.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let inner = inner.split_whitespace().collect::<Vec<_>>().join(" ");
        let blocks = blocks.map_or_else(String::new, |name| format!(", blocks: {name}"));
        return format!("  - {who}: {{ {inner}{blocks} }}\n");
    }
    let mut text = format!("  - {who}:\n");
    // All lines but the first have the indentation that they have in the file.
    let indentation =
        written.lines().skip(1).map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    for (number, line) in written.lines().enumerate() {
        let line = if number == 0 { line } else { line.get(indentation..).unwrap_or(line) };
        writeln!(text, "      {line}").expect("a String takes all");
    }
    if let Some(name) = blocks {
        writeln!(text, "      blocks: {name}").expect("a String takes all");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Walk, as_story, count};
    use crate::{Event, History, samples, wire::Outcome};
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

    const ORDERS: &str = "mechanisms: [posix_sem]
channels: { gate: counter }
orders: every
processes:
  waiter:
    - wait: gate
    - value: gate
      record: left
  poster: [{ post: { channel: gate } }]
must: finishes
";

    #[test]
    fn an_order_is_told_as_a_story_that_loads() {
        let plan = samples::plan(ORDERS);
        let returned = |process, step, outcome| Event::Returned { process, step, began: 0, ended: 0, outcome };
        let events = vec![
            Event::Line { line: 0, at: 1 },
            Event::Began { process: 0, step: 0, at: 2 },
            Event::Blocked { process: 0, step: 0, at: 3, call: "futex".to_owned() },
            Event::Line { line: 1, at: 4 },
            Event::Began { process: 1, step: 0, at: 5 },
            // Whom it woke was heard first.
            returned(0, 0, Outcome::Done),
            returned(1, 0, Outcome::Done),
            Event::Line { line: 2, at: 6 },
            Event::Began { process: 0, step: 1, at: 7 },
            returned(0, 1, Outcome::Count(0)),
        ];
        let story = as_story(&plan, &History { run: 0, events });
        insta::assert_snapshot!(story, @r"
        story:
          - waiter:
              wait: gate
              blocks: waiter_1
          - poster: { post: { channel: gate } }
          - waiter: { resumes: waiter_1 }
          - waiter:
              value: gate
              record: left
        ");
        let (before, after) = (ORDERS.find("orders:").unwrap(), ORDERS.find("must:").unwrap());
        let told = samples::plan(&format!("{}{story}{}", &ORDERS[..before], &ORDERS[after..]));
        assert_eq!(told.story.len(), 4);
    }
}
