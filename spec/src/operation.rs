//! The operations a step can ask for, with their arguments: one enum for the language, the plan and the wire.
//!
//! `N` is the type of an amount: [`crate::Amount`] as written, `u64` once its limits are resolved.

use crate::{
    Signal,
    vocabulary::{Ability, Feature},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One operation with its arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation<N> {
    /// Open a named object: `open()`, `mq_open()`, `shm_open()`, `sem_open()`.
    Open(Open),
    /// Close what this process holds of a channel.
    Close(Close),
    /// Remove the name of a channel; what is open lives on.
    Unlink(OfChannel),
    /// Set or clear `O_NONBLOCK` on the open file description.
    SetNonblocking(SetNonblocking),
    /// Write bytes to a stream.
    Write(Write<N>),
    /// Read bytes from a stream.
    Read(Read<N>),
    /// Write or send, without waiting, until the channel takes no more; gives how many bytes or messages it took.
    Fill(Fill<N>),
    /// End one direction of a connection: `shutdown()`.
    Shutdown(Shutdown),
    /// Send one message.
    Send(Send<N>),
    /// Receive one message.
    Receive(Receive<N>),
    /// How many messages a queue holds: `mq_getattr()`.
    Attributes(OfChannel),
    /// How many bytes wait to be read, of a datagram socket how long the next message is: `ioctl(FIONREAD)`.
    Unread(OfChannel),
    /// Change how many bytes a pipe holds, and tell how many it holds now: `fcntl(F_SETPIPE_SZ)`, of Linux.
    SetCapacity(SetCapacity<N>),
    /// Give a socket its name: `bind()`.
    Bind(OfChannel),
    /// Wait for connections: `listen()`.
    Listen(Listen<N>),
    /// Connect to the name of a channel: `connect()`.
    Connect(Connect),
    /// Take one connection: `accept()`.
    Accept(Accept),
    /// Decrement a counter, waiting while it is zero: `sem_wait()`, `sem_trywait()`, `sem_timedwait()`.
    Wait(Wait),
    /// Increment a counter: `sem_post()`.
    Post(Post<N>),
    /// The value of a counter: `sem_getvalue()`.
    Value(Value<N>),
    /// Change several semaphores of a set at once: `semop()`, `semtimedop()`.
    Semop(Semop),
    /// Forbid changes of a memory object: `fcntl(F_ADD_SEALS)`.
    Seal(Seal),
    /// Take a lock: `pthread_mutex_lock()`, `pthread_rwlock_rdlock()`, `flock()`, `fcntl()` with `F_SETLKW`.
    ///
    /// That it fails with `EOWNERDEAD` says that the owner of a robust mutex has died; the caller holds the mutex then all the same.
    Lock(Lock<N>),
    /// Release a lock: `pthread_mutex_unlock()`, `LOCK_UN`, `F_UNLCK`.
    Unlock(Unlock<N>),
    /// Mark what a robust mutex protects as consistent again: `pthread_mutex_consistent()`.
    Consistent(OfChannel),
    /// Sleep until somebody notifies: `pthread_cond_wait()`, which gives up the mutex meanwhile; `FUTEX_WAIT`.
    WaitOn(WaitOn<N>),
    /// Sleep on several words until one of them is woken: `futex_waitv()`; gives the place of that one among them.
    WaitOnAny(WaitOnAny<N>),
    /// Wake who sleeps: `pthread_cond_signal()`, `pthread_cond_broadcast()`; `FUTEX_WAKE`, which gives how many it woke.
    Notify(Notify<N>),
    /// Wake some of those who sleep on one word, and have others sleep on another: `FUTEX_CMP_REQUEUE`; gives how many those are
    /// together.
    Requeue(Requeue<N>),
    /// Wait at a barrier until all have come: `pthread_barrier_wait()`; gives 1 to one of them (`PTHREAD_BARRIER_SERIAL_THREAD`), 0 to the others.
    Arrive(OfChannel),
    /// Store a number in an atomic cell or word, or a text at an offset.
    Store(Store<N>),
    /// Load an atomic cell or word, or a text at an offset.
    Load(Load<N>),
    /// Add to an atomic cell; gives the value before.
    FetchAdd(FetchAdd<N>),
    /// Replace the value of an atomic cell if it is as expected; gives the value before.
    CompareExchange(CompareExchange<N>),
    /// Keep loads and stores before it from passing those after it: `atomic_thread_fence()`.
    Fence(Fence),
    /// Set the size of a memory object: `ftruncate()`.
    Resize(Resize<N>),
    /// Which events a descriptor is ready for: `poll()`; gives their names in the order `in pri out rdhup err hup`, or `nothing`.
    Poll(Poll),
    /// Watch a descriptor: `epoll_ctl()`, on the one epoll instance of this process.
    EpollAdd(EpollAdd),
    /// Wait for what is watched: `epoll_wait()`; gives each channel that is ready and its events, as `line: in hup`.
    EpollWait(EpollWait),
    /// Send the descriptor of another channel's end with one byte: `sendmsg()` with `SCM_RIGHTS`.
    SendHandle(SendHandle),
    /// Receive a descriptor, which from then on is this process's end of another channel: `recvmsg()` with `SCM_RIGHTS`; gives
    /// how many came.
    ReceiveHandle(ReceiveHandle),
    /// Send a signal: `kill()`.
    Kill(Kill),
    /// Send a signal with a value: `sigqueue()`.
    Sigqueue(Sigqueue<N>),
    /// Block or unblock signals: `sigprocmask()`.
    Sigmask(Sigmask),
    /// Say what a signal does: `sigaction()`.
    Sigaction(Sigaction),
    /// Accept a pending signal: `sigwaitinfo()`, `sigtimedwait()`.
    Sigwait(Sigwait),
    /// Wait for a signal with another mask: `sigsuspend()`.
    Sigsuspend(Sigsuspend),
    /// Which signals are pending: `sigpending()`.
    Sigpending(Sigpending),
    /// Which signals the handlers of this process have caught so far, in order.
    Caught(Caught),
    /// Start the process of this name as a copy of this one, with all that it holds: `fork()`.
    Fork(Fork),
    /// Wait for a child that this process forked: `waitpid()`; gives `exited 0`, `killed SIGKILL`, `stopped SIGSTOP`, `continued`,
    /// or `nothing` where there is nothing to tell and it was not to wait.
    Waitpid(Waitpid),
    /// Set the soft limit of a resource for this process: `setrlimit()`.
    Setrlimit(Setrlimit<N>),
    /// Ask for a signal when the next message comes to the empty queue, or take that back: `mq_notify()`.
    MqNotify(MqNotify<N>),
    /// Have the system tell who sends: `SO_PASSCRED`.
    PassCredentials(OfChannel),
    /// Send one byte and say who sends it: `sendmsg()` with `SCM_CREDENTIALS`.
    SendCredentials(SendCredentials),
    /// Receive one byte; gives the process that sent it, as the system tells: `recvmsg()` with `SCM_CREDENTIALS`; `nobody` where it does not.
    ReceiveCredentials(OfChannel),
    /// Which process connected, or listened: `SO_PEERCRED`.
    PeerCredentials(OfChannel),
    /// Have a stack for handlers with `SA_ONSTACK`: `sigaltstack()`.
    Sigaltstack(Sigaltstack),
    /// Make a descriptor of which these signals are read, or change which: `signalfd()`.
    Signalfd(Signalfd),
    /// Read one signal from that descriptor.
    SignalfdRead(SignalfdRead),
    /// Get a descriptor of a process: `pidfd_open()`.
    PidfdOpen(OfProcess),
    /// Send a signal to the process of that descriptor: `pidfd_send_signal()`.
    PidfdSendSignal(PidfdSendSignal),
    /// Whether the process of that descriptor has ended: `poll()`; gives `in` or `nothing`.
    PidfdPoll(PidfdPoll),
    /// Become a member of the process group of a process: `setpgid()`.
    Setpgid(OfProcess),
    /// Run this program anew in this process: `execve()`. Nothing of what it held is left to it but the channels it keeps.
    Exec(Exec),
    /// Become a user without privileges: `setresgid()`, `setresuid()`.
    ChangeUser(ChangeUser),
    /// End this process with a status: `_exit()`.
    Exit(Exit<N>),
    /// Note the beginning of a critical section, for the claim `excludes`.
    Enter(Section),
    /// Note the end of a critical section.
    Leave(Section),
    /// Wait for all processes that name this meeting.
    Meet(Meeting),
}

/// Who may be asked for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Channels of one of these abilities.
    Abilities(&'static [Ability]),
    /// Any channel.
    AnyChannel,
    /// The process itself: no channel.
    Process,
}

/// One row of the table of operations.
#[derive(Clone, Copy, Debug)]
pub struct OperationRow {
    /// The key in scenario files.
    pub name: &'static str,
    /// Who may be asked for it.
    pub scope: Scope,
    /// What the mechanism must offer.
    pub needs: Option<Feature>,
    /// The argument that a bare text stands for.
    pub text: Option<&'static str>,
    /// The argument that a bare number stands for.
    pub number: Option<&'static str>,
    /// The argument that a bare list stands for.
    pub list: Option<&'static str>,
}

const WITH_DESCRIPTORS: Scope = Scope::Abilities(&[Ability::Stream, Ability::Queue, Ability::Counter]);
const QUEUE_OR_STREAM: Scope = Scope::Abilities(&[Ability::Stream, Ability::Queue]);
const STREAM: Scope = Scope::Abilities(&[Ability::Stream]);
const QUEUE: Scope = Scope::Abilities(&[Ability::Queue]);
const COUNTER: Scope = Scope::Abilities(&[Ability::Counter]);
const MEMORY: Scope = Scope::Abilities(&[Ability::Memory]);
const MEMORY_OR_WORD: Scope = Scope::Abilities(&[Ability::Memory, Ability::Wake]);
const LOCK: Scope = Scope::Abilities(&[Ability::Lock]);
const LOCK_OR_MUTEX: Scope = Scope::Abilities(&[Ability::Lock, Ability::Wake]);
const WAKE: Scope = Scope::Abilities(&[Ability::Wake]);
const SIGNALS: Scope = Scope::Abilities(&[Ability::Signals]);

/// The table of operations, in the order of the documentation.
#[rustfmt::skip]
pub const OPERATIONS: &[OperationRow] = &[
    row("open", Scope::AnyChannel, Some(Feature::Names), Some("channel"), None, None),
    row("close", Scope::AnyChannel, None, Some("channel"), None, None),
    row("unlink", Scope::AnyChannel, Some(Feature::Names), Some("channel"), None, None),
    row("set_nonblocking", QUEUE_OR_STREAM, Some(Feature::Nonblocking), None, None, None),
    row("write", STREAM, None, Some("text"), Some("size"), None),
    row("read", STREAM, None, Some("size"), Some("size"), None),
    row("fill", QUEUE_OR_STREAM, Some(Feature::Nonblocking), Some("size"), Some("size"), None),
    row("shutdown", QUEUE_OR_STREAM, Some(Feature::Shutdown), Some("direction"), None, None),
    row("send", QUEUE, None, Some("text"), Some("size"), None),
    row("receive", QUEUE, None, Some("size"), Some("size"), None),
    row("attributes", QUEUE, Some(Feature::Attributes), Some("channel"), None, None),
    row("unread", QUEUE_OR_STREAM, Some(Feature::Unread), Some("channel"), None, None),
    row("set_capacity", QUEUE_OR_STREAM, Some(Feature::PipeSize), Some("size"), Some("size"), None),
    row("bind", QUEUE_OR_STREAM, Some(Feature::Names), Some("channel"), None, None),
    row("listen", QUEUE_OR_STREAM, Some(Feature::Connections), Some("backlog"), Some("backlog"), None),
    row("connect", QUEUE_OR_STREAM, Some(Feature::Names), Some("channel"), None, None),
    row("accept", QUEUE_OR_STREAM, Some(Feature::Connections), Some("channel"), None, None),
    row("wait", COUNTER, None, Some("channel"), None, None),
    row("post", COUNTER, None, Some("channel"), None, None),
    row("value", COUNTER, Some(Feature::Attributes), Some("channel"), None, None),
    row("semop", COUNTER, Some(Feature::Set), None, None, Some("changes")),
    row("seal", MEMORY, Some(Feature::Seals), None, None, Some("seals")),
    row("lock", LOCK_OR_MUTEX, None, Some("channel"), None, None),
    row("unlock", LOCK_OR_MUTEX, None, Some("channel"), None, None),
    row("consistent", LOCK, Some(Feature::Robust), Some("channel"), None, None),
    row("wait_on", WAKE, Some(Feature::Notify), Some("channel"), None, None),
    row("wait_on_any", WAKE, Some(Feature::Word), None, None, Some("words")),
    row("notify", WAKE, Some(Feature::Notify), Some("channel"), None, None),
    row("requeue", WAKE, Some(Feature::Word), None, None, None),
    row("arrive", WAKE, Some(Feature::Barrier), Some("channel"), None, None),
    row("store", MEMORY_OR_WORD, None, Some("text"), Some("value"), None),
    row("load", MEMORY_OR_WORD, None, Some("cell"), Some("cell"), None),
    row("fetch_add", MEMORY, None, Some("value"), Some("value"), None),
    row("compare_exchange", MEMORY, None, None, None, None),
    row("fence", Scope::Process, None, Some("order"), None, None),
    row("resize", MEMORY, Some(Feature::Resize), Some("size"), Some("size"), None),
    row("poll", WITH_DESCRIPTORS, Some(Feature::Poll), None, None, Some("events")),
    row("epoll_add", WITH_DESCRIPTORS, Some(Feature::Poll), None, None, Some("events")),
    row("epoll_wait", Scope::Process, None, None, None, None),
    row("send_handle", QUEUE_OR_STREAM, Some(Feature::Handles), Some("handle"), None, None),
    row("receive_handle", QUEUE_OR_STREAM, Some(Feature::Handles), Some("handle"), None, None),
    row("kill", Scope::Process, None, Some("process"), None, None),
    row("sigqueue", SIGNALS, None, Some("process"), None, None),
    row("sigmask", Scope::Process, None, None, None, Some("block")),
    row("sigaction", Scope::Process, None, Some("signal"), None, None),
    row("sigwait", SIGNALS, None, Some("signals"), None, Some("signals")),
    row("sigsuspend", SIGNALS, None, None, None, Some("block")),
    row("sigpending", SIGNALS, None, None, None, None),
    row("caught", Scope::Process, None, None, None, None),
    row("fork", Scope::Process, None, Some("process"), None, None),
    row("waitpid", Scope::Process, None, Some("process"), None, None),
    row("setrlimit", Scope::Process, None, None, None, None),
    row("mq_notify", QUEUE, Some(Feature::MessageNotice), None, None, None),
    row("pass_credentials", QUEUE_OR_STREAM, Some(Feature::Handles), Some("channel"), None, None),
    row("send_credentials", QUEUE_OR_STREAM, Some(Feature::Handles), Some("channel"), None, None),
    row("receive_credentials", QUEUE_OR_STREAM, Some(Feature::Handles), Some("channel"), None, None),
    row("peer_credentials", QUEUE_OR_STREAM, Some(Feature::Handles), Some("channel"), None, None),
    row("sigaltstack", SIGNALS, None, None, None, None),
    row("signalfd", SIGNALS, None, Some("signals"), None, Some("signals")),
    row("signalfd_read", SIGNALS, None, None, None, None),
    row("pidfd_open", SIGNALS, None, Some("process"), None, None),
    row("pidfd_send_signal", SIGNALS, None, Some("process"), None, None),
    row("pidfd_poll", SIGNALS, None, Some("process"), None, None),
    row("setpgid", Scope::Process, None, Some("process"), None, None),
    row("exec", Scope::Process, None, None, None, Some("keep")),
    row("change_user", Scope::Process, None, None, None, None),
    row("exit", Scope::Process, None, Some("status"), Some("status"), None),
    row("enter", Scope::Process, None, Some("section"), None, None),
    row("leave", Scope::Process, None, Some("section"), None, None),
    row("meet", Scope::Process, None, Some("meeting"), None, None),
];

const fn row(
    name: &'static str,
    scope: Scope,
    needs: Option<Feature>,
    text: Option<&'static str>,
    number: Option<&'static str>,
    list: Option<&'static str>,
) -> OperationRow {
    OperationRow { name, scope, needs, text, number, list }
}

impl OperationRow {
    /// The row of the operation with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|row| row.name == name)
    }
}

impl<N> Operation<N> {
    /// The key in scenario files.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Close(_) => "close",
            Self::Unlink(_) => "unlink",
            Self::SetNonblocking(_) => "set_nonblocking",
            Self::Write(_) => "write",
            Self::Read(_) => "read",
            Self::Fill(_) => "fill",
            Self::Shutdown(_) => "shutdown",
            Self::Send(_) => "send",
            Self::Receive(_) => "receive",
            Self::Attributes(_) => "attributes",
            Self::Bind(_) => "bind",
            Self::Listen(_) => "listen",
            Self::Connect(_) => "connect",
            Self::Accept(_) => "accept",
            Self::Wait(_) => "wait",
            Self::Post(_) => "post",
            Self::Value(_) => "value",
            Self::Semop(_) => "semop",
            Self::Seal(_) => "seal",
            Self::Lock(_) => "lock",
            Self::Unlock(_) => "unlock",
            Self::Consistent(_) => "consistent",
            Self::WaitOn(_) => "wait_on",
            Self::WaitOnAny(_) => "wait_on_any",
            Self::Notify(_) => "notify",
            Self::Requeue(_) => "requeue",
            Self::Arrive(_) => "arrive",
            Self::Store(_) => "store",
            Self::Load(_) => "load",
            Self::FetchAdd(_) => "fetch_add",
            Self::CompareExchange(_) => "compare_exchange",
            Self::Fence(_) => "fence",
            Self::Resize(_) => "resize",
            Self::Poll(_) => "poll",
            Self::EpollAdd(_) => "epoll_add",
            Self::EpollWait(_) => "epoll_wait",
            Self::SendHandle(_) => "send_handle",
            Self::ReceiveHandle(_) => "receive_handle",
            Self::Kill(_) => "kill",
            Self::Sigqueue(_) => "sigqueue",
            Self::Sigmask(_) => "sigmask",
            Self::Sigaction(_) => "sigaction",
            Self::Sigwait(_) => "sigwait",
            Self::Sigsuspend(_) => "sigsuspend",
            Self::Sigpending(_) => "sigpending",
            Self::Caught(_) => "caught",
            Self::Fork(_) => "fork",
            Self::Waitpid(_) => "waitpid",
            Self::Setrlimit(_) => "setrlimit",
            Self::MqNotify(_) => "mq_notify",
            Self::PassCredentials(_) => "pass_credentials",
            Self::SendCredentials(_) => "send_credentials",
            Self::ReceiveCredentials(_) => "receive_credentials",
            Self::PeerCredentials(_) => "peer_credentials",
            Self::Unread(_) => "unread",
            Self::SetCapacity(_) => "set_capacity",
            Self::Sigaltstack(_) => "sigaltstack",
            Self::Signalfd(_) => "signalfd",
            Self::SignalfdRead(_) => "signalfd_read",
            Self::PidfdOpen(_) => "pidfd_open",
            Self::PidfdSendSignal(_) => "pidfd_send_signal",
            Self::PidfdPoll(_) => "pidfd_poll",
            Self::Setpgid(_) => "setpgid",
            Self::Exec(_) => "exec",
            Self::ChangeUser(_) => "change_user",
            Self::Exit(_) => "exit",
            Self::Enter(_) => "enter",
            Self::Leave(_) => "leave",
            Self::Meet(_) => "meet",
        }
    }

    /// The row of this operation.
    ///
    /// # Panics
    /// Never: a test asserts that every operation has its row.
    #[must_use]
    pub fn row(&self) -> &'static OperationRow {
        OperationRow::from_name(self.name()).expect("every operation has a row in OPERATIONS")
    }

    /// The channel it names, where its arguments name one.
    #[must_use]
    pub fn channel(&self) -> Option<&str> {
        match self {
            Self::Open(Open { channel, .. })
            | Self::Close(Close { channel, .. })
            | Self::Unlink(OfChannel { channel })
            | Self::SetNonblocking(SetNonblocking { channel, .. })
            | Self::Write(Write { channel, .. })
            | Self::Read(Read { channel, .. })
            | Self::Fill(Fill { channel, .. })
            | Self::Shutdown(Shutdown { channel, .. })
            | Self::Send(Send { channel, .. })
            | Self::Receive(Receive { channel, .. })
            | Self::Attributes(OfChannel { channel })
            | Self::MqNotify(MqNotify { channel, .. })
            | Self::PassCredentials(OfChannel { channel })
            | Self::SendCredentials(SendCredentials { channel, .. })
            | Self::ReceiveCredentials(OfChannel { channel })
            | Self::PeerCredentials(OfChannel { channel })
            | Self::Unread(OfChannel { channel })
            | Self::SetCapacity(SetCapacity { channel, .. })
            | Self::Bind(OfChannel { channel })
            | Self::Listen(Listen { channel, .. })
            | Self::Connect(Connect { channel, .. })
            | Self::Accept(Accept { channel, .. })
            | Self::Wait(Wait { channel, .. })
            | Self::Post(Post { channel, .. })
            | Self::Value(Value { channel, .. })
            | Self::Semop(Semop { channel, .. })
            | Self::Seal(Seal { channel, .. })
            | Self::Lock(Lock { channel, .. })
            | Self::Unlock(Unlock { channel, .. })
            | Self::Consistent(OfChannel { channel })
            | Self::WaitOn(WaitOn { channel, .. })
            | Self::WaitOnAny(WaitOnAny { channel, .. })
            | Self::Notify(Notify { channel, .. })
            | Self::Requeue(Requeue { channel, .. })
            | Self::Arrive(OfChannel { channel })
            | Self::Store(Store { channel, .. })
            | Self::Load(Load { channel, .. })
            | Self::FetchAdd(FetchAdd { channel, .. })
            | Self::CompareExchange(CompareExchange { channel, .. })
            | Self::Resize(Resize { channel, .. })
            | Self::Poll(Poll { channel, .. })
            | Self::EpollAdd(EpollAdd { channel, .. })
            | Self::SendHandle(SendHandle { channel, .. })
            | Self::ReceiveHandle(ReceiveHandle { channel, .. }) => channel.as_deref(),
            Self::Fence(_)
            | Self::EpollWait(_)
            | Self::Kill(_)
            | Self::Sigqueue(_)
            | Self::Sigmask(_)
            | Self::Sigaction(_)
            | Self::Sigwait(_)
            | Self::Sigsuspend(_)
            | Self::Sigpending(_)
            | Self::Caught(_)
            | Self::Fork(_)
            | Self::Waitpid(_)
            | Self::Setrlimit(_)
            | Self::Sigaltstack(_)
            | Self::Signalfd(_)
            | Self::SignalfdRead(_)
            | Self::PidfdOpen(_)
            | Self::PidfdSendSignal(_)
            | Self::PidfdPoll(_)
            | Self::Setpgid(_)
            | Self::Exec(_)
            | Self::ChangeUser(_)
            | Self::Exit(_)
            | Self::Enter(_)
            | Self::Leave(_)
            | Self::Meet(_) => None,
        }
    }

    /// The channel whose end is sent or received over another.
    #[must_use]
    pub fn handle(&self) -> Option<&str> {
        match self {
            Self::SendHandle(SendHandle { handle, .. }) | Self::ReceiveHandle(ReceiveHandle { handle, .. }) => {
                Some(handle)
            }
            _ => None,
        }
    }

    /// Whether the call was given a time after which it returns by itself.
    #[must_use]
    pub fn timeout_ns(&self) -> Option<u64> {
        match self {
            Self::Send(Send { timeout, .. })
            | Self::Receive(Receive { timeout, .. })
            | Self::Wait(Wait { timeout, .. })
            | Self::Semop(Semop { timeout, .. })
            | Self::Poll(Poll { timeout, .. })
            | Self::EpollWait(EpollWait { timeout })
            | Self::PidfdPoll(PidfdPoll { timeout, .. })
            | Self::Lock(Lock { timeout, .. })
            | Self::WaitOn(WaitOn { timeout, .. })
            | Self::WaitOnAny(WaitOnAny { timeout, .. })
            | Self::Sigwait(Sigwait { timeout, .. }) => timeout.map(Timeout::ns),
            _ => None,
        }
    }
}

/// A length of time, written `250ms`, `2s`, `40us`; nanoseconds within and on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "TimeoutText", into = "u64")]
pub struct Timeout(u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum TimeoutText {
    Nanoseconds(u64),
    Text(String),
}

impl TryFrom<TimeoutText> for Timeout {
    type Error = String;
    fn try_from(text: TimeoutText) -> Result<Self, String> {
        match text {
            TimeoutText::Nanoseconds(ns) => Ok(Self(ns)),
            TimeoutText::Text(text) => text.parse(),
        }
    }
}

impl From<Timeout> for u64 {
    fn from(timeout: Timeout) -> Self {
        timeout.0
    }
}

impl Timeout {
    /// From nanoseconds.
    #[must_use]
    pub const fn from_ns(ns: u64) -> Self {
        Self(ns)
    }

    /// In nanoseconds.
    #[must_use]
    pub const fn ns(self) -> u64 {
        self.0
    }
}

impl std::str::FromStr for Timeout {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.chars().take_while(char::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number
            .parse()
            .map_err(|_| format!("`{text}` is no length of time: write a number and a unit, as `250ms`"))?;
        let factor = match unit.trim() {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            _ => {
                return Err(format!("`{text}` has no unit that is known here: use ns, us, ms or s, as `250ms`"));
            }
        };
        number.checked_mul(factor).map(Self).ok_or_else(|| format!("`{text}` is too long a time"))
    }
}

impl JsonSchema for Timeout {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Timeout".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A length of time: a number and a unit (ns, us, ms, s), as `250ms`.",
            "oneOf": [{ "type": "string", "pattern": "^[0-9]+ ?(ns|us|ms|s)$" }, { "type": "integer", "minimum": 0 }]
        })
    }
}

macro_rules! arguments {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident : $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* #[serde(default, skip_serializing_if = "LeftOut::is_left_out")] pub $field: $type,)*
        }
    };
    // Without the bound serde would demand `N: Default`.
    ($(#[$meta:meta])* $name:ident<N> { $($(#[$field_meta:meta])* $field:ident : $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, bound(deserialize = "N: Deserialize<'de>"))]
        pub struct $name<N> {
            $($(#[$field_meta])* #[serde(default, skip_serializing_if = "LeftOut::is_left_out")] pub $field: $type,)*
        }
    };
}

/// Arguments that are as if they were left out are not sent on the wire.
trait LeftOut {
    fn is_left_out(&self) -> bool;
}

impl<T> LeftOut for Option<T> {
    fn is_left_out(&self) -> bool {
        self.is_none()
    }
}

impl<T> LeftOut for Vec<T> {
    fn is_left_out(&self) -> bool {
        self.is_empty()
    }
}

impl LeftOut for bool {
    fn is_left_out(&self) -> bool {
        !*self
    }
}

macro_rules! never_left_out {
    ($($name:ty),*) => {
        $(impl LeftOut for $name {
            fn is_left_out(&self) -> bool {
                false
            }
        })*
    };
}

never_left_out!(End, Resource, Order, String, Access, Direction, Disposition, Mode, Signals);

arguments! {
    /// A channel and nothing else.
    OfChannel {
        /// Which channel; may be left out where there is but one.
        channel: Option<String>,
    }
}
arguments! {
    /// Arguments of `open`.
    Open {
        /// Which channel.
        channel: Option<String>,
        /// What it is opened for.
        r#for: Access,
        /// Make it if it does not exist (`O_CREAT`).
        create: bool,
        /// Fail if it exists (`O_EXCL`).
        exclusive: bool,
        /// Do not wait (`O_NONBLOCK`).
        nonblocking: bool,
    }
}
arguments! {
    /// Arguments of `close`.
    Close {
        /// Which channel.
        channel: Option<String>,
        /// Which end; all that this process holds, if left out.
        end: Option<End>,
    }
}
arguments! {
    /// Arguments of `set_nonblocking`.
    SetNonblocking {
        /// Which channel.
        channel: Option<String>,
        /// Clear the flag rather than set it.
        clear: bool,
    }
}
arguments! {
    /// Arguments of `write`: a text, or a size of stamped bytes.
    Write<N> {
        /// Which channel.
        channel: Option<String>,
        /// What to write.
        text: Option<String>,
        /// How many stamped bytes to write.
        size: Option<N>,
        /// Do not wait for room.
        nonblocking: bool,
    }
}
arguments! {
    /// Arguments of `read`.
    Read<N> {
        /// Which channel.
        channel: Option<String>,
        /// How many bytes at most, in one call.
        size: Option<N>,
        /// Read again and again until this.
        until: Option<Until>,
        /// Do not wait for bytes.
        nonblocking: bool,
        /// Leave what is read where it is (`MSG_PEEK`).
        peek: bool,
    }
}
arguments! {
    /// Arguments of `fill`.
    Fill<N> {
        /// Which channel.
        channel: Option<String>,
        /// Bytes in each write or message; one, if left out.
        size: Option<N>,
    }
}
arguments! {
    /// Arguments of `shutdown`.
    Shutdown {
        /// Which channel.
        channel: Option<String>,
        /// Which direction; `write`, if left out.
        direction: Direction,
    }
}
arguments! {
    /// Arguments of `set_capacity`.
    SetCapacity<N> {
        /// Which channel.
        channel: Option<String>,
        /// How many bytes it is to hold at least.
        size: Option<N>,
    }
}
arguments! {
    /// Arguments of `send`: a text, or a size of stamped bytes.
    Send<N> {
        /// Which channel.
        channel: Option<String>,
        /// What to send.
        text: Option<String>,
        /// How many stamped bytes to send.
        size: Option<N>,
        /// Its priority, where the mechanism has priorities.
        priority: Option<N>,
        /// Its type, where the mechanism has types; 1, if left out.
        r#type: Option<N>,
        /// Do not wait for room.
        nonblocking: bool,
        /// Wait for room this long.
        timeout: Option<Timeout>,
    }
}
arguments! {
    /// Arguments of `receive`.
    Receive<N> {
        /// Which channel.
        channel: Option<String>,
        /// How large the buffer is; large enough, if left out.
        size: Option<N>,
        /// Receive again and again until this.
        until: Option<Until>,
        /// Do not wait for a message.
        nonblocking: bool,
        /// Wait for a message this long.
        timeout: Option<Timeout>,
        /// Leave the message where it is (`MSG_PEEK`).
        peek: bool,
        /// Only a message of this type.
        r#type: Option<N>,
        /// The first message of the lowest type that is not above this.
        up_to: Option<N>,
        /// Of all types but `type`: `MSG_EXCEPT`.
        except: bool,
        /// Cut a message that is longer than the buffer: `MSG_NOERROR`.
        truncate: bool,
    }
}
arguments! {
    /// Arguments of `listen`.
    Listen<N> {
        /// Which channel.
        channel: Option<String>,
        /// How many connections may wait; 16, if left out.
        backlog: Option<N>,
    }
}
arguments! {
    /// Arguments of `connect`.
    Connect {
        /// Which channel.
        channel: Option<String>,
        /// Do not wait for the connection.
        nonblocking: bool,
    }
}
arguments! {
    /// Arguments of `accept`.
    Accept {
        /// Which channel.
        channel: Option<String>,
        /// Do not wait for a connection.
        nonblocking: bool,
    }
}
arguments! {
    /// Arguments of `wait`.
    Wait {
        /// Which channel.
        channel: Option<String>,
        /// Do not wait: `sem_trywait()`.
        nonblocking: bool,
        /// Wait this long: `sem_timedwait()`.
        timeout: Option<Timeout>,
    }
}
arguments! {
    /// Arguments of `lock`.
    Lock<N> {
        /// Which channel.
        channel: Option<String>,
        /// Whether others may hold it at the same time; `exclusive`, if left out.
        mode: Mode,
        /// Do not wait: `pthread_mutex_trylock()`, `LOCK_NB`, `F_SETLK`.
        nonblocking: bool,
        /// Wait this long: `pthread_mutex_timedlock()`.
        timeout: Option<Timeout>,
        /// The first byte of the range; 0, if left out.
        start: Option<N>,
        /// How many bytes; 0, and if left out: up to the end of the file, wherever that comes to be.
        length: Option<N>,
    }
}
arguments! {
    /// Arguments of `unlock`.
    Unlock<N> {
        /// Which channel.
        channel: Option<String>,
        /// The first byte of the range; 0, if left out.
        start: Option<N>,
        /// How many bytes; 0, and if left out: up to the end of the file, wherever that comes to be.
        length: Option<N>,
    }
}
arguments! {
    /// Arguments of `wait_on`.
    WaitOn<N> {
        /// Which channel.
        channel: Option<String>,
        /// Which word of a futex; the first, if left out.
        word: Option<N>,
        /// Sleep only if the word has this value: a futex; 0, if left out.
        expected: Option<N>,
        /// Wait this long: `pthread_cond_timedwait()`.
        timeout: Option<Timeout>,
        /// Release the mutex as soon as the call returns, so that all who were woken can go on in any order.
        unlock: bool,
        /// Sleep only for wake-ups that name one of these bits: `FUTEX_WAIT_BITSET`.
        bits: Option<N>,
    }
}
arguments! {
    /// Arguments of `wait_on_any`.
    WaitOnAny<N> {
        /// Which channel.
        channel: Option<String>,
        /// Which words.
        words: Vec<u8>,
        /// Sleep only if all of them have this value; 0, if left out.
        expected: Option<N>,
        /// Wait this long.
        timeout: Option<Timeout>,
    }
}
arguments! {
    /// Arguments of `notify`.
    Notify<N> {
        /// Which channel.
        channel: Option<String>,
        /// Which word of a futex; the first, if left out.
        word: Option<N>,
        /// How many to wake at most; 1, if left out.
        count: Option<N>,
        /// Wake all: `pthread_cond_broadcast()`.
        all: bool,
        /// Wake only who sleeps for one of these bits: `FUTEX_WAKE_BITSET`.
        bits: Option<N>,
    }
}
arguments! {
    /// Arguments of `requeue`.
    Requeue<N> {
        /// Which channel.
        channel: Option<String>,
        /// The word that is slept on; the first, if left out.
        word: Option<N>,
        /// The word to sleep on from now on; the second, if left out.
        to: Option<N>,
        /// How many to wake at most; 0, if left out.
        count: Option<N>,
        /// How many others to have sleep on the other word at most; 1, if left out.
        moved: Option<N>,
        /// Do it only if the word has this value; 0, if left out.
        expected: Option<N>,
    }
}
arguments! {
    /// Arguments of `post`.
    Post<N> {
        /// Which channel.
        channel: Option<String>,
        /// How much to add, where that can be chosen; one, if left out.
        value: Option<N>,
        /// Do not wait for room.
        nonblocking: bool,
    }
}
arguments! {
    /// Arguments of `value`.
    Value<N> {
        /// Which channel.
        channel: Option<String>,
        /// Which semaphore of a set; the first, if left out.
        number: Option<N>,
    }
}
arguments! {
    /// Arguments of `semop`.
    Semop {
        /// Which channel.
        channel: Option<String>,
        /// What is to happen, all of it or nothing.
        changes: Vec<Change>,
        /// Wait this long: `semtimedop()`.
        timeout: Option<Timeout>,
    }
}
arguments! {
    /// A change of one semaphore of a set.
    Change {
        /// Which semaphore; the first, if left out.
        number: Option<u16>,
        /// What is added; 0 waits for the value to be zero.
        add: Option<i16>,
        /// Taken back when the process ends: `SEM_UNDO`.
        undo: bool,
        /// Do not wait: `IPC_NOWAIT`.
        nonblocking: bool,
    }
}
arguments! {
    /// Arguments of `seal`.
    Seal {
        /// Which channel.
        channel: Option<String>,
        /// What is forbidden from now on.
        seals: Vec<SealKind>,
    }
}
arguments! {
    /// Arguments of `store`: a number into a cell, or a text at an offset.
    Store<N> {
        /// Which channel.
        channel: Option<String>,
        /// The number to store.
        value: Option<N>,
        /// Which cell of eight bytes; the first, if left out.
        cell: Option<N>,
        /// The text to store.
        text: Option<String>,
        /// The offset of the text, or of a word, in bytes; 0, if left out.
        at: Option<N>,
        /// How wide the word at that offset is: 8, 16, 32 or 64 bits. Without it there are cells.
        bits: Option<N>,
        /// How it is ordered with other accesses; `seq_cst`, if left out.
        order: Option<Order>,
    }
}
arguments! {
    /// Arguments of `load`: a cell, a word at an offset, or a size at an offset.
    Load<N> {
        /// Which channel.
        channel: Option<String>,
        /// Which cell of eight bytes; the first, if nothing is said.
        cell: Option<N>,
        /// How many bytes of text to load.
        size: Option<N>,
        /// The offset of the text, or of a word, in bytes; 0, if left out.
        at: Option<N>,
        /// How wide the word at that offset is: 8, 16, 32 or 64 bits. Without it there are cells.
        bits: Option<N>,
        /// How it is ordered with other accesses; `seq_cst`, if left out.
        order: Option<Order>,
    }
}
arguments! {
    /// Arguments of `fence`.
    Fence {
        /// How strong it is; `seq_cst`, if left out.
        order: Order,
    }
}
arguments! {
    /// Arguments of `fetch_add`.
    FetchAdd<N> {
        /// Which channel.
        channel: Option<String>,
        /// Which cell of eight bytes; the first, if left out.
        cell: Option<N>,
        /// What to add; one, if left out.
        value: Option<N>,
        /// Load, then store, as a careless program would: the negative control of an atomic addition.
        torn: bool,
    }
}
arguments! {
    /// Arguments of `compare_exchange`.
    CompareExchange<N> {
        /// Which channel.
        channel: Option<String>,
        /// Which cell of eight bytes; the first, if left out.
        cell: Option<N>,
        /// The value it must have; 0, if left out.
        expected: Option<N>,
        /// The value it then gets; 1, if left out.
        value: Option<N>,
    }
}
arguments! {
    /// Arguments of `resize`.
    Resize<N> {
        /// Which channel.
        channel: Option<String>,
        /// The new size in bytes.
        size: Option<N>,
    }
}
arguments! {
    /// Arguments of `poll`.
    Poll {
        /// Which channel.
        channel: Option<String>,
        /// Which end, where the process holds several.
        end: Option<End>,
        /// The events that are asked for.
        events: Vec<Event>,
        /// How long to wait; as long as it takes, if left out.
        timeout: Option<Timeout>,
    }
}
arguments! {
    /// Arguments of `epoll_add`.
    EpollAdd {
        /// Which channel.
        channel: Option<String>,
        /// Which end, where the process holds several.
        end: Option<End>,
        /// The events that are asked for.
        events: Vec<Event>,
        /// Report changes rather than states: `EPOLLET`.
        edge: bool,
        /// Of several that wait, wake one: `EPOLLEXCLUSIVE`.
        exclusive: bool,
        /// Report once: `EPOLLONESHOT`.
        oneshot: bool,
    }
}
arguments! {
    /// Arguments of `epoll_wait`.
    EpollWait {
        /// How long to wait; as long as it takes, if left out.
        timeout: Option<Timeout>,
    }
}
arguments! {
    /// Arguments of `send_handle`.
    SendHandle {
        /// Which channel carries it.
        channel: Option<String>,
        /// The channel whose end is sent.
        handle: String,
        /// Which end.
        end: End,
    }
}
arguments! {
    /// Arguments of `receive_handle`.
    ReceiveHandle {
        /// Which channel carries it.
        channel: Option<String>,
        /// The channel whose end is received.
        handle: String,
        /// Which end it is.
        end: End,
        /// Leave no room for it: what comes is lost.
        without_room: bool,
    }
}
arguments! {
    /// Arguments of `kill`.
    Kill {
        /// The process to send to; it may be oneself.
        process: String,
        /// The signal; `SIGKILL`, if left out.
        signal: Option<Signal>,
        /// Send it to all members of the process group that the process leads: `killpg()`.
        group: bool,
    }
}
arguments! {
    /// Arguments of `sigqueue`.
    Sigqueue<N> {
        /// The process to send to; it may be oneself.
        process: String,
        /// The signal.
        signal: Option<Signal>,
        /// The value that goes with it; 0, if left out.
        value: Option<N>,
    }
}
arguments! {
    /// Arguments of `sigmask`.
    Sigmask {
        /// Signals to add to the mask.
        block: Vec<Signal>,
        /// Signals to take from the mask.
        unblock: Vec<Signal>,
    }
}
arguments! {
    /// Arguments of `sigaction`.
    Sigaction {
        /// Which signal.
        signal: Option<Signal>,
        /// What it does from now on.
        action: Disposition,
        /// The flags, by their names.
        flags: Vec<ActionFlag>,
        /// Signals blocked while the handler runs.
        mask: Vec<Signal>,
    }
}
arguments! {
    /// Arguments of `sigwait`.
    Sigwait {
        /// Which signals, one or several.
        signals: Signals,
        /// Wait this long: `sigtimedwait()`.
        timeout: Option<Timeout>,
    }
}
arguments! {
    /// Arguments of `sigsuspend`.
    Sigsuspend {
        /// The mask while waiting.
        block: Vec<Signal>,
    }
}
arguments! {
    /// Arguments of `sigpending`: none.
    Sigpending {}
}
arguments! {
    /// Arguments of `caught`: none.
    Caught {}
}
arguments! {
    /// Arguments of `fork`.
    Fork {
        /// The name of the new process.
        process: String,
    }
}
arguments! {
    /// Arguments of `waitpid`.
    Waitpid {
        /// Which child; any, if left out.
        process: Option<String>,
        /// Do not wait: `WNOHANG`.
        nohang: bool,
        /// Also tell of a child that stopped: `WUNTRACED`.
        untraced: bool,
        /// Also tell of a child that was continued: `WCONTINUED`.
        continued: bool,
    }
}
arguments! {
    /// Arguments of `setrlimit`.
    Setrlimit<N> {
        /// Which resource.
        resource: Resource,
        /// The new soft limit, in the resource's own unit.
        limit: Option<N>,
    }
}
arguments! {
    /// Arguments of `mq_notify`.
    MqNotify<N> {
        /// Which channel.
        channel: Option<String>,
        /// The signal to send; none, to take the request back.
        signal: Option<Signal>,
        /// The value that comes with it; 0, if left out.
        value: Option<N>,
    }
}
arguments! {
    /// Arguments of `send_credentials`.
    SendCredentials {
        /// Which channel carries them.
        channel: Option<String>,
        /// The process it says it is; itself, if left out.
        process: Option<String>,
    }
}
arguments! {
    /// Arguments of `sigaltstack`: none.
    Sigaltstack {}
}
arguments! {
    /// Arguments of `signalfd`.
    Signalfd {
        /// Which signals, one or several.
        signals: Signals,
    }
}
arguments! {
    /// Arguments of `signalfd_read`.
    SignalfdRead {
        /// Do not wait for a signal.
        nonblocking: bool,
    }
}
arguments! {
    /// A process and nothing else.
    OfProcess {
        /// Which process; oneself, if left out.
        process: Option<String>,
    }
}
arguments! {
    /// Arguments of `pidfd_send_signal`.
    PidfdSendSignal {
        /// The process whose descriptor it is.
        process: String,
        /// The signal; `SIGKILL`, if left out.
        signal: Option<Signal>,
    }
}
arguments! {
    /// Arguments of `pidfd_poll`.
    PidfdPoll {
        /// The process whose descriptor it is.
        process: String,
        /// How long to wait; as long as it takes, if left out.
        timeout: Option<Timeout>,
    }
}
arguments! {
    /// Arguments of `exec`.
    Exec {
        /// The channels whose descriptors are without `FD_CLOEXEC`.
        keep: Vec<String>,
    }
}
arguments! {
    /// Arguments of `change_user`: none.
    ChangeUser {}
}
arguments! {
    /// Arguments of `exit`.
    Exit<N> {
        /// The status; 0, if left out.
        status: Option<N>,
    }
}
arguments! {
    /// Arguments of `enter` and `leave`.
    Section {
        /// The name of the critical section.
        section: String,
    }
}
arguments! {
    /// Arguments of `meet`.
    Meeting {
        /// The name of the meeting.
        meeting: String,
    }
}

/// One signal or several.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "OneOrMany", into = "Vec<Signal>")]
pub struct Signals(pub Vec<Signal>);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum OneOrMany {
    One(Signal),
    Many(Vec<Signal>),
}

impl From<OneOrMany> for Signals {
    fn from(signals: OneOrMany) -> Self {
        match signals {
            OneOrMany::One(signal) => Self(vec![signal]),
            OneOrMany::Many(signals) => Self(signals),
        }
    }
}

impl From<Signals> for Vec<Signal> {
    fn from(signals: Signals) -> Self {
        signals.0
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$word_meta:meta])* $word:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$word_meta])* $word,)* }

        impl $name {
            /// The word in scenario files.
            #[must_use]
            pub fn name(self) -> String {
                match self { $(Self::$word => stringify!($word).to_ascii_lowercase(),)* }
            }
        }
    };
}

words! {
    /// What an object is opened for. (The default, where `for:` is left out, is `both`.)
    #[derive(Default)]
    Access {
        /// `O_RDONLY`.
        Read,
        /// `O_WRONLY`.
        Write,
        /// `O_RDWR`.
        #[default]
        Both,
    }
}
words! {
    /// An end of a channel. (The default, where an operation needs one and none is named, is `read`.)
    #[derive(Default)]
    End {
        /// The end that is read or received from.
        #[default]
        Read,
        /// The end that is written or sent to.
        Write,
        /// The socket that listens.
        Listener,
    }
}
words! {
    /// An event of `poll()` and `epoll`.
    Event {
        /// `POLLIN`.
        In,
        /// `POLLPRI`.
        Pri,
        /// `POLLOUT`.
        Out,
        /// `POLLRDHUP`.
        Rdhup,
    }
}
words! {
    /// A change that a seal forbids.
    SealKind {
        /// `F_SEAL_GROW`.
        Grow,
        /// `F_SEAL_SHRINK`.
        Shrink,
        /// `F_SEAL_WRITE`.
        Write,
        /// `F_SEAL_SEAL`.
        Seal,
    }
}
words! {
    /// How an access to memory is ordered with others: C11 `memory_order`.
    #[derive(Default)]
    Order {
        /// Not at all: it is atomic, and no more.
        Relaxed,
        /// Nothing after this load, or fence, is done before it.
        Acquire,
        /// Nothing before this store, or fence, is done after it.
        Release,
        /// All that is ordered so has one order that all processes see.
        #[default]
        SeqCst,
    }
}
impl Order {
    /// As it is written in scenario files and in C.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Acquire => "acquire",
            Self::Release => "release",
            Self::SeqCst => "seq_cst",
        }
    }
}

words! {
    /// A resource that has a limit.
    #[derive(Default)]
    Resource {
        /// `RLIMIT_NOFILE`: descriptors.
        #[default]
        Nofile,
        /// `RLIMIT_FSIZE`: bytes in a file.
        Fsize,
        /// `RLIMIT_SIGPENDING`: queued signals.
        Sigpending,
        /// `RLIMIT_MSGQUEUE`: bytes in POSIX message queues.
        Msgqueue,
    }
}
words! {
    /// A direction of a connection.
    #[derive(Default)]
    Direction {
        /// `SHUT_RD`.
        Read,
        /// `SHUT_WR`.
        #[default]
        Write,
        /// `SHUT_RDWR`.
        Both,
    }
}
words! {
    /// How a lock is held.
    #[derive(Default)]
    Mode {
        /// By one alone: a mutex, `pthread_rwlock_wrlock()`, `LOCK_EX`, `F_WRLCK`.
        #[default]
        Exclusive,
        /// By all who ask for it so: `pthread_rwlock_rdlock()`, `LOCK_SH`, `F_RDLCK`.
        Shared,
    }
}
words! {
    /// When a repeated read or receive stops.
    Until {
        /// The end of the stream: every sender has closed.
        End,
        /// Nothing is there: the call would wait.
        Empty,
    }
}
words! {
    /// What a signal does.
    #[derive(Default)]
    Disposition {
        /// A handler notes it (see `caught`).
        #[default]
        Catch,
        /// Nothing: `SIG_IGN`.
        Ignore,
        /// As at the start: `SIG_DFL`.
        Default,
    }
}

/// A flag of `sigaction()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ActionFlag {
    /// Interrupted calls start again.
    #[serde(rename = "SA_RESTART")]
    Restart,
    /// The handler serves once.
    #[serde(rename = "SA_RESETHAND")]
    ResetHand,
    /// The signal is not blocked in its own handler.
    #[serde(rename = "SA_NODEFER")]
    NoDefer,
    /// No SIGCHLD when a child stops or continues.
    #[serde(rename = "SA_NOCLDSTOP")]
    NoChildStop,
    /// Children leave no zombies.
    #[serde(rename = "SA_NOCLDWAIT")]
    NoChildWait,
    /// The handler runs on the stack of `sigaltstack()`.
    #[serde(rename = "SA_ONSTACK")]
    OnStack,
}
