//! `ends`: how each named process ends.

use super::{Said, broken};
use crate::{Event, History, Plan, describe, finding::Anomaly, wire::ProcessEnding};
use spec::scenario::Ending;
use std::collections::BTreeMap;

pub(super) fn judge(plan: &Plan, endings: &BTreeMap<String, Ending<u64>>, history: &History) -> Said {
    for (name, due) in endings {
        let meant = |index: usize| plan.processes[index].name == *name || plan.processes[index].kind == *name;
        for process in (0..plan.processes.len()).filter(|index| meant(*index)) {
            let ended = history.events.iter().enumerate().find_map(|(index, event)| match event {
                Event::Ended { process: who, ending, .. } if *who == process => Some((index, ending)),
                _ => None,
            });
            // Who did all its steps and was not ended by any of them has status 0.
            let as_due = match (ended.map(|(_, ending)| ending), due) {
                (None, Ending::Status(status)) => *status == 0,
                (None, Ending::Signal(_)) => false,
                (Some(ProcessEnding::Status(status)), Ending::Status(due)) => {
                    i64::from(*status) == i64::try_from(*due).unwrap_or(-1)
                }
                (Some(ProcessEnding::Signal(signal)), Ending::Signal(due)) => signal == due,
                (Some(_), _) => false,
            };
            if !as_due {
                let who = &plan.processes[process].name;
                let got = ended.map_or_else(|| "it did not end".to_owned(), |(_, ending)| describe::ending(ending));
                let events = ended.map(|(index, _)| index).into_iter().collect();
                let expected = format!("{} of {who}", describe::due_ending(due));
                return broken(Anomaly::WrongEnding, expected, got, events);
            }
        }
    }
    Said::Held
}
