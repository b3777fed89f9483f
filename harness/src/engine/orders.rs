//! `orders: every`: each order of the steps of free processes is a story, whose lines are chosen while it is told.
//!
//! What a run does often stays in its channels. Then one team tells many orders, each on a fresh copy of every channel: starting
//! processes takes longer than what they do in an order.

use super::{
    Ran, renewal,
    story::Story,
    team::{Opening, Team},
};
use crate::{
    fault::Fault,
    lane::{Grounds, Lane},
    listener::Listener,
};
use harness_core::{
    Event, History, Plan,
    orders::{self, Walk},
    plan::{PlanAction, PlanLine},
    wire::capability,
};
use spec::{scenario::Expect, vocabulary::Feature};

/// Copies of every channel that a team has at most: orders it can tell. Some are never told, as calls that wait prune what follows.
const COPIES_MAX: u32 = 16;

/// Runs every order, one after another.
pub(super) fn run(grounds: &Grounds, lane: &mut Lane, plan: &Plan, listener: &mut Listener<'_>) -> Result<Ran, Fault> {
    let mut walk = Walk::default();
    let mut copies_max = copies(lane, plan);
    let mut order = 0;
    // A system that wakes now this waiter, now that one, could make the walk turn in circles.
    while u128::from(order) < orders::MAX {
        let (mut team, copies) = match Team::open_copies(grounds, lane, plan, copies_max, &[])? {
            (Opening::Opened(team), copies) => (team, copies),
            (Opening::Refused(refused), _) => return Ok(Ran::Refused(refused)),
        };
        copies_max = copies;
        for run in 0..copies {
            let mut story = Story::new(grounds, plan, team, run);
            let steps = tell_one_order(&mut story, grounds, lane, plan, &mut walk)?;
            let all_are_idle = story.idle().count() == plan.processes.len();
            let events;
            (team, events) = story.end();
            listener.hear(&History { run: order, events: with_own_steps(events, &steps) }, None);
            order += 1;
            if listener.has_enough() || !walk.advance() {
                team.close(grounds, lane)?;
                return Ok(Ran::Through);
            }
            // Who is in a call that it will not come out of, or has ended, can do no other order.
            if !all_are_idle {
                break;
            }
        }
        team.close(grounds, lane)?;
    }
    Ok(Ran::Through)
}

/// How many copies of the channels are worth being opened at once: one an order. Where the kernel does things later, what it has left to
/// do for one order would keep the next from rest.
fn copies(lane: &Lane, plan: &Plan) -> u32 {
    let is_offered = lane.hello.capabilities.iter().any(|known| known == capability::COPIES);
    if !is_offered || !renewal::stays_in_channels(plan) || plan.has(Feature::Deferred) {
        return 1;
    }
    let lengths: Vec<usize> = plan.processes.iter().map(|process| process.steps.len()).collect();
    u32::try_from(orders::count(&lengths)).unwrap_or(u32::MAX).min(COPIES_MAX)
}

/// Tells one order: at each turn, a process that is in no call begins its next step. Returns which step of its process each line was.
fn tell_one_order(
    story: &mut Story<'_>,
    grounds: &Grounds,
    lane: &mut Lane,
    plan: &Plan,
    walk: &mut Walk,
) -> Result<Vec<usize>, Fault> {
    let mut next = vec![0; plan.processes.len()];
    let mut steps = Vec::new();
    loop {
        let has_more = |process: &usize| next[*process] < plan.processes[*process].steps.len();
        let can: Vec<usize> = story.idle().filter(has_more).collect();
        if can.is_empty() {
            break;
        }
        let process = can[walk.choose(can.len())];
        let step = &plan.processes[process].steps[next[process]];
        let line = PlanLine {
            process,
            action: PlanAction::Do { operation: step.operation.clone(), channel: step.channel },
            // Whether it waits, the order shows.
            expect: Expect::Anything,
            record: step.record.clone(),
            span: step.span,
            expect_span: step.expect_span,
        };
        steps.push(next[process]);
        next[process] += 1;
        if !story.add(grounds, lane, line)? {
            return Ok(steps);
        }
    }
    story.note_stuck();
    Ok(steps)
}

/// The events of an order, with the steps of the processes instead of lines.
fn with_own_steps(events: Vec<Event>, steps: &[usize]) -> Vec<Event> {
    events
        .into_iter()
        .map(|mut event| {
            match &mut event {
                Event::Began { step, .. } | Event::Returned { step, .. } | Event::Blocked { step, .. } => {
                    *step = steps[*step];
                }
                Event::Stuck { waiting, .. } | Event::Overdue { waiting, .. } => {
                    for waiting in waiting {
                        waiting.step = steps[waiting.step];
                    }
                }
                Event::Line { .. } | Event::Ended { .. } => {}
            }
            event
        })
        .collect()
}
