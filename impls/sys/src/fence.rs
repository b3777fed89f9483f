//! Fences: a full one, and one that a process makes for all, membarrier(2).
//!
//! Where one side of an exchange is hot and the other is about to sleep, the hot side need not pay for a fence each time: the other asks the
//! system to have every registered process that runs just now make one.

use crate::{Errno, Result};
use std::sync::atomic::{Ordering, fence};

// As in linux/membarrier.h; the `libc` crate does not have them.
const GLOBAL_EXPEDITED: libc::c_long = 1 << 1;
const REGISTER_GLOBAL_EXPEDITED: libc::c_long = 1 << 2;

fn membarrier(command: libc::c_long) -> Result<()> {
    let no_flags: libc::c_long = 0;
    // SAFETY: the call takes numbers, and touches none of our memory.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, command, no_flags, no_flags) };
    Errno::result(result).map(drop)
}

/// Has this process take part in the fences of others, from now on. What it forks has to register itself.
///
/// # Errors
/// `ENOSYS` or `EINVAL` where the system does not know it.
pub fn register() -> Result<()> {
    membarrier(REGISTER_GLOBAL_EXPEDITED)
}

/// A full fence here, and in all registered processes.
///
/// # Errors
/// As [`register`].
pub fn everywhere() -> Result<()> {
    fence(Ordering::SeqCst);
    membarrier(GLOBAL_EXPEDITED)
}

/// A full fence: `atomic::fence(SeqCst)`, as fast as the processor has it.
///
/// On x86-64 that is a locked instruction, of which GCC makes `atomic_thread_fence()` as well. Rust's is `MFENCE`, which also waits for
/// what is no access to memory, and so takes some 15 ns more.
#[inline]
pub fn full() {
    #[cfg(target_arch = "x86_64")]
    {
        let mut word = 0_u32;
        // SAFETY: the instruction changes nothing but flags: it sets no bits of a word that lives through it.
        unsafe { std::arch::asm!("lock or dword ptr [{}], 0", in(reg) &raw mut word, options(nostack)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    fence(Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::{everywhere, full, register};
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    #[test]
    fn who_can_register_can_fence() {
        // A system that has neither says so both times.
        assert_eq!(register().is_ok(), everywhere().is_ok());
    }

    /// Store buffering: what each of two stores before the fence, one of them finds after it.
    #[test]
    fn nothing_passes_a_full_fence() {
        let rounds: Vec<[AtomicU32; 2]> = (0..20_000).map(|_| Default::default()).collect();
        let found = std::thread::scope(|scope| {
            let run = |own: usize| {
                let rounds = &rounds;
                move || {
                    let once = |round: &[AtomicU32; 2]| {
                        round[own].store(1, Relaxed);
                        full();
                        round[1 - own].load(Relaxed)
                    };
                    rounds.iter().map(once).collect::<Vec<u32>>()
                }
            };
            let (one, other) = (scope.spawn(run(0)), scope.spawn(run(1)));
            [one.join().unwrap(), other.join().unwrap()]
        });
        assert!(found[0].iter().zip(&found[1]).all(|(one, other)| one + other > 0));
    }
}
