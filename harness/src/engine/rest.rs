//! Proof of rest: no process of a team runs, and none can run again by itself.
//!
//! A process at rest is idle (it waits for its next command), ended, stopped, or asleep inside the call it said it would
//! make. All of them are looked at twice; where no look differs from the one before and nothing was said in between, there
//! was a moment, between the two rounds, at which all were at rest at once: a process that is woken is no longer asleep
//! from the instant of the wake-up on, and one that ran shows it in its fingerprint.

use super::team::Member;
use crate::{
    fault::Fault,
    host::{KernelWork, Look, Standing},
    lane::Lane,
};
use harness_core::Plan;
use spec::{Mechanism, vocabulary::Feature};
use std::collections::BTreeSet;

/// What a process owes, for one look at it.
#[derive(Debug)]
pub(super) struct Owes {
    /// The step it was told to do or is in.
    pub(super) step: usize,
    /// Whether it has said `begin`.
    pub(super) begun: bool,
    /// Whether it waits at a meeting.
    pub(super) meets: bool,
    /// Whether the call ends by itself after a time that was asked for.
    pub(super) timed: bool,
}

/// The result of one round of looks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// Somebody runs.
    Running,
    /// Nobody runs; what was seen, for comparison with the next round.
    Quiet(Vec<Option<Look>>),
}

/// Looks at all that matter. `owes[i]` is what member `i` owes; a member that owes nothing is looked at only with `everybody`.
pub(super) fn look(members: &[Member], owes: &[Option<Owes>], everybody: bool) -> Result<Round, Fault> {
    let mut looks = Vec::with_capacity(members.len());
    for (member, owes) in members.iter().zip(owes) {
        if member.is_over() || (owes.is_none() && !everybody) {
            looks.push(None);
            continue;
        }
        let look = member.looker.look();
        match (&look.standing, owes) {
            (Standing::Running, _) => return Ok(Round::Running),
            // Its last words and the root's report are on their way.
            (Standing::Gone, _) => return Ok(Round::Running),
            (Standing::Stopped, _) | (Standing::Asleep(_), None) => {}
            (Standing::Asleep(call), Some(_)) if call.is_sleep() => return Ok(Round::Running),
            // What it says is longer than the connection holds: it goes on as soon as some of that was read here.
            (Standing::Asleep(call), Some(_)) if member.control_fd.is_some_and(|control| call.is_send_on(control)) => {
                return Ok(Round::Running);
            }
            (Standing::Asleep(_), Some(owes)) if owes.timed => return Ok(Round::Running),
            (Standing::Asleep(_), Some(_)) => {}
        }
        looks.push(Some(look));
    }
    Ok(Round::Quiet(looks))
}

/// After rest was proven: a process that owes an answer must sleep in its call, and not in a wait for commands.
pub(super) fn accuse(members: &[Member], owes: &[Option<Owes>], looks: &[Option<Look>]) -> Result<(), Fault> {
    for ((member, owes), look) in members.iter().zip(owes).zip(looks) {
        let (Some(owes), Some(look)) = (owes, look) else { continue };
        let Standing::Asleep(call) = &look.standing else { continue };
        if !owes.begun {
            return Err(Fault::agent(
                &member.name,
                format!(
                    "was told to do step {} and sleeps in `{}` without having said that it begins",
                    owes.step, call.name
                ),
            ));
        }
        // A meeting by messages is waited for on the connection.
        if !owes.meets && member.control_fd.is_some_and(|descriptor| call.is_wait_on(descriptor)) {
            return Err(Fault::agent(
                &member.name,
                format!("said that it begins step {}, but waits for commands instead of making the call", owes.step),
            ));
        }
    }
    Ok(())
}

/// The name of the call that a look saw, for the history.
pub(super) fn call_name(look: Option<&Look>) -> String {
    match look.map(|look| &look.standing) {
        Some(Standing::Asleep(call)) => call.name.clone(),
        Some(Standing::Stopped) => "stopped".to_owned(),
        _ => String::new(),
    }
}

/// How long rest must last before it counts, where the kernel may have left work to do and that cannot be seen: nanoseconds.
///
/// Loopback delivery runs in the sender's context or, under load, in a kernel worker; delayed acknowledgements come after
/// 40 ms. Where the wait is expected the short grace does; where it would be a finding the long one is kept.
pub(super) const GRACE_EXPECTED_NS: u64 = 20_000_000;
/// See [`GRACE_EXPECTED_NS`].
pub(super) const GRACE_SURPRISE_NS: u64 = 80_000_000;

/// How long a thread of the kernel that has work is waited for: nanoseconds. There may be work without end that is not ours.
const WORKERS_NS: u64 = 1_000_000_000;

/// Whether the kernel will wake nobody of itself, where a plan's mechanisms leave work to it. `grace_ns` is for how long rest has to
/// last (it has lasted `lasted_ns`) where it cannot be seen whether there is any.
pub(super) fn kernel_is_done(plan: &Plan, lane: &mut Lane, lasted_ns: u64, grace_ns: u64) -> bool {
    if !plan.has(Feature::Deferred) {
        return true;
    }
    // Timers that matter are of TCP alone, and its sockets stand in tables of the same names.
    let of_tcp = |mechanism: &Mechanism| matches!(mechanism, Mechanism::Tcp | Mechanism::Tcp6);
    let own = plan.channels.iter().map(|channel| channel.mechanism);
    let tables: BTreeSet<&str> = own.chain([plan.mechanism]).filter(of_tcp).map(|mechanism| mechanism.name()).collect();
    match lane.kernel.look(&Vec::from_iter(tables)) {
        KernelWork { workers: Some(true), .. } if lasted_ns < WORKERS_NS => false,
        KernelWork { workers: Some(false), timers: Some(false) } => true,
        _ => lasted_ns >= grace_ns,
    }
}

/// The pause between looks: short at first, since most calls return at once, longer the longer it takes.
#[derive(Debug)]
pub(super) struct Pause(u64);

impl Pause {
    pub(super) fn new() -> Self {
        Self(20_000)
    }

    pub(super) fn next_ns(&mut self) -> u64 {
        let pause = self.0;
        self.0 = (self.0 * 2).min(1_000_000);
        pause
    }
}
