//! What runs leave behind when they are killed, and how to know it: every name begins with the process that made it.

use crate::host;
use nix::{dir::Dir, fcntl::OFlag, sys::stat::Mode};
use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

/// What every name of Plumbline begins with.
const MARK: &str = "plumbline-";

/// The directories of the system in which POSIX queues, segments and semaphores show.
pub(crate) const NAME_DIRECTORIES: [&str; 2] = ["/dev/shm", "/dev/mqueue"];

/// Whether this system shows its POSIX message queues.
pub(crate) fn shows_queues() -> bool {
    Path::new(NAME_DIRECTORIES[1]).is_dir()
}

/// The prefix of all names of a harness process: its id and its start time.
pub(crate) fn prefix(pid: u32) -> String {
    let start = i32::try_from(pid).ok().and_then(host::start_time).unwrap_or(0);
    format!("{MARK}{pid}-{start}-")
}

/// Whether the process that a name's prefix speaks of is gone. `None` where the name is not ours.
fn is_stale(name: &str) -> Option<bool> {
    // glibc puts named semaphores into /dev/shm as `sem.NAME`.
    let rest = name.strip_prefix("sem.").unwrap_or(name).strip_prefix(MARK)?;
    let mut parts = rest.split('-');
    let pid: i32 = parts.next()?.parse().ok()?;
    let start: u64 = parts.next()?.parse().ok()?;
    Some(host::start_time(pid) != Some(start))
}

/// Removes what runs that were killed have left: names in the system's name spaces, directories of runs.
pub(crate) fn sweep_stale(runs: &Path) {
    for directory in NAME_DIRECTORIES.iter().map(Path::new).chain([runs]) {
        for path in entries(directory) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if is_stale(&name) == Some(true) {
                remove(&path);
            }
        }
    }
}

/// Removes every name with this prefix.
pub(crate) fn sweep_names(prefix: &str) {
    for directory in NAME_DIRECTORIES {
        for path in names_in(Path::new(directory), prefix) {
            remove(&path);
        }
    }
}

/// The names with this prefix in a directory of a name space.
fn names_in(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    entries(directory).into_iter().filter(|path| has_prefix(path, prefix)).collect()
}

/// Whether a name of a name space has this prefix.
pub(crate) fn has_prefix(path: &Path, prefix: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_prefix("sem.").unwrap_or(&name).starts_with(prefix)
}

/// A directory that is read again and again: it is opened once.
#[derive(Debug)]
pub(crate) struct Watched {
    path: PathBuf,
    directory: Option<Dir>,
}

impl Watched {
    /// Opens a directory, if it is there.
    pub(crate) fn new(path: PathBuf) -> Self {
        let directory = Dir::open(&path, OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty()).ok();
        Self { path, directory }
    }

    /// Everything that is in it now.
    pub(crate) fn entries(&mut self) -> Vec<PathBuf> {
        let Some(directory) = &mut self.directory else { return Vec::new() };
        let names = directory.iter().flatten().map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned());
        names.filter(|name| name != "." && name != "..").map(|name| self.path.join(name)).collect()
    }
}

/// Everything in a directory.
fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

/// Removes a file or a directory with all that is in it; that it is gone already is fine.
pub(crate) fn remove(path: &Path) {
    let is_directory = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let _ = if is_directory { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

#[cfg(test)]
mod tests {
    use super::{is_stale, prefix};

    #[test]
    fn names_of_living_runs_are_kept_and_those_of_dead_ones_are_stale() {
        let own = prefix(std::process::id());
        assert_eq!(is_stale(&format!("{own}0-gate")), Some(false));
        assert_eq!(is_stale(&format!("sem.{own}0-gate")), Some(false));
        assert_eq!(is_stale("plumbline-999999999-1-0-gate"), Some(true));
        assert_eq!(is_stale("somebody-else"), None);
        assert_eq!(is_stale("plumbline-notes"), None);
    }
}
