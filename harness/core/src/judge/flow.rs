//! What went into a channel and what came out of it, in one form for streams and queues, texts and stamps.

use crate::{
    history::{Event, History},
    plan::{Plan, PlanAction, PlanStep},
    wire::{Data, Outcome, Piece, Run},
};
use spec::{Ability, Operation, scenario::Span};

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
            None => (Run { from: 0, message: 0, offset: 0, length: 1 }, None),
        }
    }

    /// The message that a run is a part of.
    pub(super) fn find(&self, run: &Run) -> Option<&Sent> {
        self.sent.iter().find(|sent| sent.from == run.from && sent.message == run.message)
    }
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
