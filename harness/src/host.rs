//! What the system tells about processes that are not ours to ask: the platform's half of the proof of blocking.
//!
//! One module a platform; this one chooses.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::{
    KernelLooker, Looker, RootLooker, delay_ns_of, family, id_within, machine_facts, own_delay_ns, processors,
    start_time, steal_ns, unlink_queue,
};
#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{
    KernelLooker, Looker, RootLooker, delay_ns_of, family, id_within, machine_facts, own_delay_ns, processors,
    start_time, steal_ns, unlink_queue,
};

/// What the kernel has left to do that may wake a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelWork {
    /// Whether one of its threads has work; `None` where that cannot be seen.
    pub(crate) workers: Option<bool>,
    /// Whether a timer of the network runs; `None` where that cannot be seen.
    pub(crate) timers: Option<bool>,
}

/// What a process was seen doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Its standing.
    pub(crate) standing: Standing,
    /// All that changes when it runs: equal fingerprints of two looks mean that it did not run between them.
    pub(crate) fingerprint: String,
}

/// A process's standing, as the system tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It runs, or waits for a processor.
    Running,
    /// It sleeps in a system call.
    Asleep(Call),
    /// It is stopped by a signal.
    Stopped,
    /// It has ended, and perhaps nobody has reaped it.
    Gone,
}

/// The call that a process sleeps in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its name, or its number; empty where the system does not tell.
    pub(crate) name: String,
    /// Its first argument where the system tells: a descriptor, for most.
    pub(crate) first: Option<u64>,
}

impl Call {
    /// Whether it is a sleep for a time, which no mechanism's call is.
    pub(crate) fn is_sleep(&self) -> bool {
        matches!(self.name.as_str(), "nanosleep" | "clock_nanosleep")
    }

    /// Whether it sends on this descriptor.
    pub(crate) fn is_send_on(&self, descriptor: i32) -> bool {
        matches!(self.name.as_str(), "write" | "sendto" | "sendmsg" | "writev")
            && self.first == u64::try_from(descriptor).ok()
    }

    /// Whether it waits on this descriptor.
    pub(crate) fn is_wait_on(&self, descriptor: i32) -> bool {
        let descriptor = u64::try_from(descriptor).ok();
        match self.name.as_str() {
            "read" | "recvfrom" | "recvmsg" | "readv" => self.first == descriptor,
            // It is told one more than the highest descriptor that it waits on.
            "pselect6" => self.first == descriptor.map(|descriptor| descriptor + 1),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Call;
    use rstest::rstest;

    #[rstest]
    #[case("recvfrom", 5, true)]
    #[case("recvfrom", 6, false)]
    #[case("pselect6", 6, true)]
    #[case("pselect6", 5, false)]
    #[case("mq_timedreceive", 5, false)]
    fn a_wait_for_commands_is_known(#[case] name: &str, #[case] first: u64, #[case] expected: bool) {
        assert_eq!(Call { name: name.to_owned(), first: Some(first) }.is_wait_on(5), expected);
    }

    #[rstest]
    #[case("sendto", 5, true)]
    #[case("write", 5, true)]
    #[case("sendto", 6, false)]
    #[case("recvfrom", 5, false)]
    fn an_answer_under_way_is_known(#[case] name: &str, #[case] first: u64, #[case] expected: bool) {
        assert_eq!(Call { name: name.to_owned(), first: Some(first) }.is_send_on(5), expected);
    }
}
