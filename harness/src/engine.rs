//! The engines that run plans: one for stories, one for processes that run freely.

mod free;
mod rest;
mod story;
mod team;

use crate::{
    fault::Fault,
    lane::{Grounds, Lane},
};
use harness_core::{History, Plan, wire::Refused};
use spec::scenario::Orders;

/// How the running of a plan came out.
#[derive(Debug)]
pub(crate) enum Ran {
    /// All histories were handed over.
    Through,
    /// The agent refused to open.
    Refused(Refused),
}

/// Runs a plan on a lane, handing over each history as it is complete. The callback says whether to go on with further runs.
///
/// # Errors
/// When the harness or the agent erred; the lane is not fit for use after that.
pub(crate) fn run(
    grounds: &Grounds,
    lane: &mut Lane,
    plan: &Plan,
    on_history: &mut dyn FnMut(History) -> bool,
) -> Result<Ran, Fault> {
    if plan.is_story() {
        story::run(grounds, lane, plan, on_history)
    } else if plan.orders == Orders::Every {
        story::run_every_order(grounds, lane, plan, on_history)
    } else {
        free::run(grounds, lane, plan, on_history)
    }
}
