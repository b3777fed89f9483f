//! The loops of what wakes: a word, a condition variable, a barrier.

use super::task::{Stopped, Task};
use crate::{
    ability::{Bytes, Failure, Patience, Sleepers, Wake},
    perform::Problem,
};
use harness_core::wire::measure::Task as What;
use nix::errno::Errno;
use spec::operation::Mode;
use std::sync::atomic::Ordering;

/// Something to wait on that can be driven: everything.
pub trait DrivenWake {
    /// Does a task.
    ///
    /// # Errors
    /// Why it cannot be done here, or what went wrong.
    fn drive(&mut self, task: &mut Task<'_>) -> Result<(), Stopped>;
}

impl<W: Wake> DrivenWake for W {
    fn drive(&mut self, task: &mut Task<'_>) -> Result<(), Stopped> {
        if task.what() != What::RoundTrip {
            return Err(Problem(format!("a wake-up has nothing to do with {:?}", task.what())).into());
        }
        if self.mutex().is_some() {
            by_condition(self, task)
        } else if self.load().is_ok() {
            by_word(self, task)
        } else {
            by_barrier(self, task)
        }
    }
}

/// Numbers that both parties reach in turn: the first makes them odd, the second even.
fn by_word<W: Wake>(wake: &mut W, task: &mut Task<'_>) -> Result<(), Stopped> {
    if task.leads() {
        wake.store(0).map_err(|failure| Stopped::of("store", failure))?;
        task.timed(|number| {
            say(wake, turn(number, 1))?;
            hear(wake, turn(number, 2))
        })
    } else {
        task.untimed(|number| {
            hear(wake, turn(number, 1))?;
            say(wake, turn(number, 2))
        })
    }
}

/// The word after so many round trips and a part of one; it has 32 bits.
#[inline]
fn turn(number: u64, part: u64) -> u64 {
    (number * 2 + part) & u64::from(u32::MAX)
}

#[inline(always)]
fn say<W: Wake>(wake: &mut W, value: u64) -> Result<(), Stopped> {
    wake.store(value).map_err(|failure| Stopped::of("store", failure))?;
    wake.notify(Sleepers::Some(1)).map_err(|failure| Stopped::of("notify", failure)).map(drop)
}

#[inline(always)]
fn hear<W: Wake>(wake: &mut W, wanted: u64) -> Result<(), Stopped> {
    loop {
        let value = wake.load().map_err(|failure| Stopped::of("load", failure))?;
        if value == wanted {
            return Ok(());
        }
        match wake.wait_on(value, Patience::Forever) {
            Ok(()) | Err(Failure::Errno(Errno::EAGAIN)) => {}
            Err(failure) => return Err(Stopped::of("wait_on", failure)),
        }
    }
}

/// Whose turn it is, is told by a cell that the mutex protects.
fn by_condition<W: Wake>(wake: &mut W, task: &mut Task<'_>) -> Result<(), Stopped> {
    let turns = task.guarded()?;
    let take_turn = |wake: &mut W, from: u64| {
        lock(wake)?;
        while turns.load(Ordering::Relaxed) != from {
            wake.wait_on(0, Patience::Forever).map_err(|failure| Stopped::of("wait_on", failure))?;
        }
        turns.store(from + 1, Ordering::Relaxed);
        wake.notify(Sleepers::Some(1)).map_err(|failure| Stopped::of("notify", failure))?;
        unlock(wake)
    };
    if task.leads() {
        task.timed(|number| {
            take_turn(wake, number * 2)?;
            // Its turn comes again with the answer; that it has come is the end of the round trip.
            lock(wake)?;
            while turns.load(Ordering::Relaxed) != number * 2 + 2 {
                wake.wait_on(0, Patience::Forever).map_err(|failure| Stopped::of("wait_on", failure))?;
            }
            unlock(wake)
        })
    } else {
        task.untimed(|number| take_turn(wake, number * 2 + 1))
    }
}

#[inline(always)]
fn lock<W: Wake>(wake: &mut W) -> Result<(), Stopped> {
    let mutex = wake.mutex().ok_or_else(no_mutex)?;
    mutex.lock(Mode::Exclusive, Bytes::default(), Patience::Forever).map_err(|failure| Stopped::of("lock", failure))
}

#[inline(always)]
fn unlock<W: Wake>(wake: &mut W) -> Result<(), Stopped> {
    let mutex = wake.mutex().ok_or_else(no_mutex)?;
    mutex.unlock(Bytes::default()).map_err(|failure| Stopped::of("unlock", failure))
}

#[cold]
fn no_mutex() -> Stopped {
    Problem("it has no mutex".to_owned()).into()
}

/// Two arrivals are there and back: at the first both know that the one is there, at the second that the other has seen it.
fn by_barrier<W: Wake>(wake: &mut W, task: &mut Task<'_>) -> Result<(), Stopped> {
    let [own, other] = task.words()?;
    let mut cycle = |number: u64| {
        own.store(number + 1, Ordering::Relaxed);
        arrive(wake)?;
        let seen = other.load(Ordering::Relaxed);
        if seen != number + 1 {
            return Err(Stopped::wrong(number + 1, seen));
        }
        arrive(wake)
    };
    if task.leads() { task.timed(&mut cycle) } else { task.untimed(&mut cycle) }
}

#[inline(always)]
fn arrive<W: Wake>(wake: &mut W) -> Result<(), Stopped> {
    wake.arrive().map_err(|failure| Stopped::of("arrive", failure)).map(drop)
}
