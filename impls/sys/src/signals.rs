//! Signals by number, real-time ones included, with all that comes with them: sigaction(2), sigqueue(3), sigwaitinfo(2).
//!
//! nix's signals are an enum without the real-time ones, and its `sigwaitinfo` does not tell who sent.

use crate::{Errno, Result, check, descriptor::Descriptor, timespec};
use nix::unistd::Pid;
use std::{
    mem::MaybeUninit,
    ops::Range,
    os::fd::{FromRawFd as _, OwnedFd},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// A signal as it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its number.
    pub signal: i32,
    /// `si_code`.
    pub code: i32,
    /// `si_pid`: meaningful where a process sent it.
    pub pid: i32,
    /// `si_value`: meaningful where it was queued with one; of SIGCHLD `si_status`.
    pub value: u64,
    /// Whether its handler ran on the stack of [`use_own_stack`].
    pub own_stack: bool,
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A handler notes it: see [`caught`].
    Catch,
    /// `SIG_IGN`.
    Ignore,
    /// `SIG_DFL`.
    Default,
}

/// How many caught signals a process can note.
pub const CAUGHT_MAX: usize = 16_384;

/// One noted signal. The handler writes it and only it; it is complete once `noted` is set.
struct Slot {
    signal: AtomicI32,
    code: AtomicI32,
    pid: AtomicI32,
    value: AtomicU64,
    own_stack: AtomicBool,
    noted: AtomicBool,
}

impl Slot {
    const fn empty() -> Self {
        Self {
            signal: AtomicI32::new(0),
            code: AtomicI32::new(0),
            pid: AtomicI32::new(0),
            value: AtomicU64::new(0),
            own_stack: AtomicBool::new(false),
            noted: AtomicBool::new(false),
        }
    }
}

static CAUGHT: [Slot; CAUGHT_MAX] = [const { Slot::empty() }; CAUGHT_MAX];
static CAUGHT_COUNT: AtomicUsize = AtomicUsize::new(0);

/// The handler: async-signal-safe, for it only stores into a static array. Handlers that interrupt each other note in
/// the order in which they were entered.
extern "C" fn note(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    let index = CAUGHT_COUNT.fetch_add(1, Ordering::Relaxed);
    let Some(slot) = CAUGHT.get(index) else { return };
    // SAFETY: with SA_SIGINFO the system hands a valid `siginfo_t` to the handler.
    let arrival = arrival(signal, unsafe { &*info });
    slot.signal.store(arrival.signal, Ordering::Relaxed);
    slot.code.store(arrival.code, Ordering::Relaxed);
    slot.pid.store(arrival.pid, Ordering::Relaxed);
    slot.value.store(arrival.value, Ordering::Relaxed);
    let here = (&raw const index).addr();
    slot.own_stack.store(OWN_STACK.get().is_some_and(|stack| stack.contains(&here)), Ordering::Relaxed);
    slot.noted.store(true, Ordering::Release);
}

/// How many signals handlers of this process have caught so far, noted or not.
#[must_use]
pub fn caught_count() -> usize {
    CAUGHT_COUNT.load(Ordering::Acquire)
}

/// The signals that handlers of this process have noted so far, in the order in which the handlers were entered.
///
/// # Errors
/// `EOVERFLOW` where there were more than [`CAUGHT_MAX`].
pub fn caught() -> Result<Vec<Arrival>> {
    let count = CAUGHT_COUNT.load(Ordering::Acquire);
    let slots = CAUGHT.get(..count).ok_or(Errno::EOVERFLOW)?;
    Ok(slots
        .iter()
        .filter(|slot| slot.noted.load(Ordering::Acquire))
        .map(|slot| Arrival {
            signal: slot.signal.load(Ordering::Relaxed),
            code: slot.code.load(Ordering::Relaxed),
            pid: slot.pid.load(Ordering::Relaxed),
            value: slot.value.load(Ordering::Relaxed),
            own_stack: slot.own_stack.load(Ordering::Relaxed),
        })
        .collect())
}

/// `sigaction()`. `flags` as for the call, without `SA_SIGINFO`; `mask`: blocked while the handler runs.
///
/// # Errors
/// As the call.
pub fn set_action(signal: i32, action: Action, flags: libc::c_int, mask: &[i32]) -> Result<()> {
    let (handler, flags) = match action {
        Action::Catch => {
            let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) = note;
            (handler as libc::sighandler_t, flags | libc::SA_SIGINFO)
        }
        Action::Ignore => (libc::SIG_IGN, flags),
        Action::Default => (libc::SIG_DFL, flags),
    };
    // SAFETY: all fields are numbers or optional pointers, for which zero is a value.
    let mut wanted: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    wanted.sa_sigaction = handler;
    wanted.sa_flags = flags;
    wanted.sa_mask = set(mask)?;
    // SAFETY: the action is valid, and the handler is async-signal-safe.
    check(unsafe { libc::sigaction(signal, &raw const wanted, std::ptr::null_mut()) }).map(drop)
}

/// Where the stack of [`use_own_stack`] lies.
static OWN_STACK: OnceLock<Range<usize>> = OnceLock::new();

/// Bytes in that stack: more than the system's least, whatever state of the processor it has to save.
const OWN_STACK_BYTES: usize = 256 << 10;

/// `sigaltstack()`: handlers with `SA_ONSTACK` run on a stack of their own from now on.
///
/// # Errors
/// As the call.
pub fn use_own_stack() -> Result<()> {
    let range = OWN_STACK.get_or_init(|| {
        // It is never given back: a handler may run on it as long as the process lives.
        let memory = Vec::leak(vec![0_u8; OWN_STACK_BYTES]);
        let start = memory.as_mut_ptr().expose_provenance();
        start..start + OWN_STACK_BYTES
    });
    let stack = libc::stack_t {
        ss_sp: std::ptr::with_exposed_provenance_mut(range.start),
        ss_flags: 0,
        ss_size: OWN_STACK_BYTES,
    };
    // SAFETY: the memory is valid for ever, and nothing else uses it.
    check(unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) }).map(drop)
}

/// Whether a signal is ignored by this process.
///
/// # Errors
/// As `sigaction()`.
pub fn is_ignored(signal: i32) -> Result<bool> {
    let mut known = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the action is valid for a write, and none is set.
    check(unsafe { libc::sigaction(signal, std::ptr::null(), known.as_mut_ptr()) })?;
    // SAFETY: the call has written it.
    Ok(unsafe { known.assume_init() }.sa_sigaction == libc::SIG_IGN)
}

/// A descriptor that signals are read from: signalfd(2).
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct SignalDescriptor(Descriptor);

#[cfg(target_os = "linux")]
impl SignalDescriptor {
    /// `signalfd()`, of a new descriptor.
    ///
    /// # Errors
    /// As the call.
    pub fn new(signals: &[i32]) -> Result<Self> {
        let signals = set(signals)?;
        // SAFETY: the set is valid for a read.
        let number = check(unsafe { libc::signalfd(-1, &raw const signals, libc::SFD_CLOEXEC) })?;
        // SAFETY: the system has just made this descriptor.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(number) }.into()))
    }

    /// `signalfd()`, to change which signals it gives.
    ///
    /// # Errors
    /// As the call.
    pub fn change(&self, signals: &[i32]) -> Result<()> {
        let signals = set(signals)?;
        // SAFETY: the set is valid for a read.
        check(unsafe { libc::signalfd(self.0.number(), &raw const signals, 0) }).map(drop)
    }

    /// `read()` of one signal.
    ///
    /// # Errors
    /// As the call; `EIO` where it gave less than a signal, which it never does.
    pub fn read(&self, nonblocking: bool) -> Result<Arrival> {
        let mut bytes = [0; size_of::<libc::signalfd_siginfo>()];
        // It is made without O_NONBLOCK, so that a read that waits needs no more than the read.
        let length = if nonblocking {
            let before = self.0.set_nonblocking(true)?;
            let length = self.0.read(&mut bytes);
            self.0.set_nonblocking(before)?;
            length
        } else {
            self.0.read(&mut bytes)
        };
        if length? != bytes.len() {
            return Err(Errno::EIO);
        }
        // SAFETY: the structure is numbers only, and the system has filled all of it.
        let info: libc::signalfd_siginfo = unsafe { bytes.as_ptr().cast::<libc::signalfd_siginfo>().read_unaligned() };
        let signal = info.ssi_signo.cast_signed();
        let value = if signal == libc::SIGCHLD { u64::from(info.ssi_status.cast_unsigned()) } else { info.ssi_ptr };
        Ok(Arrival { signal, code: info.ssi_code, pid: info.ssi_pid.cast_signed(), value, own_stack: false })
    }
}

/// `sigprocmask(SIG_SETMASK)`.
///
/// # Errors
/// As the call.
pub fn set_mask(signals: &[i32]) -> Result<()> {
    change_mask(libc::SIG_SETMASK, signals)
}

/// `sigprocmask(SIG_BLOCK)`.
///
/// # Errors
/// As the call.
pub fn block(signals: &[i32]) -> Result<()> {
    change_mask(libc::SIG_BLOCK, signals)
}

/// `sigprocmask(SIG_UNBLOCK)`.
///
/// # Errors
/// As the call.
pub fn unblock(signals: &[i32]) -> Result<()> {
    change_mask(libc::SIG_UNBLOCK, signals)
}

fn change_mask(how: libc::c_int, signals: &[i32]) -> Result<()> {
    let signals = set(signals)?;
    // SAFETY: the set is valid; the old one is not asked for.
    check(unsafe { libc::sigprocmask(how, &raw const signals, std::ptr::null_mut()) }).map(drop)
}

/// `sigpending()`: the numbers of pending signals, lowest first.
///
/// # Errors
/// As the call.
pub fn pending() -> Result<Vec<i32>> {
    let mut signals = set(&[])?;
    // SAFETY: the set is valid for a write.
    check(unsafe { libc::sigpending(&raw mut signals) })?;
    Ok((1..=maximum()).filter(|signal| contains(&signals, *signal)).collect())
}

fn contains(signals: &libc::sigset_t, signal: i32) -> bool {
    // SAFETY: the set is valid for a read.
    unsafe { libc::sigismember(&raw const *signals, signal) == 1 }
}

/// `kill()`.
///
/// # Errors
/// As the call.
pub fn send(to: Pid, signal: i32) -> Result<()> {
    // SAFETY: the call takes numbers.
    check(unsafe { libc::kill(to.as_raw(), signal) }).map(drop)
}

/// `sigqueue()`.
///
/// # Errors
/// As the call.
pub fn queue(to: Pid, signal: i32, value: u64) -> Result<()> {
    let address = usize::try_from(value).map_err(|_| Errno::EINVAL)?;
    let value = libc::sigval { sival_ptr: std::ptr::without_provenance_mut(address) };
    // SAFETY: the value is a number to its receiver, which is a process of ours that never follows it.
    check(unsafe { libc::sigqueue(to.as_raw(), signal, value) }).map(drop)
}

/// `sigwaitinfo()`, or `sigtimedwait()` with a timeout.
///
/// # Errors
/// As the call.
pub fn wait(signals: &[i32], timeout: Option<Duration>) -> Result<Arrival> {
    let signals = set(signals)?;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let result = match timeout.map(timespec) {
        // SAFETY: the set is valid for a read and the information for a write.
        None => unsafe { libc::sigwaitinfo(&raw const signals, info.as_mut_ptr()) },
        // SAFETY: as above, and the timeout lives through the call.
        Some(timeout) => unsafe { libc::sigtimedwait(&raw const signals, info.as_mut_ptr(), &raw const timeout) },
    };
    let signal = check(result)?;
    // SAFETY: zeroed bytes are a valid `siginfo_t`, and the call has overwritten them.
    Ok(arrival(signal, &unsafe { info.assume_init() }))
}

/// `sigsuspend()`: returns what it always returns, an error.
#[must_use]
pub fn suspend(mask: &[i32]) -> Errno {
    match set(mask) {
        Ok(mask) => {
            // SAFETY: the set is valid for a read.
            unsafe { libc::sigsuspend(&raw const mask) };
            Errno::last()
        }
        Err(error) => error,
    }
}

/// `SIGRTMIN`.
#[must_use]
pub fn real_time_minimum() -> i32 {
    libc::SIGRTMIN()
}

/// `SIGRTMAX`.
#[must_use]
pub fn real_time_maximum() -> i32 {
    libc::SIGRTMAX()
}

/// The highest number that a signal can have.
#[must_use]
pub fn maximum() -> i32 {
    real_time_maximum()
}

fn set(signals: &[i32]) -> Result<libc::sigset_t> {
    let mut set = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: the set is valid for a write.
    check(unsafe { libc::sigemptyset(set.as_mut_ptr()) })?;
    for signal in signals {
        // SAFETY: the set was made above; a number that is no signal is answered with EINVAL.
        check(unsafe { libc::sigaddset(set.as_mut_ptr(), *signal) })?;
    }
    // SAFETY: `sigemptyset()` has made it.
    Ok(unsafe { set.assume_init() })
}

/// Reads what came with a signal. The fields of the union are numbers, and lie within it whatever the code says.
fn arrival(signal: i32, info: &libc::siginfo_t) -> Arrival {
    // SAFETY: the union holds at least a process id and a value; unwritten parts are zero or old numbers.
    let pid = unsafe { info.si_pid() };
    // SAFETY: as above.
    let value = unsafe { info.si_value() };
    let mut value = value.sival_ptr.addr() as u64;
    if signal == libc::SIGCHLD {
        // SAFETY: as above; of SIGCHLD it is the status that lies there.
        value = u64::from(unsafe { info.si_status() }.cast_unsigned());
    }
    Arrival { signal, code: info.si_code, pid, value, own_stack: false }
}
