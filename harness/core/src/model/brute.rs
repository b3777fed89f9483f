//! The brute force that the checker has to agree with on all small histories: every order that real time allows is tried.

use super::{Known, Mark, Model, Said, Trace, check, trace::Call};
use proptest::prelude::*;
use spec::{Operation, operation::Sigpending};

/// A call for a test: who made it, when, and what it did.
#[derive(Clone, Debug)]
pub(super) struct Done<A> {
    pub(super) process: usize,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) actions: Vec<A>,
}

/// Calls of up to three processes, one after another in each, with random stretches of time.
pub(super) fn calls<A: Clone + std::fmt::Debug + 'static>(
    action: impl Strategy<Value = A> + 'static,
    most: usize,
) -> impl Strategy<Value = Vec<Done<A>>> {
    prop::collection::vec((0_usize..3, 0_u64..4, 0_u64..16, action), 1..=most).prop_map(|drawn| {
        let mut free = [0_u64; 3];
        drawn
            .into_iter()
            .map(|(process, gap, length, action)| {
                let began = free[process] + gap + 1;
                let ended = began + length;
                free[process] = ended;
                Done { process, began, ended, actions: vec![action] }
            })
            .collect()
    })
}

/// A call that was drawn as one action with several parts, as one of several actions.
pub(super) fn flat<A>(call: Done<Vec<A>>) -> Done<A> {
    let Done { process, began, ended, actions } = call;
    Done { process, began, ended, actions: actions.into_iter().flatten().collect() }
}

/// Whether the checker accepts it.
pub(super) fn accepts<M: Model>(model: &M, done: &[Done<M::Action>]) -> bool
where
    M::Action: Clone,
{
    with_trace(done, |trace, actions| match check(model, trace, actions) {
        Said::Allowed => true,
        Said::Violated(_) => false,
        Said::Undecided(why) => panic!("small histories are decided: {why}"),
    })
}

/// What a judge says of it.
pub(super) fn with_trace<A: Clone, R>(done: &[Done<A>], judge: impl FnOnce(&Trace<'_>, &[Known<A>]) -> R) -> R {
    // What the checker asks of an operation is whether it may sleep, and here nobody does.
    let operation = Operation::Sigpending(Sigpending {});
    let calls: Vec<Call<'_>> = done
        .iter()
        .enumerate()
        .map(|(step, done)| Call {
            process: done.process,
            step,
            operation: &operation,
            outcome: None,
            event: step,
            message: 0,
            began: done.began,
            ended: done.ended,
        })
        .collect();
    let mut marks: Vec<(u64, u8, Mark)> = Vec::new();
    for (index, done) in done.iter().enumerate() {
        marks.push((done.began, 0, Mark::Begin(index)));
        marks.push((done.ended, 1, Mark::Return(index)));
    }
    marks.sort_by_key(|(at, order, _)| (*at, *order));
    let marks = marks.into_iter().map(|(_, _, mark)| mark).collect();
    let trace = Trace { calls, marks, one_by_one: false };
    let actions: Vec<Known<A>> = done.iter().map(|done| Known::All(done.actions.clone())).collect();
    judge(&trace, &actions)
}

/// Whether any order of the actions is allowed in which what had returned comes before what began after.
pub(super) fn some_order_is_allowed<M: Model>(model: &M, done: &[Done<M::Action>]) -> bool {
    fn go_on<M: Model>(model: &M, state: &M::State, done: &[Done<M::Action>], progress: &mut Vec<usize>) -> bool {
        if progress.iter().zip(done).all(|(progress, done)| *progress == done.actions.len()) {
            return true;
        }
        for index in 0..done.len() {
            let open = |other: usize| progress[other] < done[other].actions.len();
            let too_early = (0..done.len()).any(|other| open(other) && done[other].ended < done[index].began);
            if !open(index) || too_early {
                continue;
            }
            for next in model.apply(state, done[index].process, &done[index].actions[progress[index]]) {
                progress[index] += 1;
                let found = go_on(model, &next, done, progress);
                progress[index] -= 1;
                if found {
                    return true;
                }
            }
        }
        false
    }
    go_on(model, &model.start(), done, &mut vec![0; done.len()])
}
