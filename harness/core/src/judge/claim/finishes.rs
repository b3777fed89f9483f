//! `finishes`: all processes have done their steps at the end.

use super::{Said, broken};
use crate::{Event, History, Plan, describe, finding::Anomaly, judge::flow::step_of};

pub(super) fn judge(plan: &Plan, history: &History) -> Said {
    let stopped = history.events.iter().enumerate().find_map(|(index, event)| match event {
        Event::Stuck { waiting, .. } => Some((Anomaly::Deadlock, index, waiting)),
        Event::Overdue { waiting, .. } => Some((Anomaly::Overdue, index, waiting)),
        _ => None,
    });
    let Some((anomaly, index, waiting)) = stopped else { return Said::Held };
    let who: Vec<String> = waiting
        .iter()
        .map(|waiting| {
            let step = step_of(plan, waiting.process, waiting.step)
                .map_or_else(String::new, |(operation, _)| describe::operation(operation));
            format!("{} is in `{step}`", plan.processes[waiting.process].name)
        })
        .collect();
    broken(anomaly, "all processes finish", who.join(", "), vec![index])
}
