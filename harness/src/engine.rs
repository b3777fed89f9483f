//! The engines that run plans: one for stories, one for all orders of steps, and two for processes that run freely.

pub(crate) mod deadline;
mod free;
pub(crate) mod measure;
mod orders;
mod placement;
mod race;
mod release;
mod renewal;
mod rest;
#[cfg(test)]
pub(crate) mod samples;
mod story;
mod team;

use crate::{
    fault::Fault,
    lane::{Grounds, Lane},
    listener::Listener,
};
use harness_core::{
    Plan,
    wire::{Refused, capability},
};
use spec::scenario::Orders;

/// How the running of a plan came out.
#[derive(Debug)]
pub(crate) enum Ran {
    /// All histories were handed over.
    Through,
    /// The agent refused to open.
    Refused(Refused),
}

/// Runs a plan on a lane; the listener hears what comes of it.
///
/// # Errors
/// When the harness or the agent erred; the lane is not fit for use after that.
pub(crate) fn run<'p>(
    grounds: &Grounds,
    lane: &mut Lane,
    plan: &'p Plan,
    listener: &mut Listener<'p>,
) -> Result<Ran, Fault> {
    let needed = [capability::SHARED_MEETING, capability::COPIES, capability::SHARED_JOURNAL];
    let has_all = needed.iter().all(|needed| lane.hello.capabilities.iter().any(|known| known == needed));
    if plan.is_story() {
        story::run(grounds, lane, plan, listener)
    } else if plan.orders == Orders::Every {
        orders::run(grounds, lane, plan, listener)
    } else if plan.race && has_all && race::is_possible(plan) {
        race::run(grounds, lane, plan, listener)
    } else {
        free::run(grounds, lane, plan, listener)
    }
}
