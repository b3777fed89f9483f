//! `by_priority`: a message is never received while one of higher priority is known to wait.

use super::{Said, broken, sender_name};
use crate::{
    Plan,
    finding::Anomaly,
    judge::flow::{Flow, Got, Sent},
};

pub(super) fn judge(plan: &Plan, flow: &Flow) -> Said {
    let received: Vec<(&Got, &Sent)> =
        flow.got.iter().filter_map(|got| Some((got, flow.find(got.runs.first()?)?))).collect();
    let mut compared = false;
    for (got, sent) in &received {
        if got.priority.is_some_and(|priority| priority != sent.priority.unwrap_or(0)) {
            return broken(
                Anomaly::WrongValue,
                format!("priority {} with message {}", sent.priority.unwrap_or(0), sent.message),
                format!("priority {}", got.priority.unwrap_or(0)),
                vec![sent.event, got.event],
            );
        }
        for (later, waiting) in &received {
            // It was in the queue for the whole of this receive: sent before, received by a call that began after.
            let certainly_waited = waiting.certain && waiting.ended < got.began && later.began > got.ended;
            if !certainly_waited {
                continue;
            }
            compared = true;
            let (priority, higher) = (sent.priority.unwrap_or(0), waiting.priority.unwrap_or(0));
            // Of equal ones the first that was sent comes first.
            let older = higher == priority && waiting.ended < sent.began;
            if higher > priority || older {
                return broken(
                    if older { Anomaly::Reordered } else { Anomaly::PriorityInverted },
                    format!(
                        "message {} of {} (priority {higher}), which waited",
                        waiting.message,
                        sender_name(plan, waiting.from)
                    ),
                    format!("message {} of {} (priority {priority})", sent.message, sender_name(plan, sent.from)),
                    vec![waiting.event, got.event, later.event],
                );
            }
        }
    }
    if compared { Said::Held } else { Said::Nothing }
}
