//! The model of a barrier.
//!
//! Rules (POSIX `pthread_barrier_wait()`): nobody leaves before as many as it waits for have come; of each round exactly one is
//! told `PTHREAD_BARRIER_SERIAL_THREAD`. Who dies at it has come all the same.

use super::{Call, Kinds, Known, Mark, Model, Said, Trace, check};
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

#[derive(Clone, Debug)]
enum Action {
    Come,
    Leave { serial: bool },
}

pub(super) fn judge(channel: &PlanChannel, trace: &Trace<'_>) -> Said {
    let model = Barrier { parties: channel.options.initial.unwrap_or(2).max(1) };
    match trace.calls.iter().map(actions).collect::<Result<Vec<_>, _>>() {
        Ok(actions) if model.is_allowed_by_counting(trace, &actions) => Said::Allowed,
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

impl Barrier {
    /// Whether a history is allowed where counting tells: where nobody is seen at rest, and nobody dies, nothing speaks against
    /// everybody's having come as early as he can. `false` says that there is more to look at.
    fn is_allowed_by_counting(&self, trace: &Trace<'_>, actions: &[Known<Action>]) -> bool {
        let mut state = State::default();
        trace.marks.iter().all(|mark| {
            let (call, action) = match mark {
                Mark::Begin(call) => (*call, 0),
                Mark::Return(call) => (*call, 1),
                Mark::Rest { .. } | Mark::Dying(_) | Mark::Dead(_) => return false,
            };
            let Known::All(actions) = &actions[call] else { return false };
            let Some(action) = actions.get(action) else { return true };
            let next = self.apply(&state, trace.calls[call].process, action).pop();
            next.is_some_and(|next| {
                state = next;
                true
            })
        })
    }
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

    /// Only numbers count: who comes earlier takes nothing from anybody, and of those that leave one may as well go for another.
    fn may_precede(&self, _: &State, _: usize, _: &Action) -> Kinds {
        Kinds::MAX
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

#[cfg(test)]
mod tests {
    use super::{Action, Barrier};
    use crate::model::brute::{self, Done};
    use proptest::prelude::*;

    /// What a call did: it came, and mostly it left.
    fn arrive() -> impl Strategy<Value = Vec<Action>> {
        prop_oneof![
            2 => Just(vec![Action::Come, Action::Leave { serial: true }]),
            3 => Just(vec![Action::Come, Action::Leave { serial: false }]),
            1 => Just(vec![Action::Come]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn the_checker_agrees_with_brute_force(calls in brute::calls(arrive(), 7), parties in 1_u64..4) {
            let calls: Vec<Done<Action>> = calls.into_iter().map(brute::flat).collect();
            let model = Barrier { parties };
            let allowed = brute::some_order_is_allowed(&model, &calls);
            prop_assert_eq!(brute::accepts(&model, &calls), allowed);
            let by_counting = brute::with_trace(&calls, |trace, actions| model.is_allowed_by_counting(trace, actions));
            prop_assert_eq!(by_counting, allowed);
        }
    }
}
