//! Linux: namespaces(7), user_namespaces(7), pid_namespaces(7), prctl(2), rtnetlink(7).

use super::{Isolation, NotStarted};
use crate::{helper, lane};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
    sys::{
        prctl,
        signal::Signal,
        socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket},
    },
    unistd::{Gid, Pid, Uid, getgid, getppid, getuid, setsid},
};
use std::{
    ffi::OsString,
    fs,
    os::{
        fd::AsRawFd as _,
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    path::Path,
    process::{Command, ExitCode},
};

/// Rows of a lane's table of TCP connections: more than any scenario has connections.
const CONNECTION_ROWS: &str = "64";

/// What to try, best first.
pub(super) fn candidates() -> &'static [Isolation] {
    if getuid().is_root() { &[Isolation::Privileged, Isolation::User] } else { &[Isolation::User] }
}

/// The outer helper: enters the namespaces that its child is to be born into, starts it, and waits for it.
pub(super) fn lane(isolation: Isolation, parent: i32, agent: &[OsString]) -> Result<ExitCode, NotStarted> {
    // Without namespaces, what a root made of the system's own goes with nobody: it is told to end, and removes it.
    let signal = if isolation == Isolation::Names { Signal::SIGTERM } else { Signal::SIGKILL };
    die_with_parent(signal, Some(Pid::from_raw(parent)))?;
    // A session of its own: signals from the terminal reach the harness alone, and all of a lane is found by its session.
    let _ = setsid();
    let flags =
        CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET;
    match isolation {
        Isolation::Names => {
            prctl::set_child_subreaper(true).map_err(|error| format!("cannot become a subreaper: {error}"))?;
            return become_agent(agent);
        }
        Isolation::Privileged => unshare(flags).map_err(|error| format!("unshare: {error}"))?,
        Isolation::User => {
            let (uid, gid) = (getuid(), getgid());
            unshare(flags | CloneFlags::CLONE_NEWUSER).map_err(|error| format!("unshare: {error}"))?;
            map_user(Uid::from_raw(0), uid, Gid::from_raw(0), gid)?;
        }
    }
    small_connection_table();
    let program = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let status = helper::command(&program, "inner")
        .arg(isolation.word())
        .arg(getuid_outside(isolation))
        .args(agent)
        .status()
        .map_err(|error| format!("cannot start the first process of the namespace: {error}"))?;
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        (None, signal) => ExitCode::from(u8::try_from(128 + signal.unwrap_or(0)).unwrap_or(1)),
    })
}

/// The inner helper: the first process of its namespaces. Makes them fit to live in and becomes the agent.
pub(super) fn inner(isolation: Isolation, agent: &[OsString]) -> Result<ExitCode, NotStarted> {
    let [ids, agent @ ..] = agent else { return Err("the inner helper lacks its arguments".to_owned().into()) };
    die_with_parent(Signal::SIGKILL, None)?;
    private_mounts()?;
    loopback_up()?;
    if isolation == Isolation::User {
        let ids = ids.to_string_lossy();
        let (uid, gid) = ids.split_once(':').ok_or_else(|| "the inner helper lacks its user".to_owned())?;
        let parse = |id: &str| id.parse::<u32>().map_err(|error| format!("`{id}` is no id: {error}"));
        // Back to the user's own ids, and without a privilege: agents run as the person who started them.
        unshare(CloneFlags::CLONE_NEWUSER).map_err(|error| format!("unshare of the second user namespace: {error}"))?;
        map_user(Uid::from_raw(parse(uid)?), Uid::from_raw(0), Gid::from_raw(parse(gid)?), Gid::from_raw(0))?;
    }
    become_agent(agent)
}

/// The ids that the inner helper is to map back to, as `uid:gid`. Read before they were mapped away.
fn getuid_outside(isolation: Isolation) -> String {
    match isolation {
        // In the user namespace this process is root; the ids outside stand in its maps.
        Isolation::User => {
            let outside = |map: &str| {
                fs::read_to_string(format!("/proc/self/{map}"))
                    .ok()
                    .and_then(|text| text.split_ascii_whitespace().nth(1).map(str::to_owned))
                    .unwrap_or_else(|| "0".to_owned())
            };
            format!("{}:{}", outside("uid_map"), outside("gid_map"))
        }
        _ => "0:0".to_owned(),
    }
}

fn become_agent(agent: &[OsString]) -> Result<ExitCode, NotStarted> {
    let Some((program, arguments)) = agent.split_first() else {
        return Err(NotStarted::Agent("no agent was named".to_owned()));
    };
    let error = Command::new(program).args(arguments).exec();
    Err(NotStarted::Agent(format!("cannot start `{}`: {error}", program.to_string_lossy())))
}

/// The kernel sends this process a signal when its parent dies, also after exec.
fn die_with_parent(signal: Signal, parent: Option<Pid>) -> Result<(), String> {
    prctl::set_pdeathsig(signal).map_err(|error| format!("prctl(PR_SET_PDEATHSIG): {error}"))?;
    match parent {
        // It may have died before that.
        Some(parent) if getppid() != parent => Err("the harness is gone".to_owned()),
        _ => Ok(()),
    }
}

fn map_user(inside: Uid, outside: Uid, inside_group: Gid, outside_group: Gid) -> Result<(), String> {
    let write = |file: &str, text: &str| {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| format!("cannot write /proc/self/{file}: {error}"))
    };
    // Unmapped group changes must be given up before a group can be mapped; in a second namespace that is done already.
    let _ = write("setgroups", "deny");
    write("uid_map", &format!("{inside} {outside} 1"))?;
    write("gid_map", &format!("{inside_group} {outside_group} 1"))
}

fn private_mounts() -> Result<(), String> {
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .map_err(|error| format!("cannot make the mounts private: {error}"))?;
    let queues = lane::queue_directory();
    let places = [
        (Path::new("/dev/shm"), "tmpfs", Some("mode=1777")),
        (Path::new("/dev/mqueue"), "mqueue", none),
        // Whether or not the system shows its queues, what a scenario leaves of them has to be seen.
        (&queues, "mqueue", none),
    ];
    for (directory, kind, options) in places {
        if directory.is_dir() {
            mount(Some(kind), directory, Some(kind), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, options)
                .map_err(|error| format!("cannot mount a private {}: {error}", directory.display()))?;
        }
    }
    Ok(())
}

/// Enters a second network namespace, which has a table of TCP connections of its own where the kernel can give it one (since
/// Linux 6.1, `tcp_child_ehash_entries` in Documentation/networking/ip-sysctl.rst). Whoever reads `/proc/pid/net/tcp` walks through
/// that table, and the one that all namespaces share has some hundred thousand rows; proof of rest reads it often.
///
/// Where that cannot be had (an older kernel, a `/proc/sys` that is not to be written to, no more namespaces) the lane stays in the network
/// that it is in, and looking is slower.
fn small_connection_table() {
    if fs::write("/proc/sys/net/ipv4/tcp_child_ehash_entries", CONNECTION_ROWS).is_ok() {
        let _ = unshare(CloneFlags::CLONE_NEWNET);
    }
}

/// Sets `IFF_UP` on the loopback interface of this network namespace: one `RTM_NEWLINK` message, see rtnetlink(7).
fn loopback_up() -> Result<(), String> {
    let say = |what: &str, error: nix::Error| format!("cannot bring the loopback interface up: {what}: {error}");
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)
        .map_err(|error| say("socket", error))?;
    let up = u32::try_from(libc::IFF_UP).unwrap_or(1);
    let mut message = Vec::with_capacity(32);
    // struct nlmsghdr: length, type, flags, sequence, port.
    message.extend_from_slice(&32_u32.to_ne_bytes());
    message.extend_from_slice(&libc::RTM_NEWLINK.to_ne_bytes());
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_ACK).unwrap_or(5);
    message.extend_from_slice(&flags.to_ne_bytes());
    message.extend_from_slice(&1_u32.to_ne_bytes());
    message.extend_from_slice(&0_u32.to_ne_bytes());
    // struct ifinfomsg: family, padding, device type, index, flags, change mask. The loopback interface has index 1.
    message.extend_from_slice(&[0, 0, 0, 0]);
    message.extend_from_slice(&1_i32.to_ne_bytes());
    message.extend_from_slice(&up.to_ne_bytes());
    message.extend_from_slice(&up.to_ne_bytes());
    sendto(netlink.as_raw_fd(), &message, &NetlinkAddr::new(0, 0), MsgFlags::empty())
        .map_err(|error| say("sendto", error))?;
    let mut answer = [0_u8; 256];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty()).map_err(|error| say("recv", error))?;
    // struct nlmsgerr follows the header: the error, negated; 0 is the acknowledgement.
    let error = answer
        .get(16..20)
        .filter(|_| length >= 20)
        .map_or(0, |bytes| i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    if error == 0 { Ok(()) } else { Err(say("RTM_NEWLINK", nix::Error::from_raw(-error))) }
}
