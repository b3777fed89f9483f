//! `never` and `seen`: litmus outcomes over named results of one run.

use super::{Said, broken};
use crate::{Event, History, Plan, finding::Anomaly, judge::results::named_results, wire::Outcome};
use spec::scenario::NamedResult;
use std::collections::BTreeMap;

/// Broken where the results are seen together.
pub(super) fn never(plan: &Plan, named: &BTreeMap<String, NamedResult<u64>>, history: &History) -> Said {
    match together(plan, named, history) {
        Some((true, events)) => broken(Anomaly::WrongValue, format!("never {}", text(named)), text(named), events),
        Some((false, _)) => Said::Held,
        None => Said::Nothing,
    }
}

/// Held where the results are seen together.
pub(super) fn seen(plan: &Plan, named: &BTreeMap<String, NamedResult<u64>>, history: &History) -> Said {
    match together(plan, named, history) {
        Some((true, _)) => Said::Held,
        _ => Said::Nothing,
    }
}

/// Whether all results are as named, and the events that tell; `None` where one is missing.
fn together(plan: &Plan, named: &BTreeMap<String, NamedResult<u64>>, history: &History) -> Option<(bool, Vec<usize>)> {
    let results = named_results(plan, history);
    let mut all = true;
    let mut events = Vec::new();
    for (name, value) in named {
        let (got, event) = results.get(name)?;
        let of_signal = matches!(value, NamedResult::Number(number) if signal_value(history, *event) == Some(*number));
        all &= *got == value.to_string() || of_signal;
        events.push(*event);
    }
    Some((all, events))
}

/// The value that came with a signal: what a step that accepts one is compared by.
fn signal_value(history: &History, event: usize) -> Option<u64> {
    match history.events.get(event)? {
        Event::Returned { outcome: Outcome::Signals(signals), .. } => match signals.as_slice() {
            [signal] => signal.value,
            _ => None,
        },
        _ => None,
    }
}

fn text(named: &BTreeMap<String, NamedResult<u64>>) -> String {
    named.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" and ")
}
