//! `flock`, `record_lock` and `ofd_lock`: advisory locks on a file, flock(2) and fcntl_locking(2).
//!
//! A process that inherits such a channel opens the file for itself, unless the channel says `shared_description`: a lock that is
//! of an open file description would otherwise be held by all at once. With `attach: by_name` it opens the file by a step, and
//! may do so again, also beside a description that it shares: `lock`, `unlock` and `close` are about what it opened last.

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Bytes, Channel, Failure, Lock, Names, Object, Opening, Patience, Result};
use harness_core::wire::HeldEnd;
use impls_sys::descriptor::Descriptor;
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl, open},
    sys::stat::Mode as FileMode,
    unistd::unlink,
};
use spec::{
    operation::{Access, End, Mode},
    scenario,
};
use std::path::PathBuf;

/// The mechanisms `flock`, `record_lock` and `ofd_lock`.
#[derive(Debug)]
pub struct FileLock(pub(crate) Call);

/// The call that locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `flock()`.
    Flock,
    /// `fcntl()` with `F_SETLK` and `F_SETLKW`: the owner is the process.
    Record,
    /// `fcntl()` with `F_OFD_SETLK` and `F_OFD_SETLKW`: the owner is the open file description.
    Description,
}

fn open_file(path: &PathBuf, flags: OFlag) -> impls_sys::Result<Descriptor> {
    open(path, flags | OFlag::O_CLOEXEC, FileMode::S_IRUSR | FileMode::S_IWUSR).map(Descriptor::from)
}

fn create(path: &PathBuf) -> std::result::Result<Descriptor, OpenError> {
    open_file(path, OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL).map_err(OpenError::of("open"))
}

impl Mechanism for FileLock {
    fn which(&self) -> spec::Mechanism {
        match self.0 {
            Call::Flock => spec::Mechanism::Flock,
            Call::Record => spec::Mechanism::RecordLock,
            Call::Description => spec::Mechanism::OfdLock,
        }
    }

    fn works(&self) -> bool {
        // Whether the file system of a run's directory locks shows when a process does.
        match self.0 {
            Call::Flock | Call::Record => cfg!(unix),
            Call::Description => cfg!(target_os = "linux"),
        }
    }

    fn open(&self, place: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let path = place.path();
        let made = create(&path)?;
        let descriptors = if options.shared_description { vec![made] } else { Vec::new() };
        Ok(Box::new(HeldFile { call: self.0, path, descriptors, is_named: false }))
    }

    fn prepare(
        &self,
        place: &Place,
        options: &scenario::Channel<u64>,
    ) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let path = place.path();
        let made = if options.exists { Some(create(&path)?) } else { None };
        let descriptors = made.into_iter().filter(|_| options.shared_description).collect();
        Ok(Box::new(HeldFile { call: self.0, path, descriptors, is_named: true }))
    }

    fn remove(&self, place: &Place) {
        let _ = unlink(&place.path());
    }
}

/// What a process holds of a file.
struct HeldFile {
    call: Call,
    path: PathBuf,
    /// What it has opened, the latest last.
    descriptors: Vec<Descriptor>,
    /// Whether it opens it by a step.
    is_named: bool,
}

impl HeldFile {
    /// Makes a call with what was opened last; `EBADF` where nothing is open.
    #[inline]
    fn with_last<T>(&self, call: impl FnOnce(&Descriptor) -> impls_sys::Result<T>) -> Result<T> {
        Ok(call(self.descriptors.last().unwrap_or(&Descriptor::none()))?)
    }

    /// `fcntl()` with what a range of bytes is to be.
    #[inline]
    fn set(&self, kind: libc::c_int, bytes: Bytes, waits: bool) -> Result<()> {
        let range = range(kind, bytes)?;
        self.with_last(|descriptor| {
            descriptor.with(|descriptor| {
                let command = match (self.call, waits) {
                    (Call::Description, false) => FcntlArg::F_OFD_SETLK(&range),
                    (Call::Description, true) => FcntlArg::F_OFD_SETLKW(&range),
                    (_, false) => FcntlArg::F_SETLK(&range),
                    (_, true) => FcntlArg::F_SETLKW(&range),
                };
                fcntl(descriptor, command).map(drop)
            })
        })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the constants are small, and the field is a short")]
#[inline]
fn range(kind: libc::c_int, bytes: Bytes) -> impls_sys::Result<libc::flock> {
    let offset = |bytes: Option<u64>| libc::off_t::try_from(bytes.unwrap_or(0)).map_err(|_| Errno::EOVERFLOW);
    Ok(libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: offset(bytes.start)?,
        l_len: offset(bytes.length)?,
        // The commands of open file descriptions ask for 0 here, the others do not look.
        l_pid: 0,
    })
}

impl Opened for HeldFile {
    fn hold(mut self: Box<Self>, end: HeldEnd) -> Result<Object> {
        if matches!(end, HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing) {
            return Err(no_such_end(end));
        }
        if !self.is_named && self.descriptors.is_empty() {
            let own = open_file(&self.path, OFlag::O_RDWR)?;
            self.descriptors.push(own);
        }
        Ok(Object::Lock(self))
    }
}

impl Channel for HeldFile {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        Ok(self.descriptors.pop().unwrap_or_default().close()?)
    }

    fn descriptor(&self, _: Option<End>) -> Option<i32> {
        self.descriptors.last().map(Descriptor::number)
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.is_named { Some(self) } else { None }
    }
}

impl Lock for HeldFile {
    #[inline(always)]
    fn lock(&mut self, mode: Mode, bytes: Bytes, patience: Patience) -> Result<()> {
        let waits = match patience {
            Patience::Forever => true,
            Patience::Never => false,
            Patience::For(_) => return Err(Failure::senseless("it has no call with a timeout")),
        };
        if self.call == Call::Flock {
            bytes.none_named()?;
            let how = if mode == Mode::Shared { libc::LOCK_SH } else { libc::LOCK_EX };
            return self.with_last(|file| file.flock(if waits { how } else { how | libc::LOCK_NB }));
        }
        self.set(if mode == Mode::Shared { libc::F_RDLCK } else { libc::F_WRLCK }, bytes, waits)
    }

    #[inline(always)]
    fn unlock(&mut self, bytes: Bytes) -> Result<()> {
        if self.call == Call::Flock {
            bytes.none_named()?;
            return self.with_last(|file| file.flock(libc::LOCK_UN));
        }
        self.set(libc::F_UNLCK, bytes, false)
    }
}

impl Names for HeldFile {
    fn open(&mut self, opening: Opening) -> Result<()> {
        let mut flags = match opening.access {
            Access::Read => OFlag::O_RDONLY,
            Access::Write => OFlag::O_WRONLY,
            Access::Both => OFlag::O_RDWR,
        };
        flags.set(OFlag::O_CREAT, opening.create);
        flags.set(OFlag::O_EXCL, opening.exclusive);
        flags.set(OFlag::O_NONBLOCK, opening.nonblocking);
        self.descriptors.push(open_file(&self.path, flags)?);
        Ok(())
    }

    fn unlink(&mut self) -> Result<()> {
        Ok(unlink(&self.path)?)
    }
}
