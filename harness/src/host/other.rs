//! Systems whose way to look at processes is not written yet: nothing can be proven asleep, so every blocked call ends at
//! its deadline.

use super::{KernelWork, Look, Standing};

/// Looks at nothing.
#[derive(Debug)]
pub(crate) struct Looker;

impl Looker {
    pub(crate) fn new(_pid: i32) -> Self {
        Self
    }

    pub(crate) fn look(&self) -> Look {
        Look { standing: Standing::Running, fingerprint: String::new() }
    }

    /// A connection that was closed is the only sign here.
    pub(crate) fn has_ended(&self) -> bool {
        true
    }

    pub(crate) fn run_time(&self) -> (bool, u64) {
        (false, 0)
    }
}

/// Looks at nothing.
#[derive(Debug)]
pub(crate) struct KernelLooker;

impl KernelLooker {
    pub(crate) fn new(_network_of: Option<i32>) -> Self {
        Self
    }

    pub(crate) fn look(&mut self, _tables: &[&str]) -> KernelWork {
        KernelWork { workers: None, timers: None }
    }
}

/// What comes from a process is not seen here.
pub(crate) fn family(root: i32) -> Vec<i32> {
    vec![root]
}

pub(crate) fn own_delay_ns() -> u64 {
    0
}

pub(crate) fn delay_ns_of(_pid: i32) -> Option<u64> {
    None
}

pub(crate) fn steal_ns() -> u64 {
    0
}

pub(crate) fn machine_facts() -> std::collections::BTreeMap<String, String> {
    std::collections::BTreeMap::new()
}

/// Looks at nothing.
#[derive(Debug)]
pub(crate) struct RootLooker;

impl RootLooker {
    pub(crate) fn new(_root: i32) -> Self {
        Self
    }

    pub(crate) fn children(&self) -> Vec<i32> {
        Vec::new()
    }

    pub(crate) fn descriptor_count(&self) -> Option<usize> {
        None
    }

    pub(crate) fn descriptors(&self) -> Vec<String> {
        Vec::new()
    }
}

pub(crate) fn processors() -> Vec<usize> {
    (0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get)).collect()
}

pub(crate) fn start_time(_pid: i32) -> Option<u64> {
    None
}

pub(crate) fn id_within(pid: i32) -> Option<i32> {
    Some(pid)
}

pub(crate) fn unlink_queue(_name: &str) -> bool {
    false
}
