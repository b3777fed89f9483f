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
    /// A lock, held by one or by several readers.
    Lock,
    /// A place to wait until others wake, or until others have come.
    Wake,
    /// Signals between processes.
    Signals,
}

impl Ability {
    /// All abilities, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::Stream, Self::Queue, Self::Memory, Self::Counter, Self::Lock, Self::Wake, Self::Signals];

    /// The word in scenario files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Queue => "queue",
            Self::Memory => "memory",
            Self::Counter => "counter",
            Self::Lock => "lock",
            Self::Wake => "wake",
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
    /// Messages carry a type, by which they can be received.
    Types,
    /// There are several counters, which can be changed at once.
    Set,
    /// How much is added can be chosen, and all of it is taken at once (`post: { value: … }`).
    Amounts,
    /// Its size can be changed.
    Resize,
    /// Changes of it can be forbidden.
    Seals,
    /// It is reached by a descriptor that can be polled.
    Poll,
    /// It carries descriptors and credentials (`SCM_RIGHTS`, `SCM_CREDENTIALS`).
    Handles,
    /// How many bytes wait in it can be asked (`unread`).
    Unread,
    /// How many bytes it holds can be changed while it is in use (`set_capacity`).
    PipeSize,
    /// It can be asked for a signal when a message comes (`mq_notify`).
    MessageNotice,
    /// The object is reached by a descriptor that carries `O_NONBLOCK` for all who share it.
    SharedFlags,
    /// A lock can be held by several at once (`mode: shared`).
    Shared,
    /// The next one learns that the owner of a lock has died (`fails: EOWNERDEAD`, `consistent`).
    Robust,
    /// A lock covers a range of bytes (`start:`, `length:`).
    Ranges,
    /// The lock is of an open file description, which processes can share (`shared_description:`).
    Descriptions,
    /// It has a mutex of its own (`lock` and `unlock` of a condition variable).
    Mutex,
    /// Those that wait on it are woken by others (`wait_on`, `notify`).
    Notify,
    /// Those that wait sleep only while a word has a value (`expected:`), which can be stored and loaded.
    Word,
    /// Those that wait go on when as many as it was made for have come (`arrive`).
    Barrier,
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
    /// `msgget()`.
    SysvMsg,
    /// Our own queue in shared memory: a ring with robust mutexes and futexes.
    ShmRing,
    /// `shm_open()` and `mmap()`.
    PosixShm,
    /// `shmget()`.
    SysvShm,
    /// `memfd_create()`.
    Memfd,
    /// `mmap()` of a regular file, `MAP_SHARED`.
    MappedFile,
    /// `mmap()` with `MAP_ANONYMOUS` and `MAP_SHARED`.
    AnonymousMemory,
    /// `sem_init()` with `pshared`, in shared memory.
    PosixSem,
    /// `sem_open()`.
    PosixNamedSem,
    /// `semget()`.
    SysvSem,
    /// `eventfd()`.
    Eventfd,
    /// `eventfd()` with `EFD_SEMAPHORE`.
    EventfdSemaphore,
    /// `pthread_mutex_lock()` on a process-shared mutex of the type `PTHREAD_MUTEX_NORMAL`.
    PthreadMutex,
    /// One of the type `PTHREAD_MUTEX_ERRORCHECK`.
    PthreadMutexErrorcheck,
    /// One of the type `PTHREAD_MUTEX_RECURSIVE`.
    PthreadMutexRecursive,
    /// One with `PTHREAD_MUTEX_ROBUST`.
    PthreadMutexRobust,
    /// One with `PTHREAD_PRIO_INHERIT`.
    PthreadMutexPi,
    /// `pthread_rwlock_rdlock()`, `pthread_rwlock_wrlock()`, process-shared.
    PthreadRwlock,
    /// `pthread_spin_lock()`, process-shared.
    PthreadSpinlock,
    /// `flock()`.
    Flock,
    /// `fcntl()` with `F_SETLK` and `F_SETLKW`.
    RecordLock,
    /// `fcntl()` with `F_OFD_SETLK` and `F_OFD_SETLKW`.
    OfdLock,
    /// A lock of three states in shared memory, of `futex()` and atomic exchanges.
    FutexLock,
    /// `pthread_cond_wait()`, `pthread_cond_signal()`, process-shared, with its mutex.
    Condvar,
    /// `pthread_barrier_wait()`, process-shared.
    Barrier,
    /// `futex()` with `FUTEX_WAIT` and `FUTEX_WAKE` on a word in shared memory.
    Futex,
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
        features: &[
            Feature::Nonblocking,
            Feature::End,
            Feature::SharedFlags,
            Feature::Poll,
            Feature::Unread,
            Feature::PipeSize,
        ],
        summary: "An anonymous pipe: pipe().",
    },
    MechanismRow {
        mechanism: Mechanism::Fifo,
        name: "fifo",
        ability: Ability::Stream,
        features: &[
            Feature::Names,
            Feature::Nonblocking,
            Feature::End,
            Feature::SharedFlags,
            Feature::Poll,
            Feature::Unread,
            Feature::PipeSize,
        ],
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
            Feature::Unread,
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
            Feature::Unread,
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
            Feature::Unread,
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
            Feature::Unread,
            Feature::Handles,
        ],
        summary: "A local stream socket with an abstract name: AF_UNIX, SOCK_STREAM, of Linux.",
    },
    MechanismRow {
        mechanism: Mechanism::Pty,
        name: "pty",
        ability: Ability::Stream,
        features: &[
            Feature::Nonblocking,
            Feature::TwoWay,
            Feature::Deferred,
            Feature::SharedFlags,
            Feature::Poll,
            Feature::Unread,
        ],
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
            Feature::Unread,
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
            Feature::Unread,
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
            Feature::Unread,
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
            Feature::Unread,
        ],
        summary: "UDP datagrams over the loopback interface, by IPv6.",
    },
    MechanismRow {
        mechanism: Mechanism::PacketPipe,
        name: "packet_pipe",
        ability: Ability::Queue,
        features: &[
            Feature::Nonblocking,
            Feature::End,
            Feature::SharedFlags,
            Feature::Poll,
            Feature::Unread,
            Feature::PipeSize,
        ],
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
            Feature::MessageNotice,
        ],
        summary: "A POSIX message queue: mq_open().",
    },
    MechanismRow {
        mechanism: Mechanism::SysvMsg,
        name: "sysv_msg",
        ability: Ability::Queue,
        features: &[Feature::Names, Feature::Nonblocking, Feature::Types, Feature::Attributes],
        summary: "A System V message queue: msgget().",
    },
    MechanismRow {
        mechanism: Mechanism::ShmRing,
        name: "shm_ring",
        ability: Ability::Queue,
        features: &[Feature::Nonblocking, Feature::Timeout, Feature::Capacity, Feature::Attributes],
        summary: "A queue of our own in shared memory: a ring of slots, robust mutexes, futexes.",
    },
    MechanismRow {
        mechanism: Mechanism::PosixShm,
        name: "posix_shm",
        ability: Ability::Memory,
        features: &[Feature::Names, Feature::Resize],
        summary: "A POSIX shared memory object: shm_open() and mmap().",
    },
    MechanismRow {
        mechanism: Mechanism::SysvShm,
        name: "sysv_shm",
        ability: Ability::Memory,
        features: &[Feature::Names],
        summary: "A System V shared memory segment: shmget().",
    },
    MechanismRow {
        mechanism: Mechanism::Memfd,
        name: "memfd",
        ability: Ability::Memory,
        features: &[Feature::Resize, Feature::Seals],
        summary: "An anonymous memory file: memfd_create(), of Linux and FreeBSD.",
    },
    MechanismRow {
        mechanism: Mechanism::MappedFile,
        name: "mapped_file",
        ability: Ability::Memory,
        features: &[Feature::Names, Feature::Resize],
        summary: "A regular file that is mapped: mmap() with MAP_SHARED.",
    },
    MechanismRow {
        mechanism: Mechanism::AnonymousMemory,
        name: "anonymous_memory",
        ability: Ability::Memory,
        features: &[],
        summary: "Pages that a child inherits: mmap() with MAP_SHARED and MAP_ANONYMOUS.",
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
        mechanism: Mechanism::SysvSem,
        name: "sysv_sem",
        ability: Ability::Counter,
        features: &[Feature::Names, Feature::Nonblocking, Feature::Timeout, Feature::Attributes, Feature::Set],
        summary: "A System V semaphore set: semget().",
    },
    MechanismRow {
        mechanism: Mechanism::Eventfd,
        name: "eventfd",
        ability: Ability::Counter,
        features: &[Feature::Nonblocking, Feature::Poll, Feature::Amounts],
        summary: "An event counter: eventfd().",
    },
    MechanismRow {
        mechanism: Mechanism::EventfdSemaphore,
        name: "eventfd_semaphore",
        ability: Ability::Counter,
        features: &[Feature::Nonblocking, Feature::Poll, Feature::Amounts],
        summary: "An event counter that is taken one by one: eventfd() with EFD_SEMAPHORE.",
    },
    MechanismRow {
        mechanism: Mechanism::PthreadMutex,
        name: "pthread_mutex",
        ability: Ability::Lock,
        features: &[Feature::Nonblocking, Feature::Timeout],
        summary: "A process-shared mutex: pthread_mutex_lock(), PTHREAD_MUTEX_NORMAL.",
    },
    MechanismRow {
        mechanism: Mechanism::PthreadMutexErrorcheck,
        name: "pthread_mutex_errorcheck",
        ability: Ability::Lock,
        features: &[Feature::Nonblocking, Feature::Timeout],
        summary: "A process-shared mutex that checks: PTHREAD_MUTEX_ERRORCHECK.",
    },
    MechanismRow {
        mechanism: Mechanism::PthreadMutexRecursive,
        name: "pthread_mutex_recursive",
        ability: Ability::Lock,
        features: &[Feature::Nonblocking, Feature::Timeout],
        summary: "A process-shared mutex that counts: PTHREAD_MUTEX_RECURSIVE.",
    },
    MechanismRow {
        mechanism: Mechanism::PthreadMutexRobust,
        name: "pthread_mutex_robust",
        ability: Ability::Lock,
        features: &[Feature::Nonblocking, Feature::Timeout, Feature::Robust],
        summary: "A process-shared mutex that survives its owner: PTHREAD_MUTEX_ROBUST.",
    },
    MechanismRow {
        mechanism: Mechanism::PthreadMutexPi,
        name: "pthread_mutex_pi",
        ability: Ability::Lock,
        features: &[Feature::Nonblocking, Feature::Timeout],
        summary: "A process-shared mutex that lends priority: PTHREAD_PRIO_INHERIT.",
    },
    MechanismRow {
        mechanism: Mechanism::PthreadRwlock,
        name: "pthread_rwlock",
        ability: Ability::Lock,
        features: &[Feature::Nonblocking, Feature::Timeout, Feature::Shared],
        summary: "A process-shared read-write lock: pthread_rwlock_rdlock(), pthread_rwlock_wrlock().",
    },
    MechanismRow {
        mechanism: Mechanism::PthreadSpinlock,
        name: "pthread_spinlock",
        ability: Ability::Lock,
        features: &[Feature::Nonblocking],
        summary: "A process-shared spin lock: pthread_spin_lock().",
    },
    MechanismRow {
        mechanism: Mechanism::Flock,
        name: "flock",
        ability: Ability::Lock,
        features: &[Feature::Names, Feature::Nonblocking, Feature::Shared, Feature::Descriptions],
        summary: "An advisory lock on a whole file: flock().",
    },
    MechanismRow {
        mechanism: Mechanism::RecordLock,
        name: "record_lock",
        ability: Ability::Lock,
        features: &[Feature::Names, Feature::Nonblocking, Feature::Shared, Feature::Ranges, Feature::Descriptions],
        summary: "A record lock that a process owns: fcntl(), F_SETLK and F_SETLKW.",
    },
    MechanismRow {
        mechanism: Mechanism::OfdLock,
        name: "ofd_lock",
        ability: Ability::Lock,
        features: &[Feature::Names, Feature::Nonblocking, Feature::Shared, Feature::Ranges, Feature::Descriptions],
        summary: "A record lock that an open file description owns: fcntl(), F_OFD_SETLK and F_OFD_SETLKW.",
    },
    MechanismRow {
        mechanism: Mechanism::FutexLock,
        name: "futex_lock",
        ability: Ability::Lock,
        features: &[Feature::Nonblocking, Feature::Timeout],
        summary: "A lock of three states in shared memory: atomic exchanges and futex().",
    },
    MechanismRow {
        mechanism: Mechanism::Condvar,
        name: "condvar",
        ability: Ability::Wake,
        features: &[Feature::Timeout, Feature::Nonblocking, Feature::Mutex, Feature::Notify],
        summary: "A process-shared condition variable with its mutex: pthread_cond_wait(), pthread_cond_signal().",
    },
    MechanismRow {
        mechanism: Mechanism::Barrier,
        name: "barrier",
        ability: Ability::Wake,
        features: &[Feature::Barrier],
        summary: "A process-shared barrier: pthread_barrier_wait().",
    },
    MechanismRow {
        mechanism: Mechanism::Futex,
        name: "futex",
        ability: Ability::Wake,
        features: &[Feature::Timeout, Feature::Notify, Feature::Word],
        summary: "A word in shared memory to sleep on: futex(), FUTEX_WAIT and FUTEX_WAKE.",
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
