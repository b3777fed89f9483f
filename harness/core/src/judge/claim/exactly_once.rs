//! `exactly_once`: nothing is received twice, nothing is received that was not sent.

use super::{Said, broken, sender_name};
use crate::{Plan, describe, finding::Anomaly, judge::flow::Flow, stamp};
use std::collections::HashMap;

/// A part of a message that was received: its first byte, the byte after its last, and the event that told of it.
type Part = (u32, u32, usize);

pub(super) fn judge(plan: &Plan, flow: &Flow) -> Said {
    let mut parts: HashMap<(u8, u32), Vec<Part>> = HashMap::new();
    let mut any = false;
    for got in &flow.got {
        for run in &got.runs {
            any = true;
            if run.from == 0 {
                return broken(Anomaly::Corrupted, "only bytes that were sent", describe::run(run), vec![got.event]);
            }
            let who = sender_name(plan, run.from);
            let Some(sent) = flow.find(run) else {
                return broken(
                    Anomaly::Phantom,
                    format!("only messages that {who} sent"),
                    format!("message {} of {who}, which was not sent", run.message),
                    vec![got.event],
                );
            };
            let end = u64::from(run.offset) + u64::from(run.length);
            if end > sent.bytes {
                // As far as that, its like looks like more of it.
                let alike = end - sent.bytes <= stamp::ALIKE as u64;
                return broken(
                    if alike { Anomaly::Duplicated } else { Anomaly::Corrupted },
                    format!("{} bytes of message {} of {who}", sent.bytes, run.message),
                    format!("bytes {}..{end} of it", run.offset),
                    vec![sent.event, got.event],
                );
            }
            if sent.began > got.ended {
                return broken(
                    Anomaly::Phantom,
                    format!("message {} of {who} after it was sent", run.message),
                    "it was received before its sending began",
                    vec![got.event, sent.event],
                );
            }
            let known = parts.entry((run.from, run.message)).or_default();
            let (from, to) = (run.offset, run.offset + run.length);
            if let Some((_, _, event)) = known.iter().find(|(start, end, _)| from < *end && *start < to) {
                return broken(
                    Anomaly::Duplicated,
                    format!("bytes {from}..{to} of message {} of {who} once", run.message),
                    "twice",
                    vec![*event, got.event],
                );
            }
            known.push((from, to, got.event));
        }
    }
    if any || flow.got.iter().any(|got| got.length == 0) { Said::Held } else { Said::Nothing }
}
