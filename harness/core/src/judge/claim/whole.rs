//! `whole`: what one call sent is received in one piece, neither torn by others' bytes nor merged with them nor cut.

use super::{Said, broken, sender_name};
use crate::{
    Plan, describe,
    finding::Anomaly,
    judge::flow::{Flow, Got},
    wire::Run,
};
use std::collections::HashMap;

pub(super) fn judge(plan: &Plan, flow: &Flow) -> Said {
    if flow.got.iter().all(|got| got.runs.is_empty()) {
        return Said::Nothing;
    }
    if flow.is_stream { stream(plan, flow) } else { queue(plan, flow) }
}

/// In a stream a message may come in several reads, but nothing else may come between its bytes.
fn stream(plan: &Plan, flow: &Flow) -> Said {
    let mut receivers: HashMap<usize, Vec<(&Run, &Got)>> = HashMap::new();
    for got in &flow.got {
        receivers.entry(got.process).or_default().extend(got.runs.iter().map(|run| (run, got)));
    }
    let alone = receivers.len() == 1;
    for sequence in receivers.values() {
        for (index, (run, got)) in sequence.iter().enumerate() {
            let Some(sent) = flow.find(run) else { continue };
            let end = u64::from(run.offset) + u64::from(run.length);
            if end >= sent.bytes {
                continue;
            }
            // The message is not complete here: its next byte must come next. With several receivers, another may have
            // got it, when the buffer was full; at the end of all it may be on its way.
            let full = got.buffer.is_none_or(|buffer| got.length >= buffer) && is_last(run, got);
            let Some((next, next_got)) = sequence.get(index + 1) else { continue };
            let goes_on = next.from == run.from && next.message == run.message && u64::from(next.offset) == end;
            if !goes_on && (alone || !full) {
                let who = sender_name(plan, run.from);
                let anomaly = if next.from == 0 { Anomaly::Corrupted } else { Anomaly::Torn };
                return broken(
                    anomaly,
                    format!("all {} bytes of message {} of {who} together", sent.bytes, run.message),
                    format!("after its byte {} came {}", end - 1, describe::run(next)),
                    vec![sent.event, got.event, next_got.event],
                );
            }
        }
    }
    Said::Held
}

fn is_last(run: &Run, got: &Got) -> bool {
    got.runs.last() == Some(run)
}

/// A queue gives one message a call, from its first byte to its last, unless the buffer was too small.
fn queue(plan: &Plan, flow: &Flow) -> Said {
    let comes_later = |run: &Run| {
        flow.got.iter().any(|got| {
            matches!(got.runs.as_slice(), [rest] if (rest.from, rest.message) == (run.from, run.message)
                && rest.offset == run.offset + run.length)
        })
    };
    for got in flow.got.iter().filter(|got| got.length > 0) {
        let [run] = got.runs.as_slice() else {
            let parts: Vec<String> = got.runs.iter().map(describe::run).collect();
            let unknown = got.runs.iter().any(|run| run.from == 0);
            let anomaly = if unknown { Anomaly::Corrupted } else { Anomaly::Merged };
            return broken(anomaly, "one message a receive", parts.join("; "), vec![got.event]);
        };
        let Some(sent) = flow.find(run) else { continue };
        let who = sender_name(plan, run.from);
        if run.offset != 0 {
            return broken(
                Anomaly::Torn,
                format!("message {} of {who} from its first byte", run.message),
                format!("it from byte {}", run.offset),
                vec![sent.event, got.event],
            );
        }
        let cut = got.buffer.is_some_and(|buffer| buffer < sent.bytes && u64::from(run.length) == buffer);
        if u64::from(run.length) < sent.bytes && !cut {
            let anomaly = if comes_later(run) { Anomaly::Torn } else { Anomaly::Truncated };
            return broken(
                anomaly,
                format!("all {} bytes of message {} of {who}", sent.bytes, run.message),
                format!("{} of them{}", run.length, if got.truncated { ", marked as truncated" } else { "" }),
                vec![sent.event, got.event],
            );
        }
    }
    Said::Held
}
