//! The model of queues of messages: by arrival, by priority, by type, and lossy ones.
//!
//! Rules: a message is received whole, once, and in order of its sending; of a POSIX queue the one of highest priority first, and of
//! equal ones the oldest (POSIX `mq_receive()`); of a System V queue the first of a type, or the first of the lowest type up to
//! one (POSIX `msgrcv()`). A receive fails with `EAGAIN` or `ENOMSG`, or waits, only while there is none to receive, a send only
//! while there is no room. A datagram of UDP may be lost and may overtake others (RFC 768), but is neither torn nor doubled on
//! the loopback interface. The end of a connection is reported once nobody can send and all is received.

use super::{
    Call, Known, Mark, Model, Said, Trace, Violation, check,
    long_queue::{self, Found, Interval, Passage},
};
use crate::{
    Plan,
    finding::Anomaly,
    stamp,
    wire::{Data, HeldEnd, Outcome, Piece},
};
use spec::{
    Mechanism, Operation,
    operation::{Direction, End, Receive},
    scenario::Attach,
    vocabulary::Feature,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Bytes that are one packet of a pipe on every system: the least that `PIPE_BUF` may be.
const PACKET_LEAST: u64 = 512;

/// Histories of more calls than this are judged by patterns.
const LONG: usize = 400;

/// In which order messages are received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Discipline {
    Arrival,
    Priority,
    Type,
    /// In any, and some not at all.
    Lossy,
}

/// A message, as it was sent.
#[derive(Clone, Debug)]
struct Message {
    from: u8,
    number: u32,
    length: u64,
    text: Option<String>,
    priority: u64,
    kind: u64,
    /// Which end of a two-way channel receives it.
    to: usize,
    /// When the call began that received it, and when it returned; never, where none did.
    received: Option<(u64, u64)>,
    /// Whether a receive that began after it was sent found nothing: then it is gone, where nobody received it.
    missed: bool,
}

/// Which messages a receive asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selector {
    Any,
    Kind(u64),
    UpTo(u64),
    Except(u64),
}

#[derive(Clone, Debug)]
enum Action {
    Put(usize),
    /// One of these is taken, or looked at.
    Take {
        any_of: Vec<usize>,
        to: usize,
        selector: Selector,
        peek: bool,
    },
    /// It was received otherwise than it was sent.
    Spoiled(Anomaly, String),
    /// There is none to receive.
    Nothing {
        to: usize,
        selector: Selector,
    },
    /// There is no room.
    Full {
        to: usize,
    },
    End {
        to: usize,
    },
    Count(u64),
    /// A process can no longer send.
    CloseToSend {
        process: usize,
        to: usize,
    },
    /// Nobody can send this way any more.
    Shutdown {
        to: usize,
    },
}

struct Queue {
    discipline: Discipline,
    /// How many messages it holds, where that is known.
    capacity: Option<usize>,
    messages: Vec<Message>,
    /// Who can send to each end at the start; `None` where that is not followed.
    senders: Option<[BTreeSet<usize>; 2]>,
    /// Whether the end of sending is reported to receivers.
    has_end: bool,
    /// Whether what was sent may still be on its way when the sender's call has returned.
    deferred: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    /// Messages in the order of their arrival.
    content: Vec<usize>,
    senders: [BTreeSet<usize>; 2],
}

pub(super) fn judge(plan: &Plan, index: usize, trace: &Trace<'_>) -> Said {
    let channel = &plan.channels[index];
    let mechanism = channel.mechanism;
    let is_object = matches!(mechanism, Mechanism::PosixMq | Mechanism::SysvMsg);
    let by_name = plan.attach == Attach::ByName && channel.options.made_of.is_none();
    if by_name && !(is_object && channel.options.exists) {
        return Said::Undecided("processes make it themselves".to_owned());
    }
    let translation = Translation::of(plan, index, trace);
    let long = |message: &Message| message.length > PACKET_LEAST;
    if mechanism == Mechanism::PacketPipe && translation.messages.iter().any(long) {
        return Said::Undecided("a pipe splits what is longer than a packet".to_owned());
    }
    match translation.actions(trace) {
        Ok((model, actions)) if trace.calls.len() > LONG => {
            by_patterns(&model, trace, &actions).unwrap_or_else(|| check(&model, trace, &actions))
        }
        Ok((model, actions)) => check(&model, trace, &actions),
        Err(why) => Said::Undecided(why),
    }
}

/// What a long history is, where it is nothing but sends and receives of distinct messages.
struct Passages {
    /// The call that sent each message, and the one that received it.
    sends: Vec<Option<usize>>,
    receives: Vec<Option<usize>>,
    /// What was asked for by receives that took a message.
    selectors: Vec<(usize, Selector)>,
    /// The receives that found nothing, and what they asked for.
    empty: Vec<(usize, Selector)>,
}

/// Judges a long history by the patterns that no correct one has; `None` where it has more in it than sends and receives of
/// distinct messages.
fn by_patterns(model: &Queue, trace: &Trace<'_>, actions: &[Known<Action>]) -> Option<Said> {
    let passages = match passages(model, trace, actions)? {
        Ok(passages) => passages,
        Err(twice) => return Some(Said::Violated(vec![shown(trace, twice, Anomaly::Duplicated)])),
    };
    let interval = |call: usize| Interval { began: trace.calls[call].began, ended: trace.calls[call].ended };
    for (kind, messages) in in_one_order(model, &passages)? {
        let of_these: Vec<Passage> = messages
            .iter()
            .map(|message| {
                let sent = interval(passages.sends[*message]?);
                let received = passages.receives[*message].map(interval);
                Some(Passage { priority: model.messages[*message].priority, sent, received })
            })
            .collect::<Option<_>>()?;
        let asked = |selector: Selector| selector == Selector::Any || kind.map(Selector::Kind) == Some(selector);
        let empty: Vec<Interval> =
            passages.empty.iter().filter(|(_, selector)| asked(*selector)).map(|(call, _)| interval(*call)).collect();
        let found = match model.discipline {
            Discipline::Priority => long_queue::by_priority(&of_these),
            _ => long_queue::by_arrival(&of_these, &empty),
        };
        match found {
            Found::Nothing => {}
            Found::TooWide => return Some(Said::Undecided("too many calls overlap".to_owned())),
            Found::Wrong(anomaly, message) => {
                let message = messages[message];
                let call = passages.receives[message].or(passages.sends[message])?;
                return Some(Said::Violated(vec![shown(trace, call, anomaly)]));
            }
        }
    }
    Some(Said::Allowed)
}

/// The passages of messages; an error where a message was received twice, with the call that shows it.
fn passages(model: &Queue, trace: &Trace<'_>, actions: &[Known<Action>]) -> Option<Result<Passages, usize>> {
    let messages = model.messages.len();
    let (sends, receives) = (vec![None; messages], vec![None; messages]);
    let mut passages = Passages { sends, receives, selectors: Vec::new(), empty: Vec::new() };
    for (call, known) in actions.iter().enumerate() {
        match (known.actions(), trace.calls[call].outcome.is_some()) {
            ([], _) => {}
            ([Action::Put(message)], _) => passages.sends[*message] = Some(call),
            ([Action::Take { any_of, selector, peek: false, .. }], true) if any_of.len() == 1 => {
                if passages.receives[any_of[0]].replace(call).is_some() {
                    return Some(Err(call));
                }
                passages.selectors.push((any_of[0], *selector));
            }
            ([Action::Nothing { selector, .. }], true) => passages.empty.push((call, *selector)),
            _ => return None,
        }
    }
    model.messages.iter().all(|message| message.to == 0).then_some(Ok(passages))
}

/// The messages that go through in one order: all of them, or of a System V queue those of a type, where each receive asked for one.
fn in_one_order(model: &Queue, passages: &Passages) -> Option<BTreeMap<Option<u64>, Vec<usize>>> {
    let asked = || {
        passages
            .selectors
            .iter()
            .map(|(_, selector)| selector)
            .chain(passages.empty.iter().map(|(_, selector)| selector))
    };
    let any = asked().all(|selector| *selector == Selector::Any);
    let by_type = asked().all(|selector| matches!(selector, Selector::Kind(_)));
    let matching = |(message, selector): &(usize, Selector)| *selector == Selector::Kind(model.messages[*message].kind);
    let mut groups: BTreeMap<Option<u64>, Vec<usize>> = BTreeMap::new();
    match model.discipline {
        Discipline::Arrival | Discipline::Priority | Discipline::Type if any => {
            groups.insert(None, (0..model.messages.len()).collect());
        }
        Discipline::Type if by_type && passages.selectors.iter().all(matching) => {
            for (index, message) in model.messages.iter().enumerate() {
                groups.entry(Some(message.kind)).or_default().push(index);
            }
        }
        _ => return None,
    }
    Some(groups)
}

fn shown(trace: &Trace<'_>, call: usize, anomaly: Anomaly) -> Violation {
    let Call { process, step, event, .. } = trace.calls[call];
    let allowed = match anomaly {
        Anomaly::Duplicated => "each message once",
        Anomaly::Lost => "this message, which waited while a receive found nothing",
        Anomaly::Phantom => "a message that had been sent",
        _ => "this message before others that were sent or received",
    };
    Violation { anomaly, process, step, event, allowed: allowed.to_owned(), slept: false, follows: false }
}

/// How calls become actions.
struct Translation<'p> {
    plan: &'p Plan,
    index: usize,
    messages: Vec<Message>,
    /// The messages of each call.
    sent: Vec<Vec<usize>>,
    /// What was received that is no message from its beginning.
    rests: Rests,
    /// The place of each message, by its writer and number.
    places: HashMap<(u8, u32), usize>,
}

impl<'p> Translation<'p> {
    fn of(plan: &'p Plan, index: usize, trace: &Trace<'_>) -> Self {
        let (messages, sent, rests) = (Vec::new(), Vec::new(), Rests::of(trace));
        let mut translation = Self { plan, index, messages, sent, rests, places: HashMap::new() };
        for call in &trace.calls {
            let messages = translation.sent_by(call);
            let first = translation.messages.len();
            translation.messages.extend(messages);
            translation.sent.push((first..translation.messages.len()).collect());
        }
        let keys = translation.messages.iter().map(|message| (message.from, message.number));
        translation.places = keys.zip(0..).collect();
        translation
    }

    /// The messages whose stamps say so, as far as they tell: short messages look alike after a while.
    fn stamped(&self, from: u8, number: u32, length: u64) -> Vec<usize> {
        let told = stamp::distinct(length);
        let numbers = (number % told..).step_by(usize::try_from(told).unwrap_or(1));
        numbers.map_while(|number| self.places.get(&(from, number)).copied()).collect()
    }

    /// Which end of a two-way channel a process holds.
    fn end_of(&self, process: usize) -> usize {
        let held = &self.plan.processes[process].holds;
        usize::from(held.iter().any(|(channel, end)| *channel == self.index && *end == HeldEnd::Second))
    }

    /// Which end receives what a process sends. A one-way channel has but one.
    fn receiver_of(&self, process: usize) -> usize {
        let two_way = self.plan.processes[process]
            .holds
            .iter()
            .any(|(channel, end)| *channel == self.index && matches!(end, HeldEnd::First | HeldEnd::Second));
        if two_way { 1 - self.end_of(process) } else { 0 }
    }

    fn sent_by(&self, call: &Call<'_>) -> Vec<Message> {
        let message =
            |number: u32, length: u64, text: Option<String>, priority: Option<u64>, kind: Option<u64>| Message {
                from: self.plan.processes[call.process].number,
                number: call.message + number,
                length,
                text,
                priority: priority.unwrap_or(0),
                kind: kind.unwrap_or(1),
                to: self.receiver_of(call.process),
                received: None,
                missed: false,
            };
        match (call.operation, call.outcome) {
            (Operation::Send(send), None | Some(Outcome::Done | Outcome::Count(_))) => {
                let length = send.size.unwrap_or_else(|| send.text.as_ref().map_or(0, |text| text.len() as u64));
                // A pipe has no empty packets (Linux `pipe(2)`).
                if length == 0 && self.plan.channels[self.index].mechanism == Mechanism::PacketPipe {
                    return Vec::new();
                }
                vec![message(0, length, send.text.clone(), send.priority, send.r#type)]
            }
            (Operation::Fill(fill), Some(Outcome::Count(count))) => (0..u32::try_from(*count).unwrap_or(u32::MAX))
                .map(|number| message(number, fill.size.unwrap_or(1), None, None, None))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn actions(mut self, trace: &Trace<'_>) -> Result<(Queue, Vec<Known<Action>>), String> {
        let channel = &self.plan.channels[self.index];
        let mechanism = channel.mechanism;
        let mut actions = Vec::with_capacity(trace.calls.len());
        let mut follow_senders = !super::holders_change(self.plan, channel);
        let sent = std::mem::take(&mut self.sent);
        for (call, sent) in trace.calls.iter().zip(&sent) {
            follow_senders &= !matches!(call.operation, Operation::Open(_));
            actions.push(self.actions_of(call, sent)?);
        }
        self.note_missed(trace, &sent);
        let mut senders = [BTreeSet::new(), BTreeSet::new()];
        for (process, planned) in self.plan.processes.iter().enumerate() {
            for (_, end) in planned.holds.iter().filter(|(channel, _)| *channel == self.index) {
                match end {
                    HeldEnd::Write | HeldEnd::Both => senders[0].insert(process),
                    HeldEnd::First => senders[1].insert(process),
                    HeldEnd::Second => senders[0].insert(process),
                    HeldEnd::Read | HeldEnd::Nothing => false,
                };
            }
        }
        let model = Queue {
            discipline: match mechanism {
                Mechanism::PosixMq => Discipline::Priority,
                Mechanism::SysvMsg => Discipline::Type,
                _ if mechanism.has(Feature::Lossy) => Discipline::Lossy,
                _ => Discipline::Arrival,
            },
            capacity: channel
                .options
                .capacity
                .filter(|_| mechanism.has(Feature::Capacity))
                .and_then(|capacity| usize::try_from(capacity).ok()),
            messages: self.messages,
            senders: follow_senders.then_some(senders),
            has_end: mechanism.has(Feature::End),
            deferred: mechanism.has(Feature::Deferred),
        };
        Ok((model, actions))
    }

    /// Notes which messages nobody received though somebody asked for them later, and found nothing.
    fn note_missed(&mut self, trace: &Trace<'_>, sent: &[Vec<usize>]) {
        let asleep: BTreeSet<usize> = trace
            .marks
            .iter()
            .filter_map(|mark| match mark {
                Mark::Rest { asleep, .. } => Some(asleep),
                _ => None,
            })
            .flatten()
            .copied()
            .collect();
        let found_nothing = |(index, call): (usize, &Call<'_>)| {
            let Operation::Receive(receive) = call.operation else { return None };
            let nothing = match call.outcome {
                Some(Outcome::Failed(errno)) => ["EAGAIN", "ENOMSG", "ETIMEDOUT"].contains(&errno.name()),
                Some(Outcome::Received(received)) => receive.until.is_some() && received.failed.is_none(),
                None => asleep.contains(&index),
                Some(_) => false,
            };
            (nothing && selector(receive) == Selector::Any).then_some(call.began)
        };
        let last = trace.calls.iter().enumerate().filter_map(found_nothing).max();
        for (call, messages) in trace.calls.iter().zip(sent) {
            for message in messages {
                self.messages[*message].missed = last.is_some_and(|began| call.ended < began);
            }
        }
    }

    fn actions_of(&mut self, call: &Call<'_>, sent: &[usize]) -> Result<Known<Action>, String> {
        let errno = match call.outcome {
            Some(Outcome::Failed(errno)) => Some(errno.name()),
            _ => None,
        };
        let (process, to) = (call.process, self.end_of(call.process));
        let toward = self.receiver_of(process);
        let puts = || sent.iter().map(|message| Action::Put(*message)).collect();
        let actions = match (call.operation, call.outcome, errno) {
            (Operation::Send(_), None, _) => return Ok(Known::Some(puts())),
            (Operation::Send(_) | Operation::Fill(_), Some(_), Some("EAGAIN" | "ETIMEDOUT" | "ENOBUFS")) => {
                vec![Action::Full { to: toward }]
            }
            (Operation::Fill(_), Some(_), None) => puts().into_iter().chain([Action::Full { to: toward }]).collect(),
            (Operation::Send(_), Some(_), None) => puts(),
            (Operation::Receive(receive), Some(Outcome::Received(received)), _) => {
                let mut actions = Vec::new();
                for piece in &received.pieces {
                    actions.push(self.taken(call, receive, piece, to));
                }
                if received.ended {
                    actions.push(Action::End { to });
                } else if receive.until.is_some() && received.failed.is_none() {
                    actions.push(Action::Nothing { to, selector: selector(receive) });
                }
                actions
            }
            (Operation::Receive(receive), Some(_), Some("EAGAIN" | "ENOMSG" | "ETIMEDOUT")) => {
                vec![Action::Nothing { to, selector: selector(receive) }]
            }
            // What it may have taken before it died, nobody knows.
            (Operation::Receive(receive), None, _) => {
                let any_of = (0..self.messages.len()).collect();
                return Ok(Known::Some(vec![Action::Take {
                    any_of,
                    to,
                    selector: selector(receive),
                    peek: receive.peek,
                }]));
            }
            (Operation::Attributes(_), Some(Outcome::Count(count)), _) => vec![Action::Count(*count)],
            (Operation::Close(close), Some(_), None) if close.end != Some(End::Read) => {
                vec![Action::CloseToSend { process, to: toward }]
            }
            (Operation::Shutdown(shutdown), Some(_), None) if shutdown.direction == Direction::Write => {
                vec![Action::Shutdown { to: toward }]
            }
            (Operation::Open(open), _, None) if !open.create => Vec::new(),
            (
                Operation::Close(_)
                | Operation::Poll(_)
                | Operation::EpollAdd(_)
                | Operation::SetNonblocking(_)
                | Operation::Unread(_)
                | Operation::SetCapacity(_),
                ..,
            )
            | (_, _, Some(_)) => Vec::new(),
            (operation, ..) => return Err(format!("its model does not know this `{}`", operation.name())),
        };
        Ok(Known::All(actions))
    }

    /// What a received piece says: which messages it may be, or that it is none of them.
    fn taken(&mut self, call: &Call<'_>, receive: &Receive<u64>, piece: &Piece, to: usize) -> Action {
        let (run_from, run_number) = match &piece.data {
            Data::Runs(runs) => match runs.as_slice() {
                [] => (None, None),
                [run] if run.from == 0 => {
                    return Action::Spoiled(Anomaly::Corrupted, "bytes that somebody sent".to_owned());
                }
                [run] if run.offset != 0 => {
                    return Action::Spoiled(Anomaly::Torn, "a message from its beginning".to_owned());
                }
                [run] => (Some(run.from), Some(run.message)),
                runs if runs.iter().any(|run| run.from == 0) => {
                    return Action::Spoiled(Anomaly::Corrupted, "bytes that somebody sent".to_owned());
                }
                _ => return Action::Spoiled(Anomaly::Merged, "one message".to_owned()),
            },
            _ => (None, None),
        };
        let received_length = |message: &Message| receive.size.map_or(message.length, |size| message.length.min(size));
        let is_it = |message: &Message| match &piece.data {
            Data::Text(text) => {
                message.text.as_ref().is_some_and(|sent| sent.starts_with(text.as_str()))
                    && piece.length == received_length(message)
            }
            // Nothing but a length.
            _ => received_length(message) == piece.length,
        };
        let any_of: Vec<usize> = match run_from.zip(run_number) {
            Some((from, number)) => self.stamped(from, number, piece.length),
            None => (0..self.messages.len()).filter(|message| is_it(&self.messages[*message])).collect(),
        };
        let Some(first) = any_of.first().map(|first| self.messages[*first].clone()) else {
            return Action::Spoiled(self.why_none(piece), "a message that was sent".to_owned());
        };
        let due = received_length(&first);
        if run_from.is_some() && piece.length != due {
            let anomaly = match piece.length < due {
                true if self.rests.has_stamps(&first, piece.length) => Anomaly::Torn,
                true => Anomaly::Truncated,
                false => Anomaly::Corrupted,
            };
            return Action::Spoiled(anomaly, format!("all {due} bytes of it"));
        }
        if any_of.len() == 1 {
            if piece.priority.is_some_and(|priority| priority != first.priority) {
                return Action::Spoiled(Anomaly::WrongValue, format!("its priority {}", first.priority));
            }
            if piece.r#type.is_some_and(|kind| kind != first.kind) {
                return Action::Spoiled(Anomaly::WrongValue, format!("its type {}", first.kind));
            }
            if !receive.peek {
                self.messages[any_of[0]].received = Some((call.began, call.ended));
            }
        }
        Action::Take { any_of, to, selector: selector(receive), peek: receive.peek }
    }

    /// Why a text is none of those that were sent: a part of one, several, or none at all.
    fn why_none(&self, piece: &Piece) -> Anomaly {
        let Data::Text(text) = &piece.data else { return Anomaly::Phantom };
        let mut texts = self.messages.iter().filter_map(|message| message.text.as_deref());
        let begun = |sent: &str| sent.starts_with(text.as_str());
        if texts.clone().any(|sent| begun(sent) && self.rests.has_text(&sent[text.len()..])) {
            Anomaly::Torn
        } else if texts.clone().any(begun) {
            Anomaly::Truncated
        } else if texts.clone().any(|sent| sent.contains(text.as_str())) {
            Anomaly::Torn
        } else if texts.any(|sent| !sent.is_empty() && text.starts_with(sent)) {
            Anomaly::Merged
        } else {
            Anomaly::Corrupted
        }
    }
}

/// Parts of messages that were received by themselves.
#[derive(Debug, Default)]
struct Rests {
    texts: BTreeSet<String>,
    /// Sender, message and offset.
    stamps: BTreeSet<(u8, u32, u64)>,
}

impl Rests {
    fn of(trace: &Trace<'_>) -> Self {
        let mut rests = Self::default();
        let pieces = trace.calls.iter().filter_map(|call| match call.outcome {
            Some(Outcome::Received(received)) => Some(&received.pieces),
            _ => None,
        });
        for piece in pieces.flatten() {
            match &piece.data {
                Data::Text(text) => {
                    rests.texts.insert(text.clone());
                }
                Data::Runs(runs) => {
                    let later = runs.first().filter(|run| run.offset > 0);
                    rests.stamps.extend(later.map(|run| (run.from, run.message, u64::from(run.offset))));
                }
                Data::Hex(_) => {}
            }
        }
        rests
    }

    fn has_text(&self, text: &str) -> bool {
        !text.is_empty() && self.texts.contains(text)
    }

    fn has_stamps(&self, message: &Message, offset: u64) -> bool {
        self.stamps.contains(&(message.from, message.number, offset))
    }
}

fn selector(receive: &Receive<u64>) -> Selector {
    match (receive.r#type, receive.up_to) {
        (Some(kind), _) if receive.except => Selector::Except(kind),
        (Some(kind), _) => Selector::Kind(kind),
        (None, Some(kind)) => Selector::UpTo(kind),
        (None, None) => Selector::Any,
    }
}

impl Queue {
    /// The messages that a receive may take now, by their places.
    fn due(&self, state: &State, to: usize, selector: Selector) -> Vec<usize> {
        let waiting = state.content.iter().enumerate().map(|(place, message)| (place, &self.messages[*message]));
        let mut waiting = waiting.filter(|(_, message)| message.to == to);
        let place = match (self.discipline, selector) {
            (Discipline::Lossy, _) => return waiting.map(|(place, _)| place).collect(),
            (Discipline::Priority, _) => {
                waiting.min_by_key(|(place, message)| (std::cmp::Reverse(message.priority), *place))
            }
            (_, Selector::Any) => waiting.next(),
            (_, Selector::Kind(kind)) => waiting.find(|(_, message)| message.kind == kind),
            (_, Selector::Except(kind)) => waiting.find(|(_, message)| message.kind != kind),
            (_, Selector::UpTo(most)) => waiting
                .filter(|(_, message)| message.kind <= most)
                .min_by_key(|(place, message)| (message.kind, *place)),
        };
        place.map(|(place, _)| place).into_iter().collect()
    }

    fn is_full(&self, state: &State, to: usize) -> bool {
        match self.capacity {
            Some(capacity) => state.content.len() >= capacity,
            // How much fits is the system's own; but into an empty queue something does.
            None => {
                self.discipline == Discipline::Lossy
                    || state.content.iter().any(|message| self.messages[*message].to == to)
            }
        }
    }

    /// Whether a message cannot be put here, because one that is there already was certainly received after it.
    fn contradicts(&self, state: &State, message: usize) -> bool {
        if self.discipline == Discipline::Lossy {
            return false;
        }
        let new = &self.messages[message];
        let Some((_, received)) = new.received else { return false };
        state.content.iter().map(|other| &self.messages[*other]).any(|other| {
            let alike = other.to == new.to && other.priority == new.priority && other.kind == new.kind;
            alike && other.received.is_some_and(|(began, _)| received < began)
        })
    }
}

impl Model for Queue {
    type State = State;
    type Action = Action;

    fn start(&self) -> State {
        State { content: Vec::new(), senders: self.senders.clone().unwrap_or_default() }
    }

    fn apply(&self, state: &State, _: usize, action: &Action) -> Vec<State> {
        let mut next = state.clone();
        let allowed = match action {
            Action::Put(message) => {
                next.content.push(*message);
                // A capacity counts messages of the whole queue.
                self.capacity.is_none_or(|capacity| state.content.len() < capacity)
                    && !self.contradicts(state, *message)
            }
            Action::Take { any_of, to, selector, peek } => {
                let due = self.due(state, *to, *selector);
                return due
                    .into_iter()
                    .filter(|place| any_of.contains(&state.content[*place]))
                    .map(|place| {
                        let mut next = state.clone();
                        if !peek {
                            next.content.remove(place);
                        }
                        next
                    })
                    .collect();
            }
            Action::Spoiled(..) => false,
            Action::Nothing { to, selector } => {
                self.discipline == Discipline::Lossy || self.due(state, *to, *selector).is_empty()
            }
            Action::Full { to } => self.is_full(state, *to),
            Action::End { to } => {
                let nobody = self.senders.is_none() || state.senders[*to].is_empty();
                nobody && self.due(state, *to, Selector::Any).is_empty()
            }
            Action::Count(count) => state.content.len() as u64 == *count,
            Action::CloseToSend { process, to } => {
                next.senders[*to].remove(process);
                true
            }
            Action::Shutdown { to } => {
                next.senders[*to].clear();
                true
            }
        };
        if allowed { vec![next] } else { Vec::new() }
    }

    fn may_sleep(&self, state: &State, _: usize, call: &Call<'_>, _: usize) -> bool {
        if self.deferred {
            return true;
        }
        match call.operation {
            Operation::Send(_) => self.is_full(state, 0) || self.is_full(state, 1),
            // A queue without ends is waited on for ever; one whose last sender is gone reports the end.
            Operation::Receive(receive) => {
                let ended = |to: usize| self.has_end && self.senders.is_some() && state.senders[to].is_empty();
                let two_way = self.messages.iter().any(|message| message.to == 1);
                let waits = |to: usize| self.due(state, to, selector(receive)).is_empty() && !ended(to);
                // Of a two-way channel it may be either end that waits here.
                waits(0) || (two_way && waits(1))
            }
            _ => true,
        }
    }

    fn nearest(&self, state: &State, _: usize, action: &Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Put(message) => next.content.push(*message),
            Action::Take { any_of, peek: false, .. } => {
                if let Some(place) = state.content.iter().position(|message| any_of.contains(message)) {
                    next.content.remove(place);
                }
            }
            // Which message was spoiled is not known.
            Action::Spoiled(..) => return None,
            _ => {}
        }
        Some(next)
    }

    fn dead(&self, state: &State, process: usize) -> Vec<State> {
        let mut next = state.clone();
        for senders in &mut next.senders {
            senders.remove(&process);
        }
        vec![next]
    }

    fn explain(&self, states: &[State], _: usize, action: &Action) -> (Anomaly, String) {
        match action {
            Action::Spoiled(anomaly, expected) => (*anomaly, expected.clone()),
            Action::Take { any_of, to, selector, .. } => self.explain_take(states, any_of, *to, *selector),
            Action::Nothing { to, selector } => (Anomaly::Lost, self.allowed(states, *to, *selector)),
            Action::Full { .. } => (Anomaly::WrongError, "it to be taken: there is room".to_owned()),
            Action::End { to } => {
                let empty = states.iter().any(|state| self.due(state, *to, Selector::Any).is_empty());
                let anomaly = if empty { Anomaly::Phantom } else { Anomaly::Lost };
                (anomaly, self.allowed(states, *to, Selector::Any))
            }
            Action::Count(_) => {
                let counts: BTreeMap<usize, ()> = states.iter().map(|state| (state.content.len(), ())).collect();
                let counts: Vec<String> = counts.keys().map(usize::to_string).collect();
                (Anomaly::WrongValue, format!("{} messages", counts.join(" or ")))
            }
            Action::Put(_) => (Anomaly::DidNotBlock, "it to wait, or to fail: the queue is full".to_owned()),
            Action::CloseToSend { .. } | Action::Shutdown { .. } => (Anomaly::Phantom, String::new()),
        }
    }

    fn describe(&self, state: &State) -> String {
        match state.content.len() {
            0 => "the queue is empty".to_owned(),
            1 => "a message waits".to_owned(),
            number => format!("{number} messages wait"),
        }
    }
}

impl Queue {
    fn explain_take(&self, states: &[State], any_of: &[usize], to: usize, selector: Selector) -> (Anomaly, String) {
        let allowed = self.allowed(states, to, selector);
        let waits = |state: &State| any_of.iter().any(|message| state.content.contains(message));
        if !states.iter().any(waits) {
            // It is not there: it was received before, or is sent later.
            let taken = any_of.iter().any(|message| self.messages[*message].received.is_some());
            return (if taken { Anomaly::Duplicated } else { Anomaly::Phantom }, allowed);
        }
        let lower = |state: &State| {
            self.due(state, to, selector).iter().any(|place| {
                let due = &self.messages[state.content[*place]];
                any_of.iter().any(|message| self.messages[*message].priority < due.priority)
            })
        };
        let lost = |state: &State| {
            let mut due = self.due(state, to, selector).into_iter().map(|place| &self.messages[state.content[place]]);
            due.any(|message| message.received.is_none() && message.missed)
        };
        let anomaly = if states.iter().all(lost) {
            Anomaly::Lost
        } else if self.discipline == Discipline::Priority && states.iter().any(lower) {
            Anomaly::PriorityInverted
        } else {
            Anomaly::Reordered
        };
        (anomaly, allowed)
    }

    /// What could have been received, as a person would say it.
    fn allowed(&self, states: &[State], to: usize, selector: Selector) -> String {
        let mut texts: BTreeSet<String> = BTreeSet::new();
        for state in states {
            let due = self.due(state, to, selector);
            if due.is_empty() {
                texts.insert("nothing, since there is none".to_owned());
            }
            texts.extend(due.into_iter().map(|place| self.name(state.content[place])));
        }
        let texts: Vec<String> = texts.into_iter().collect();
        texts.join(", or ")
    }

    fn name(&self, message: usize) -> String {
        let Message { from, number, text, .. } = &self.messages[message];
        match text {
            Some(text) => format!("`{text}`"),
            None => format!("message {number} of process {from}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Discipline, Found, Interval, Message, Passage, Queue, Selector, long_queue};
    use crate::model::brute::{self, Done};
    use proptest::prelude::*;

    /// Five messages of two priorities and types.
    fn queue(discipline: Discipline, capacity: Option<usize>) -> Queue {
        let message = |number: u32| Message {
            from: 1,
            number,
            length: 8,
            text: None,
            priority: if discipline == Discipline::Priority { u64::from(number % 2) } else { 0 },
            kind: if discipline == Discipline::Type { u64::from(number % 2 + 1) } else { 1 },
            to: 0,
            received: None,
            missed: false,
        };
        let messages = (0..5).map(message).collect();
        Queue { discipline, capacity, messages, senders: None, has_end: false, deferred: false }
    }

    fn action() -> impl Strategy<Value = Action> {
        let selector = || {
            prop_oneof![
                Just(Selector::Any),
                Just(Selector::Kind(1)),
                Just(Selector::UpTo(2)),
                Just(Selector::Except(1))
            ]
        };
        prop_oneof![
            3 => (0_usize..5).prop_map(Action::Put),
            3 => (0_usize..5, selector())
                .prop_map(|(message, selector)| Action::Take { any_of: vec![message], to: 0, selector, peek: false }),
            1 => selector().prop_map(|selector| Action::Nothing { to: 0, selector }),
            1 => (0_u64..4).prop_map(Action::Count),
        ]
    }

    /// What the long way says; `None` where it does not apply.
    fn long(calls: &[Done<Action>], model: &Queue) -> Option<bool> {
        let interval = |call: &Done<Action>| Interval { began: call.began, ended: call.ended };
        let mut passages = Vec::new();
        let mut empty = Vec::new();
        for call in calls {
            match &call.actions[0] {
                Action::Put(message) => {
                    let received = calls.iter().find_map(|call| match &call.actions[0] {
                        Action::Take { any_of, .. } if any_of[0] == *message => Some(interval(call)),
                        _ => None,
                    });
                    let priority = model.messages[*message].priority;
                    passages.push(Passage { priority, sent: interval(call), received });
                }
                Action::Take { any_of, .. } => {
                    calls
                        .iter()
                        .find(|call| matches!(call.actions[0], Action::Put(message) if message == any_of[0]))?;
                }
                Action::Nothing { .. } if model.discipline == Discipline::Arrival => empty.push(interval(call)),
                _ => return None,
            }
        }
        let found = match model.discipline {
            Discipline::Arrival => long_queue::by_arrival(&passages, &empty),
            _ => long_queue::by_priority(&passages),
        };
        Some(found == Found::Nothing)
    }

    fn plain() -> impl Strategy<Value = Action> {
        let take = |message: usize| Action::Take { any_of: vec![message], to: 0, selector: Selector::Any, peek: false };
        prop_oneof![
            4 => (0_usize..5).prop_map(Action::Put),
            4 => (0_usize..5).prop_map(take),
            1 => Just(Action::Nothing { to: 0, selector: Selector::Any }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn the_long_way_agrees_with_brute_force(
            calls in brute::calls(plain(), 10).prop_map(once),
            by_priority in any::<bool>(),
        ) {
            let mut model = queue(if by_priority { Discipline::Priority } else { Discipline::Arrival }, None);
            for (message, priority) in model.messages.iter_mut().zip([2, 4, 1, 3, 0]) {
                message.priority = if by_priority { priority } else { 0 };
            }
            if let Some(found) = long(&calls, &model) {
                prop_assert_eq!(found, brute::some_order_is_allowed(&model, &calls));
            }
        }

        #[test]
        fn with_equal_priorities_the_long_way_convicts_no_innocent(calls in brute::calls(plain(), 10).prop_map(once)) {
            let model = queue(Discipline::Priority, None);
            if long(&calls, &model) == Some(false) {
                prop_assert!(!brute::some_order_is_allowed(&model, &calls));
            }
        }
    }

    /// Each message is put and taken at most once, as in a history.
    fn once(calls: Vec<Done<Action>>) -> Vec<Done<Action>> {
        let (mut put, mut taken) = ([false; 5], [false; 5]);
        calls
            .into_iter()
            .filter(|call| match &call.actions[0] {
                Action::Put(message) => !std::mem::replace(&mut put[*message], true),
                Action::Take { any_of, .. } => !std::mem::replace(&mut taken[any_of[0]], true),
                _ => true,
            })
            .collect()
    }

    fn discipline() -> impl Strategy<Value = Discipline> {
        prop_oneof![
            Just(Discipline::Arrival),
            Just(Discipline::Priority),
            Just(Discipline::Type),
            Just(Discipline::Lossy)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_checker_agrees_with_brute_force(
            calls in brute::calls(action(), 8).prop_map(once),
            discipline in discipline(),
            capacity in prop_oneof![Just(None), Just(Some(2))],
        ) {
            let plain = queue(discipline, capacity);
            let expected = brute::some_order_is_allowed(&plain, &calls);
            prop_assert_eq!(brute::accepts(&plain, &calls), expected);
            // What is known of later receives only prunes what cannot lead to them.
            let mut informed = queue(discipline, capacity);
            for call in &calls {
                if let Action::Take { any_of, .. } = &call.actions[0] {
                    informed.messages[any_of[0]].received = Some((call.began, call.ended));
                }
            }
            prop_assert_eq!(brute::accepts(&informed, &calls), expected);
        }
    }
}
