//! Claims about whole histories: a file each, every one a pure function of plan and history.
//!
//! A claim is broken only where the history proves it. Calls of different processes are compared by their intervals: one
//! was before the other when it returned before the other began; otherwise either order is allowed.

mod by_priority;
mod complete;
mod ends;
mod exactly_once;
mod excludes;
mod finishes;
mod in_order;
mod results;
mod whole;

use super::flow::Flow;
use crate::{History, Plan, finding::Anomaly};
use spec::scenario::{Claim, ClaimOn};

/// What one history says of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It was put to the test and held.
    Held,
    /// There was nothing that could have broken it.
    Nothing,
    /// What was seen does not tell, and why.
    Untold(String),
    /// It is broken.
    Broken(Break),
}

/// How a claim is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Break {
    pub(super) expected: String,
    pub(super) got: String,
    pub(super) anomaly: Anomaly,
    pub(super) events: Vec<usize>,
}

pub(super) fn broken(
    anomaly: Anomaly,
    expected: impl Into<String>,
    got: impl Into<String>,
    events: Vec<usize>,
) -> Said {
    Said::Broken(Break { expected: expected.into(), got: got.into(), anomaly, events })
}

/// What a history says of a claim.
pub(super) fn judge(plan: &Plan, claim: &Claim<u64>, history: &History) -> Said {
    let of_messages = |on: &ClaimOn, judge: fn(&Plan, &Flow) -> Said| {
        let Some(channel) = plan.channel(&on.channel) else { return Said::Nothing };
        let flow = Flow::of(plan, history, channel);
        flow.untold(plan, channel).map_or_else(|| judge(plan, &flow), Said::Untold)
    };
    match claim {
        Claim::Complete(on) => of_messages(on, complete::judge),
        Claim::ExactlyOnce(on) => of_messages(on, exactly_once::judge),
        Claim::InOrder(on) => of_messages(on, in_order::judge),
        Claim::Whole(on) => of_messages(on, whole::judge),
        Claim::ByPriority(on) => of_messages(on, by_priority::judge),
        Claim::Excludes(section) => excludes::judge(plan, section, history),
        Claim::Ends(endings) => ends::judge(plan, endings, history),
        Claim::Never(named) => results::never(plan, named, history),
        Claim::Seen(named) => results::seen(plan, named, history),
        Claim::Finishes => finishes::judge(plan, history),
    }
}

/// The name of the process with this number in stamps.
pub(super) fn sender_name(plan: &Plan, number: u8) -> String {
    plan.processes
        .iter()
        .find(|process| process.number == number)
        .map_or_else(|| format!("sender {number}"), |process| process.name.clone())
}
