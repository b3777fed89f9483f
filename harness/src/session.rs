//! A session: lanes side by side, jobs among them, and what came of each.

use crate::{
    clock,
    engine::{self, Ran},
    fault::{Fault, StartError},
    host,
    isolation::{self, Isolation, IsolationChoice},
    jobs::Jobs,
    lane::{self, Grounds, Lane},
    listener::Listener,
    spawner::Spawner,
    sweep,
    warden::Warden,
};
use harness_core::{
    Finding, Judgement, Plan, Verdict,
    finding::{Anomaly, Skip, SkipClass},
    judge,
    race::Release,
    wire::{RefusalClass, Refused, RootHello},
};
use spec::scenario::Grade;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ffi::OsString,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

/// Lanes for each processor, where nobody says how many: while one waits for a timeout or for the network, the other runs.
const LANES_A_PROCESSOR: usize = 2;

/// How a session is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The agent's program and its arguments.
    pub agent: Vec<OsString>,
    /// This program, or another whose `main` calls [`crate::reexec_entry`] first.
    pub helper: PathBuf,
    /// Lanes side by side; 0: two a processor.
    pub jobs: usize,
    /// The seed of races.
    pub seed: u64,
    /// How all runs of races are released, rather than in each way in turn.
    pub release: Option<Release>,
    /// Whether a race ends with the first run that breaks something.
    pub until_failure: bool,
    /// Whether a race goes on where what it came to would be vacuous.
    pub extends: bool,
    /// All times that bound waiting are multiplied by this.
    pub time_scale: f64,
    /// Whether to stop at the first instance that is broken or faulty.
    pub fail_fast: bool,
    /// Which isolation.
    pub isolation: IsolationChoice,
    /// How long an agent may take to answer what needs no waiting, before scaling.
    pub patience: Duration,
}

impl Config {
    /// The usual configuration for an agent.
    #[must_use]
    pub fn new(agent: Vec<OsString>, helper: PathBuf) -> Self {
        Self {
            agent,
            helper,
            jobs: 0,
            seed: 1,
            release: None,
            until_failure: false,
            extends: true,
            time_scale: 1.0,
            fail_fast: false,
            isolation: IsolationChoice::Auto,
            patience: Duration::from_secs(10),
        }
    }

    pub(crate) fn scaled(&self, time: Duration) -> u64 {
        self.scaled_ns(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(crate) fn scaled_ns(&self, ns: u64) -> u64 {
        let scaled = Duration::try_from_secs_f64(Duration::from_nanos(ns).as_secs_f64() * self.time_scale.max(0.001));
        scaled.map_or(u64::MAX / 4, |scaled| u64::try_from(scaled.as_nanos()).unwrap_or(u64::MAX / 4))
    }
}

/// What a session knows of its host.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the agent's root said of itself.
    pub hello: RootHello,
    /// How lanes are kept apart.
    pub isolation: String,
    /// How many processors may be used.
    pub processors: u64,
    /// How many lanes run side by side.
    pub lanes: usize,
}

/// One instance to run.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its plan.
    pub plan: Plan,
    /// Its control. Controls of the same id are run once.
    pub control: Option<Plan>,
}

/// What came of a job.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The job's index.
    pub index: usize,
    /// The plan that was run.
    pub plan: Plan,
    /// The judgement; absent where the agent refused.
    pub judgement: Option<Judgement>,
    /// Why it was skipped.
    pub skip: Option<Skip>,
    /// How long it took, with its control; nanoseconds.
    pub duration_ns: u64,
}

/// What a session tells while it runs.
#[derive(Clone, Debug)]
pub enum Progress {
    /// A job has begun.
    Started(usize),
    /// A job is done.
    Completed(Box<Completion>),
}

/// Lanes, ready to run jobs.
#[derive(Debug)]
pub struct Session {
    // Fields drop in this order: the warden says goodbye only after the directory is gone.
    spare: Mutex<Vec<Lane>>,
    directory: Option<tempfile::TempDir>,
    spawner: Spawner,
    grounds: Arc<Grounds>,
    facts: Facts,
    cancelled: AtomicBool,
    controls: Mutex<HashMap<String, Judgement>>,
}

/// What a lane has to tell: what it has done, and what it does next.
struct News {
    completed: Option<Box<Completion>>,
    started: Option<usize>,
}

impl Session {
    /// Starts the first lane, in the best isolation that can be had, and hears the agent's hello.
    ///
    /// # Errors
    /// When the agent cannot be started or does not speak the protocol, or demanded isolation cannot be had.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let runs = lane::runs_directory();
        sweep::sweep_stale(&runs);
        let prefix = sweep::prefix(std::process::id());
        let directory = tempfile::Builder::new()
            .prefix(&prefix)
            .tempdir_in(&runs)
            .map_err(|error| StartError::Directory { directory: runs, error })?;
        let warden = Warden::start(&config.helper, directory.path(), &prefix).ok();
        let candidates = isolation::candidates(config.isolation);
        let mut grounds = Grounds {
            seed: AtomicU64::new(config.seed),
            config,
            isolation: Isolation::Names,
            directory: directory.path().to_owned(),
            prefix,
            processors: host::processors(),
            warden,
            best_environments: Mutex::default(),
            paces: Mutex::default(),
        };
        let mut obstacles = match candidates.is_empty() {
            true => vec!["this system has none that we know of".to_owned()],
            false => Vec::new(),
        };
        for isolation in candidates {
            grounds.isolation = isolation;
            let shared = Arc::new(grounds);
            let spawner = Spawner::start(&shared);
            match spawner.lane(0) {
                Ok(lane) => return Ok(Self::with_first(lane, spawner, shared, directory)),
                Err(StartError::Isolation(obstacle)) => obstacles.push(obstacle),
                Err(error) => return Err(error),
            }
            drop(spawner);
            grounds = Arc::into_inner(shared).expect("its spawner, which has ended, was the only other to have it");
        }
        Err(StartError::Isolation(obstacles.join("; ")))
    }

    fn with_first(lane: Lane, spawner: Spawner, grounds: Arc<Grounds>, directory: tempfile::TempDir) -> Self {
        let lanes = match grounds.config.jobs {
            0 => grounds.processors.len() * LANES_A_PROCESSOR,
            jobs => jobs,
        };
        let facts = Facts {
            hello: lane.hello.clone(),
            isolation: grounds.isolation.describe().to_owned(),
            processors: grounds.processors.len() as u64,
            lanes,
        };
        Self {
            spare: Mutex::new(vec![lane]),
            directory: Some(directory),
            spawner,
            grounds,
            facts,
            cancelled: AtomicBool::new(false),
            controls: Mutex::new(HashMap::new()),
        }
    }

    /// What is known of the host and the agent.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn grounds(&self) -> &Grounds {
        &self.grounds
    }

    /// Lanes that nothing runs on.
    pub(crate) fn spare(&self) -> &Mutex<Vec<Lane>> {
        &self.spare
    }

    /// Starts one more lane.
    pub(crate) fn new_lane(&self) -> Result<Lane, StartError> {
        self.spawner.lane(self.next_number(0))
    }

    /// From now on races have this seed, and controls are run again.
    pub fn reseed(&self, seed: u64) {
        self.grounds.seed.store(seed, Ordering::Relaxed);
        self.controls.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Asks a run in progress to end after the instances it is in. To be called from another thread, or a signal's watcher.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the session was asked to end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Runs jobs, stories and single runs side by side first, then races one by one with all processors for themselves.
    /// Completions come in the order in which they happen; jobs not begun when the run was cancelled have none.
    pub fn run(&self, jobs: Vec<Job>, on_progress: &mut dyn FnMut(Progress)) {
        let (races, quiet): (VecDeque<_>, VecDeque<_>) =
            jobs.into_iter().enumerate().partition(|(_, job)| job.plan.race);
        self.run_phase(quiet, self.facts.lanes, on_progress);
        self.run_phase(races, 1, on_progress);
    }

    fn run_phase(&self, jobs: VecDeque<(usize, Job)>, lanes: usize, on_progress: &mut dyn FnMut(Progress)) {
        let lanes = lanes.clamp(1, jobs.len().max(1));
        let jobs = Jobs::new(jobs);
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for number in 0..lanes {
                let (sender, jobs) = (sender.clone(), &jobs);
                scope.spawn(move || self.work(number, lanes, jobs, &sender));
            }
            drop(sender);
            for News { completed, started } in receiver {
                if let Some(completion) = completed {
                    let verdict = completion.judgement.as_ref().map(|judgement| judgement.verdict);
                    if self.grounds.config.fail_fast && verdict.is_some_and(|verdict| verdict >= Verdict::Broken) {
                        self.cancel();
                    }
                    on_progress(Progress::Completed(completion));
                }
                if let Some(index) = started {
                    on_progress(Progress::Started(index));
                }
            }
        });
    }

    /// One lane's thread: takes jobs until none is left.
    fn work(&self, number: usize, lanes: usize, jobs: &Jobs, sender: &mpsc::Sender<News>) {
        let processors = &self.grounds.processors;
        // A story's processes share one processor with the harness: a hand-over there takes a tenth of one across.
        let own = if lanes > 1 || processors.len() == 1 {
            &processors[number % processors.len()..=number % processors.len()]
        } else {
            &processors[..1]
        };
        let mut lane: Option<Lane> = None;
        let mut completed: Option<Box<Completion>> = None;
        let mut pinned: &[usize] = &[];
        loop {
            let mut next = jobs.take();
            if self.is_cancelled() {
                jobs.clear();
                next = None;
            }
            // Who listens is woken once for both.
            let news = News { completed: completed.take(), started: next.as_ref().map(|(index, ..)| *index) };
            if sender.send(news).is_err() {
                jobs.clear();
                break;
            }
            let Some((index, job, turn)) = next else { break };
            let wanted = if job.plan.race { processors } else { own };
            if pinned != wanted {
                let _ = lane::pin(0, wanted);
                pinned = wanted;
            }
            let started = clock::now();
            let (judgement, skip) = self.do_job(number, &mut lane, &job, wanted);
            drop(turn);
            let duration_ns = clock::now().saturating_sub(started);
            completed = Some(Box::new(Completion { index, plan: job.plan, judgement, skip, duration_ns }));
        }
        if let Some(lane) = lane {
            self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(lane);
        }
    }

    fn do_job(
        &self,
        number: usize,
        lane: &mut Option<Lane>,
        job: &Job,
        processors: &[usize],
    ) -> (Option<Judgement>, Option<Skip>) {
        let own = match self.judge(number, lane, &job.plan, processors) {
            Ok(own) => own,
            Err(skip) => return (None, Some(skip)),
        };
        let control = match &job.control {
            // A control of something broken would tell nothing.
            Some(control) if own.verdict < Verdict::Broken => {
                let known = self.controls.lock().unwrap_or_else(PoisonError::into_inner).get(&control.id).cloned();
                match known {
                    Some(known) => Some(known),
                    None => match self.judge(number, lane, control, processors) {
                        Ok(judgement) => {
                            self.controls
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .insert(control.id.clone(), judgement.clone());
                            Some(judgement)
                        }
                        Err(skip) => return (None, Some(skip)),
                    },
                }
            }
            _ => None,
        };
        (Some(judge::conclude(&job.plan, own, job.control.as_ref().zip(control.as_ref()))), None)
    }

    /// Runs and judges one plan; a fault is judged faulty, and the lane is started anew.
    fn judge(
        &self,
        number: usize,
        slot: &mut Option<Lane>,
        plan: &Plan,
        processors: &[usize],
    ) -> Result<Judgement, Skip> {
        let mut listener = Listener::new(plan, &self.grounds.config);
        let ran = match self.lane(number, slot, processors) {
            Err(fault) => Err(fault),
            Ok(lane) => engine::run(&self.grounds, lane, plan, &mut listener),
        };
        match ran {
            Ok(Ran::Through) => Ok(listener.finish()),
            Ok(Ran::Refused(Refused { class: RefusalClass::Fault, reason, .. })) => {
                Ok(faulty("protocol", None, format!("the agent cannot open the channels: {reason}")))
            }
            Ok(Ran::Refused(refused)) => {
                let class = match refused.class {
                    RefusalClass::Privilege => SkipClass::Privilege,
                    _ => SkipClass::Unsupported,
                };
                Err(Skip { class, reason: refused.reason })
            }
            Err(fault) => {
                if let Some(lane) = slot.take() {
                    lane.stop();
                }
                Ok(match fault {
                    Fault::Leaked(_) => faulty("leaked", Some(Anomaly::Leaked), fault.to_string()),
                    _ => faulty("protocol", None, fault.to_string()),
                })
            }
        }
    }

    fn lane<'s>(&self, number: usize, slot: &'s mut Option<Lane>, processors: &[usize]) -> Result<&'s mut Lane, Fault> {
        if slot.is_none() {
            let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
            *slot = Some(match spare {
                Some(lane) => lane,
                None => self
                    .spawner
                    .lane(self.next_number(number))
                    .map_err(|error| Fault::agent("a new agent", error.to_string()))?,
            });
        }
        let lane = slot.as_mut().expect("the slot was filled above");
        let _ = lane::pin(lane.root.pid, processors);
        Ok(lane)
    }

    /// Directories of lanes that may still be in use are not used again.
    fn next_number(&self, number: usize) -> usize {
        let mut candidate = number;
        while self.grounds.directory.join(format!("lane-{candidate}")).exists() {
            candidate += self.facts.lanes.max(1);
        }
        candidate
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut lanes = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.iter_mut().for_each(Lane::kill);
        lanes.drain(..).for_each(Lane::stop);
        drop(self.directory.take());
    }
}

fn faulty(claim: &str, anomaly: Option<Anomaly>, what: String) -> Judgement {
    Judgement {
        verdict: Verdict::Faulty,
        findings: vec![Finding {
            claim: claim.to_owned(),
            grade: Grade::Must,
            verdict: Verdict::Faulty,
            span: None,
            expected: "an agent that keeps to the protocol".to_owned(),
            got: what,
            anomaly,
            events: Vec::new(),
            notes: vec![
                "this says nothing about the system: `cargo xtask agent-check` tells more about the agent".to_owned(),
            ],
        }],
        recorded: BTreeMap::new(),
        outcomes: Vec::new(),
        runs: 0,
        overlapped: 0,
        evidence: None,
        race: None,
        story: None,
    }
}
