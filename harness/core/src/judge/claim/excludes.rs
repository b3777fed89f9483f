//! `excludes`: no two processes are in a critical section at once.

use super::{Said, broken};
use crate::{Event, History, Plan, finding::Anomaly, judge::flow::step_of};
use spec::Operation;

/// A stretch in which a process certainly was in the section: after `enter` returned, before `leave` began.
struct Stay {
    process: usize,
    from: u64,
    to: u64,
    events: [usize; 2],
}

pub(super) fn judge(plan: &Plan, section: &str, history: &History) -> Said {
    let mut entered: Vec<Option<(u64, usize)>> = vec![None; plan.processes.len()];
    let mut stays = Vec::new();
    for (index, event) in history.events.iter().enumerate() {
        let Event::Returned { process, step, began, ended, .. } = event else { continue };
        match step_of(plan, *process, *step) {
            Some((Operation::Enter(named), _)) if named.section == section => entered[*process] = Some((*ended, index)),
            Some((Operation::Leave(named), _)) if named.section == section => {
                if let Some((from, enter)) = entered[*process].take() {
                    stays.push(Stay { process: *process, from, to: *began, events: [enter, index] });
                }
            }
            _ => {}
        }
    }
    // Who has not left is in it for ever.
    for (process, entered) in entered.iter().enumerate() {
        if let Some((from, enter)) = entered {
            stays.push(Stay { process, from: *from, to: u64::MAX, events: [*enter, *enter] });
        }
    }
    stays.sort_by_key(|stay| stay.from);
    let mut latest: Option<&Stay> = None;
    for stay in &stays {
        if let Some(before) = latest
            && before.process != stay.process
            && before.to > stay.from
        {
            let (first, second) = (&plan.processes[before.process].name, &plan.processes[stay.process].name);
            return broken(
                Anomaly::BrokenExclusion,
                format!("one process at a time in `{section}`"),
                format!("{second} entered while {first} was in it"),
                [before.events, stay.events].concat(),
            );
        }
        if latest.is_none_or(|latest| stay.to > latest.to) {
            latest = Some(stay);
        }
    }
    let processes: std::collections::BTreeSet<usize> = stays.iter().map(|stay| stay.process).collect();
    if processes.len() < 2 { Said::Nothing } else { Said::Held }
}
