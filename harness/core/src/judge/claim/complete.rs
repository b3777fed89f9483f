//! `complete`: nothing that was sent is missing at the end. A run that did not come to its end tells nothing of that.

use super::{Said, broken, sender_name};
use crate::{Plan, finding::Anomaly, judge::flow::Flow};
use std::collections::HashMap;

pub(super) fn judge(plan: &Plan, flow: &Flow) -> Said {
    if let Some(why) = &flow.cut_short {
        return Said::Untold(why.clone());
    }
    let unknown: u64 =
        flow.got.iter().flat_map(|got| &got.runs).filter(|run| run.from == 0).map(|run| u64::from(run.length)).sum();
    let mut received: HashMap<(u8, u32), u64> = HashMap::new();
    for run in flow.got.iter().flat_map(|got| &got.runs) {
        *received.entry((run.from, run.message)).or_default() += u64::from(run.length);
    }
    let mut certain = 0;
    for sent in flow.sent.iter().filter(|sent| sent.certain && sent.bytes > 0) {
        certain += 1;
        let got = received.get(&(sent.from, sent.message)).copied().unwrap_or(0);
        if got < sent.bytes {
            let who = sender_name(plan, sent.from);
            // Where as many bytes came that nobody sent, they came in the place of these.
            let anomaly = match got {
                _ if unknown >= sent.bytes - got => Anomaly::Corrupted,
                0 => Anomaly::Lost,
                _ => Anomaly::Truncated,
            };
            return broken(
                anomaly,
                format!("all {} bytes of message {} of {who}", sent.bytes, sent.message),
                if got == 0 { "none of them".to_owned() } else { format!("{got} of them") },
                vec![sent.event],
            );
        }
    }
    // Empty messages leave no bytes to count: as many as were sent must have come.
    let empty_sent = flow.sent.iter().filter(|sent| sent.certain && sent.bytes == 0).count();
    let empty_got = flow.got.iter().filter(|got| got.length == 0).count();
    if !flow.is_stream && empty_got < empty_sent {
        return broken(Anomaly::Lost, format!("{empty_sent} empty messages"), format!("{empty_got}"), Vec::new());
    }
    if certain == 0 && empty_sent == 0 { Said::Nothing } else { Said::Held }
}
