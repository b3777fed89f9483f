//! The processes of a lane, found by the session that its first process leads, and killed by nothing but proof that they
//! are its own: ids are used again, and whoever kills by an old one kills a stranger.

use crate::{clock, host, lane};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{fmt, fs, str::FromStr};

/// How long it takes from one look whether a session has ended to the next: nanoseconds.
const LOOKS_APART_NS: u64 = 2_000_000;

/// A process that leads a lane's session: its id and when it started. Both together name one process for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    pid: i32,
    started: u64,
}

impl Leader {
    /// The leader with this id, as long as it has not been waited for.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let pid = i32::try_from(pid).ok().filter(|pid| *pid > 1)?;
        Some(Self { pid, started: host::start_time(pid)? })
    }

    /// Waits until no process of the session is left, or until that time of the clock.
    pub(crate) fn wait_for_end(self, until: u64) {
        while !self.members().is_empty() && clock::now() < until {
            lane::wait(&[], LOOKS_APART_NS);
        }
    }

    /// Kills every process of the session, until none is left.
    pub(crate) fn kill_session(self) {
        // A session keeps its number from being used again, also when its leader is gone. Another process by that number
        // says that the whole session has ended.
        for _ in 0..100 {
            if host::start_time(self.pid).is_some_and(|started| started != self.started) {
                return;
            }
            let members = self.members();
            if members.is_empty() {
                return;
            }
            for pid in members {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }

    /// The living processes of the session.
    fn members(self) -> Vec<i32> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| {
                fs::read_to_string(format!("/proc/{pid}/stat"))
                    .is_ok_and(|stat| self.has_member(&stat).unwrap_or(false))
            })
            .collect()
    }

    /// Whether the process with this `/proc/pid/stat` lives and belongs to the session: by proc(5), of the fields after
    /// the name the first is the state, the fourth the session and the twentieth the start.
    fn has_member(self, stat: &str) -> Option<bool> {
        let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
        let state = fields.next()?;
        let session: i32 = fields.nth(2)?.parse().ok()?;
        let started: u64 = fields.nth(15)?.parse().ok()?;
        Some(state != "Z" && state != "X" && session == self.pid && started >= self.started)
    }
}

impl fmt::Display for Leader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.pid, self.started)
    }
}

impl FromStr for Leader {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (pid, started) = text.split_once(' ').ok_or(())?;
        Ok(Self { pid: pid.parse().map_err(drop)?, started: started.parse().map_err(drop)? })
    }
}

#[cfg(test)]
mod tests {
    use super::Leader;
    use rstest::rstest;
    use std::{
        os::unix::process::CommandExt as _,
        process::{Command, Stdio},
    };

    #[rstest]
    #[case::the_leader("41 (a) b) S 1 41 41 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 500 0", Some(true))]
    #[case::a_later_member("44 (b) R 1 41 41 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 900 0", Some(true))]
    #[case::dead_already("44 (b) Z 1 41 41 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 900 0", Some(false))]
    #[case::of_another_session("44 (b) S 1 40 40 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 900 0", Some(false))]
    #[case::of_an_earlier_session_by_that_number("44 (b) S 1 41 41 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 499 0", Some(false))]
    #[case::nonsense("", None)]
    fn members_are_told_by_session_and_start(#[case] stat: &str, #[case] expected: Option<bool>) {
        assert_eq!(Leader { pid: 41, started: 500 }.has_member(stat), expected);
    }

    #[test]
    fn a_leader_survives_being_written_down() {
        let leader = Leader { pid: 41, started: 500 };
        assert_eq!(leader.to_string().parse(), Ok(leader));
        assert_eq!("41".parse::<Leader>(), Err(()));
    }

    #[test]
    fn whoever_got_the_number_of_a_lane_that_ended_is_let_live() {
        let mut stranger =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0).spawn().unwrap();
        let leader = Leader::of(stranger.id()).unwrap();
        // The lane that is to be killed led its session by the same number, before.
        Leader { started: leader.started - 1, ..leader }.kill_session();
        assert!(stranger.try_wait().unwrap().is_none());
        drop(stranger.stdin.take());
        assert!(stranger.wait().unwrap().success());
    }

    #[test]
    fn no_lane_is_led_by_the_first_process() {
        assert_eq!(Leader::of(0), None);
        assert_eq!(Leader::of(1), None);
    }
}
