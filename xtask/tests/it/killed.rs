//! Whoever is killed, and whenever: nothing is left, and the next run is as if nothing had been.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use rstest::rstest;
use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

/// Kills a case; the environment variable `PLUMBLINE_KILLS` asks for more.
const KILLS: u32 = 2;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Runner,
    RootAgent,
    ScenarioProcess,
}

#[rstest]
fn nothing_is_left_of_a_run_that_was_hit(
    #[values(Victim::Runner, Victim::RootAgent, Victim::ScenarioProcess)] victim: Victim,
    #[values("auto", "none")] isolation: &str,
) {
    let kills = std::env::var("PLUMBLINE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    let out = tempfile::tempdir().unwrap();
    for turn in 0..kills {
        let mut run = start(isolation, out.path());
        let runner = run.id();
        // Moments are told by what has been judged so far; multiplying by a prime spreads them over the whole run.
        let moment = turn.wrapping_mul(7919).wrapping_add(u32::from(isolation == "none") * 131) % 290;
        let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
        for _ in 0..moment {
            lines.next();
        }
        let is_hit = strike(victim, &run, &mut lines);
        // To its end, or to that of its pipe.
        lines.by_ref().for_each(drop);
        let status = run.wait().unwrap();
        assert!(status.code() != Some(101), "the runner panicked after {victim:?} was killed");
        wait_until_gone(runner);
        let names = names_of(runner);
        assert!(names.is_empty(), "{victim:?} was killed after {moment} instances, and these are left: {names:?}");
        assert!(is_hit, "from {moment} instances to the end of the run, no {victim:?} was met alive");
    }
    let mut next = start(isolation, out.path());
    let lines: Vec<String> = BufReader::new(next.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
    let not_held: Vec<&String> = lines.iter().filter(|line| !line.contains(r#""verdict":"held""#)).collect();
    assert!(next.wait().unwrap().success(), "the next run is disturbed: {not_held:#?}");
}

fn start(isolation: &str, out: &Path) -> Child {
    // Races give way here: what is left does not depend on how often they run.
    Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["conform", "--format", "jsonl", "--no-cost", "--runs", "50", "--isolation", isolation])
        .args(["--property", "blocking", "--property", "lifetime", "--property", "crash"])
        .args(["--property", "memory", "--property", "exclusion"])
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills; returns whether there was anybody. Whoever is seen may be gone before the signal comes: then it is the turn of the next,
/// a judged instance later, until the run is over.
fn strike(victim: Victim, run: &Child, lines: &mut impl Iterator) -> bool {
    let runner = run.id();
    let is_hit = |pid: i32| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok();
    if victim == Victim::Runner {
        return is_hit(runner.cast_signed());
    }
    loop {
        let roots = root_agents(runner);
        let is_done = match victim {
            Victim::Runner | Victim::RootAgent => roots.into_iter().any(is_hit),
            Victim::ScenarioProcess => roots.into_iter().flat_map(children).filter(|pid| is_agent(*pid)).any(is_hit),
        };
        if is_done || lines.next().is_none() {
            return is_done;
        }
    }
}

/// The root agents of a run: those above which there is no agent.
fn root_agents(runner: u32) -> Vec<i32> {
    let is_root = |pid: &i32| is_agent(*pid) && !parent(*pid).is_some_and(is_agent);
    family(runner).into_iter().filter(is_root).collect()
}

/// Whether a process is a reference agent, and not dead.
fn is_agent(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.split(|byte| *byte == 0).next().unwrap_or_default().ends_with(b"plumbline-agent"))
}

/// The children of a process with one thread.
fn children(pid: i32) -> Vec<i32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect()
}

fn parent(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// The living processes that a run started: its directory stands in their environment or among their arguments.
fn family(runner: u32) -> Vec<i32> {
    let mark = format!("plumbline-{runner}-").into_bytes();
    let speaks = |file: String| fs::read(file).is_ok_and(|text| text.windows(mark.len()).any(|part| part == mark));
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| speaks(format!("/proc/{pid}/environ")) || speaks(format!("/proc/{pid}/cmdline")))
        .collect()
}

/// Until the last process of a run has gone; the test's own limit is the limit.
fn wait_until_gone(runner: u32) {
    while !family(runner).is_empty() {
        std::thread::yield_now();
    }
}

/// The names that a run left in the system's name spaces and in the directory for temporary files.
fn names_of(runner: u32) -> Vec<String> {
    let mark = format!("plumbline-{runner}-");
    let shown = ["/dev/shm", "/dev/mqueue", "/tmp"].map(Path::new);
    shown
        .into_iter()
        .filter_map(|directory| fs::read_dir(directory).ok())
        .flat_map(Iterator::flatten)
        .map(|entry| entry.path().display().to_string())
        .filter(|path| path.contains(&mark))
        .collect()
}
