//! Work that the kernel has left to its own threads or to a timer: it may wake a process though all processes are at rest.
//!
//! Loopback delivers in the sender's system call, or where that is not possible in a `ksoftirqd`; a terminal's bytes go through a
//! `kworker`. Both are woken by the call that leaves them work, so that what is left shows in their state (proc(5)). What is sent
//! over TCP and not acknowledged shows as a timer in `/proc/pid/net/tcp` (Documentation/networking/proc_net_tcp.rst).

use super::{parse_stat, read};
use crate::host::KernelWork;
use std::{
    collections::HashMap,
    fs::{self, File},
    os::unix::fs::FileExt as _,
};

/// The threads whose work can wake a process.
const WORKERS: [&str; 2] = ["(kworker/", "(ksoftirqd/"];

/// Queues whose work wakes nobody who is in a scenario: network namespaces that have no process any more are taken apart, for a tenth of
/// a second each, and every lane that starts or ends leaves one; files are written to a disk. Both queues are unbound: what comes
/// meanwhile does not wait for such a worker, another is woken for it.
const FOREIGN_QUEUES: [&str; 2] = ["+netns) ", "+flush-"];

/// The parent of all threads of the kernel.
const KTHREADD: i32 = 2;

/// Looks at the kernel's work again and again.
#[derive(Debug)]
pub(crate) struct KernelLooker {
    /// A process whose network nobody else uses; none where others may use it.
    network_of: Option<i32>,
    /// The state of each worker, and what is no worker.
    known: HashMap<i32, Option<File>>,
    children: Option<File>,
}

impl KernelLooker {
    /// Prepares to look. `network_of` is a process whose network nobody else uses.
    pub(crate) fn new(network_of: Option<i32>) -> Self {
        let name = fs::read_to_string(format!("/proc/{KTHREADD}/comm")).unwrap_or_default();
        let sees_threads = name.trim() == "kthreadd";
        let children = File::open(format!("/proc/{KTHREADD}/task/{KTHREADD}/children")).ok().filter(|_| sees_threads);
        Self { network_of, known: HashMap::new(), children }
    }

    /// What is left to be done now. `tables` are the files of `/proc/pid/net` whose sockets matter: the kernel takes
    /// milliseconds to make one.
    pub(crate) fn look(&mut self, tables: &[&str]) -> KernelWork {
        KernelWork { workers: self.workers(), timers: self.timers(tables) }
    }

    /// Whether a worker has work; `None` where that cannot be seen.
    fn workers(&mut self) -> Option<bool> {
        let children = read_whole(self.children.as_ref()?)?;
        for pid in children.split_ascii_whitespace().filter_map(|word| word.parse().ok()) {
            let stat = self.known.entry(pid).or_insert_with(|| {
                let file = File::open(format!("/proc/{pid}/stat")).ok()?;
                let mut buffer = [0; 1024];
                let stat = read(Some(&file), &mut buffer)?;
                is_worker(stat).then_some(file)
            });
            let mut buffer = [0; 1024];
            if read(stat.as_ref(), &mut buffer).is_some_and(has_work) {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Whether anything sent over TCP waits for a timer or for its acknowledgement; `None` where that cannot be seen.
    fn timers(&self, tables: &[&str]) -> Option<bool> {
        if tables.is_empty() {
            return Some(false);
        }
        let network_of = self.network_of?;
        let tables: Vec<String> = tables
            .iter()
            .filter_map(|table| read_whole(&File::open(format!("/proc/{network_of}/net/{table}")).ok()?))
            .collect();
        (!tables.is_empty()).then(|| tables.iter().any(|table| has_timer(table)))
    }
}

/// Whether the thread with this `/proc/pid/stat` can have work that wakes a process. A rescuer (`kworker/R-`, since Linux 6.8) steps in where
/// memory is short, for a queue that getting memory back depends on; what comes to a socket or a terminal goes through none of those.
fn is_worker(stat: &str) -> bool {
    WORKERS.iter().any(|name| stat.contains(name)) && !stat.contains("(kworker/R-")
}

/// Whether the worker with this `/proc/pid/stat` does something, or is about to, that may be for a process: the name of one that works
/// ends with that of its queue.
fn has_work(stat: &str) -> bool {
    let works = matches!(parse_stat(stat), Some(('R' | 'D', _)));
    works && !FOREIGN_QUEUES.iter().any(|queue| stat.contains(queue))
}

/// A file of `/proc` may be longer than any buffer; the kernel makes its text anew for each read.
fn read_whole(file: &File) -> Option<String> {
    let (mut text, mut buffer) = (Vec::new(), [0; 16_384]);
    loop {
        match file.read_at(&mut buffer, text.len() as u64).ok()? {
            0 => return String::from_utf8(text).ok(),
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
}

/// Whether a table shows a timer for what was sent: 1 to send it again, 4 to ask for room; 2 is for a connection that idles, 3 for
/// one that is over.
fn has_timer(table: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let timer = line.split_ascii_whitespace().nth(5).and_then(|field| field.split(':').next());
        matches!(timer, Some("01" | "04"))
    })
}

#[cfg(test)]
mod tests {
    use super::{KernelLooker, has_timer, has_work, is_worker};
    use rstest::rstest;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:0016 0100007F:C350 01 00000000:00000000 02:000A8C2B 00000000     0        0 2 2 0 20 4 1 10 -1
   2: 0100007F:C350 0100007F:0016 06 00000000:00000000 03:00001234 00000000     0        0 0 3 0
";

    #[rstest]
    #[case("ksoftirqd/1", true)]
    #[case("kworker/0:1H-kblockd", true)]
    #[case("kworker/u8:1-events_unbound", true)]
    #[case("kworker/R-writeback", false)]
    #[case("rcu_preempt", false)]
    fn workers_are_told_by_their_names(#[case] name: &str, #[case] expected: bool) {
        assert_eq!(is_worker(&format!("7 ({name}) I 2 0 0 0")), expected);
    }

    #[rstest]
    #[case::sleeping("kworker/u8:1-events_unbound", 'I', false)]
    #[case::just_woken("kworker/u8:1-events_unbound", 'R', true)]
    #[case::working("kworker/u8:1+events_unbound", 'R', true)]
    #[case::waiting_for_memory("kworker/0:2+events", 'D', true)]
    #[case::softirq("ksoftirqd/0", 'R', true)]
    #[case::taking_a_network_apart("kworker/u8:0+netns", 'D', false)]
    #[case::writing_to_a_disk("kworker/u8:0+flush-254:0", 'R', false)]
    #[case::woken_after_a_network("kworker/u8:0-netns", 'R', true)]
    #[case::of_a_kernel_that_names_no_queues("kworker/u8:0", 'D', true)]
    fn a_worker_has_work(#[case] name: &str, #[case] state: char, #[case] expected: bool) {
        let zeros = " 0".repeat(40);
        assert_eq!(has_work(&format!("7 ({name}) {state} 2 0 0 0 -1 69238880{zeros}\n")), expected);
    }

    #[test]
    fn a_connection_at_rest_has_no_timer() {
        assert!(!has_timer(TABLE));
        let unacknowledged = TABLE.replace("00000000:00000000 02:000A8C2B", "00000040:00000000 01:00000014");
        assert!(has_timer(&unacknowledged));
        assert!(has_timer(&TABLE.replace("02:000A8C2B", "04:0000000A")));
    }

    #[test]
    fn whose_network_is_not_its_own_is_not_looked_at() {
        assert_eq!(KernelLooker::new(None).look(&["tcp"]).timers, None);
        assert_eq!(KernelLooker::new(None).look(&[]).timers, Some(false));
    }
}
