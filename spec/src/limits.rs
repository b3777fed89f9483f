//! The limits that amounts may name, as the agent's host reports them.

use std::collections::BTreeMap;

/// A limit that a scenario may name.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// The name in scenario files.
    pub name: &'static str,
    /// One line for a reader, with the unit.
    pub summary: &'static str,
}

/// The table of limits.
pub const LIMITS: &[Limit] = &[
    Limit { name: "PIPE_BUF", summary: "bytes that a write to a pipe moves atomically: fpathconf(_PC_PIPE_BUF)" },
    Limit { name: "PAGE_SIZE", summary: "bytes in a page: sysconf(_SC_PAGESIZE)" },
    Limit { name: "PATH_MAX", summary: "bytes in a path: pathconf(_PC_PATH_MAX)" },
    Limit { name: "NAME_MAX", summary: "bytes in a file name: pathconf(_PC_NAME_MAX)" },
    Limit { name: "MQ_PRIO_MAX", summary: "message priorities are below this: sysconf(_SC_MQ_PRIO_MAX)" },
    Limit { name: "SEM_VALUE_MAX", summary: "the largest value of a POSIX semaphore: sysconf(_SC_SEM_VALUE_MAX)" },
    Limit { name: "SIGQUEUE_MAX", summary: "queued signals a process may have pending: sysconf(_SC_SIGQUEUE_MAX)" },
    Limit { name: "RTSIG_MAX", summary: "how many real-time signals there are: SIGRTMAX - SIGRTMIN + 1" },
    Limit { name: "OPEN_MAX", summary: "descriptors a process may have open: sysconf(_SC_OPEN_MAX)" },
    Limit { name: "IOV_MAX", summary: "pieces in one vectored call: sysconf(_SC_IOV_MAX)" },
];

/// The values of the limits on one host. A limit that the host does not have is absent.
pub type LimitValues = BTreeMap<String, u64>;

/// Whether a name is in the table.
#[must_use]
pub fn is_limit(name: &str) -> bool {
    LIMITS.iter().any(|limit| limit.name == name)
}
