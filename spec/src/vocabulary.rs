//! Abilities, mechanisms and features: the tables from which the loader knows what may be asked of what.
//!
//! The agent's traits are the other half of this table; a test in `impls` asserts that the two agree.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a channel can do, whatever mechanism it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// Bytes in order, without boundaries.
    Stream,
    /// Messages with boundaries.
    Queue,
    /// Bytes and atomic cells that several processes see.
    Memory,
    /// A counter with wait and post.
    Counter,
    /// Signals between processes.
    Signals,
}

impl Ability {
    /// All abilities, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Stream, Self::Queue, Self::Memory, Self::Counter, Self::Signals];

    /// The word in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Queue => "queue",
            Self::Memory => "memory",
            Self::Counter => "counter",
            Self::Signals => "signals",
        }
    }
}

impl std::fmt::Display for Ability {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What some mechanisms of an ability offer and others do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// The object has a name by which unrelated processes find it (`attach: by_name`, `open`, `unlink`).
    Names,
    /// A call can be told not to wait (`nonblocking: true`).
    Nonblocking,
    /// A call can be told how long to wait (`timeout:`).
    Timeout,
    /// Messages carry a priority.
    Priority,
    /// Both ends read and write (`between:`).
    TwoWay,
    /// One direction can be ended (`shutdown`).
    Shutdown,
    /// Server and client meet by `bind`, `listen`, `connect`, `accept`.
    Connections,
    /// A datagram socket is given a name by `bind` and found by `connect`.
    Binding,
    /// A receiver learns that every sender has closed (`gives: end`, `until: end`).
    End,
    /// Its capacity and message size can be chosen when it is made.
    Capacity,
    /// How much it holds can be asked (`attributes`, `value`).
    Attributes,
    /// What is sent may be lost while the kernel keeps its promises.
    Lossy,
    /// Delivery passes through workers of the kernel (the network's, a terminal's), which may still act when every process
    /// sleeps.
    Deferred,
    /// It is reached by a descriptor that can be polled.
    Poll,
    /// It carries descriptors (`SCM_RIGHTS`).
    Handles,
    /// The object is reached by a descriptor that carries `O_NONBLOCK` for all who share it.
    SharedFlags,
}

/// A mechanism of inter-process communication, as scenarios name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mechanism {
    /// `pipe()`.
    Pipe,
    /// `mkfifo()`.
    Fifo,
    /// `AF_UNIX`, `SOCK_STREAM`.
    UnixStream,
    /// `AF_INET`, `SOCK_STREAM`, over the loopback interface.
    Tcp,
    /// `AF_INET6`, `SOCK_STREAM`, over the loopback interface.
    Tcp6,
    /// `AF_UNIX`, `SOCK_STREAM`, with a name in the abstract name space of Linux.
    UnixAbstractStream,
    /// `posix_openpt()`, with its line discipline in raw mode.
    Pty,
    /// `AF_UNIX`, `SOCK_DGRAM`.
    UnixDatagram,
    /// `AF_UNIX`, `SOCK_SEQPACKET`.
    UnixSeqpacket,
    /// `AF_INET`, `SOCK_DGRAM`, over the loopback interface.
    Udp,
    /// `AF_INET6`, `SOCK_DGRAM`, over the loopback interface.
    Udp6,
    /// `pipe2()` with `O_DIRECT`: each write is a packet.
    PacketPipe,
    /// `mq_open()`.
    PosixMq,
    /// `shm_open()` and `mmap()`.
    PosixShm,
    /// `sem_init()` with `pshared`, in shared memory.
    PosixSem,
    /// `sem_open()`.
    PosixNamedSem,
    /// `kill()`, `sigqueue()`, handlers, masks, `sigwaitinfo()`.
    Signal,
}

/// One row of the table of mechanisms.
#[derive(Clone, Copy, Debug)]
pub struct MechanismRow {
    /// The mechanism.
    pub mechanism: Mechanism,
    /// The word in scenario files.
    pub name: &'static str,
    /// What it can do.
    pub ability: Ability,
    /// What it offers beyond its ability.
    pub features: &'static [Feature],
    /// One line for a reader.
    pub summary: &'static str,
}

/// The table of mechanisms: a new one is a line here, a file in `impls/src/mechanism/` and a line in its registry.
pub const MECHANISMS: &[MechanismRow] = &[
    MechanismRow {
        mechanism: Mechanism::Pipe,
        name: "pipe",
        ability: Ability::Stream,
        features: &[Feature::Nonblocking, Feature::End, Feature::SharedFlags, Feature::Poll],
        summary: "An anonymous pipe: pipe().",
    },
    MechanismRow {
        mechanism: Mechanism::Fifo,
        name: "fifo",
        ability: Ability::Stream,
        features: &[Feature::Names, Feature::Nonblocking, Feature::End, Feature::SharedFlags, Feature::Poll],
        summary: "A named pipe: mkfifo().",
    },
    MechanismRow {
        mechanism: Mechanism::UnixStream,
        name: "unix_stream",
        ability: Ability::Stream,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::TwoWay,
            Feature::Shutdown,
            Feature::Connections,
            Feature::End,
            Feature::Poll,
            Feature::Handles,
        ],
        summary: "A local stream socket: AF_UNIX, SOCK_STREAM.",
    },
    MechanismRow {
        mechanism: Mechanism::Tcp,
        name: "tcp",
        ability: Ability::Stream,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::TwoWay,
            Feature::Shutdown,
            Feature::Connections,
            Feature::End,
            Feature::Deferred,
            Feature::Poll,
        ],
        summary: "A TCP connection over the loopback interface.",
    },
    MechanismRow {
        mechanism: Mechanism::Tcp6,
        name: "tcp6",
        ability: Ability::Stream,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::TwoWay,
            Feature::Shutdown,
            Feature::Connections,
            Feature::End,
            Feature::Deferred,
            Feature::Poll,
        ],
        summary: "A TCP connection over the loopback interface, by IPv6.",
    },
    MechanismRow {
        mechanism: Mechanism::UnixAbstractStream,
        name: "unix_abstract_stream",
        ability: Ability::Stream,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::TwoWay,
            Feature::Shutdown,
            Feature::Connections,
            Feature::End,
            Feature::Poll,
            Feature::Handles,
        ],
        summary: "A local stream socket with an abstract name: AF_UNIX, SOCK_STREAM, of Linux.",
    },
    MechanismRow {
        mechanism: Mechanism::Pty,
        name: "pty",
        ability: Ability::Stream,
        features: &[Feature::Nonblocking, Feature::TwoWay, Feature::Deferred, Feature::SharedFlags, Feature::Poll],
        summary: "A pseudo-terminal in raw mode: posix_openpt().",
    },
    MechanismRow {
        mechanism: Mechanism::UnixDatagram,
        name: "unix_datagram",
        ability: Ability::Queue,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::TwoWay,
            Feature::Binding,
            Feature::Poll,
            Feature::Handles,
        ],
        summary: "A local datagram socket: AF_UNIX, SOCK_DGRAM.",
    },
    MechanismRow {
        mechanism: Mechanism::UnixSeqpacket,
        name: "unix_seqpacket",
        ability: Ability::Queue,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::TwoWay,
            Feature::Shutdown,
            Feature::Connections,
            Feature::End,
            Feature::Poll,
            Feature::Handles,
        ],
        summary: "A local connection with message boundaries: AF_UNIX, SOCK_SEQPACKET.",
    },
    MechanismRow {
        mechanism: Mechanism::Udp,
        name: "udp",
        ability: Ability::Queue,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::TwoWay,
            Feature::Binding,
            Feature::Lossy,
            Feature::Deferred,
            Feature::Poll,
        ],
        summary: "UDP datagrams over the loopback interface.",
    },
    MechanismRow {
        mechanism: Mechanism::Udp6,
        name: "udp6",
        ability: Ability::Queue,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::TwoWay,
            Feature::Binding,
            Feature::Lossy,
            Feature::Deferred,
            Feature::Poll,
        ],
        summary: "UDP datagrams over the loopback interface, by IPv6.",
    },
    MechanismRow {
        mechanism: Mechanism::PacketPipe,
        name: "packet_pipe",
        ability: Ability::Queue,
        features: &[Feature::Nonblocking, Feature::End, Feature::SharedFlags, Feature::Poll],
        summary: "A pipe that keeps packets apart: pipe2() with O_DIRECT, of Linux.",
    },
    MechanismRow {
        mechanism: Mechanism::PosixMq,
        name: "posix_mq",
        ability: Ability::Queue,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::Timeout,
            Feature::Priority,
            Feature::Capacity,
            Feature::Attributes,
            Feature::SharedFlags,
            Feature::Poll,
        ],
        summary: "A POSIX message queue: mq_open().",
    },
    MechanismRow {
        mechanism: Mechanism::PosixShm,
        name: "posix_shm",
        ability: Ability::Memory,
        features: &[Feature::Names],
        summary: "A POSIX shared memory object: shm_open() and mmap().",
    },
    MechanismRow {
        mechanism: Mechanism::PosixSem,
        name: "posix_sem",
        ability: Ability::Counter,
        features: &[Feature::Nonblocking, Feature::Timeout, Feature::Attributes],
        summary: "An unnamed semaphore in shared memory: sem_init() with pshared.",
    },
    MechanismRow {
        mechanism: Mechanism::PosixNamedSem,
        name: "posix_named_sem",
        ability: Ability::Counter,
        features: &[Feature::Names, Feature::Nonblocking, Feature::Timeout, Feature::Attributes],
        summary: "A named semaphore: sem_open().",
    },
    MechanismRow {
        mechanism: Mechanism::Signal,
        name: "signal",
        ability: Ability::Signals,
        features: &[Feature::Timeout],
        summary: "Signals: kill(), sigqueue(), handlers, masks, sigwaitinfo().",
    },
];

impl Mechanism {
    /// This mechanism's row in the table.
    ///
    /// # Panics
    /// Never: a test asserts that every mechanism has its row.
    #[must_use]
    pub fn row(self) -> &'static MechanismRow {
        MECHANISMS.iter().find(|row| row.mechanism == self).expect("every mechanism has a row in MECHANISMS")
    }

    /// The word in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The mechanism of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        MECHANISMS.iter().find(|row| row.name == name).map(|row| row.mechanism)
    }

    /// What it can do.
    #[must_use]
    pub fn ability(self) -> Ability {
        self.row().ability
    }

    /// Whether it offers a feature.
    #[must_use]
    pub fn has(self, feature: Feature) -> bool {
        self.row().features.contains(&feature)
    }
}

impl std::fmt::Display for Mechanism {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The property directories of the corpus: the first part of every scenario id.
pub const PROPERTIES: &[&str] = &[
    "ordering",
    "boundaries",
    "priority",
    "races",
    "signals",
    "blocking",
    "capacity",
    "lifetime",
    "crash",
    "exclusion",
    "memory",
    "handles",
    "errors",
    "limits",
];
