//! Counts system calls of processes by stopping them at each: ptrace(2). What is counted like this is not timed.

#[cfg(target_os = "linux")]
pub(super) use linux::Counter;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Counter;

#[cfg(target_os = "linux")]
mod linux {
    //! Linux: one thread stops them and lets them go on, until they are gone.

    use nix::{
        sys::{
            ptrace::{self, Options},
            wait::{WaitPidFlag, WaitStatus, waitpid},
        },
        unistd::Pid,
    };
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
            mpsc,
        },
        thread,
    };

    /// Counts as long as the processes live.
    #[derive(Debug)]
    pub(in super::super) struct Counter {
        /// Each call is stopped at twice.
        stops: Arc<AtomicU64>,
    }

    impl Counter {
        /// Begins to count; `None` where the system does not let us.
        pub(in super::super) fn start(pids: Vec<i32>) -> Option<Self> {
            let stops = Arc::new(AtomicU64::new(0));
            let (sender, ready) = mpsc::channel();
            let counted = Arc::clone(&stops);
            // The thread ends with the processes. Who seizes a process has to be the thread that waits for it.
            thread::spawn(move || {
                let seized = pids.iter().all(|pid| seize(Pid::from_raw(*pid)));
                let is_heard = sender.send(seized).is_ok();
                if seized && is_heard {
                    follow(pids.len(), &counted);
                }
            });
            ready.recv().unwrap_or(false).then_some(Self { stops })
        }

        /// How many calls there were so far.
        pub(in super::super) fn calls(&self) -> u64 {
            self.stops.load(Ordering::Acquire) / 2
        }
    }

    /// Makes a process ours to stop, and stops it for the first time.
    fn seize(pid: Pid) -> bool {
        ptrace::seize(pid, Options::PTRACE_O_TRACESYSGOOD).and_then(|()| ptrace::interrupt(pid)).is_ok()
    }

    /// Lets so many processes go on from call to call until none is left.
    fn follow(mut left: usize, stops: &AtomicU64) {
        while left > 0 {
            // Other threads have children of their own, which are not ours to wait for.
            match waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Ok(WaitStatus::PtraceSyscall(pid)) => {
                    stops.fetch_add(1, Ordering::AcqRel);
                    let _ = ptrace::syscall(pid, None);
                }
                Ok(WaitStatus::PtraceEvent(pid, _, _)) => {
                    let _ = ptrace::syscall(pid, None);
                }
                Ok(WaitStatus::Stopped(pid, signal)) => {
                    let _ = ptrace::syscall(pid, Some(signal));
                }
                Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) => left -= 1,
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    //! Systems for which this is not written yet.

    /// Counts nothing.
    #[derive(Debug)]
    pub(in super::super) struct Counter;

    impl Counter {
        pub(in super::super) fn start(_pids: Vec<i32>) -> Option<Self> {
            None
        }

        pub(in super::super) fn calls(&self) -> u64 {
            0
        }
    }
}
