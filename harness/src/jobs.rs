//! The jobs of a phase, and which of them a lane may take.
//!
//! What the system allots to a user as a whole, lanes would take from each other: a queue that is refused for want of room would look
//! like a finding, or like a want of privilege. So the jobs that need it run one at a time.

use crate::session::Job;
use spec::Mechanism;
use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// Jobs that wait for a lane.
pub(crate) struct Jobs {
    waiting: Mutex<Waiting>,
    /// A scarce job is done, or none is left.
    freed: Condvar,
}

struct Waiting {
    /// With their places among all jobs.
    jobs: VecDeque<(usize, Job)>,
    /// Whether a scarce job runs.
    scarce_runs: bool,
}

impl Jobs {
    pub(crate) fn new(jobs: VecDeque<(usize, Job)>) -> Self {
        Self { waiting: Mutex::new(Waiting { jobs, scarce_runs: false }), freed: Condvar::new() }
    }

    /// The next job that may run now, in their order, with its turn to run; waits where there is none but those that may run later. None
    /// where none is left.
    pub(crate) fn take(&self) -> Option<(usize, Job, Turn<'_>)> {
        let mut waiting = self.lock();
        loop {
            let scarce_runs = waiting.scarce_runs;
            let may_run = |(_, job): &(usize, Job)| !(scarce_runs && is_scarce(job));
            if let Some(place) = waiting.jobs.iter().position(may_run) {
                let (index, job) = waiting.jobs.remove(place)?;
                let is_scarce = is_scarce(&job);
                waiting.scarce_runs |= is_scarce;
                return Some((index, job, Turn { jobs: self, is_scarce }));
            }
            if waiting.jobs.is_empty() {
                return None;
            }
            waiting = self.freed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Leaves no job for anybody: who waits for one ends.
    pub(crate) fn clear(&self) {
        self.lock().jobs.clear();
        self.freed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job's turn to run; dropped when it has run.
pub(crate) struct Turn<'j> {
    jobs: &'j Jobs,
    is_scarce: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.is_scarce {
            self.jobs.lock().scarce_runs = false;
            self.jobs.freed.notify_all();
        }
    }
}

/// Whether a job needs what all processes of a user have together: ten queues of the usual size are all that Linux gives to one
/// (mq_overview(7): `RLIMIT_MSGQUEUE`).
fn is_scarce(job: &Job) -> bool {
    job.plan.channels.iter().any(|channel| channel.mechanism == Mechanism::PosixMq)
}

#[cfg(test)]
mod tests {
    use super::{Jobs, Turn};
    use crate::{engine::samples, session::Job};
    use spec::Mechanism;
    use std::thread;

    /// Jobs on channels of these mechanisms.
    fn jobs(mechanisms: &[Mechanism]) -> Jobs {
        let plan = samples::plan("\n  one: [{ send: { size: 1 }, record: a }]");
        let job = |mechanism: &Mechanism| {
            let mut plan = plan.clone();
            plan.channels.iter_mut().for_each(|channel| channel.mechanism = *mechanism);
            Job { plan, control: None }
        };
        Jobs::new(mechanisms.iter().map(job).enumerate().collect())
    }

    fn take(jobs: &Jobs) -> (usize, Turn<'_>) {
        let (place, _, turn) = jobs.take().expect("a job is left");
        (place, turn)
    }

    #[test]
    fn scarce_jobs_run_one_at_a_time_and_others_overtake_them() {
        let jobs = jobs(&[Mechanism::PosixMq, Mechanism::PosixMq, Mechanism::Pipe, Mechanism::PosixMq]);
        let (first, scarce) = take(&jobs);
        let (second, _) = take(&jobs);
        assert_eq!((first, second), (0, 2));
        // Only scarce ones are left: who wants one waits until the first is done, as long as that takes.
        let (third, scarce) = thread::scope(|scope| {
            let waiter = scope.spawn(|| take(&jobs));
            drop(scarce);
            waiter.join().expect("the waiter gets a job")
        });
        assert_eq!(third, 1);
        drop(scarce);
        assert_eq!(take(&jobs).0, 3);
        assert!(jobs.take().is_none());
    }

    #[test]
    fn who_waits_for_a_scarce_job_ends_when_none_is_left() {
        let jobs = jobs(&[Mechanism::PosixMq, Mechanism::PosixMq]);
        let _scarce = take(&jobs);
        thread::scope(|scope| {
            let waiter = scope.spawn(|| jobs.take().is_none());
            jobs.clear();
            assert!(waiter.join().expect("the waiter ends"));
        });
    }
}
