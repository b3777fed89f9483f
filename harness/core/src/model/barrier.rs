//! The model of a barrier.
//!
//! Rules (POSIX `pthread_barrier_wait()`): nobody leaves before as many as it waits for have come; of each round exactly one is
//! told `PTHREAD_BARRIER_SERIAL_THREAD`. Who dies at it has come all the same.

use super::{Call, Known, Model, Said, Trace, check};
use crate::{finding::Anomaly, plan::PlanChannel, wire::Outcome};
use spec::Operation;

struct Barrier {
    parties: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct State {
    /// How many have come in this round.
    came: u64,
    /// How many of earlier rounds may leave, and be told that they are the one.
    serial: u64,
    /// How many of earlier rounds may leave, and be told that they are not.
    others: u64,
}

#[derive(Debug)]
enum Action {
    Come,
    Leave { serial: bool },
}

pub(super) fn judge(channel: &PlanChannel, trace: &Trace<'_>) -> Said {
    let model = Barrier { parties: channel.options.initial.unwrap_or(2).max(1) };
    match trace.calls.iter().map(actions).collect::<Result<Vec<_>, _>>() {
        Ok(actions) => check(&model, trace, &actions),
        Err(why) => Said::Undecided(why),
    }
}

fn actions(call: &Call<'_>) -> Result<Known<Action>, String> {
    Ok(match (call.operation, call.outcome) {
        (Operation::Arrive(_), Some(Outcome::Count(serial))) => {
            Known::All(vec![Action::Come, Action::Leave { serial: *serial == 1 }])
        }
        (Operation::Arrive(_), None) => Known::Some(vec![Action::Come]),
        (_, Some(Outcome::Failed(_))) => Known::All(Vec::new()),
        (operation, _) => return Err(format!("its model does not know this `{}`", operation.name())),
    })
}

impl Model for Barrier {
    type State = State;
    type Action = Action;

    fn start(&self) -> State {
        State::default()
    }

    fn apply(&self, state: &State, _: usize, action: &Action) -> Vec<State> {
        let mut next = state.clone();
        match action {
            Action::Come => {
                next.came += 1;
                if next.came == self.parties {
                    next = State { came: 0, serial: next.serial + 1, others: next.others + self.parties - 1 };
                }
            }
            Action::Leave { serial } => {
                let free = if *serial { &mut next.serial } else { &mut next.others };
                match free.checked_sub(1) {
                    Some(left) => *free = left,
                    None => return Vec::new(),
                }
            }
        }
        vec![next]
    }

    fn may_sleep(&self, state: &State, _: usize, _: &Call<'_>, done: usize) -> bool {
        done > 0 && state.serial + state.others == 0
    }

    fn explain(&self, states: &[State], _: usize, action: &Action) -> (Anomaly, String) {
        let came = states.iter().map(|state| state.came).max().unwrap_or(0);
        let open = states.iter().any(|state| state.serial + state.others > 0);
        match action {
            Action::Leave { serial } if open => {
                let which =
                    if *serial { "one serial process of a round, which there has been" } else { "a serial process" };
                (Anomaly::WrongValue, which.to_owned())
            }
            _ => (Anomaly::DidNotBlock, format!("it to wait: {came} of {} have come", self.parties)),
        }
    }

    fn describe(&self, state: &State) -> String {
        format!("{} of {} have come, and {} may leave", state.came, self.parties, state.serial + state.others)
    }
}
