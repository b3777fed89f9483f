//! Steps about processes' lives: waiting for children, limits.

use super::{Performer, Work};
use crate::{
    ability::{Failure, Result},
    signal_name,
};
use harness_core::wire::Outcome;
use impls_sys::process::{self, Change};
use nix::{
    sys::resource::{self, getrlimit, setrlimit},
    unistd::{Pid, setpgid},
};
use spec::operation::{OfProcess, Resource, Setrlimit, Waitpid};

/// `waitpid()`.
pub(super) fn waitpid(wait: &Waitpid, performer: &Performer, work: &mut Work) -> Result<Outcome> {
    let child = match &wait.process {
        None => None,
        Some(name) => Some(
            performer
                .pids
                .get(name)
                .copied()
                .ok_or_else(|| Failure::Senseless(format!("no process `{name}` is known here")))?,
        ),
    };
    let flags = [(wait.nohang, libc::WNOHANG), (wait.untraced, libc::WUNTRACED), (wait.continued, libc::WCONTINUED)]
        .into_iter()
        .fold(0, |flags, (asked, flag)| if asked { flags | flag } else { flags });
    let change = work.timed(|_, _| process::wait(child.map(Pid::from_raw), flags))?;
    let signal =
        |number: i32| signal_name::name(number).map_or_else(|| number.to_string(), |signal| signal.to_string());
    Ok(Outcome::Text(match change {
        None => "nothing".to_owned(),
        Some(Change::Exited(status)) => format!("exited {status}"),
        Some(Change::Killed(number)) => format!("killed {}", signal(number)),
        Some(Change::Stopped(number)) => format!("stopped {}", signal(number)),
        Some(Change::Continued) => "continued".to_owned(),
    }))
}

/// `setpgid()` of this process.
pub(super) fn set_group(of: &OfProcess, performer: &Performer, work: &mut Work) -> Result<Outcome> {
    let leader = match &of.process {
        Some(process) => performer.process_of(process)?,
        None => Pid::from_raw(0),
    };
    work.timed(|_, _| setpgid(Pid::from_raw(0), leader))?;
    Ok(Outcome::Done)
}

/// The user and the group that own nothing, by the number that systems have long agreed on.
pub(crate) const NOBODY: u32 = 65534;

/// `setresgid()` and `setresuid()` to [`NOBODY`].
#[cfg(target_os = "linux")]
pub(super) fn change_user(work: &mut Work) -> Result<Outcome> {
    use nix::{
        sys::{prctl::set_pdeathsig, signal::Signal},
        unistd::{Gid, Uid, setgroups, setresgid, setresuid},
    };
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    work.timed(|_, _| {
        setgroups(&[])?;
        setresgid(group, group, group)?;
        setresuid(user, user, user)
    })?;
    // The system forgets at a change of user that this process is not to survive its parent.
    set_pdeathsig(Signal::SIGKILL)?;
    Ok(Outcome::Done)
}

/// `setresgid()` and `setresuid()`.
#[cfg(not(target_os = "linux"))]
pub(super) fn change_user(_: &mut Work) -> Result<Outcome> {
    Err(Failure::senseless("this agent changes no user here"))
}

/// `setrlimit()` of the soft limit.
pub(super) fn set_limit(set: &Setrlimit<u64>, work: &mut Work) -> Result<Outcome> {
    let resource = match set.resource {
        Resource::Nofile => resource::Resource::RLIMIT_NOFILE,
        Resource::Fsize => resource::Resource::RLIMIT_FSIZE,
        #[cfg(target_os = "linux")]
        Resource::Sigpending => resource::Resource::RLIMIT_SIGPENDING,
        #[cfg(target_os = "linux")]
        Resource::Msgqueue => resource::Resource::RLIMIT_MSGQUEUE,
        #[cfg(not(target_os = "linux"))]
        Resource::Sigpending | Resource::Msgqueue => {
            return Err(Failure::senseless("this system has no such limit"));
        }
    };
    let limit = set.limit.ok_or_else(|| Failure::senseless("it was told no limit"))?;
    let (_, hard) = getrlimit(resource)?;
    work.timed(|_, _| setrlimit(resource, limit, hard))?;
    Ok(Outcome::Done)
}
