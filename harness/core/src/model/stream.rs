//! The model of byte streams.
//!
//! Rules: bytes are read in the order in which they were written, none twice, none is lost (POSIX `write()`, `read()`); what is
//! written to a pipe in one call of at most `PIPE_BUF` bytes stays together (POSIX `write()`); a read waits, or fails with
//! `EAGAIN`, only while nothing is there and somebody may yet write, and reports the end once nobody may and all is read
//! (POSIX `read()`). How much fits into a stream is left to the system; but into an empty one something does.
//!
//! Where several processes read stamped bytes of one stream, or where long writes of several may be mixed, the stamps alone do not
//! say which byte is which: the claims of a scenario judge that, this model does not.

use super::{Call, Kinds, Known, Mark, Model, Said, Trace, check};
use crate::{
    Plan,
    finding::Anomaly,
    stamp,
    wire::{Data, HeldEnd, Outcome, Piece, Run},
};
use spec::{
    Mechanism, Operation,
    operation::{Direction, End},
    scenario::Attach,
    vocabulary::Feature,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{Hash, Hasher},
};

/// The least that `PIPE_BUF` may be: what every system keeps together.
const PIPE_BUF_LEAST: u64 = 512;

struct Stream {
    /// How many parts are read.
    read: usize,
    /// Up to where stamped messages are read, and which are sent at all.
    read_to: BTreeMap<(u8, u32), u32>,
    sent: BTreeSet<(u8, u32)>,
    /// All texts that are written.
    texts: Vec<Vec<u8>>,
    /// Whether bytes are read that tell no writer.
    unknown: bool,
    /// Who can write toward each end at the start; `None` where that is not followed.
    writers: Option<[BTreeSet<usize>; 2]>,
    has_end: bool,
    deferred: bool,
    two_way: bool,
}

/// Bytes of one write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Bytes {
    Text(Vec<u8>),
    Stamped(Run),
}

impl Bytes {
    fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Stamped(run) => run.length as usize,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    /// What is there, by the end that reads it.
    content: [Vec<Bytes>; 2],
    writers: [BTreeSet<usize>; 2],
    /// How many of the parts that are read were appended.
    appended: usize,
}

/// A stream may hold thousands of parts: its ends and how many there are tell nearly all states apart.
impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        for content in &self.content {
            (content.len(), content.first(), content.last()).hash(hasher);
        }
        (&self.writers, self.appended).hash(hasher);
    }
}

/// Where bytes stand among all that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rank {
    /// It is not known: texts do not tell.
    Unknown,
    /// So many others are read before them.
    Read(usize),
    /// Nobody reads them: they come last.
    Unread,
}

#[derive(Clone, Debug)]
enum Action {
    /// `rank` is the place of these bytes among all that are read: they are appended in that order.
    Append {
        to: usize,
        bytes: Bytes,
        rank: Rank,
    },
    Take {
        to: usize,
        bytes: Vec<Bytes>,
        peek: bool,
    },
    /// It was read otherwise than it was written.
    Spoiled(Anomaly, String),
    Nothing {
        to: usize,
    },
    Full {
        to: usize,
    },
    End {
        to: usize,
    },
    CloseToWrite {
        process: usize,
        to: usize,
    },
    Shutdown {
        to: usize,
    },
    /// A write returns though not all was taken: a signal came. Until then it may sleep.
    CutShort,
}

/// The kinds of actions, as far as it matters which of two comes first.
mod kind {
    use crate::model::Kinds;

    /// Bytes whose place among all that are read is not known.
    pub(super) const APPEND: Kinds = 1;
    /// Bytes whose place is known.
    pub(super) const APPEND_READ: Kinds = 1 << 1;
    /// Bytes that come after all that are read.
    pub(super) const APPEND_UNREAD: Kinds = 1 << 2;
    pub(super) const TAKE: Kinds = 1 << 3;
    pub(super) const NOTHING: Kinds = 1 << 4;
    pub(super) const FULL: Kinds = 1 << 5;
    pub(super) const END: Kinds = 1 << 6;
    pub(super) const CLOSE: Kinds = 1 << 7;
    pub(super) const SHUTDOWN: Kinds = 1 << 8;
    /// Changes nothing, and is allowed everywhere or nowhere.
    pub(super) const NO_MATTER: Kinds = 1 << 9;
}

pub(super) fn judge(plan: &Plan, index: usize, trace: &Trace<'_>) -> Said {
    let channel = &plan.channels[index];
    if plan.attach == Attach::ByName && channel.options.made_of.is_none() {
        return Said::Undecided("processes open it themselves".to_owned());
    }
    let ends = |mark: &Mark| matches!(mark, Mark::Dead(_));
    let closes = |call: &Call<'_>| matches!(call.operation, Operation::Close(_));
    if channel.mechanism == Mechanism::Pty && (trace.marks.iter().any(ends) || trace.calls.iter().any(closes)) {
        return Said::Undecided("a terminal that hangs up may drop what is there".to_owned());
    }
    let translation = Translation::of(plan, index, trace);
    if let Some(why) = translation.is_beyond(trace) {
        return Said::Undecided(why);
    }
    match trace.calls.iter().map(|call| translation.actions(call)).collect::<Result<Vec<_>, _>>() {
        Ok(actions) => check(&translation.model(trace, &actions), trace, &actions),
        Err(why) => Said::Undecided(why),
    }
}

/// How calls become actions.
struct Translation<'p> {
    plan: &'p Plan,
    index: usize,
    is_pipe: bool,
    stamped: bool,
    two_way: bool,
    /// The rank of each part that is read, by its writer, message and offset; of what is kept together by its first byte.
    ranks: BTreeMap<(u8, u32, u32), usize>,
    /// Where reads cut each message, by its writer and number.
    cuts: BTreeMap<(u8, u32), BTreeSet<u32>>,
}

impl<'p> Translation<'p> {
    fn of(plan: &'p Plan, index: usize, trace: &Trace<'_>) -> Self {
        let channel = &plan.channels[index];
        let two_way = plan
            .processes
            .iter()
            .flat_map(|process| &process.holds)
            .any(|(channel, end)| *channel == index && matches!(end, HeldEnd::First | HeldEnd::Second));
        let is_pipe = matches!(channel.mechanism, Mechanism::Pipe | Mechanism::Fifo);
        let mut translation = Self {
            plan,
            index,
            is_pipe,
            stamped: channel.stamped,
            two_way,
            ranks: BTreeMap::new(),
            cuts: BTreeMap::new(),
        };
        if channel.stamped {
            translation.rank(trace);
        }
        translation
    }

    /// Ranks the parts of stamped writes by the order in which the one reader reads them.
    fn rank(&mut self, trace: &Trace<'_>) {
        let together: BTreeSet<(u8, u32)> = trace
            .calls
            .iter()
            .filter(|call| self.is_kept_together(call))
            .flat_map(|call| {
                let from = self.plan.processes[call.process].number;
                let messages = match (call.operation, call.outcome) {
                    (Operation::Fill(fill), Some(Outcome::Count(count))) => {
                        count.div_ceil(fill.size.unwrap_or(1).max(1))
                    }
                    _ => 1,
                };
                (0..u32::try_from(messages).unwrap_or(u32::MAX)).map(move |number| (from, call.message + number))
            })
            .collect();
        let reads = trace.calls.iter().filter_map(|call| match (call.operation, call.outcome) {
            (Operation::Read(read), Some(Outcome::Received(received))) if !read.peek => Some(&received.pieces),
            _ => None,
        });
        for piece in reads.flatten() {
            let Data::Runs(runs) = &piece.data else { continue };
            for run in runs {
                let cuts = self.cuts.entry((run.from, run.message)).or_default();
                cuts.extend([run.offset, run.offset.saturating_add(run.length)]);
                let offset = if together.contains(&(run.from, run.message)) { 0 } else { run.offset };
                let next = self.ranks.len();
                self.ranks.entry((run.from, run.message, offset)).or_insert(next);
            }
        }
    }

    fn rank_of(&self, run: &Run) -> Rank {
        // In a two-way stream two readers read, and what one reads says nothing of the other's.
        if self.two_way {
            return Rank::Unknown;
        }
        self.ranks.get(&(run.from, run.message, run.offset)).map_or(Rank::Unread, |rank| Rank::Read(*rank))
    }

    fn end_of(&self, process: usize) -> usize {
        let held = &self.plan.processes[process].holds;
        usize::from(held.iter().any(|(channel, end)| *channel == self.index && *end == HeldEnd::Second))
    }

    /// Which end reads what a process writes.
    fn reader_of(&self, process: usize) -> usize {
        if self.two_way { 1 - self.end_of(process) } else { 0 }
    }

    /// Whether stamps do not say which byte is which.
    fn is_beyond(&self, trace: &Trace<'_>) -> Option<String> {
        if !self.stamped {
            return None;
        }
        for end in 0..2 {
            let readers: BTreeSet<usize> = trace
                .calls
                .iter()
                .filter(|call| matches!(call.operation, Operation::Read(_)) && self.end_of(call.process) == end)
                .map(|call| call.process)
                .collect();
            if readers.len() > 1 {
                return Some("several processes read it".to_owned());
            }
            let writes = trace.calls.iter().filter(|call| {
                matches!(call.operation, Operation::Write(_) | Operation::Fill(_))
                    && self.reader_of(call.process) == end
            });
            let writers: BTreeSet<usize> = writes.clone().map(|call| call.process).collect();
            if writers.len() > 1 && writes.clone().any(|call| !self.is_kept_together(call)) {
                return Some("several processes write more than is kept together".to_owned());
            }
        }
        None
    }

    fn is_kept_together(&self, call: &Call<'_>) -> bool {
        let length = match call.operation {
            Operation::Write(write) => length(write.text.as_ref(), write.size),
            Operation::Fill(fill) => fill.size.unwrap_or(1),
            _ => return true,
        };
        self.is_pipe && length <= PIPE_BUF_LEAST
    }

    fn model(&self, trace: &Trace<'_>, actions: &[Known<Action>]) -> Stream {
        let mechanism = self.plan.channels[self.index].mechanism;
        let opens = trace.calls.iter().any(|call| matches!(call.operation, Operation::Open(_)));
        let follows = !opens && !super::holders_change(self.plan, &self.plan.channels[self.index]);
        let mut writers = [BTreeSet::new(), BTreeSet::new()];
        for (process, planned) in self.plan.processes.iter().enumerate() {
            for (_, end) in planned.holds.iter().filter(|(channel, _)| *channel == self.index) {
                match end {
                    HeldEnd::Write | HeldEnd::Both | HeldEnd::Second => writers[0].insert(process),
                    HeldEnd::First => writers[1].insert(process),
                    HeldEnd::Read | HeldEnd::Nothing => false,
                };
            }
        }
        let sent = actions.iter().flat_map(Known::actions).filter_map(|action| match action {
            Action::Append { bytes: Bytes::Stamped(run), .. } => Some((run.from, run.message)),
            _ => None,
        });
        let texts = trace.calls.iter().filter_map(|call| match call.operation {
            Operation::Write(write) => write.text.as_ref().map(|text| text.clone().into_bytes()),
            _ => None,
        });
        let received = trace.calls.iter().filter_map(|call| match call.outcome {
            Some(Outcome::Received(received)) => Some(&received.pieces),
            _ => None,
        });
        let mut runs =
            received.flatten().flat_map(|piece| if let Data::Runs(runs) = &piece.data { runs.as_slice() } else { &[] });
        Stream {
            texts: texts.collect(),
            unknown: runs.any(|run| run.from == 0),
            read: self.ranks.len(),
            read_to: self.cuts.iter().filter_map(|(place, cuts)| Some((*place, cuts.iter().max().copied()?))).collect(),
            sent: sent.collect(),
            writers: follows.then_some(writers),
            has_end: mechanism.has(Feature::End),
            deferred: mechanism.has(Feature::Deferred),
            two_way: self.two_way,
        }
    }

    fn actions(&self, call: &Call<'_>) -> Result<Known<Action>, String> {
        let errno = match call.outcome {
            Some(Outcome::Failed(errno)) => Some(errno.name()),
            _ => None,
        };
        let (process, to) = (call.process, self.end_of(call.process));
        let toward = self.reader_of(process);
        let actions = match (call.operation, call.outcome, errno) {
            (Operation::Write(write), outcome @ (None | Some(Outcome::Count(_))), _) => {
                let whole = length(write.text.as_ref(), write.size);
                let written = if let Some(Outcome::Count(count)) = outcome { (*count).min(whole) } else { whole };
                let mut actions = self.appended(call, write.text.as_deref(), written);
                if written < whole {
                    actions.push(Action::CutShort);
                }
                return Ok(if outcome.is_some() { Known::All(actions) } else { Known::Some(actions) });
            }
            (Operation::Write(_) | Operation::Fill(_), Some(_), Some("EAGAIN")) => vec![Action::Full { to: toward }],
            (Operation::Fill(fill), Some(Outcome::Count(count)), _) => {
                let mut actions = self.filled(call, fill.size.unwrap_or(1).max(1), *count);
                actions.push(Action::Full { to: toward });
                actions
            }
            (Operation::Read(read), Some(Outcome::Received(received)), _) => {
                let mut actions: Vec<Action> =
                    received.pieces.iter().map(|piece| taken(piece, to, read.peek)).collect();
                if received.ended {
                    actions.push(Action::End { to });
                } else if read.until.is_some() && received.failed.is_none() {
                    actions.push(Action::Nothing { to });
                }
                actions
            }
            (Operation::Read(_), Some(_), Some("EAGAIN")) => vec![Action::Nothing { to }],
            (Operation::Read(read), None, _) => {
                // It may have taken bytes before its process died, and what those were nobody knows; of one that reads on until
                // something comes nobody knows either.
                let dies = self.plan.is_story() && read.until.is_none();
                return if dies { Ok(Known::Some(Vec::new())) } else { Err("a read did not return".to_owned()) };
            }
            (Operation::Close(close), Some(_), None) if close.end != Some(End::Read) => {
                vec![Action::CloseToWrite { process, to: toward }]
            }
            (Operation::Shutdown(shutdown), Some(_), None) if shutdown.direction == Direction::Write => {
                vec![Action::Shutdown { to: toward }]
            }
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

    /// What a write puts into the stream: in one, where that is promised, otherwise in as many parts as it was read in.
    fn appended(&self, call: &Call<'_>, text: Option<&str>, written: u64) -> Vec<Action> {
        let to = self.reader_of(call.process);
        if let Some(text) = text {
            let bytes = &text.as_bytes()[..usize::try_from(written).unwrap_or(usize::MAX).min(text.len())];
            if self.is_pipe {
                return vec![Action::Append { to, bytes: Bytes::Text(bytes.to_vec()), rank: Rank::Unknown }];
            }
            let one = |byte: &u8| Action::Append { to, bytes: Bytes::Text(vec![*byte]), rank: Rank::Unknown };
            return bytes.iter().map(one).collect();
        }
        let from = self.plan.processes[call.process].number;
        self.stamped_parts(from, call.message, written, self.is_kept_together(call))
            .into_iter()
            .map(|run| Action::Append { to, bytes: Bytes::Stamped(run), rank: self.rank_of(&run) })
            .collect()
    }

    fn filled(&self, call: &Call<'_>, size: u64, count: u64) -> Vec<Action> {
        let to = self.reader_of(call.process);
        let from = self.plan.processes[call.process].number;
        let mut actions = Vec::new();
        let mut left = count;
        let mut message = call.message;
        while left > 0 {
            let bytes = left.min(size);
            let parts = self.stamped_parts(from, message, bytes, self.is_kept_together(call));
            let part = |run: Run| Action::Append { to, bytes: Bytes::Stamped(run), rank: self.rank_of(&run) };
            actions.extend(parts.into_iter().map(part));
            message += 1;
            left -= bytes;
        }
        actions
    }

    /// The parts of a stamped write, cut where reads cut it.
    fn stamped_parts(&self, from: u8, message: u32, written: u64, together: bool) -> Vec<Run> {
        let written = u32::try_from(written).unwrap_or(u32::MAX);
        let mut cuts = BTreeSet::from([0, written]);
        if !together {
            let read = self.cuts.get(&(from, message)).into_iter().flatten().copied();
            cuts.extend(read.filter(|cut| *cut < written));
        }
        let cuts: Vec<u32> = cuts.into_iter().collect();
        cuts.windows(2).map(|cut| Run { from, message, offset: cut[0], length: cut[1] - cut[0] }).collect()
    }
}

fn length(text: Option<&String>, size: Option<u64>) -> u64 {
    size.unwrap_or_else(|| text.map_or(0, |text| text.len() as u64))
}

fn taken(piece: &Piece, to: usize, peek: bool) -> Action {
    let bytes = match &piece.data {
        Data::Text(text) => vec![Bytes::Text(text.as_bytes().to_vec())],
        Data::Runs(runs) if runs.iter().any(|run| run.from == 0) => {
            return Action::Spoiled(Anomaly::Corrupted, "bytes that somebody wrote".to_owned());
        }
        Data::Runs(runs) => runs.iter().copied().map(Bytes::Stamped).collect(),
        Data::Hex(_) => return Action::Spoiled(Anomaly::Corrupted, "a text".to_owned()),
    };
    Action::Take { to, bytes, peek }
}

/// Puts bytes behind others, as one where they go on.
fn append(content: &mut Vec<Bytes>, new: &Bytes) {
    match (content.last_mut(), new) {
        (_, Bytes::Text(more)) if more.is_empty() => {}
        (Some(Bytes::Text(text)), Bytes::Text(more)) => text.extend_from_slice(more),
        (Some(Bytes::Stamped(run)), Bytes::Stamped(more))
            if run.from == more.from && run.message == more.message && run.offset + run.length == more.offset =>
        {
            run.length += more.length;
        }
        _ => content.push(new.clone()),
    }
}

/// Takes bytes from the front, if they are there.
fn take(content: &mut Vec<Bytes>, wanted: &Bytes) -> bool {
    match (content.first_mut(), wanted) {
        (_, Bytes::Text(wanted)) if wanted.is_empty() => true,
        (Some(Bytes::Text(text)), Bytes::Text(wanted)) if text.starts_with(wanted) => {
            text.drain(..wanted.len());
            if text.is_empty() {
                content.remove(0);
            }
            true
        }
        (Some(Bytes::Stamped(run)), Bytes::Stamped(wanted))
            if run.from == wanted.from
                && run.message == wanted.message
                && run.offset == wanted.offset
                && run.length >= wanted.length =>
        {
            run.offset += wanted.length;
            run.length -= wanted.length;
            if run.length == 0 {
                content.remove(0);
            }
            true
        }
        _ => false,
    }
}

impl Stream {
    /// Whether an action is allowed in this state, as far as can be said without doing it.
    fn may_happen(&self, state: &State, action: &Action) -> bool {
        match action {
            Action::Append { rank: Rank::Read(rank), .. } => *rank == state.appended,
            Action::Append { rank: Rank::Unread, .. } => state.appended == self.read,
            Action::Spoiled(..) => false,
            Action::Nothing { to } => self.deferred || state.content[*to].is_empty(),
            Action::Full { to } => self.deferred || !state.content[*to].is_empty(),
            Action::End { to } => {
                let nobody = self.writers.is_none() || state.writers[*to].is_empty();
                nobody && state.content[*to].is_empty()
            }
            Action::Append { rank: Rank::Unknown, .. }
            | Action::Take { .. }
            | Action::CutShort
            | Action::CloseToWrite { .. }
            | Action::Shutdown { .. } => true,
        }
    }
}

impl Model for Stream {
    type State = State;
    type Action = Action;

    fn start(&self) -> State {
        let writers = self.writers.clone().unwrap_or_default();
        State { content: [Vec::new(), Vec::new()], writers, appended: 0 }
    }

    fn apply(&self, state: &State, _: usize, action: &Action) -> Vec<State> {
        // Nothing is copied for what is not allowed: there may be much.
        if !self.may_happen(state, action) {
            return Vec::new();
        }
        let mut next = state.clone();
        match action {
            Action::Append { to, bytes, rank } => {
                append(&mut next.content[*to], bytes);
                next.appended += usize::from(matches!(rank, Rank::Read(_)));
            }
            Action::Take { to, bytes, peek } => {
                if !bytes.iter().all(|bytes| take(&mut next.content[*to], bytes)) {
                    return Vec::new();
                }
                if *peek {
                    next = state.clone();
                }
            }
            Action::CloseToWrite { process, to } => {
                next.writers[*to].remove(process);
            }
            Action::Shutdown { to } => next.writers[*to].clear(),
            Action::Spoiled(..)
            | Action::CutShort
            | Action::Nothing { .. }
            | Action::Full { .. }
            | Action::End { .. } => {}
        }
        vec![next]
    }

    fn kind(&self, action: &Action) -> Kinds {
        match action {
            Action::Append { rank: Rank::Unknown, .. } => kind::APPEND,
            Action::Append { rank: Rank::Read(_), .. } => kind::APPEND_READ,
            Action::Append { rank: Rank::Unread, .. } => kind::APPEND_UNREAD,
            Action::Take { .. } => kind::TAKE,
            Action::Nothing { .. } => kind::NOTHING,
            Action::Full { .. } => kind::FULL,
            Action::End { .. } => kind::END,
            Action::CloseToWrite { .. } => kind::CLOSE,
            Action::Shutdown { .. } => kind::SHUTDOWN,
            Action::Spoiled(..) | Action::CutShort => kind::NO_MATTER,
        }
    }

    fn may_precede(&self, state: &State, process: usize, action: &Action) -> Kinds {
        match action {
            // What comes to the back does not change what is at the front; and less is there afterwards, so that it is empty still.
            Action::Take { .. } => {
                let appends = kind::APPEND | kind::APPEND_READ | kind::APPEND_UNREAD;
                appends | kind::NOTHING | kind::END | kind::CLOSE | kind::SHUTDOWN | kind::NO_MATTER
            }
            // More is there afterwards, so that it is full still. What is read comes when its rank says, and before what is not read.
            Action::Append { to, rank, .. } => {
                let appends = match rank {
                    Rank::Unknown => 0,
                    Rank::Read(_) => kind::APPEND_READ | kind::APPEND_UNREAD,
                    Rank::Unread => kind::APPEND_READ,
                };
                // Nobody sees the end while a writer writes; it would take a shutdown.
                let writes = self.writers.is_some() && state.writers[*to].contains(&process);
                let end = if writes { kind::END } else { 0 };
                appends | end | kind::TAKE | kind::FULL | kind::CLOSE | kind::NO_MATTER
            }
            _ => 0,
        }
    }

    fn may_sleep(&self, state: &State, _: usize, call: &Call<'_>, _: usize) -> bool {
        let ends: &[usize] = if self.two_way { &[0, 1] } else { &[0] };
        let ended = |to: usize| self.has_end && self.writers.is_some() && state.writers[to].is_empty();
        match call.operation {
            _ if self.deferred => true,
            Operation::Read(_) => ends.iter().any(|to| state.content[*to].is_empty() && !ended(*to)),
            Operation::Write(_) => ends.iter().any(|to| !state.content[*to].is_empty()),
            _ => true,
        }
    }

    fn dead(&self, state: &State, process: usize) -> Vec<State> {
        let mut next = state.clone();
        for writers in &mut next.writers {
            writers.remove(&process);
        }
        vec![next]
    }

    fn explain(&self, states: &[State], _: usize, action: &Action) -> (Anomaly, String) {
        match action {
            Action::Spoiled(anomaly, expected) => (*anomaly, expected.clone()),
            Action::Take { to, bytes, .. } => self.explain_take(states, *to, bytes),
            Action::Nothing { to } => (Anomaly::Lost, front(states, *to)),
            Action::End { to } => {
                let empty = states.iter().any(|state| state.content[*to].is_empty());
                let allowed = if empty { "it to wait: somebody may yet write".to_owned() } else { front(states, *to) };
                (if empty { Anomaly::WrongValue } else { Anomaly::Lost }, allowed)
            }
            // Of bytes that tell no writer it is not known whose place they took.
            Action::Append { .. } if self.unknown => {
                (Anomaly::Corrupted, "its bytes to be read as they were written".to_owned())
            }
            Action::Append { rank: Rank::Unread, .. } => {
                (Anomaly::Lost, "its bytes to be read before those that were written after them".to_owned())
            }
            Action::Append { .. } => (Anomaly::Reordered, "its bytes to be read in the order of the writes".to_owned()),
            _ => (Anomaly::WrongError, "it to be taken: there is room".to_owned()),
        }
    }

    fn describe(&self, state: &State) -> String {
        if state.content.iter().all(Vec::is_empty) { "nothing is there" } else { "bytes are there" }.to_owned()
    }
}

/// What is there to be read first, as a person would say it.
fn front(states: &[State], to: usize) -> String {
    let texts: BTreeSet<String> = states
        .iter()
        .map(|state| match state.content[to].first() {
            None => "nothing".to_owned(),
            Some(Bytes::Text(text)) => format!("`{}`", String::from_utf8_lossy(text)),
            Some(Bytes::Stamped(run)) => {
                format!("message {} of process {} from byte {}", run.message, run.from, run.offset)
            }
        })
        .collect();
    texts.into_iter().collect::<Vec<_>>().join(", or ")
}

impl Stream {
    /// What it is that these bytes were read, as the state says in which most is there.
    fn explain_take(&self, states: &[State], to: usize, bytes: &[Bytes]) -> (Anomaly, String) {
        let anomaly = |state: &State| {
            let mut content = state.content[to].clone();
            let wrong = bytes.iter().find(|bytes| !take(&mut content, bytes))?;
            Some(match wrong {
                Bytes::Stamped(run) => self.explain_stamped(&content, run),
                Bytes::Text(text) => self.explain_text(&content, text),
            })
        };
        let fullest = states.iter().max_by_key(|state| state.content[to].iter().map(Bytes::length).sum::<usize>());
        (fullest.and_then(anomaly).unwrap_or(Anomaly::Corrupted), front(states, to))
    }

    fn explain_stamped(&self, content: &[Bytes], run: &Run) -> Anomaly {
        let place = |run: &Run| (run.from, run.message);
        let stamped = |bytes: &Bytes| if let Bytes::Stamped(run) = bytes { Some(*run) } else { None };
        let mut there = content.iter().filter_map(stamped);
        let first = content.first().and_then(stamped);
        match there.find(|known| place(known) == place(run)) {
            None if self.sent.contains(&place(run)) => Anomaly::Duplicated,
            None => Anomaly::Phantom,
            Some(known) if first != Some(known) => {
                // What nobody reads was not overtaken.
                let is_read =
                    first.is_some_and(|first| self.read_to.get(&place(&first)).is_some_and(|end| first.offset < *end));
                if is_read { Anomaly::Reordered } else { Anomaly::Lost }
            }
            Some(known) if run.offset > known.offset => Anomaly::Lost,
            Some(known) if run.offset < known.offset => Anomaly::Duplicated,
            // As far as that, its like looks like more of it.
            Some(known) if (run.length - known.length) as usize <= stamp::ALIKE => Anomaly::Duplicated,
            Some(_) => Anomaly::Corrupted,
        }
    }

    /// Whether a text is one that was written whole, or what was there with such a one besides.
    fn is_again(&self, known: &[u8], text: &[u8]) -> bool {
        let besides = |written: &[u8]| {
            let last = text.len().saturating_sub(written.len());
            (0..=last).any(|at| {
                text[at..].starts_with(written)
                    && known.starts_with(&[&text[..at], &text[at + written.len()..]].concat())
            })
        };
        self.texts.iter().filter(|written| !written.is_empty()).any(|written| written == text || besides(written))
    }

    fn explain_text(&self, content: &[Bytes], text: &[u8]) -> Anomaly {
        let Some(Bytes::Text(known)) = content.first() else {
            let was_written =
                self.texts.iter().any(|written| written.windows(text.len().max(1)).any(|part| part == text));
            return if was_written { Anomaly::Duplicated } else { Anomaly::Corrupted };
        };
        let sorted = |text: &[u8]| {
            let mut text = text.to_vec();
            text.sort_unstable();
            text
        };
        let same_letters = known.get(..text.len()).is_some_and(|known| sorted(known) == sorted(text));
        let mut letters = known.iter();
        if text.strip_prefix(known.as_slice()).is_some_and(|rest| known.ends_with(rest) || rest.starts_with(known)) {
            Anomaly::Duplicated
        } else if same_letters {
            Anomaly::Reordered
        } else if text.iter().all(|letter| letters.any(|known| known == letter)) {
            // All of it is there, and something else between.
            Anomaly::Lost
        } else if self.is_again(known, text) {
            // It is not there any more, or not as often.
            Anomaly::Duplicated
        } else {
            Anomaly::Corrupted
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Bytes, Rank, Stream};
    use crate::{
        model::brute::{self, Done},
        wire::Run,
    };
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Parts of a message that are read; of two more nobody reads any.
    const READ: u32 = 3;

    /// A stream that the processes 0 and 1 write.
    fn stream() -> Stream {
        Stream {
            read: READ as usize,
            read_to: BTreeMap::new(),
            sent: BTreeSet::new(),
            texts: Vec::new(),
            unknown: false,
            writers: Some([BTreeSet::from([0, 1]), BTreeSet::new()]),
            has_end: true,
            deferred: false,
            two_way: false,
        }
    }

    fn part(offset: u32) -> Bytes {
        Bytes::Stamped(Run { from: 1, message: 0, offset, length: 1 })
    }

    fn ranked(offset: u32) -> Action {
        let rank = if offset < READ { Rank::Read(offset as usize) } else { Rank::Unread };
        Action::Append { to: 0, bytes: part(offset), rank }
    }

    fn take(bytes: Vec<Bytes>, peek: bool) -> Action {
        Action::Take { to: 0, bytes, peek }
    }

    /// What changes no bytes, or says that there are none or too many.
    fn other() -> impl Strategy<Value = Action> {
        prop_oneof![
            Just(Action::Nothing { to: 0 }),
            Just(Action::Full { to: 0 }),
            Just(Action::End { to: 0 }),
            (0_usize..2).prop_map(|process| Action::CloseToWrite { process, to: 0 }),
            Just(Action::Shutdown { to: 0 }),
            Just(Action::CutShort),
        ]
    }

    fn of_texts() -> impl Strategy<Value = Action> {
        let text = |text: &str| Bytes::Text(text.as_bytes().to_vec());
        prop_oneof![
            4 => prop_oneof![Just("a"), Just("b")]
                .prop_map(move |written| Action::Append { to: 0, bytes: text(written), rank: Rank::Unknown }),
            4 => (prop_oneof![Just("a"), Just("b"), Just("ab")], prop::bool::weighted(0.2))
                .prop_map(move |(read, peek)| take(vec![text(read)], peek)),
            3 => other(),
        ]
    }

    fn of_parts() -> impl Strategy<Value = Action> {
        prop_oneof![
            4 => (0..READ + 2).prop_map(ranked),
            4 => (0..READ, prop::bool::weighted(0.2)).prop_map(|(offset, peek)| take(vec![part(offset)], peek)),
            3 => other(),
        ]
    }

    /// Calls of up to three actions, of which each part is written and taken once at most, as in a history.
    fn calls(action: impl Strategy<Value = Action> + 'static) -> impl Strategy<Value = Vec<Done<Action>>> {
        brute::calls(prop::collection::vec(action, 1..=3), 5).prop_map(|calls| {
            let (mut written, mut read) = (BTreeSet::new(), BTreeSet::new());
            let mut once = |action: &Action| match action {
                Action::Append { bytes: Bytes::Stamped(run), .. } => written.insert(run.offset),
                Action::Take { bytes, peek: false, .. } => match bytes.first() {
                    Some(Bytes::Stamped(run)) => read.insert(run.offset),
                    _ => true,
                },
                _ => true,
            };
            let flat = |call: Done<Vec<Action>>| {
                let mut call = brute::flat(call);
                call.actions.retain(&mut once);
                call
            };
            calls.into_iter().map(flat).filter(|call| !call.actions.is_empty()).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]
        #[test]
        fn the_checker_agrees_with_brute_force(calls in prop_oneof![calls(of_texts()), calls(of_parts())]) {
            prop_assert_eq!(brute::accepts(&stream(), &calls), brute::some_order_is_allowed(&stream(), &calls));
        }
    }

    /// Random histories hardly ever hold this: a shutdown lets the reader see the end before the bytes of a write that goes on.
    #[test]
    fn the_end_may_be_seen_during_a_write_after_a_shutdown() {
        let overlapping = |process, ended, action| Done { process, began: 1, ended, actions: vec![action] };
        let calls = [
            overlapping(0, 5, ranked(READ)),
            overlapping(1, 6, Action::Shutdown { to: 0 }),
            overlapping(2, 7, Action::End { to: 0 }),
        ];
        let nothing_read = Stream { read: 0, ..stream() };
        assert!(brute::accepts(&nothing_read, &calls));
    }
}
