//! Linux: `/proc`. See proc(5): `/proc/pid/stat` (state), `/proc/pid/syscall`, `/proc/pid/schedstat`.

mod kernel_work;

pub(crate) use kernel_work::KernelLooker;

use super::{Call, Look, Standing};
use nix::{
    mqueue::mq_unlink,
    sched::{CpuSet, sched_getaffinity},
    sys::signal::kill,
    unistd::Pid,
};
use std::{
    cell::OnceCell,
    collections::BTreeMap,
    fmt::Write as _,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::PathBuf,
};

/// Looks at one process again and again; its files are opened once, at the first look: most processes are never looked at.
#[derive(Debug)]
pub(crate) struct Looker {
    pid: i32,
    files: OnceCell<Files>,
}

/// The files of a process; none that is not there.
#[derive(Debug)]
struct Files {
    stat: Option<File>,
    syscall: Option<File>,
    schedstat: Option<File>,
}

impl Looker {
    /// Prepares to look at a process.
    pub(crate) fn new(pid: i32) -> Self {
        Self { pid, files: OnceCell::new() }
    }

    fn files(&self) -> &Files {
        self.files.get_or_init(|| {
            let open = |name: &str| File::open(format!("/proc/{}/{name}", self.pid)).ok();
            Files { stat: open("stat"), syscall: open("syscall"), schedstat: open("schedstat") }
        })
    }

    /// Looks. A process that cannot be looked at is gone. A process with several threads is asleep when all of them are.
    ///
    /// All three files are needed, in this order: that it is off its processor is told by `syscall` alone, that it is being woken and has
    /// not come to a processor yet by `stat` alone, and that it did not run meanwhile by `schedstat`, compared with the look before.
    pub(crate) fn look(&self) -> Look {
        let running = || Look { standing: Standing::Running, fingerprint: String::new() };
        let gone = || Look { standing: Standing::Gone, fingerprint: String::new() };
        let (mut call, mut stat, mut schedstat) = ([0_u8; 256], [0_u8; 1024], [0_u8; 256]);
        let files = self.files();
        // The cheapest file tells of one that runs, which most that are looked at do.
        let call = read(files.syscall.as_ref(), &mut call);
        if call.is_some_and(|text| text.starts_with("running")) {
            return running();
        }
        let Some((state, threads)) = read(files.stat.as_ref(), &mut stat).and_then(parse_stat) else { return gone() };
        if threads > 1 {
            return self.look_at_threads();
        }
        let standing = match (state, call) {
            ('S', Some(text)) if goes_on_by_itself(text) => return running(),
            ('S', text) => Standing::Asleep(text.map(parse_syscall).unwrap_or_default()),
            ('T' | 't', _) => Standing::Stopped,
            ('Z' | 'X' | 'x', _) => return gone(),
            // A sleep that no signal ends (D) is the kernel's own affair, and over soon: no wait for another process is like that.
            _ => return running(),
        };
        let schedstat = read(files.schedstat.as_ref(), &mut schedstat).unwrap_or_default();
        Look { standing, fingerprint: fingerprint(schedstat, call) }
    }

    /// Whether it has ended, and who waits for that has been woken. What is not there has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let mut stat = [0; 1024];
        let is_over = match read(self.files().stat.as_ref(), &mut stat).and_then(parse_stat) {
            // Its first thread may end before the others.
            Some(('Z' | 'X' | 'x', threads)) => threads <= 1,
            Some(_) => false,
            None => true,
        };
        if is_over {
            // The kernel marks a process as ended and wakes its parent under one lock. A signal to a group takes that lock as well, so
            // that it waits until both are done; signal 0 is sent to nobody.
            let _ = kill(Pid::from_raw(0), None);
        }
        is_over
    }

    /// Whether it runs, or waits for a processor, and for how long it ran so far, in nanoseconds. For what is gone, or cannot be
    /// looked at: no, and 0.
    pub(crate) fn run_time(&self) -> (bool, u64) {
        let (mut stat, mut schedstat) = ([0; 1024], [0; 256]);
        let files = self.files();
        let state = read(files.stat.as_ref(), &mut stat).and_then(parse_stat);
        let ran = read(files.schedstat.as_ref(), &mut schedstat).and_then(|text| field(text, 0));
        (matches!(state, Some(('R', _))), ran.unwrap_or(0))
    }

    /// The same over all threads: the call told is that of the first thread that sleeps in something other than a futex.
    fn look_at_threads(&self) -> Look {
        let running = Look { standing: Standing::Running, fingerprint: String::new() };
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.pid)) else { return running };
        let mut fingerprint = String::new();
        let mut told: Option<Call> = None;
        for task in tasks.flatten() {
            let path = task.path();
            let text = |name: &str| fs::read_to_string(path.join(name)).unwrap_or_default();
            let stat = text("stat");
            match parse_stat(&stat) {
                Some(('S', _)) => {}
                Some(('T' | 't', _)) => return Look { standing: Standing::Stopped, fingerprint: text("schedstat") },
                _ => return running,
            }
            let syscall = text("syscall");
            if goes_on_by_itself(&syscall) {
                return running;
            }
            write!(fingerprint, "{} {syscall}", text("schedstat")).expect("a String takes all");
            let call = parse_syscall(&syscall);
            if told.as_ref().is_none_or(|told| told.name == "futex") {
                told = Some(call);
            }
        }
        Look { standing: Standing::Asleep(told.unwrap_or_default()), fingerprint }
    }
}

/// What tells whether a process has run.
fn fingerprint(schedstat: &str, call: Option<&str>) -> String {
    format!("{schedstat}{}", call.unwrap_or_default())
}

fn read<'b>(file: Option<&File>, buffer: &'b mut [u8]) -> Option<&'b str> {
    let length = file?.read_at(buffer, 0).ok()?;
    std::str::from_utf8(&buffer[..length]).ok().filter(|text| !text.is_empty())
}

/// A number among others.
fn field(text: &str, place: usize) -> Option<u64> {
    text.split_ascii_whitespace().nth(place)?.parse().ok()
}

/// How long this thread has waited for a processor so far: nanoseconds.
pub(crate) fn own_delay_ns() -> u64 {
    fs::read_to_string("/proc/thread-self/schedstat").ok().and_then(|text| field(&text, 1)).unwrap_or(0)
}

/// How long a process has been ready to run so far and did not: nanoseconds.
pub(crate) fn delay_ns_of(pid: i32) -> Option<u64> {
    fs::read_to_string(format!("/proc/{pid}/schedstat")).ok().and_then(|text| field(&text, 1))
}

/// A clock tick of `/proc/stat`: nanoseconds. The kernel tells times there in hundredths of a second.
const TICK_NS: u64 = 10_000_000;

/// How long the hypervisor has given our processors to others so far: nanoseconds.
pub(crate) fn steal_ns() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    // After the word: user, nice, system, idle, iowait, irq, softirq, steal.
    stat.lines().next().and_then(|line| field(line, 8)).map_or(0, |ticks| ticks * TICK_NS)
}

/// What the machine is.
pub(crate) fn machine_facts() -> BTreeMap<String, String> {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let information = text("/proc/cpuinfo");
    let told = |name: &str| {
        let line = information.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let mut facts = BTreeMap::new();
    let mut note = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.insert(name.to_owned(), value);
        }
    };
    note("processor", told("model name").or_else(|| told("CPU implementer")));
    let is_virtual = told("flags").is_some_and(|flags| flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"));
    note("hypervisor", is_virtual.then(|| "yes".to_owned()));
    note("idle", Some(text("/sys/devices/system/cpu/cpuidle/current_driver").trim().to_owned()));
    note("release", Some(text("/proc/sys/kernel/osrelease").trim().to_owned()));
    facts
}

/// The state letter and the number of threads; the name in parentheses may hold anything, so count from its end.
fn parse_stat(stat: &str) -> Option<(char, u32)> {
    let rest = &stat[stat.rfind(')')? + 1..];
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let threads = fields.nth(16)?.parse().ok()?;
    Some((state, threads))
}

/// Whether `/proc/pid/syscall` shows a process that sleeps in no call: it runs, or it waits for a page (-1), which the kernel brings
/// whatever other processes do.
fn goes_on_by_itself(syscall: &str) -> bool {
    syscall.starts_with("running") || syscall.starts_with("-1 ")
}

fn parse_syscall(text: &str) -> Call {
    let mut fields = text.split_ascii_whitespace();
    let number: Option<i64> = fields.next().and_then(|number| number.parse().ok());
    let first = fields.next().and_then(|word| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok());
    let name = number.map_or_else(String::new, |number| {
        SYSCALLS
            .iter()
            .find(|(known, _)| *known == number)
            .map_or_else(|| format!("system call {number}"), |(_, name)| (*name).to_owned())
    });
    Call { name, first }
}

macro_rules! syscalls {
    ($($name:ident = $constant:ident,)*) => { &[$((libc::$constant, stringify!($name)),)*] };
}

/// The calls in which processes of a scenario wait.
const SYSCALLS: &[(i64, &str)] = syscalls! {
    read = SYS_read, write = SYS_write, readv = SYS_readv, writev = SYS_writev, openat = SYS_openat,
    recvfrom = SYS_recvfrom, recvmsg = SYS_recvmsg, sendto = SYS_sendto, sendmsg = SYS_sendmsg,
    accept = SYS_accept, accept4 = SYS_accept4, connect = SYS_connect, shutdown = SYS_shutdown,
    futex = SYS_futex, mq_timedsend = SYS_mq_timedsend, mq_timedreceive = SYS_mq_timedreceive,
    rt_sigtimedwait = SYS_rt_sigtimedwait, rt_sigsuspend = SYS_rt_sigsuspend, ppoll = SYS_ppoll, pselect6 = SYS_pselect6,
    epoll_pwait = SYS_epoll_pwait, semop = SYS_semop, semtimedop = SYS_semtimedop, msgsnd = SYS_msgsnd,
    msgrcv = SYS_msgrcv, wait4 = SYS_wait4, waitid = SYS_waitid, flock = SYS_flock, fcntl = SYS_fcntl,
    nanosleep = SYS_nanosleep, clock_nanosleep = SYS_clock_nanosleep, splice = SYS_splice, tee = SYS_tee,
    sched_yield = SYS_sched_yield, exit_group = SYS_exit_group, close = SYS_close,
};

/// Looks after every run at what an agent's root has: the files are opened once.
#[derive(Debug)]
pub(crate) struct RootLooker {
    descriptors: PathBuf,
    descriptors_directory: Option<File>,
    children: Option<File>,
}

impl RootLooker {
    /// Prepares to look at a root.
    pub(crate) fn new(root: i32) -> Self {
        let descriptors = PathBuf::from(format!("/proc/{root}/fd"));
        Self {
            descriptors_directory: File::open(&descriptors).ok(),
            descriptors,
            children: File::open(format!("/proc/{root}/task/{root}/children")).ok(),
        }
    }

    /// The processes whose parent it is, where the system tells.
    pub(crate) fn children(&self) -> Vec<i32> {
        let mut buffer = [0; 4096];
        let text = read(self.children.as_ref(), &mut buffer).unwrap_or_default();
        text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect()
    }

    /// How many descriptors it has open, where the system tells.
    pub(crate) fn descriptor_count(&self) -> Option<usize> {
        // Told as the size of the directory since Linux 6.2; before that, one reads it.
        let directory = self.descriptors_directory.as_ref();
        let told = directory.map_or_else(|| fs::metadata(&self.descriptors), File::metadata).ok()?.len();
        let told = usize::try_from(told).ok().filter(|count| *count > 0);
        told.or_else(|| fs::read_dir(&self.descriptors).ok().map(Iterator::count))
    }

    /// What its descriptors lead to, in the order of their numbers, for a message.
    pub(crate) fn descriptors(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.descriptors) else { return Vec::new() };
        let mut descriptors: Vec<(i32, String)> = entries
            .flatten()
            .filter_map(|entry| {
                let number = entry.file_name().to_str()?.parse().ok()?;
                let target = fs::read_link(entry.path()).ok()?;
                Some((number, format!("{number} -> {}", target.display())))
            })
            .collect();
        descriptors.sort();
        descriptors.into_iter().map(|(_, text)| text).collect()
    }
}

/// A process and all that come from it, where the system tells of them.
pub(crate) fn family(root: i32) -> Vec<i32> {
    let mut family = vec![root];
    let mut next = 0;
    while let Some(pid) = family.get(next) {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        family.extend(children.split_ascii_whitespace().filter_map(|word| word.parse::<i32>().ok()));
        next += 1;
    }
    family
}

/// The processors this process may run on.
pub(crate) fn processors() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let allowed: Vec<usize> = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect();
    if allowed.is_empty() { vec![0] } else { allowed }
}

/// When a process started, in clock ticks since boot: with its id it names one process for ever.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat[stat.rfind(')')? + 1..].split_ascii_whitespace().nth(19)?.parse().ok()
}

/// The id of a process in its own process-id namespace, by which its neighbours there know it: the last of `NSpid` in
/// `/proc/pid/status`.
pub(crate) fn id_within(pid: i32) -> Option<i32> {
    let mut buffer = [0; 4096];
    let file = File::open(format!("/proc/{pid}/status")).ok()?;
    let status = read(Some(&file), &mut buffer)?;
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    ids.split_ascii_whitespace().last()?.parse().ok()
}

/// Removes the name of a POSIX message queue. Returns whether there was one.
pub(crate) fn unlink_queue(name: &str) -> bool {
    mq_unlink(name).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Looker, Standing, goes_on_by_itself, parse_stat, start_time};
    use nix::{
        sys::{
            signal::{Signal, kill},
            wait::{Id, WaitPidFlag, waitid},
        },
        unistd::Pid,
    };
    use std::{
        io::Write as _,
        process::{Command, Stdio},
    };

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 3 0 12345 0 0";
        assert_eq!(parse_stat(stat), Some(('S', 3)));
    }

    #[test]
    fn who_waits_for_a_page_is_not_at_rest() {
        assert!(goes_on_by_itself("-1 0x7ffd5e3b0c18 0x7f6a3c2f1d3e"));
        assert!(goes_on_by_itself("running"));
        assert!(!goes_on_by_itself("0 0x3 0x7ffd5e3b0c18 0x40 0x0 0x0 0x0 0x7ffd5e3b0c18 0x7f6a3c2f1d3e"));
    }

    #[test]
    fn a_process_that_reads_is_seen_asleep_in_read_and_does_not_change() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let looker = Looker::new(pid.as_raw());
        let first = loop {
            let look = looker.look();
            if let Standing::Asleep(call) = &look.standing
                && call.name == "read"
            {
                assert_eq!(call.first, Some(0));
                break look;
            }
            std::thread::yield_now();
        };
        assert_eq!(looker.look(), first);
        kill(pid, Signal::SIGSTOP).unwrap();
        let stopped = loop {
            let look = looker.look();
            if look.standing == Standing::Stopped {
                break look;
            }
            std::thread::yield_now();
        };
        assert_eq!(looker.look(), stopped);
        kill(pid, Signal::SIGCONT).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(looker.look().standing, Standing::Gone);
    }

    #[test]
    fn a_process_is_not_at_rest_from_the_instant_that_it_is_woken() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let looker = Looker::new(i32::try_from(child.id()).unwrap());
        let mut input = child.stdin.take().unwrap();
        for time in 0..5000 {
            let asleep = loop {
                let look = looker.look();
                if matches!(&look.standing, Standing::Asleep(call) if call.name == "read") && looker.look() == look {
                    break look;
                }
                std::thread::yield_now();
            };
            // It is woken before this returns, and may come to a processor much later.
            input.write_all(b"x").unwrap();
            assert_ne!(looker.look(), asleep, "after {time} times");
        }
        drop(input);
        child.wait().unwrap();
    }

    #[test]
    fn a_process_has_ended_once_it_can_be_waited_for() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let looker = Looker::new(pid);
        assert!(!looker.has_ended());
        drop(child.stdin.take());
        waitid(Id::Pid(Pid::from_raw(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        assert!(looker.has_ended(), "nobody has reaped it");
        child.wait().unwrap();
        assert!(looker.has_ended(), "it is gone");
    }

    #[test]
    fn this_process_has_a_start_time() {
        assert!(start_time(i32::try_from(std::process::id()).unwrap()).is_some());
    }
}
