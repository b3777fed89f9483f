//! The one function that joins a step to an ability: [`perform`].
//!
//! What can be done before the call ([`prepare`]) and after it (making sense of what was received) is kept out of the time
//! between the two clock readings around it.

mod counters;
mod credentials;
mod data;
mod descriptors;
mod locks;
pub(crate) mod processes;
mod readiness;
mod recall;
mod renew;
mod signals;
pub mod words;

pub use descriptors::Descriptors;
pub use readiness::Watch;
pub use recall::{Given, Recall, perform_again};
pub use renew::{Fresh, clear, renew};

use crate::{
    ability::{Failure, Filter, Memory, Object, Opening, Patience, Queue, Result, Signals, Stream},
    clock, errno,
    mechanism::ProcessSignals,
};
use harness_core::{
    stamp,
    wire::{Outcome, Received},
};
use impls_sys::{descriptor, handles, memory};
use nix::errno::Errno;
use spec::{
    Mechanism, Operation,
    operation::{self, Timeout, Until},
    vocabulary::Feature,
};
use std::{collections::BTreeMap, os::fd::OwnedFd, time::Duration};
use words::Access;

/// A read without a size asks for so many bytes.
const READ_SIZE: u64 = 64 << 10;

/// From this size on a buffer spans some large pages, and touching it by small ones takes milliseconds.
const LARGE_BYTES: usize = 8 << 20;

/// A `fill` gives up after so many calls: where the system takes everything, it would never end.
const FILL_CALLS_MAX: u64 = 1 << 24;

/// The longest payload or buffer: bytes.
const SIZE_MAX: u64 = 1 << 30;

/// What an agent cannot do, as a person would say it. The run is faulty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem(pub String);

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a process holds of a channel.
#[derive(Debug)]
pub struct Held {
    name: String,
    mechanism: Mechanism,
    stamped: bool,
    copies: Vec<Object>,
    /// How many messages this process has sent on it in this run.
    sent: u32,
    /// What it has received of it in this run.
    incoming: data::Incoming,
}

impl Held {
    /// The copies of a channel, one a run.
    #[must_use]
    pub fn new(name: &str, mechanism: Mechanism, stamped: bool, copies: Vec<Object>) -> Self {
        Self { name: name.to_owned(), mechanism, stamped, copies, sent: 0, incoming: data::Incoming::default() }
    }

    /// Whether it is memory.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        matches!(self.copies.first(), Some(Object::Memory(_)))
    }

    /// Whether accesses to it have to be asked for anew each time that they are made.
    #[must_use]
    pub fn is_fickle(&self) -> bool {
        self.copies.iter().any(|copy| matches!(copy, Object::Memory(memory) if memory.is_fickle()))
    }

    /// How many copies there are.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.copies.len()
    }

    /// What it is made of.
    #[must_use]
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Whether its payloads are stamped.
    #[must_use]
    pub fn is_stamped(&self) -> bool {
        self.stamped
    }

    /// How many messages this process has sent on it in this run.
    #[must_use]
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// How much this process has received of it in this run: bytes of a stream, or messages.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.incoming.amount()
    }

    /// Counts on from this many messages sent, after an exec.
    pub fn go_on_counting(&mut self, sent: u32) {
        self.sent = sent;
    }

    /// One of the copies.
    #[must_use]
    pub fn object(&mut self, copy: usize) -> Option<&mut Object> {
        self.copies.get_mut(copy)
    }

    /// The descriptor of an end; `None` where it has none.
    #[must_use]
    pub fn descriptor(&mut self, copy: usize, end: operation::End) -> Option<i32> {
        self.copies.get_mut(copy)?.channel()?.descriptor(Some(end))
    }

    /// Takes a received descriptor as an end.
    ///
    /// # Errors
    /// Where its ends are no descriptors.
    pub fn adopt(&mut self, copy: usize, handle: OwnedFd, end: operation::End) -> std::result::Result<(), Problem> {
        let channel = self.copies.get_mut(copy).and_then(Object::channel);
        let adopted =
            channel.map_or(Err(Failure::senseless("there is no such copy")), |channel| channel.adopt(handle, end));
        adopted.map_err(|failure| Problem(format!("cannot take over a received descriptor: {failure:?}")))
    }

    /// Checks that the mechanism offers what a step asks for.
    ///
    /// # Errors
    /// Where it does not.
    pub fn check(&self, operation: &Operation<u64>) -> std::result::Result<(), Problem> {
        offered(operation, self.mechanism)
    }

    /// Begins a run: messages are counted from 0 again.
    pub fn begin_run(&mut self) {
        self.sent = 0;
        self.incoming.begin_run();
    }

    /// Sets `O_NONBLOCK` on all copies.
    ///
    /// # Errors
    /// Where there is no such flag, or it cannot be set.
    pub fn set_nonblocking(&mut self) -> std::result::Result<(), Problem> {
        for channel in self.copies.iter_mut().filter_map(Object::channel) {
            channel
                .set_nonblocking(true)
                .map_err(|failure| Problem(format!("cannot set `{}` non-blocking: {failure:?}", self.name)))?;
        }
        Ok(())
    }

    /// Makes the word of an access reachable in a copy.
    ///
    /// # Errors
    /// Where there is no such word.
    pub fn reach(&mut self, operation: &Operation<u64>, copy: usize) -> std::result::Result<(), Problem> {
        let reached = match self.copies.get_mut(copy) {
            Some(Object::Memory(memory)) => words::reach(operation, memory.as_mut()),
            _ => Err(Failure::senseless("it is no memory")),
        };
        reached.map_err(|failure| Problem(format!("cannot {} `{}`: {failure:?}", operation.name(), self.name)))
    }

    /// An access to a copy that was made reachable.
    ///
    /// # Errors
    /// Where there is no such word.
    pub fn access(&self, operation: &Operation<u64>, copy: usize) -> std::result::Result<Access<'_>, Problem> {
        let access = match self.copies.get(copy) {
            Some(Object::Memory(memory)) => memory.access(operation),
            _ => Access::new(operation, None),
        };
        access.map_err(|failure| Problem(format!("cannot {} `{}`: {failure:?}", operation.name(), self.name)))
    }
}

/// Who performs.
#[derive(Debug)]
pub struct Performer {
    /// The number in its stamps.
    pub number: u8,
    /// The process ids of all processes of the run, by name.
    pub pids: BTreeMap<String, i32>,
    /// Its signals.
    pub signals: Box<dyn Signals>,
    /// What it watches.
    pub watch: Watch,
    /// Its descriptors of signals and processes.
    pub descriptors: Descriptors,
    /// How the steps spelled the signals they named, by number: reports use the same words.
    pub spellings: BTreeMap<i32, spec::Signal>,
}

impl Performer {
    /// One who knows nobody yet.
    #[must_use]
    pub fn new(number: u8) -> Self {
        Self {
            number,
            pids: BTreeMap::new(),
            signals: Box::new(ProcessSignals),
            watch: Watch::default(),
            descriptors: Descriptors::default(),
            spellings: BTreeMap::new(),
        }
    }
}

/// Buffers that live from step to step, and the times of the last call.
#[derive(Debug, Default)]
pub struct Work {
    payload: Vec<u8>,
    /// Whose message lies in `payload`, and which, where that is known to be a whole one with stamps.
    loaded: Option<(u8, u32)>,
    buffer: Vec<u8>,
    /// The descriptor that a step is to send: -1 where it is closed.
    pub handle: i32,
    /// The descriptor that a step received.
    pub received: Option<OwnedFd>,
    /// When the last call began: nanoseconds of `CLOCK_MONOTONIC`.
    pub began: u64,
    /// When it returned.
    pub ended: u64,
}

impl Work {
    /// Makes a call and notes when.
    #[inline]
    fn timed<T>(&mut self, call: impl FnOnce(&[u8], &mut [u8]) -> T) -> T {
        let Self { payload, buffer, began, ended, .. } = self;
        *began = clock::now();
        let result = call(payload, buffer);
        *ended = clock::now();
        result
    }

    /// An event that is no call.
    fn instant(&mut self) {
        self.began = clock::now();
        self.ended = self.began;
    }
}

/// Makes ready what a step needs: the bytes to send, a buffer to receive into.
///
/// # Errors
/// Where the step makes no sense for this channel.
pub fn prepare(
    operation: &Operation<u64>,
    held: Option<&mut Held>,
    copy: usize,
    performer: &Performer,
    work: &mut Work,
) -> std::result::Result<(), Problem> {
    if let Some(held) = &held {
        held.check(operation)?;
    }
    lay_out(operation, held, copy, performer, work)
}

/// As [`prepare`], for a step that was checked by [`Held::check`].
///
/// # Errors
/// Where the step makes no sense for this channel.
pub fn lay_out(
    operation: &Operation<u64>,
    held: Option<&mut Held>,
    copy: usize,
    performer: &Performer,
    work: &mut Work,
) -> std::result::Result<(), Problem> {
    let sent = held.as_ref().map_or(0, |held| held.sent);
    match operation {
        Operation::Write(operation::Write { text, size, .. }) | Operation::Send(operation::Send { text, size, .. }) => {
            load_payload(work, text.as_deref(), *size, performer.number, sent)
        }
        Operation::Fill(fill) => load_payload(work, None, Some(fill.size.unwrap_or(1)), performer.number, sent),
        Operation::Store(operation::Store { text: Some(text), .. }) => load_payload(work, Some(text), None, 0, 0),
        Operation::Read(read) => make_buffer(work, read.size.unwrap_or(READ_SIZE)),
        Operation::Load(operation::Load { size: Some(size), .. }) => make_buffer(work, *size),
        Operation::Receive(receive) => {
            // What the largest message is may take a system call to know.
            let largest = || match held.and_then(|held| held.copies.get_mut(copy)) {
                Some(Object::Queue(queue)) => queue.message_size_max() as u64,
                _ => READ_SIZE,
            };
            make_buffer(work, receive.size.unwrap_or_else(largest))
        }
        _ => Ok(()),
    }
}

fn load_payload(
    work: &mut Work,
    text: Option<&str>,
    size: Option<u64>,
    number: u8,
    message: u32,
) -> std::result::Result<(), Problem> {
    // A stamped message is made once, where this buffer is for one step alone.
    if text.is_none() && work.loaded == Some((number, message)) && work.payload.len() as u64 == size.unwrap_or(0) {
        return Ok(());
    }
    work.loaded = text.is_none().then_some((number, message));
    if let Some(text) = text {
        work.payload.clear();
        work.payload.extend_from_slice(text.as_bytes());
        return Ok(());
    }
    let size = checked_size(size.unwrap_or(0))?;
    resize(&mut work.payload, size);
    stamp::fill(number, message, &mut work.payload);
    Ok(())
}

fn make_buffer(work: &mut Work, size: u64) -> std::result::Result<(), Problem> {
    let size = checked_size(size)?;
    resize(&mut work.buffer, size);
    Ok(())
}

/// Gives a buffer its length, whatever it holds then. New memory is asked for as zeros: of a large buffer none is touched before
/// it is used.
fn resize(buffer: &mut Vec<u8>, size: usize) {
    if size > buffer.capacity() {
        *buffer = vec![0; size];
        if size >= LARGE_BYTES {
            memory::prefer_large_pages(buffer);
        }
    } else {
        buffer.resize(size, 0);
    }
}

fn checked_size(size: u64) -> std::result::Result<usize, Problem> {
    usize::try_from(size)
        .ok()
        .filter(|_| size <= SIZE_MAX)
        .ok_or_else(|| Problem(format!("a buffer of {size} bytes is too large for this agent ({SIZE_MAX} at most)")))
}

/// Whether the mechanism offers what the step asks for: the loader has seen to that, but an agent trusts nobody.
fn offered(operation: &Operation<u64>, mechanism: Mechanism) -> std::result::Result<(), Problem> {
    let nonblocking = match operation {
        Operation::Write(operation::Write { nonblocking, .. })
        | Operation::Read(operation::Read { nonblocking, .. })
        | Operation::Send(operation::Send { nonblocking, .. })
        | Operation::Receive(operation::Receive { nonblocking, .. })
        | Operation::Wait(operation::Wait { nonblocking, .. })
        | Operation::Lock(operation::Lock { nonblocking, .. }) => *nonblocking,
        _ => false,
    };
    // The timeout of a poll is the poll's own, whatever is polled.
    let timeout = operation.timeout_ns().filter(|_| !matches!(operation, Operation::Poll(_)));
    let priority = matches!(operation, Operation::Send(operation::Send { priority: Some(_), .. }));
    let types = match operation {
        Operation::Send(send) => send.r#type.is_some(),
        Operation::Receive(receive) => {
            receive.r#type.is_some() || receive.up_to.is_some() || receive.except || receive.truncate
        }
        _ => false,
    };
    let asked = [
        operation.row().needs,
        nonblocking.then_some(Feature::Nonblocking),
        timeout.map(|_| Feature::Timeout),
        priority.then_some(Feature::Priority),
        types.then_some(Feature::Types),
    ];
    match asked.into_iter().flatten().find(|feature| !mechanism.has(*feature)) {
        None => Ok(()),
        Some(feature) => {
            Err(Problem(format!("{} cannot {}: it lacks the feature {feature:?}", mechanism, operation.name())))
        }
    }
}

/// Does one step and says what it gave; its times are in `work`. To be prepared by [`prepare`]. An `exit` does not return.
///
/// # Errors
/// Where the step makes no sense for this channel.
pub fn perform(
    operation: &Operation<u64>,
    held: Option<&mut Held>,
    copy: usize,
    performer: &mut Performer,
    work: &mut Work,
) -> std::result::Result<Outcome, Problem> {
    let attempted = attempt(operation, is_own(operation), held, copy, performer, work);
    attempted.or_else(|failure| outcome_of(failure, operation))
}

fn attempt(
    operation: &Operation<u64>,
    is_own: bool,
    held: Option<&mut Held>,
    copy: usize,
    performer: &mut Performer,
    work: &mut Work,
) -> Result<Outcome> {
    work.began = 0;
    let result = match held {
        Some(held) if !is_own => on_channel(operation, held, copy, performer, work),
        _ => by_itself(operation, performer, work),
    };
    if work.began == 0 {
        // There was no call to be timed.
        work.instant();
    }
    result
}

/// The outcome that a failure is; a problem where there was no call that could fail.
fn outcome_of(failure: Failure, operation: &Operation<u64>) -> std::result::Result<Outcome, Problem> {
    match failure {
        Failure::Errno(errno) => failed(errno),
        Failure::Senseless(why) => Err(Problem(format!("cannot {}: {why}", operation.name()))),
    }
}

/// What a step would have given, had it been done with success: of what gives nothing else than that, or how much was sent.
#[must_use]
pub fn omitted(operation: &Operation<u64>) -> Outcome {
    let length = |text: &Option<String>, size: Option<u64>| {
        Outcome::Count(size.unwrap_or_else(|| text.as_ref().map_or(0, |text| text.len() as u64)))
    };
    match operation {
        Operation::Write(write) => length(&write.text, write.size),
        Operation::Send(send) => length(&send.text, send.size),
        _ => Outcome::Done,
    }
}

/// A failure in the words of the protocol.
///
/// # Errors
/// Where the protocol has no name for it.
pub fn failed(errno: Errno) -> std::result::Result<Outcome, Problem> {
    errno::name(errno)
        .map(Outcome::Failed)
        .ok_or_else(|| Problem(format!("the call failed with {errno:?} ({errno}), which the protocol has no name for")))
}

/// Whether an operation is the process's own, whatever channel its step names.
#[must_use]
pub fn is_own(operation: &Operation<u64>) -> bool {
    matches!(operation.row().scope, operation::Scope::Process | operation::Scope::Abilities(&[spec::Ability::Signals]))
}

/// Operations of the process itself.
fn by_itself(operation: &Operation<u64>, performer: &mut Performer, work: &mut Work) -> Result<Outcome> {
    match operation {
        Operation::Exit(exit) => {
            // The system keeps the low eight bits of a status.
            impls_sys::process::exit(i32::try_from(exit.status.unwrap_or(0) & 0xff).unwrap_or(0))
        }
        // Enter and leave are no calls: the instant is all there is to say.
        Operation::Enter(_) | Operation::Leave(_) => Ok(Outcome::Done),
        Operation::Waitpid(wait) => processes::waitpid(wait, performer, work),
        Operation::Setrlimit(set) => processes::set_limit(set, work),
        Operation::Setpgid(of) => processes::set_group(of, performer, work),
        Operation::ChangeUser(_) => processes::change_user(work),
        operation if descriptors::is_about(operation) => descriptors::perform(operation, performer, work),
        Operation::EpollWait(wait) => performer.watch.wait(wait.timeout, work),
        Operation::Fence(_) => {
            let fence = Access::new(operation, None)?;
            let _ = work.timed(|_, _| fence.make());
            Ok(Outcome::Done)
        }
        _ => signals::perform(operation, performer, work)
            .unwrap_or_else(|| Err(Failure::senseless("it needs a channel that this process holds"))),
    }
}

fn on_channel(
    operation: &Operation<u64>,
    held: &mut Held,
    copy: usize,
    performer: &mut Performer,
    work: &mut Work,
) -> Result<Outcome> {
    let Held { name, mechanism, stamped, copies, sent, incoming } = held;
    let Some(object) = copies.get_mut(copy) else {
        return Err(Failure::Senseless(format!("there is no copy {copy} of the channel")));
    };
    match (operation, object) {
        (Operation::Write(write), Object::Stream(stream)) => self::write(write, stream.as_mut(), sent, work).map(count),
        (Operation::Read(read), Object::Stream(stream)) => {
            self::read(read, stream.as_mut(), work, &mut data::Reader { stamped: *stamped, incoming })
        }
        (Operation::Fill(_), Object::Stream(stream)) => fill_stream(stream.as_mut(), performer.number, sent, work),
        (Operation::Fill(_), Object::Queue(queue)) => fill_queue(queue.as_mut(), performer.number, sent, work),
        (Operation::Send(send), Object::Queue(queue)) => self::send(send, queue.as_mut(), sent, work).map(count),
        (Operation::Receive(receive), Object::Queue(queue)) => {
            self::receive(receive, queue.as_mut(), work, &mut data::Reader { stamped: *stamped, incoming })
        }
        (Operation::Attributes(_), Object::Queue(queue)) => work.timed(|_, _| queue.attributes()).map(Outcome::Count),
        (operation, Object::Counter(counter)) if counters::is_counting(operation) => {
            counters::perform(operation, counter.as_mut(), work)
        }
        (operation, Object::Lock(lock)) if locks::is_of_lock(operation) => locks::lock(operation, lock.as_mut(), work),
        (operation, Object::Wake(wake)) if locks::is_of_wake(operation) => locks::wake(operation, wake.as_mut(), work),
        (operation, Object::Memory(memory)) if is_of_memory(operation) => {
            self::memory(operation, memory.as_mut(), work)
        }
        (
            operation @ (Operation::Poll(_)
            | Operation::EpollAdd(_)
            | Operation::SendHandle(_)
            | Operation::ReceiveHandle(_)
            | Operation::Unread(_)
            | Operation::SetCapacity(_)),
            object,
        ) => on_descriptor(operation, name, object, *mechanism, performer, work),
        (Operation::MqNotify(notify), Object::Queue(queue)) => {
            let signal = notify.signal.as_ref().map(|signal| performer.number_of(signal)).transpose()?;
            let request = signal.map(|signal| (signal, notify.value.unwrap_or(0)));
            work.timed(|_, _| queue.notify(request)).map(|()| Outcome::Done)
        }
        (operation, object) if credentials::is_about(operation) => {
            let lacks = || Failure::Senseless(format!("a {mechanism} has no socket"));
            credentials::perform(operation, object.channel().ok_or_else(lacks)?, performer, work)
        }
        (operation, object) => on_any_channel(operation, object, *mechanism, work),
    }
}

/// Operations on the descriptor of a channel, whatever it leads to.
fn on_descriptor(
    operation: &Operation<u64>,
    name: &str,
    object: &mut Object,
    mechanism: Mechanism,
    performer: &mut Performer,
    work: &mut Work,
) -> Result<Outcome> {
    let lacks = || Failure::Senseless(format!("a {mechanism} has no descriptor"));
    let channel = object.channel().ok_or_else(lacks)?;
    let number = |end: Option<operation::End>| channel.descriptor(end).ok_or_else(lacks);
    match operation {
        Operation::Poll(poll) => readiness::poll(poll, number(poll.end)?, work),
        Operation::EpollAdd(add) => performer.watch.add(add, name, number(add.end)?, work),
        Operation::Unread(_) => {
            let descriptor = number(Some(operation::End::Read))?;
            Ok(Outcome::Count(work.timed(|_, _| descriptor::unread(descriptor))?))
        }
        Operation::SetCapacity(set) => {
            let size = set.size.ok_or_else(|| Failure::senseless("it was told no size"))?;
            let descriptor = number(None)?;
            Ok(Outcome::Count(work.timed(|_, _| descriptor::set_pipe_size(descriptor, size))?))
        }
        Operation::SendHandle(_) => {
            let (socket, handle) = (number(Some(operation::End::Write))?, work.handle);
            work.timed(|_, _| handles::send(socket, handle))?;
            Ok(Outcome::Done)
        }
        Operation::ReceiveHandle(receive) => {
            let socket = number(Some(operation::End::Read))?;
            let mut received = work.timed(|_, _| handles::receive(socket, !receive.without_room))?;
            let count = received.handles.len() as u64;
            work.received = received.handles.pop();
            Ok(Outcome::Count(count))
        }
        _ => Err(lacks()),
    }
}

/// Operations on what every channel, or every socket, has.
fn on_any_channel(
    operation: &Operation<u64>,
    object: &mut Object,
    mechanism: Mechanism,
    work: &mut Work,
) -> Result<Outcome> {
    let lacks = || Failure::Senseless(format!("a {mechanism} that was attached like this has no such call"));
    let channel = object.channel().ok_or_else(lacks)?;
    match operation {
        Operation::Close(close) => work.timed(|_, _| channel.close(close.end)),
        Operation::SetNonblocking(set) => work.timed(|_, _| channel.set_nonblocking(!set.clear)),
        Operation::Open(open) => {
            let opening = Opening {
                access: open.r#for,
                create: open.create,
                exclusive: open.exclusive,
                nonblocking: open.nonblocking,
            };
            let names = channel.names().ok_or_else(lacks)?;
            work.timed(|_, _| names.open(opening))
        }
        Operation::Unlink(_) => {
            let names = channel.names().ok_or_else(lacks)?;
            work.timed(|_, _| names.unlink())
        }
        Operation::Bind(_) => {
            let binding = channel.binding().ok_or_else(lacks)?;
            work.timed(|_, _| binding.bind())
        }
        Operation::Connect(connect) => {
            let binding = channel.binding().ok_or_else(lacks)?;
            work.timed(|_, _| binding.connect(connect.nonblocking))
        }
        Operation::Listen(listen) => {
            let connections = channel.connections().ok_or_else(lacks)?;
            let backlog = i32::try_from(listen.backlog.unwrap_or(16)).unwrap_or(i32::MAX);
            work.timed(|_, _| connections.listen(backlog))
        }
        Operation::Accept(accept) => {
            let connections = channel.connections().ok_or_else(lacks)?;
            work.timed(|_, _| connections.accept(accept.nonblocking))
        }
        Operation::Shutdown(shutdown) => {
            let ends = channel.shutdown().ok_or_else(lacks)?;
            work.timed(|_, _| ends.shutdown(shutdown.direction))
        }
        _ => Err(lacks()),
    }
    .map(|()| Outcome::Done)
}

fn write(write: &operation::Write<u64>, stream: &mut dyn Stream, sent: &mut u32, work: &mut Work) -> Result<usize> {
    let written = work.timed(|payload, _| stream.write(payload, write.nonblocking))?;
    *sent += 1;
    Ok(written)
}

fn send(send: &operation::Send<u64>, queue: &mut dyn Queue, sent: &mut u32, work: &mut Work) -> Result<usize> {
    let priority = send.priority.map(priority).transpose()?;
    let patience = patience(send.nonblocking, send.timeout);
    let length = work.timed(|payload, _| match send.r#type {
        Some(kind) => queue.send_typed(payload, kind, patience),
        None => queue.send(payload, priority, patience),
    })?;
    *sent += 1;
    Ok(length)
}

fn read(
    read: &operation::Read<u64>,
    stream: &mut dyn Stream,
    work: &mut Work,
    reader: &mut data::Reader<'_>,
) -> Result<Outcome> {
    let nonblocking = read.nonblocking || read.until == Some(Until::Empty);
    let asked = work.buffer.len();
    let mut received = Received::default();
    let mut began = None;
    loop {
        let result = work.timed(|_, buffer| stream.read(buffer, nonblocking, read.peek));
        began.get_or_insert(work.began);
        let again = match result {
            Ok(0) if asked > 0 => {
                received.ended = true;
                false
            }
            Ok(length) => {
                received.pieces.push(reader.stream(&work.buffer[..length], read.peek));
                asked > 0
            }
            Err(failure) => return finish(work, began, received, failure, read.until),
        };
        if read.until.is_none() || !again {
            break;
        }
    }
    work.began = began.unwrap_or(work.began);
    Ok(Outcome::Received(received))
}

fn receive(
    receive: &operation::Receive<u64>,
    queue: &mut dyn Queue,
    work: &mut Work,
    reader: &mut data::Reader<'_>,
) -> Result<Outcome> {
    let patience = match patience(receive.nonblocking, receive.timeout) {
        Patience::Forever if receive.until == Some(Until::Empty) => Patience::Never,
        patience => patience,
    };
    let asked =
        Filter { kind: receive.r#type, up_to: receive.up_to, except: receive.except, truncate: receive.truncate };
    let filter = (asked != Filter::default()).then_some(asked);
    let mut received = Received::default();
    let mut began = None;
    loop {
        let result = work.timed(|_, buffer| match filter {
            Some(filter) => queue.receive_filtered(buffer, filter, patience),
            None => queue.receive(buffer, patience, receive.peek),
        });
        began.get_or_insert(work.began);
        match result {
            Ok(message) if message.ended => received.ended = true,
            Ok(message) => received.pieces.push(reader.message(&work.buffer[..message.length], &message, receive.peek)),
            Err(failure) => return finish(work, began, received, failure, receive.until),
        }
        if receive.until.is_none() || received.ended {
            break;
        }
    }
    work.began = began.unwrap_or(work.began);
    Ok(Outcome::Received(received))
}

/// After the call that failed: what the calls before it brought, if there were any, or if that failure was asked for.
fn finish(
    work: &mut Work,
    began: Option<u64>,
    mut received: Received,
    failure: Failure,
    until: Option<Until>,
) -> Result<Outcome> {
    work.began = began.unwrap_or(work.began);
    match failure {
        Failure::Errno(Errno::EAGAIN | Errno::ETIMEDOUT) if until == Some(Until::Empty) => {
            Ok(Outcome::Received(received))
        }
        Failure::Errno(errno) if !received.pieces.is_empty() => {
            received.failed = errno::name(errno);
            if received.failed.is_some() { Ok(Outcome::Received(received)) } else { Err(failure) }
        }
        failure => Err(failure),
    }
}

/// Writes until nothing more is taken; gives the bytes. What was taken of a message in part counts as that message.
fn fill_stream(stream: &mut dyn Stream, number: u8, sent: &mut u32, work: &mut Work) -> Result<Outcome> {
    fill(number, sent, work, |payload| stream.write(payload, true), |written| written as u64)
}

/// Sends until nothing more is taken; gives the number of messages.
fn fill_queue(queue: &mut dyn Queue, number: u8, sent: &mut u32, work: &mut Work) -> Result<Outcome> {
    fill(number, sent, work, |payload| queue.send(payload, None, Patience::Never), |_| 1)
}

fn fill(
    number: u8,
    sent: &mut u32,
    work: &mut Work,
    mut call: impl FnMut(&[u8]) -> Result<usize>,
    weight: impl Fn(usize) -> u64,
) -> Result<Outcome> {
    let mut total = 0;
    let mut began = None;
    for _ in 0..FILL_CALLS_MAX {
        stamp::fill(number, *sent, &mut work.payload);
        work.loaded = None;
        let result = work.timed(|payload, _| call(payload));
        began.get_or_insert(work.began);
        match result {
            Ok(length) => {
                total += weight(length);
                *sent += 1;
            }
            Err(Failure::Errno(Errno::EAGAIN | Errno::ENOBUFS)) => {
                work.began = began.unwrap_or(work.began);
                return Ok(Outcome::Count(total));
            }
            Err(failure) => return Err(failure),
        }
    }
    Err(Failure::Senseless(format!("{FILL_CALLS_MAX} calls did not fill it")))
}

fn is_of_memory(operation: &Operation<u64>) -> bool {
    matches!(
        operation,
        Operation::Store(_)
            | Operation::Load(_)
            | Operation::FetchAdd(_)
            | Operation::CompareExchange(_)
            | Operation::Resize(_)
            | Operation::Seal(_)
    )
}

fn memory(operation: &Operation<u64>, memory: &mut dyn Memory, work: &mut Work) -> Result<Outcome> {
    match operation {
        Operation::Store(operation::Store { text: Some(_), at, .. }) => {
            work.timed(|payload, _| memory.store_bytes(at.unwrap_or(0), payload)).map(|()| Outcome::Done)
        }
        Operation::Load(operation::Load { size: Some(_), at, .. }) => {
            work.timed(|_, buffer| memory.load_bytes(at.unwrap_or(0), buffer))?;
            Ok(Outcome::Text(data::text_up_to_nul(&work.buffer)))
        }
        Operation::FetchAdd(add) if add.torn => {
            let (cell, value) = (add.cell.unwrap_or(0), add.value.unwrap_or(1));
            let before = work.timed(|_, _| {
                let before = memory.load(cell)?;
                memory.store(cell, before.wrapping_add(value))?;
                Ok(before)
            });
            before.map(Outcome::Count)
        }
        access if words::is_access(access) => {
            words::reach(access, memory)?;
            let access = memory.access(access)?;
            let found = work.timed(|_, _| access.make());
            Ok(if access.tells() { Outcome::Count(found) } else { Outcome::Done })
        }
        Operation::Resize(resize) => {
            let size = resize.size.ok_or_else(|| Failure::senseless("it was told no size"))?;
            work.timed(|_, _| memory.resize(size)).map(|()| Outcome::Done)
        }
        Operation::Seal(seal) => work.timed(|_, _| memory.seal(&seal.seals)).map(|()| Outcome::Done),
        _ => Err(Failure::senseless("memory has no such call")),
    }
}

fn patience(nonblocking: bool, timeout: Option<Timeout>) -> Patience {
    match timeout {
        _ if nonblocking => Patience::Never,
        Some(timeout) => Patience::For(Duration::from_nanos(timeout.ns())),
        None => Patience::Forever,
    }
}

fn priority(priority: u64) -> Result<u32> {
    // What no unsigned int holds is above MQ_PRIO_MAX anywhere: the error that the call gives for that.
    u32::try_from(priority).map_err(|_| Errno::EINVAL.into())
}

fn count(length: usize) -> Outcome {
    Outcome::Count(length as u64)
}
