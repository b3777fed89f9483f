//! What the root says of itself and its host.

use crate::{registry, saboteur::Saboteur};
use harness_core::wire::{PROTOCOL, RootHello, capability};
use nix::{
    sys::utsname::uname,
    unistd::{PathconfVar, SysconfVar, geteuid, pathconf, sysconf},
};
use std::collections::BTreeMap;

/// The name and version of this agent. One with a saboteur has a name of its own, lest its portrait be taken for the system's.
fn agent(saboteur: Option<&Saboteur>) -> String {
    let name = if saboteur.is_some() { "plumbline-agent-sabotaged" } else { "plumbline-agent" };
    format!("{name} {}", env!("CARGO_PKG_VERSION"))
}

/// The root's hello.
pub(super) fn hello(saboteur: Option<&Saboteur>) -> RootHello {
    RootHello {
        lacks: lacks(),
        protocol: PROTOCOL,
        agent: agent(saboteur),
        mechanisms: registry::MECHANISMS
            .iter()
            .filter(|mechanism| mechanism.works())
            .map(|mechanism| mechanism.which().name().to_owned())
            .collect(),
        capabilities: capabilities(),
        limits: limits(),
        system: system(),
    }
}

/// The operations that this system's kernel does not have.
fn lacks() -> Vec<String> {
    let waits_on_any = cfg!(target_os = "linux") && impls_sys::futex::waits_for_any();
    let lacking = [("wait_on_any", waits_on_any)].into_iter().filter(|(_, has)| !has);
    lacking.map(|(name, _)| name.to_owned()).collect()
}

fn capabilities() -> Vec<String> {
    let mut capabilities =
        vec![capability::SHARED_MEETING, capability::COPIES, capability::SHARED_JOURNAL, capability::MEASURE];
    if has_users() {
        capabilities.push(capability::USERS);
    }
    capabilities.into_iter().map(str::to_owned).collect()
}

/// Whether a process of this agent may become another user: it has the privilege, and its namespace has such a user.
fn has_users() -> bool {
    let nobody = u64::from(crate::perform::processes::NOBODY);
    let mapped = |map: &str| {
        map.lines().any(|line| {
            let numbers: Vec<u64> = line.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect();
            matches!(numbers.as_slice(), [first, _, count] if (*first..first.saturating_add(*count)).contains(&nobody))
        })
    };
    cfg!(target_os = "linux")
        && geteuid().is_root()
        && ["/proc/self/uid_map", "/proc/self/gid_map"]
            .iter()
            .all(|path| std::fs::read_to_string(path).is_ok_and(|map| mapped(&map)))
}

/// The limits of this host; what is indeterminate is absent.
fn limits() -> BTreeMap<String, u64> {
    spec::limits::LIMITS
        .iter()
        .filter_map(|limit| limit_value(limit.name).map(|value| (limit.name.to_owned(), value)))
        .collect()
}

fn limit_value(name: &str) -> Option<u64> {
    let of_path = |variable| pathconf("/", variable).ok().flatten();
    let of_system = |variable| sysconf(variable).ok().flatten();
    let value = match name {
        "PIPE_BUF" => of_path(PathconfVar::PIPE_BUF),
        "PATH_MAX" => of_path(PathconfVar::PATH_MAX),
        "NAME_MAX" => of_path(PathconfVar::NAME_MAX),
        "PAGE_SIZE" => of_system(SysconfVar::PAGE_SIZE),
        "MQ_PRIO_MAX" => of_system(SysconfVar::MQ_PRIO_MAX),
        "SEM_VALUE_MAX" => of_system(SysconfVar::SEM_VALUE_MAX),
        "SIGQUEUE_MAX" => of_system(SysconfVar::SIGQUEUE_MAX),
        "OPEN_MAX" => of_system(SysconfVar::OPEN_MAX),
        "IOV_MAX" => of_system(SysconfVar::IOV_MAX),
        "RTSIG_MAX" => {
            let count = impls_sys::signals::real_time_maximum() - impls_sys::signals::real_time_minimum() + 1;
            return u64::try_from(count).ok();
        }
        _ => None,
    };
    value.and_then(|value| u64::try_from(value).ok())
}

fn system() -> BTreeMap<String, String> {
    let mut system = BTreeMap::new();
    if let Ok(name) = uname() {
        let text = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        system.insert("os".to_owned(), text(name.sysname()).to_lowercase());
        system.insert("release".to_owned(), text(name.release()));
        system.insert("machine".to_owned(), text(name.machine()));
    }
    if let Some(libc) = impls_sys::system::libc_version() {
        system.insert("libc".to_owned(), libc);
    }
    system
}

#[cfg(test)]
mod tests {
    use super::{limit_value, limits};

    #[test]
    fn every_limit_of_the_language_is_asked_for() {
        let known = limits();
        for limit in spec::limits::LIMITS {
            // Linux has them all.
            assert_eq!(known.contains_key(limit.name), cfg!(target_os = "linux"), "{}", limit.name);
        }
        assert_eq!(limit_value("NO_SUCH_LIMIT"), None);
    }
}
