//! `in_order`: what one sender sent is received in the order in which it was sent. What is received again is none of its business.

use super::{Said, broken, sender_name};
use crate::{Plan, finding::Anomaly, judge::flow::Flow, wire::Run};
use std::collections::HashMap;

/// A part of a message, and when it was received.
#[derive(Clone, Copy)]
struct Part {
    place: (u32, u32),
    began: u64,
    ended: u64,
    event: usize,
}

pub(super) fn judge(plan: &Plan, flow: &Flow) -> Said {
    // By receiver and sender: the last part, since one receiver's calls follow one another.
    let mut last: HashMap<(usize, u8), Part> = HashMap::new();
    let mut by_sender: HashMap<u8, Vec<Part>> = HashMap::new();
    let mut known: HashMap<(u8, u32), Vec<(u32, u32)>> = HashMap::new();
    let mut compared = false;
    for got in &flow.got {
        for run in got.runs.iter().filter(|run| run.from != 0) {
            let stretch = (run.offset, run.offset.saturating_add(run.length));
            let parts = known.entry((run.from, run.message)).or_default();
            if parts.iter().any(|(from, to)| stretch.0 < *to && *from < stretch.1) {
                continue;
            }
            parts.push(stretch);
            let part = Part { place: place(run), began: got.began, ended: got.ended, event: got.event };
            if let Some(before) = last.insert((got.process, run.from), part) {
                compared = true;
                if part.place < before.place {
                    return reordered(plan, run.from, before, part);
                }
            }
            by_sender.entry(run.from).or_default().push(part);
        }
    }
    // Between receivers only calls that did not overlap are ordered: in the order of their ends, no part may lie below
    // the highest that had already been received when its call began.
    for (sender, mut parts) in by_sender {
        parts.sort_by_key(|part| part.began);
        let mut ended = parts.clone();
        ended.sort_by_key(|part| part.ended);
        let mut highest: Option<Part> = None;
        let mut next = 0;
        for part in parts {
            while next < ended.len() && ended[next].ended < part.began {
                let candidate = ended[next];
                if highest.is_none_or(|highest| candidate.place > highest.place) {
                    highest = Some(candidate);
                }
                next += 1;
            }
            if let Some(highest) = highest
                && part.place < highest.place
            {
                return reordered(plan, sender, highest, part);
            }
        }
    }
    if compared { Said::Held } else { Said::Nothing }
}

fn place(run: &Run) -> (u32, u32) {
    (run.message, run.offset)
}

fn reordered(plan: &Plan, sender: u8, before: Part, after: Part) -> Said {
    let who = sender_name(plan, sender);
    let ((first, first_at), (second, second_at)) = (after.place, before.place);
    let got = if first == second {
        format!("byte {first_at} of message {first} of {who} after its byte {second_at}")
    } else {
        format!("message {first} of {who} after message {second}")
    };
    broken(
        Anomaly::Reordered,
        format!("the messages of {who} in the order it sent them"),
        got,
        vec![before.event, after.event],
    )
}
