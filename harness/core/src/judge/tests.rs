//! Generated histories of a conforming system hold; each planted anomaly is found and named.

use super::Judge;
use crate::{
    Event, History, Plan, Verdict,
    finding::Anomaly,
    plan::{PlanChannel, PlanClaim, PlanProcess, PlanStep},
    wire::{Data, HeldEnd, Outcome, Piece, Received, Run},
};
use proptest::prelude::*;
use spec::{
    Ability, Mechanism, Operation,
    operation::{Section, Send},
    scenario::{Attach, Channel, Claim, ClaimOn, Expect, Grade, Span},
};
use std::collections::BTreeMap;

/// How many bytes the messages of these histories have.
const SIZE: u64 = 64;

fn step(operation: Operation<u64>, channel: Option<usize>) -> PlanStep {
    PlanStep {
        operation,
        channel,
        expect: Expect::Succeeds,
        record: None,
        span: Span::default(),
        expect_span: Span::default(),
    }
}

fn send(priority: u64) -> PlanStep {
    let (text, nonblocking, timeout) = (None, false, None);
    let operation = Operation::Send(Send {
        channel: None,
        text,
        size: Some(SIZE),
        priority: Some(priority),
        r#type: None,
        nonblocking,
        timeout,
    });
    step(operation, Some(0))
}

fn receive() -> PlanStep {
    let operation = Operation::Receive(serde_json::from_str("{}").unwrap());
    step(operation, Some(0))
}

/// A queue, so many senders of so many messages, and receivers.
fn plan(claim: Claim<u64>, processes: Vec<Vec<PlanStep>>) -> Plan {
    Plan {
        id: "ordering/test[posix_mq]".to_owned(),
        scenario: "ordering/test".to_owned(),
        mechanism: Mechanism::PosixMq,
        parameters: BTreeMap::new(),
        title: String::new(),
        cites: Vec::new(),
        attach: Attach::Inherit,
        channels: vec![PlanChannel {
            name: "queue".to_owned(),
            mechanism: Mechanism::PosixMq,
            options: Channel::plain(Ability::Queue),
            stamped: true,
        }],
        processes: (1..)
            .zip(processes)
            .map(|(number, steps)| PlanProcess {
                name: format!("process.{number}"),
                kind: "process".to_owned(),
                number,
                forked_by: None,
                holds: vec![(0, HeldEnd::Both)],
                steps,
            })
            .collect(),
        story: Vec::new(),
        runs: 1,
        race: false,
        orders: spec::scenario::Orders::Free,
        claims: vec![PlanClaim { grade: Grade::Must, claim, span: Span::default() }],
        must_break: None,
        expect_broken: None,
        within_ns: 1,
        source: None,
    }
}

fn on() -> ClaimOn {
    ClaimOn { channel: "queue".to_owned() }
}

/// One call, with the moment at which it takes effect.
#[derive(Clone, Debug)]
struct Call {
    process: usize,
    began: u64,
    ended: u64,
    outcome: Outcome,
}

/// Runs senders and receivers against a priority queue in a random order, each call with a random stretch around its effect.
fn simulate(senders: usize, receivers: usize, priorities: &[u64], choices: &[u8]) -> (Plan, Vec<Call>) {
    let each = priorities.len() / senders;
    let mut steps: Vec<Vec<PlanStep>> = vec![Vec::new(); senders + receivers];
    let mut calls: Vec<Call> = Vec::new();
    let mut queue: Vec<(u64, usize, u32)> = Vec::new();
    let mut free_at = vec![0_u64; senders + receivers];
    let mut sent = vec![0_usize; senders];
    let (mut now, mut received) = (0_u64, 0);
    // The choices seed a generator that never runs dry: everybody gets a turn in the end.
    let mut state = choices.iter().fold(1_u64, |state, choice| state.wrapping_mul(31).wrapping_add(u64::from(*choice)));
    let mut choose = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    while received < senders * each {
        now += 1 + choose(40) as u64;
        let process = choose(senders + receivers);
        let spread = choose(60) as u64;
        let began = now.saturating_sub(spread).max(free_at[process] + 1);
        let after = choose(60) as u64;
        if began > now {
            continue;
        }
        let outcome = if process < senders {
            if sent[process] == each {
                continue;
            }
            let priority = priorities[process * each + sent[process]];
            queue.push((priority, process, u32::try_from(sent[process]).unwrap()));
            sent[process] += 1;
            steps[process].push(send(priority));
            Outcome::Count(SIZE)
        } else {
            let Some(best) = queue.iter().map(|message| message.0).max() else { continue };
            let first = queue.iter().position(|message| message.0 == best).unwrap();
            let (priority, sender, message) = queue.remove(first);
            received += 1;
            steps[process].push(receive());
            Outcome::Received(Received {
                pieces: vec![Piece {
                    length: SIZE,
                    data: Data::Runs(vec![Run {
                        from: u8::try_from(sender + 1).unwrap(),
                        message,
                        offset: 0,
                        length: u32::try_from(SIZE).unwrap(),
                    }]),
                    priority: Some(priority),
                    r#type: None,
                    truncated: false,
                }],
                ended: false,
                failed: None,
            })
        };
        free_at[process] = now + after;
        calls.push(Call { process, began, ended: now + after, outcome });
    }
    (plan(Claim::Complete(on()), steps), calls)
}

/// A history of calls, told in the order of their ends.
fn history(calls: &[Call]) -> History {
    let mut next: BTreeMap<usize, usize> = BTreeMap::new();
    let mut numbered: Vec<(usize, &Call)> = calls
        .iter()
        .map(|call| {
            let step = next.entry(call.process).or_default();
            *step += 1;
            (*step - 1, call)
        })
        .collect();
    numbered.sort_by_key(|(_, call)| call.ended);
    let events = numbered
        .into_iter()
        .flat_map(|(step, call)| {
            let Call { process, began, ended, outcome } = call.clone();
            [Event::Began { process, step, at: began }, Event::Returned { process, step, began, ended, outcome }]
        })
        .collect();
    History { run: 0, events }
}

/// What a claim, and no other, says of a history.
fn judge(plan: &Plan, claim: Claim<u64>, calls: &[Call]) -> (Verdict, Option<Anomaly>) {
    let name = claim.name();
    let plan = Plan { claims: vec![PlanClaim { grade: Grade::Must, claim, span: Span::default() }], ..plan.clone() };
    let mut judge = Judge::new(&plan);
    judge.add(&history(calls));
    let judgement = judge.finish();
    let finding = judgement.findings.iter().find(|finding| finding.claim == name).expect("each claim has its finding");
    (finding.verdict, finding.anomaly)
}

/// What the model of the mechanism says of a history.
fn model(plan: &Plan, calls: &[Call]) -> Option<Anomaly> {
    let mut violations = crate::model::judge(plan, &history(calls)).violations;
    violations.pop().map(|violation| violation.anomaly)
}

fn run_of(call: &mut Call) -> Option<&mut Run> {
    match &mut call.outcome {
        Outcome::Received(received) => match &mut received.pieces[0].data {
            Data::Runs(runs) => Some(&mut runs[0]),
            _ => None,
        },
        _ => None,
    }
}

fn receives(calls: &[Call]) -> Vec<usize> {
    (0..calls.len()).filter(|index| matches!(calls[*index].outcome, Outcome::Received(_))).collect()
}

fn system() -> impl Strategy<Value = (Plan, Vec<Call>)> {
    (1_usize..4, 1_usize..4, prop::collection::vec(0_u64..3, 6..40), prop::collection::vec(any::<u8>(), 20..200))
        .prop_map(|(senders, receivers, priorities, choices)| simulate(senders, receivers, &priorities, &choices))
}

/// The same with one receiver and one priority: a plain FIFO queue whose order shows.
fn fifo() -> impl Strategy<Value = (Plan, Vec<Call>)> {
    (1_usize..4, 6_usize..30, prop::collection::vec(any::<u8>(), 20..200))
        .prop_map(|(senders, messages, choices)| simulate(senders, 1, &vec![0; messages], &choices))
}

proptest! {
    #[test]
    fn a_conforming_system_holds_all_claims((plan, calls) in system()) {
        for claim in [Claim::Complete(on()), Claim::ExactlyOnce(on()), Claim::Whole(on())] {
            prop_assert_eq!(judge(&plan, claim, &calls), (Verdict::Held, None));
        }
        // With little traffic nothing may have been comparable.
        let (verdict, _) = judge(&plan, Claim::ByPriority(on()), &calls);
        prop_assert!(verdict == Verdict::Held || verdict == Verdict::Vacuous);
        prop_assert_eq!(model(&plan, &calls), None);
    }

    #[test]
    fn a_fifo_keeps_each_senders_order((plan, calls) in fifo()) {
        let (verdict, _) = judge(&plan, Claim::InOrder(on()), &calls);
        prop_assert!(verdict == Verdict::Held || verdict == Verdict::Vacuous);
    }

    #[test]
    fn a_lost_message_is_found((plan, mut calls) in system(), pick in any::<prop::sample::Index>()) {
        let received = receives(&calls);
        // Its receiver got nothing instead: the call never happened.
        calls.remove(received[pick.index(received.len())]);
        prop_assert_eq!(judge(&plan, Claim::Complete(on()), &calls), (Verdict::Broken, Some(Anomaly::Lost)));
    }

    #[test]
    fn a_duplicate_is_found((plan, mut calls) in system(), pick in any::<prop::sample::Index>()) {
        let received = receives(&calls);
        prop_assume!(received.len() > 1);
        let index = pick.index(received.len() - 1);
        let copy = calls[received[index]].outcome.clone();
        calls[received[index + 1]].outcome = copy;
        prop_assert_eq!(judge(&plan, Claim::ExactlyOnce(on()), &calls), (Verdict::Broken, Some(Anomaly::Duplicated)));
    }

    #[test]
    fn a_swap_of_one_senders_messages_is_found((plan, mut calls) in fifo()) {
        let received = receives(&calls);
        let first = received[0];
        let one = *run_of(&mut calls[first]).unwrap();
        let of_same = |call: &&usize| run_of(&mut calls[**call].clone()).is_some_and(|run| run.from == one.from);
        let second = *received.iter().rev().find(of_same).unwrap();
        let two = *run_of(&mut calls[second]).unwrap();
        prop_assume!(one.message != two.message);
        run_of(&mut calls[first]).unwrap().message = two.message;
        run_of(&mut calls[second]).unwrap().message = one.message;
        prop_assert_eq!(judge(&plan, Claim::InOrder(on()), &calls), (Verdict::Broken, Some(Anomaly::Reordered)));
    }

    #[test]
    fn a_cut_message_is_found((plan, mut calls) in system(), pick in any::<prop::sample::Index>()) {
        let received = receives(&calls);
        run_of(&mut calls[received[pick.index(received.len())]]).unwrap().length = 8;
        prop_assert_eq!(judge(&plan, Claim::Whole(on()), &calls), (Verdict::Broken, Some(Anomaly::Truncated)));
        prop_assert_eq!(judge(&plan, Claim::Complete(on()), &calls), (Verdict::Broken, Some(Anomaly::Truncated)));
    }

    #[test]
    fn a_merged_message_is_found((plan, mut calls) in system(), pick in any::<prop::sample::Index>()) {
        let received = receives(&calls);
        let index = received[pick.index(received.len())];
        if let Outcome::Received(received) = &mut calls[index].outcome
            && let Data::Runs(runs) = &mut received.pieces[0].data
        {
            let extra = Run { message: runs[0].message + 1, ..runs[0] };
            runs.push(extra);
        }
        prop_assert_eq!(judge(&plan, Claim::Whole(on()), &calls), (Verdict::Broken, Some(Anomaly::Merged)));
    }

    #[test]
    fn bytes_that_nobody_sent_are_found((plan, mut calls) in system(), pick in any::<prop::sample::Index>()) {
        let received = receives(&calls);
        run_of(&mut calls[received[pick.index(received.len())]]).unwrap().from = 0;
        prop_assert_eq!(judge(&plan, Claim::ExactlyOnce(on()), &calls), (Verdict::Broken, Some(Anomaly::Corrupted)));
    }

    #[test]
    fn a_message_received_before_it_was_sent_is_found((plan, mut calls) in system()) {
        let last_end = calls.iter().map(|call| call.ended).max().unwrap();
        let received = receives(&calls);
        let run = *run_of(&mut calls[received[0]]).unwrap();
        let process = usize::from(run.from) - 1;
        // All of that sender's calls are moved to after the end.
        for call in calls.iter_mut().filter(|call| call.process == process) {
            call.began += last_end + 1;
            call.ended += last_end + 1;
        }
        prop_assert_eq!(judge(&plan, Claim::ExactlyOnce(on()), &calls), (Verdict::Broken, Some(Anomaly::Phantom)));
    }
}

#[test]
fn a_message_overtaken_by_one_of_lower_priority_is_found() {
    let received = |message: u32, priority: u64| {
        let run = Run { from: 1, message, offset: 0, length: 64 };
        let piece = Piece {
            length: SIZE,
            data: Data::Runs(vec![run]),
            priority: Some(priority),
            r#type: None,
            truncated: false,
        };
        Outcome::Received(Received { pieces: vec![piece], ended: false, failed: None })
    };
    let call = |process, began, outcome| Call { process, began, ended: began + 1, outcome };
    let calls = |first: u32, second: u32| {
        let priority = |message: u32| [1, 5][message as usize];
        vec![
            call(0, 10, Outcome::Count(SIZE)),
            call(0, 20, Outcome::Count(SIZE)),
            call(1, 30, received(first, priority(first))),
            call(1, 40, received(second, priority(second))),
        ]
    };
    let plan = plan(Claim::ByPriority(on()), vec![vec![send(1), send(5)], vec![receive(), receive()]]);
    let claim = || Claim::ByPriority(on());
    assert_eq!(judge(&plan, claim(), &calls(1, 0)), (Verdict::Held, None));
    assert_eq!(judge(&plan, claim(), &calls(0, 1)), (Verdict::Broken, Some(Anomaly::PriorityInverted)));
}

#[test]
fn what_is_known_to_break_is_no_news_and_that_it_holds_is() {
    let exit = |text: &str| Operation::<u64>::Exit(serde_json::from_str(text).expect("arguments decode"));
    let mut plan = plan(Claim::Finishes, vec![vec![step(exit("{}"), None)]]);
    plan.expect_broken = Some("it differs (a page)".to_owned());
    let conclude = |events: Vec<Event>| {
        let mut judge = Judge::new(&plan);
        judge.add(&History { run: 0, events });
        super::conclude(&plan, judge.finish(), None).verdict
    };
    assert_eq!(conclude(vec![Event::Stuck { at: 1, waiting: Vec::new() }]), Verdict::Held);
    assert_eq!(conclude(Vec::new()), Verdict::Broken);
}

proptest! {
    #[test]
    fn exclusion_holds_where_stays_are_apart_and_breaks_where_they_overlap(
        lengths in prop::collection::vec((1_u64..50, 1_u64..50, 0_usize..3), 3..20),
        overlap in any::<bool>(),
    ) {
        let section = || Section { section: "room".to_owned() };
        let mut steps: Vec<Vec<PlanStep>> = vec![Vec::new(); 3];
        let (mut now, mut calls) = (10_u64, Vec::new());
        for (gap, stay, process) in &lengths {
            now += gap;
            for (operation, at) in [(Operation::Enter(section()), now), (Operation::Leave(section()), now + stay)] {
                steps[*process].push(step(operation, None));
                calls.push(Call { process: *process, began: at, ended: at, outcome: Outcome::Done });
            }
            now += stay;
        }
        let processes: std::collections::BTreeSet<usize> = lengths.iter().map(|(_, _, process)| *process).collect();
        prop_assume!(processes.len() > 1);
        if overlap {
            // The second stay of another process begins while the first lasts.
            let other = (2..calls.len()).step_by(2).find(|index| calls[*index].process != calls[index - 2].process).unwrap();
            calls[other].began = calls[other - 2].ended;
            calls[other].ended = calls[other - 2].ended;
        }
        let plan = plan(Claim::Excludes("room".to_owned()), steps);
        let expected = if overlap { (Verdict::Broken, Some(Anomaly::BrokenExclusion)) } else { (Verdict::Held, None) };
        prop_assert_eq!(judge(&plan, Claim::Excludes("room".to_owned()), &calls), expected);
    }
}
