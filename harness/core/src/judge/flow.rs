//! What went into a channel and what came out of it, in one form for streams and queues, texts and stamps.

use crate::{
    history::{Event, History},
    plan::{Plan, PlanAction, PlanStep},
    stamp,
    wire::{Data, HeldEnd, Outcome, Piece, Run},
};
use spec::{Ability, Operation, scenario::Span};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One message that was sent, or may have been.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// The sender's number in stamps.
    pub(super) from: u8,
    /// Which of its messages on this channel.
    pub(super) message: u32,
    /// How many bytes were taken; of a call that did not return, how many at most.
    pub(super) bytes: u64,
    /// Whether the call returned.
    pub(super) certain: bool,
    pub(super) text: Option<String>,
    pub(super) priority: Option<u64>,
    /// When the call began.
    pub(super) began: u64,
    /// When it returned; never, where it did not.
    pub(super) ended: u64,
    /// The event that tells of it.
    pub(super) event: usize,
}

/// One piece that was received.
#[derive(Clone, Debug)]
pub(super) struct Got {
    /// The receiver.
    pub(super) process: usize,
    pub(super) runs: Vec<Run>,
    pub(super) length: u64,
    /// The size of the buffer, where it was said.
    pub(super) buffer: Option<u64>,
    pub(super) priority: Option<u64>,
    pub(super) truncated: bool,
    /// When the call began.
    pub(super) began: u64,
    /// When it returned.
    pub(super) ended: u64,
    /// The event that tells of it.
    pub(super) event: usize,
}

/// All that went through one channel in one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    pub(super) is_stream: bool,
    pub(super) sent: Vec<Sent>,
    pub(super) got: Vec<Got>,
    /// Why more may have been received, or might have been yet, than the history tells.
    pub(super) cut_short: Option<String>,
    /// The place of each message that was sent, by its sender and number.
    places: HashMap<(u8, u32), usize>,
}

/// The operation and the channel of a step that events speak of.
pub(crate) fn step_of(plan: &Plan, process: usize, step: usize) -> Option<(&Operation<u64>, Option<usize>)> {
    if plan.is_story() {
        match &plan.story.get(step)?.action {
            PlanAction::Do { operation, channel } => Some((operation, *channel)),
            _ => None,
        }
    } else {
        let PlanStep { operation, channel, .. } = plan.processes.get(process)?.steps.get(step)?;
        Some((operation, *channel))
    }
}

/// Where a step and its expectation stand in the file.
pub(super) fn spans_of(plan: &Plan, process: usize, step: usize) -> (Span, Span) {
    let spans = if plan.is_story() {
        plan.story.get(step).map(|line| (line.span, line.expect_span))
    } else {
        let step = plan.processes.get(process).and_then(|process| process.steps.get(step));
        step.map(|step| (step.span, step.expect_span))
    };
    spans.unwrap_or_default()
}

impl Flow {
    /// Collects what a history tells of a channel.
    pub(super) fn of(plan: &Plan, history: &History, channel: usize) -> Self {
        let is_stream = plan.channels[channel].options.is == Ability::Stream;
        let mut flow = Self { is_stream, ..Self::default() };
        let mut numbers = vec![0_u32; plan.processes.len()];
        let mut open: Vec<Option<(usize, usize, u64)>> = vec![None; plan.processes.len()];
        let mut texts = Vec::new();
        for (index, event) in history.events.iter().enumerate() {
            match event {
                Event::Began { process, step, at } => open[*process] = Some((index, *step, *at)),
                Event::Returned { process, step, began, ended, outcome } => {
                    open[*process] = None;
                    let Some((operation, Some(on))) = step_of(plan, *process, *step) else { continue };
                    if on != channel {
                        continue;
                    }
                    let call =
                        Call { from: plan.processes[*process].number, began: *began, ended: *ended, event: index };
                    flow.note_sent(operation, outcome, &call, &mut numbers[*process]);
                    if let Outcome::Received(received) = outcome
                        && !is_peek(operation)
                    {
                        for piece in &received.pieces {
                            texts.push(match &piece.data {
                                Data::Text(text) => Some(text.clone()),
                                _ => None,
                            });
                            flow.got.push(got(*process, operation, piece, &call));
                        }
                    }
                }
                _ => {}
            }
        }
        flow.cut_short = cut_short(plan, history, channel, &open);
        // A call that did not return may have done its work, or a part of it.
        for (process, open) in open.iter().enumerate() {
            let Some((event, step, at)) = open else { continue };
            let Some((operation, Some(on))) = step_of(plan, process, *step) else { continue };
            if on == channel {
                let call = Call { from: plan.processes[process].number, began: *at, ended: u64::MAX, event: *event };
                flow.note_unfinished(operation, &call, numbers[process]);
            }
        }
        flow.explain_texts(&texts);
        flow.places = flow.sent.iter().map(|sent| (sent.from, sent.message)).zip(0..).collect();
        flow
    }

    fn note_sent(&mut self, operation: &Operation<u64>, outcome: &Outcome, call: &Call, number: &mut u32) {
        let (text, size, priority) = match operation {
            Operation::Write(write) => (write.text.clone(), write.size, None),
            Operation::Send(send) => (send.text.clone(), send.size, send.priority),
            Operation::Fill(fill) => {
                self.note_filled(fill.size.unwrap_or(1), outcome, call, number);
                return;
            }
            _ => return,
        };
        let bytes = match outcome {
            Outcome::Count(count) => *count,
            Outcome::Done => size.unwrap_or_else(|| text.as_ref().map_or(0, |text| text.len() as u64)),
            _ => return,
        };
        self.sent.push(call.sent(*number, bytes, true, text, priority));
        *number += 1;
    }

    fn note_filled(&mut self, size: u64, outcome: &Outcome, call: &Call, number: &mut u32) {
        let Outcome::Count(count) = outcome else { return };
        let mut left = if self.is_stream { *count } else { count.saturating_mul(size) };
        while left > 0 {
            let bytes = left.min(size.max(1));
            self.sent.push(call.sent(*number, bytes, true, None, None));
            *number += 1;
            left -= bytes;
        }
    }

    fn note_unfinished(&mut self, operation: &Operation<u64>, call: &Call, number: u32) {
        let (text, size, priority) = match operation {
            Operation::Write(write) => (write.text.clone(), write.size, None),
            Operation::Send(send) => (send.text.clone(), send.size, send.priority),
            _ => return,
        };
        let bytes = size.unwrap_or_else(|| text.as_ref().map_or(0, |text| text.len() as u64));
        self.sent.push(call.sent(number, bytes, false, text, priority));
    }

    /// Finds, for pieces that are texts, the messages they are made of.
    fn explain_texts(&mut self, texts: &[Option<String>]) {
        if texts.iter().all(Option::is_none) {
            return;
        }
        let mut taken: Vec<usize> = vec![0; self.sent.len()];
        for (index, text) in texts.iter().enumerate() {
            let Some(text) = text else { continue };
            let mut rest = text.as_bytes();
            let mut runs: Vec<Run> = Vec::new();
            while !rest.is_empty() {
                let (run, sent) = self.explain(rest, &taken);
                if let Some(sent) = sent {
                    taken[sent] += run.length as usize;
                }
                rest = &rest[run.length as usize..];
                match runs.last_mut() {
                    Some(last) if last.from == 0 && run.from == 0 => last.length += 1,
                    _ => runs.push(run),
                }
            }
            self.got[index].runs = runs;
        }
    }

    /// The message whose next bytes begin these bytes: the one that explains most of them, the earliest of those.
    fn explain(&self, bytes: &[u8], taken: &[usize]) -> (Run, Option<usize>) {
        let best = self
            .sent
            .iter()
            .enumerate()
            .filter_map(|(index, sent)| {
                let text = sent.text.as_ref()?.as_bytes();
                let text = &text[..text.len().min(usize::try_from(sent.bytes).unwrap_or(usize::MAX))];
                let rest = text.get(taken[index]..)?;
                let length = rest.iter().zip(bytes).take_while(|(sent, got)| sent == got).count();
                // A queue's message comes whole or cut, and a stream's goes on where it was left.
                (length > 0).then_some((length, index))
            })
            .max_by_key(|(length, index)| (*length, std::cmp::Reverse(*index)));
        match best {
            Some((length, index)) => {
                let sent = &self.sent[index];
                let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
                let run =
                    Run { from: sent.from, message: sent.message, offset: short(taken[index]), length: short(length) };
                (run, Some(index))
            }
            None => (self.again(bytes), None),
        }
    }

    /// The whole message that begins these bytes though all of it has come already; or a byte that nobody sent.
    fn again(&self, bytes: &[u8]) -> Run {
        let is_it = |sent: &&Sent| {
            sent.text.as_ref().is_some_and(|text| text.len() as u64 == sent.bytes && bytes.starts_with(text.as_bytes()))
        };
        let longest = self.sent.iter().filter(|sent| sent.bytes > 0).filter(is_it).max_by_key(|sent| sent.bytes);
        longest.map_or(Run { from: 0, message: 0, offset: 0, length: 1 }, |sent| {
            let length = u32::try_from(sent.bytes).unwrap_or(u32::MAX);
            Run { from: sent.from, message: sent.message, offset: 0, length }
        })
    }

    /// Why stamps do not tell which message each is, where they do not: short messages of one sender look alike after a while.
    pub(super) fn untold(&self, plan: &Plan, channel: usize) -> Option<String> {
        if !plan.channels[channel].stamped {
            return None;
        }
        let shared = self.is_stream && is_shared(plan, channel, &self.got);
        if self.is_stream && !shared {
            // One after another they are told by those before them.
            return None;
        }
        if shared && let Some(why) = self.cut_by_receivers(plan, channel) {
            return Some(why);
        }
        // How many messages each sent, and how much of the shortest a receiver has room for.
        let room = self.got.iter().filter_map(|got| got.buffer).min().unwrap_or(u64::MAX);
        // A message that was cut tells less.
        let cut = self
            .got
            .iter()
            .filter(|_| !self.is_stream)
            .flat_map(|got| &got.runs)
            .map(|run| u64::from(run.length))
            .min();
        let room = room.min(cut.unwrap_or(u64::MAX));
        let mut senders: BTreeMap<u8, (u32, u64)> = BTreeMap::new();
        for sent in self.sent.iter().filter(|sent| sent.bytes > 0) {
            let (count, shortest) = senders.entry(sent.from).or_insert((0, room));
            (*count, *shortest) = ((*count).max(sent.message + 1), (*shortest).min(sent.bytes));
        }
        senders.into_iter().find_map(|(sender, (count, length))| {
            let told = if shared { stamp::distinct_in_a_shared_stream(length) } else { stamp::distinct(length) };
            let who = super::claim::sender_name(plan, sender);
            let why = format!("{who} sent {count} messages, and of messages of {length} B no more than {told} look different: make them longer");
            (count > told).then_some(why)
        })
    }

    /// Why receivers that share a stream may get parts of messages, where they may.
    fn cut_by_receivers(&self, plan: &Plan, channel: usize) -> Option<String> {
        let size = self.sent.first().map_or(0, |sent| sent.bytes);
        let fits = |buffer: u64| size > 0 && buffer.is_multiple_of(size);
        let same = self.sent.iter().all(|sent| sent.bytes == size);
        if same && size <= ATOMIC_LEAST && self.got.iter().all(|got| got.buffer.is_some_and(fits)) {
            return None;
        }
        Some(format!(
            "several processes read `{}`, and may get parts of messages: let all writes be of one size up to {ATOMIC_LEAST}, and the reads of a multiple of it",
            plan.channels[channel].name
        ))
    }

    /// The message that a run is a part of.
    pub(super) fn find(&self, run: &Run) -> Option<&Sent> {
        self.places.get(&(run.from, run.message)).map(|place| &self.sent[*place])
    }
}

/// Why a history does not tell all that was received on a channel, or ends before all could be. `open` are the calls that did not
/// return: of each process the event of its beginning, its step, and when it began.
fn cut_short(plan: &Plan, history: &History, channel: usize, open: &[Option<(usize, usize, u64)>]) -> Option<String> {
    let has = |is: &dyn Fn(&Event) -> bool| history.events.iter().any(is);
    let is_overdue = has(&|event| matches!(event, Event::Overdue { .. }));
    let mut waits = false;
    for (process, open) in open.iter().enumerate() {
        let Some((_, step, _)) = open else { continue };
        let until = match step_of(plan, process, *step) {
            Some((Operation::Read(read), Some(on))) if on == channel => read.until.is_some(),
            Some((Operation::Receive(receive), Some(on))) if on == channel => receive.until.is_some(),
            _ => continue,
        };
        let died = has(&|event| matches!(event, Event::Ended { process: who, .. } if *who == process));
        if until || died || is_overdue {
            let who = &plan.processes[process].name;
            return Some(format!("{who} did not come back from a call that receives, and what it took nobody knows"));
        }
        waits = true;
    }
    // Who sleeps in such a call to the end has shown that there is nothing more to be had.
    let told = !plan.is_story() || has(&|event| matches!(event, Event::Line { line, .. } if *line == plan.story.len()));
    let stopped = has(&|event| matches!(event, Event::Stuck { .. } | Event::Overdue { .. }));
    (!waits && (stopped || !told)).then(|| "it came to an end before all could be received".to_owned())
}

/// What every system keeps together of one write to a pipe: POSIX `limits.h`, `_POSIX_PIPE_BUF`.
const ATOMIC_LEAST: u64 = 512;

/// Whether several processes receive at one end of a channel, or programs that one process ran one after another.
fn is_shared(plan: &Plan, channel: usize, got: &[Got]) -> bool {
    let end = |process: usize| {
        let held = &plan.processes[process].holds;
        held.iter().any(|(held, end)| *held == channel && *end == HeldEnd::Second)
    };
    let execs = |process: usize| {
        let line = |line: &crate::plan::PlanLine| {
            line.process == process && matches!(&line.action, PlanAction::Do { operation: Operation::Exec(_), .. })
        };
        plan.story.iter().any(line)
    };
    let mut receivers: [BTreeSet<usize>; 2] = Default::default();
    for got in got {
        receivers[usize::from(end(got.process))].insert(got.process);
    }
    receivers.iter().any(|receivers| receivers.len() > 1 || receivers.iter().any(|process| execs(*process)))
}

/// A call, for the messages it sent or brought.
struct Call {
    from: u8,
    began: u64,
    ended: u64,
    event: usize,
}

impl Call {
    fn sent(&self, message: u32, bytes: u64, certain: bool, text: Option<String>, priority: Option<u64>) -> Sent {
        let Self { from, began, ended, event } = *self;
        Sent { from, message, bytes, certain, text, priority, began, ended, event }
    }
}

fn is_peek(operation: &Operation<u64>) -> bool {
    match operation {
        Operation::Read(read) => read.peek,
        Operation::Receive(receive) => receive.peek,
        _ => false,
    }
}

fn got(process: usize, operation: &Operation<u64>, piece: &Piece, call: &Call) -> Got {
    let buffer = match operation {
        Operation::Read(read) => read.size,
        Operation::Receive(receive) => receive.size,
        _ => None,
    };
    let runs = match &piece.data {
        Data::Runs(runs) => runs.clone(),
        _ => Vec::new(),
    };
    Got {
        process,
        runs,
        length: piece.length,
        buffer,
        priority: piece.priority,
        truncated: piece.truncated,
        began: call.began,
        ended: call.ended,
        event: call.event,
    }
}

#[cfg(test)]
mod tests {
    use super::Flow;
    use crate::{
        Event, History, samples,
        wire::{Data, Outcome, Piece, Received, Run},
    };
    use rstest::rstest;

    /// All sends of one process, then all receives of the others in turn, each of one whole message.
    fn untold(mechanism: &str, is: &str, messages: u32, size: u32, receivers: usize, buffer: u32) -> Option<String> {
        let (send, receive) = if is == "stream" { ("write", "read") } else { ("send", "receive") };
        let plan = samples::plan(&format!(
            "mechanisms: [{mechanism}]
channels: {{ line: {is} }}
processes:
  sender: [{{ repeat: {{ times: {messages}, steps: [{{ {send}: {{ size: {size} }} }}] }} }}]
  receiver: {{ count: {receivers}, steps: [{{ repeat: {{ times: {messages}, steps: [{{ {receive}: {buffer} }}] }} }}] }}
must: [complete]
"
        ));
        let returned = |process: usize, step: u32, outcome: Outcome| {
            let at = u64::from(step) * 10 + process as u64;
            Event::Returned { process, step: step as usize, began: at, ended: at + 1, outcome }
        };
        let sends = (0..messages).map(|number| returned(0, number, Outcome::Count(size.into())));
        let receives = (0..messages).map(|number| {
            let run = Run { from: 1, message: number, offset: 0, length: size.min(buffer) };
            let data = Data::Runs(vec![run]);
            let piece = Piece { length: run.length.into(), data, priority: None, r#type: None, truncated: false };
            let received = Received { pieces: vec![piece], ended: false, failed: None };
            returned(1 + number as usize % receivers, number, Outcome::Received(received))
        });
        let history = History { run: 0, events: sends.chain(receives).collect() };
        Flow::of(&plan, &history, 0).untold(&plan, 0)
    }

    #[rstest]
    #[case::a_reader_counts("pipe", "stream", 60, 1, 1, 1, None)]
    #[case::of_a_queue_few("posix_mq", "queue", 8, 1, 1, 64, None)]
    #[case::of_a_queue_too_many("posix_mq", "queue", 9, 1, 1, 64, Some("messages of 1 B no more than 8"))]
    #[case::of_a_queue_long("posix_mq", "queue", 60, 8, 2, 64, None)]
    #[case::cut_by_the_buffer("unix_datagram", "queue", 60, 64, 1, 4, Some("messages of 4 B no more than 8"))]
    #[case::readers_of_records("pipe", "stream", 60, 64, 2, 64, None)]
    #[case::readers_of_several_records("pipe", "stream", 60, 64, 2, 128, None)]
    #[case::readers_of_parts("pipe", "stream", 60, 64, 2, 32, Some("may get parts of messages"))]
    #[case::readers_of_short_records("pipe", "stream", 60, 8, 2, 8, Some("messages of 8 B no more than 32"))]
    #[case::readers_of_long_records("pipe", "stream", 8, 1024, 2, 1024, Some("may get parts of messages"))]
    fn what_stamps_do_not_tell_is_not_judged(
        #[case] mechanism: &str,
        #[case] is: &str,
        #[case] messages: u32,
        #[case] size: u32,
        #[case] receivers: usize,
        #[case] buffer: u32,
        #[case] expected: Option<&str>,
    ) {
        let why = untold(mechanism, is, messages, size, receivers, buffer);
        assert_eq!(why.is_some(), expected.is_some(), "{why:?}");
        assert!(why.unwrap_or_default().contains(expected.unwrap_or_default()));
    }
}
