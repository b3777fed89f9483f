//! The loops of the floors: what the machine takes for the least.

use super::{
    memory::look_until,
    payload::{Payload, number},
    task::{Stopped, Task},
};
use crate::{ability::Failure, perform::Problem};
use impls_sys::{futex, memory::Mapping};
use nix::errno::Errno;
use std::{
    hint::black_box,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

// Where things lie in the memory of floors.
const LINE: usize = 0;
const WORD: usize = 256;

/// A system call that does nothing.
pub(super) fn system_call(task: &mut Task<'_>) -> Result<(), Stopped> {
    task.sliced(|_| {
        black_box(nix::unistd::getppid());
        Ok(())
    })
}

/// Bytes copied within the memory of this process.
pub(super) fn copy(task: &mut Task<'_>) -> Result<(), Stopped> {
    let (mut from, mut to) = (Payload::new(task.bytes().max(1)), Payload::new(task.bytes().max(1)));
    let mut sum = 0;
    let done = task.sliced(|step| {
        let source = from.stamp(step);
        to.room().copy_from_slice(source);
        sum ^= number(black_box(to.room()));
        Ok(())
    });
    black_box(sum);
    done
}

/// An atomic addition that nobody else makes.
pub(super) fn add(task: &mut Task<'_>) -> Result<(), Stopped> {
    let cell = AtomicU64::new(0);
    task.sliced(|_| {
        black_box(&cell).fetch_add(1, Ordering::SeqCst);
        Ok(())
    })
}

fn missing() -> Stopped {
    Problem("the memory of the floors is too short".to_owned()).into()
}

/// One cache line, there and back. Each is not timed: a look at the clock takes a third as long.
pub(super) fn line(mapping: &Mapping, task: &mut Task<'_>) -> Result<(), Stopped> {
    let cell = mapping.cell(LINE).ok_or_else(missing)?;
    let crowded = task.is_crowded();
    if task.leads() {
        cell.store(0, Ordering::SeqCst);
        task.sliced(|number| {
            cell.store(number * 2 + 1, Ordering::Release);
            look_until(cell, crowded, |value| value == number * 2 + 2);
            Ok(())
        })
    } else {
        task.untimed(|number| {
            look_until(cell, crowded, |value| value == number * 2 + 1);
            cell.store(number * 2 + 2, Ordering::Release);
            Ok(())
        })
    }
}

/// The other woken by a futex, and back.
pub(super) fn switch(mapping: &Mapping, task: &mut Task<'_>) -> Result<(), Stopped> {
    let word = mapping.word(WORD).ok_or_else(missing)?;
    #[expect(clippy::cast_possible_truncation, reason = "the word has 32 bits, and turns")]
    let turn = |number: u64, part: u64| (number * 2 + part) as u32;
    if task.leads() {
        word.store(0, Ordering::SeqCst);
        task.timed(|number| {
            say(word, turn(number, 1))?;
            hear(word, turn(number, 2))
        })
    } else {
        task.untimed(|number| {
            hear(word, turn(number, 1))?;
            say(word, turn(number, 2))
        })
    }
}

#[inline]
fn say(word: &AtomicU32, value: u32) -> Result<(), Stopped> {
    word.store(value, Ordering::Release);
    futex::wake(word, 1).map_err(|errno| Stopped::of("futex", Failure::Errno(errno))).map(drop)
}

#[inline]
fn hear(word: &AtomicU32, wanted: u32) -> Result<(), Stopped> {
    loop {
        let value = word.load(Ordering::Acquire);
        if value == wanted {
            return Ok(());
        }
        match futex::wait(word, value) {
            Ok(()) | Err(Errno::EAGAIN) => {}
            Err(errno) => return Err(Stopped::of("futex", Failure::Errno(errno))),
        }
    }
}
