//! Operations, outcomes and expectations in the words of the scenario language: for findings, diagrams and portraits.

use crate::wire::{Data, Outcome, Piece, ProcessEnding, Received, Run, SignalReport};
use spec::{
    Operation, operation as arguments_of,
    operation::{Mode, Order},
    scenario::{Ending, Expect, Expected, Parts},
};

/// How many characters of a text are shown.
const TEXT_MAX: usize = 40;

/// A text between quotation marks, with escapes, cut where it is long.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(TEXT_MAX).flat_map(char::escape_debug).collect();
    if text.chars().count() > TEXT_MAX {
        shown.push('…');
    }
    format!("\"{shown}\"")
}

fn payload(text: Option<&str>, size: Option<u64>) -> String {
    match (text, size) {
        (Some(text), _) => quoted(text),
        (None, Some(size)) => size.to_string(),
        (None, None) => String::new(),
    }
}

/// Where and how memory is accessed: `0`, `8 (32 bits, relaxed)`.
fn access(place: Option<u64>, bits: Option<u64>, order: Option<Order>) -> String {
    let how: Vec<String> =
        bits.map(|bits| format!("{bits} bits")).into_iter().chain(order.map(|order| order.word().to_owned())).collect();
    let how = if how.is_empty() { String::new() } else { format!(" ({})", how.join(", ")) };
    format!("{}{how}", place.unwrap_or(0))
}

/// The bytes that a lock covers; `None` for the whole.
fn range(start: Option<u64>, length: Option<u64>) -> Option<String> {
    match (start, length) {
        (None, None) => None,
        (start, None | Some(0)) => Some(format!("{}..", start.unwrap_or(0))),
        (start, Some(length)) => Some(format!("{}..{}", start.unwrap_or(0), start.unwrap_or(0).saturating_add(length))),
    }
}

/// An operation, as short as in a file: `write "hello"`, `receive 64`, `kill reader SIGTERM`.
#[must_use]
pub fn operation(operation: &Operation<u64>) -> String {
    let name = operation.name();
    let arguments = match operation {
        Operation::Write(write) => payload(write.text.as_deref(), write.size),
        Operation::Send(send) => {
            let payload = payload(send.text.as_deref(), send.size);
            send.priority.map_or(payload.clone(), |priority| format!("{payload} priority {priority}"))
        }
        Operation::Read(read) => payload(None, read.size),
        Operation::Receive(receive) => payload(None, receive.size),
        Operation::Fill(fill) => payload(None, fill.size),
        Operation::Lock(lock) => {
            let shared = (lock.mode == Mode::Shared).then(|| "shared".to_owned());
            [shared, range(lock.start, lock.length)].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        Operation::Unlock(unlock) => range(unlock.start, unlock.length).unwrap_or_default(),
        Operation::WaitOn(wait) => payload(None, wait.expected),
        Operation::WaitOnAny(wait) => wait.words.iter().map(u8::to_string).collect::<Vec<_>>().join(", "),
        Operation::Requeue(requeue) => {
            format!("{} to {}", requeue.word.unwrap_or(0), requeue.to.unwrap_or(1))
        }
        Operation::Notify(notify) if notify.all => "all".to_owned(),
        Operation::Notify(notify) => payload(None, notify.count),
        Operation::Store(store) => match (&store.text, store.value) {
            (Some(text), _) => quoted(text),
            (None, value) => {
                let place = store.cell.or(store.at.filter(|_| store.bits.is_some()));
                format!("{} in {}", value.unwrap_or(0), access(Some(place.unwrap_or(0)), store.bits, store.order))
            }
        },
        Operation::Load(load) if load.order.is_some() || load.bits.is_some() => {
            access(load.cell.or(load.at), load.bits, load.order)
        }
        Operation::Load(load) => payload(None, load.cell.or(load.size)),
        Operation::Fence(fence) => fence.order.word().to_owned(),
        Operation::FetchAdd(add) => add.value.unwrap_or(1).to_string(),
        Operation::Resize(resize) => payload(None, resize.size),
        Operation::SetCapacity(set) => payload(None, set.size),
        Operation::Kill(kill) => {
            format!("{} {}", kill.process, kill.signal.as_ref().map_or("SIGKILL", |signal| signal.name()))
        }
        Operation::Sigqueue(queue) => format!(
            "{} {} {}",
            queue.process,
            queue.signal.as_ref().map_or("", |signal| signal.name()),
            queue.value.unwrap_or(0)
        ),
        Operation::Sigaction(action) => action.signal.as_ref().map_or_else(String::new, ToString::to_string),
        Operation::Sigwait(wait) => wait.signals.0.iter().map(|signal| signal.name()).collect::<Vec<_>>().join(" "),
        Operation::Semop(semop) => semop.changes.iter().map(change).collect::<Vec<_>>().join(" "),
        Operation::Seal(seal) => seal.seals.iter().map(|seal| seal.name()).collect::<Vec<_>>().join(" "),
        Operation::Poll(arguments_of::Poll { events, .. })
        | Operation::EpollAdd(arguments_of::EpollAdd { events, .. }) => {
            events.iter().map(|event| event.name()).collect::<Vec<_>>().join(" ")
        }
        Operation::SendHandle(arguments_of::SendHandle { handle, end, .. })
        | Operation::ReceiveHandle(arguments_of::ReceiveHandle { handle, end, .. }) => {
            format!("{handle} ({})", end.name())
        }
        Operation::Fork(fork) => fork.process.clone(),
        Operation::Waitpid(wait) => wait.process.clone().unwrap_or_default(),
        Operation::PidfdOpen(of) | Operation::Setpgid(of) => of.process.clone().unwrap_or_default(),
        Operation::PidfdPoll(poll) => poll.process.clone(),
        Operation::PidfdSendSignal(send) => {
            format!("{} {}", send.process, send.signal.as_ref().map_or("SIGKILL", |signal| signal.name()))
        }
        Operation::SendCredentials(send) => send.process.clone().unwrap_or_default(),
        Operation::MqNotify(notify) => notify.signal.as_ref().map_or_else(String::new, ToString::to_string),
        Operation::Signalfd(signals) => {
            signals.signals.0.iter().map(|signal| signal.name()).collect::<Vec<_>>().join(" ")
        }
        Operation::Exec(exec) => exec.keep.join(" "),
        Operation::Setrlimit(set) => format!("{} {}", set.resource.name(), set.limit.unwrap_or(0)),
        Operation::Exit(exit) => exit.status.unwrap_or(0).to_string(),
        Operation::Enter(section) | Operation::Leave(section) => section.section.clone(),
        Operation::Meet(meeting) => meeting.meeting.clone(),
        _ => String::new(),
    };
    if arguments.is_empty() { name.to_owned() } else { format!("{name} {arguments}") }
}

/// A change of one semaphore: `0:-1`, `1:+2 undo`.
fn change(change: &arguments_of::Change) -> String {
    let undo = if change.undo { " undo" } else { "" };
    format!("{}:{:+}{undo}", change.number.unwrap_or(0), change.add.unwrap_or(0))
}

/// What a call gave: `64 bytes`, `"hello"`, `end`, `EAGAIN`.
#[must_use]
pub fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Done => "done".to_owned(),
        Outcome::Count(count) => count.to_string(),
        Outcome::Received(received) => self::received(received),
        Outcome::Text(text) => quoted(text),
        Outcome::Signals(signals) => {
            if signals.is_empty() {
                "no signal".to_owned()
            } else {
                signals.iter().map(signal).collect::<Vec<_>>().join(", ")
            }
        }
        Outcome::Failed(errno) => errno.to_string(),
    }
}

fn signal(report: &SignalReport) -> String {
    let mut text = report.signal.to_string();
    if let Some(value) = report.value {
        text.push_str(&format!(" {value}"));
    }
    if let Some(from) = &report.from {
        text.push_str(&format!(" from {from}"));
    }
    text
}

/// What reads or receives brought.
#[must_use]
pub fn received(received: &Received) -> String {
    let mut parts: Vec<String> = received.pieces.iter().take(4).map(piece).collect();
    if received.pieces.len() > 4 {
        parts.push(format!("… {} pieces in all", received.pieces.len()));
    }
    if received.ended {
        parts.push("end".to_owned());
    }
    if let Some(errno) = &received.failed {
        parts.push(errno.to_string());
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn piece(piece: &Piece) -> String {
    let mut text = match &piece.data {
        Data::Text(text) => quoted(text),
        Data::Hex(_) => format!("{} bytes", piece.length),
        Data::Runs(runs) => {
            let shown: Vec<String> = runs.iter().take(4).map(run).collect();
            let more = if runs.len() > 4 { format!(", … {} runs", runs.len()) } else { String::new() };
            format!("{} bytes ({}{more})", piece.length, shown.join(", "))
        }
    };
    if let Some(priority) = piece.priority {
        text.push_str(&format!(" priority {priority}"));
    }
    if let Some(number) = piece.r#type {
        text.push_str(&format!(" type {number}"));
    }
    if piece.truncated {
        text.push_str(" truncated");
    }
    text
}

/// Bytes of a stamped message: `sender 2, message 7, bytes 0..64`.
#[must_use]
pub fn run(run: &Run) -> String {
    if run.from == 0 {
        return format!("{} bytes nobody sent", run.length);
    }
    format!("sender {}, message {}, bytes {}..{}", run.from, run.message, run.offset, run.offset + run.length)
}

/// How a process ended.
#[must_use]
pub fn ending(ending: &ProcessEnding) -> String {
    match ending {
        ProcessEnding::Status(status) => format!("exit status {status}"),
        ProcessEnding::Signal(signal) => format!("death by {signal}"),
        ProcessEnding::Unseen => "ended, and how is its parent's to tell".to_owned(),
    }
}

/// How a process was to end.
#[must_use]
pub fn due_ending(ending: &Ending<u64>) -> String {
    match ending {
        Ending::Status(status) => format!("exit status {status}"),
        Ending::Signal(signal) => format!("death by {signal}"),
    }
}

/// What was expected of a step.
#[must_use]
pub fn expect(expect: &Expect<u64>) -> String {
    match expect {
        Expect::Succeeds => "success, without waiting".to_owned(),
        Expect::Gives(expected) => self::expected(expected),
        Expect::Fails(errors) => {
            let names: Vec<&str> = errors.iter().map(spec::Errno::name).collect();
            format!("failure with {}", names.join(" or "))
        }
        Expect::Blocks(_) => "to wait".to_owned(),
        Expect::Dies(signal) => format!("death by {signal}"),
        Expect::Anything => "anything".to_owned(),
    }
}

/// An expected value.
#[must_use]
pub fn expected(expected: &Expected<u64>) -> String {
    match expected {
        Expected::Text(text) => quoted(text),
        Expected::Number(number) => number.to_string(),
        Expected::End => "end".to_owned(),
        Expected::List(list) => list.iter().map(self::expected).collect::<Vec<_>>().join(", "),
        Expected::Parts(parts) => self::parts(parts),
    }
}

fn parts(parts: &Parts<u64>) -> String {
    let mut words: Vec<String> = Vec::new();
    if let Some(text) = &parts.text {
        words.push(quoted(text));
    }
    let numbers = [
        ("size", parts.size),
        ("priority", parts.priority),
        ("type", parts.r#type),
        ("value", parts.value),
        ("at least", parts.at_least),
        ("at most", parts.at_most),
    ];
    words.extend(numbers.iter().filter_map(|(name, number)| number.map(|number| format!("{name} {number}"))));
    let texts = [("from", parts.from.as_deref()), ("code", parts.code.as_deref())];
    words.extend(texts.iter().filter_map(|(name, text)| text.map(|text| format!("{name} {text}"))));
    if let Some(signal) = &parts.signal {
        words.push(signal.to_string());
    }
    match parts.truncated {
        Some(true) => words.push("truncated".to_owned()),
        Some(false) => words.push("not truncated".to_owned()),
        None => {}
    }
    words.join(", ")
}
