//! Faults of readiness: poll, epoll, how much waits, how much fits.

use harness_core::wire::Outcome;
use spec::{
    Mechanism, Operation,
    operation::{Event, Timeout},
};

/// Looks once, however long it was to wait.
pub(super) fn look_once(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    let timeout = match operation {
        Operation::Poll(poll) => &mut poll.timeout,
        Operation::EpollWait(wait) => &mut wait.timeout,
        Operation::PidfdPoll(poll) => &mut poll.timeout,
        _ => return,
    };
    *timeout = Some(Timeout::from_ns(0));
}

/// Says that something can be read where nothing is ready.
pub(super) fn always_ready(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    if !is_look(operation) {
        return outcome;
    }
    match outcome {
        Outcome::Text(text) if text == "nothing" => Outcome::Text("in".to_owned()),
        outcome => outcome,
    }
}

fn is_look(operation: &Operation<u64>) -> bool {
    matches!(operation, Operation::Poll(_) | Operation::EpollWait(_) | Operation::PidfdPoll(_))
}

/// Asks for no event at all.
pub(super) fn ask_for_nothing(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    match operation {
        Operation::Poll(poll) => poll.events.clear(),
        Operation::EpollAdd(add) => add.events.clear(),
        _ => {}
    }
}

/// Asks whether something can be written as well.
pub(super) fn ask_for_room_as_well(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    let events = match operation {
        Operation::Poll(poll) => &mut poll.events,
        Operation::EpollAdd(add) => &mut add.events,
        _ => return,
    };
    if !events.contains(&Event::Out) {
        events.push(Event::Out);
    }
}

/// Reports states where changes were asked for.
pub(super) fn report_levels(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::EpollAdd(add) = operation {
        add.edge = false;
    }
}

/// Reports changes where states were asked for.
pub(super) fn report_edges(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::EpollAdd(add) = operation {
        add.edge = !add.exclusive;
    }
}

/// Reports again what was to be reported once.
pub(super) fn report_again(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::EpollAdd(add) = operation {
        add.oneshot = false;
    }
}

/// Does not tell that the other side has gone.
pub(super) fn hide_hangups(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (is_look(operation), outcome) {
        (true, Outcome::Text(text)) => {
            let words: Vec<&str> =
                text.split(' ').filter(|word| !["hup", "rdhup", "err", "nval"].contains(word)).collect();
            let text = words.join(" ");
            Outcome::Text(if text.is_empty() { "nothing".to_owned() } else { text })
        }
        (_, outcome) => outcome,
    }
}

/// Tells of one byte less than waits.
pub(super) fn tell_less_unread(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::Unread(_), Outcome::Count(count)) => Outcome::Count(count.saturating_sub(1)),
        (_, outcome) => outcome,
    }
}

/// Makes a pipe twice as large as it was to be.
pub(super) fn double_capacity(operation: &mut Operation<u64>, _: Option<Mechanism>) {
    if let Operation::SetCapacity(set) = operation {
        set.size = set.size.map(|size| size.max(4096) * 2);
    }
}

/// Tells of one message more than waits.
pub(super) fn tell_more_messages(operation: &Operation<u64>, outcome: Outcome) -> Outcome {
    match (operation, outcome) {
        (Operation::Attributes(_), Outcome::Count(count)) => Outcome::Count(count + 1),
        (_, outcome) => outcome,
    }
}
