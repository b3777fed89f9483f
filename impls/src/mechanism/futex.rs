//! `futex`: words in shared memory to sleep on, futex(2) with `FUTEX_WAIT`, `FUTEX_WAKE`, `FUTEX_CMP_REQUEUE`, and futex_waitv(2).

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Channel, Failure, Object, Patience, Result, Sleepers, Wake};
use harness_core::wire::HeldEnd;
use impls_sys::{futex, memory::Mapping};
use nix::errno::Errno;
use spec::{
    operation::{self, End},
    scenario,
};
use std::sync::atomic::{AtomicU32, Ordering};

/// The mechanism `futex`.
#[derive(Debug)]
pub struct Futex;

/// The call takes a signed number.
const ALL: u32 = i32::MAX.unsigned_abs();

impl Mechanism for Futex {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Futex
    }

    fn works(&self) -> bool {
        super::futexes_work()
    }

    fn open(&self, _: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let initial = u32::try_from(options.initial.unwrap_or(0)).map_err(|_| Errno::EINVAL);
        let initial = initial.map_err(OpenError::of("the initial value"))?;
        let words = usize::try_from(options.size.unwrap_or(1)).unwrap_or(usize::MAX).clamp(1, WORDS_MAX);
        let pages = Mapping::anonymous(words * WORD_BYTES).map_err(OpenError::of("mmap"))?;
        let held = HeldFutex { pages: Some(pages), words, chosen: 0 };
        for number in 0..words {
            if let Ok(word) = held.word_at(number) {
                word.store(initial, Ordering::SeqCst);
            }
        }
        Ok(Box::new(held))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// Bytes from one word to the next: a cache line, so that words do not disturb each other.
const WORD_BYTES: usize = 64;

/// How many words a futex has at most.
const WORDS_MAX: usize = 64;

/// What a process holds of a futex.
struct HeldFutex {
    pages: Option<Mapping>,
    words: usize,
    /// The word that calls are about.
    chosen: usize,
}

impl HeldFutex {
    #[inline]
    fn word(&self) -> Result<&AtomicU32> {
        self.word_at(self.chosen)
    }

    #[inline]
    fn word_at(&self, number: usize) -> Result<&AtomicU32> {
        let Some(pages) = &self.pages else {
            return Err(Failure::senseless("this process does no longer map it"));
        };
        let word = (number < self.words).then(|| pages.word(number * WORD_BYTES)).flatten();
        word.ok_or_else(|| Failure::Senseless(format!("it has {} words, and none has the number {number}", self.words)))
    }

    fn word_of(&self, number: Option<u64>, otherwise: u64) -> Result<&AtomicU32> {
        self.word_at(usize::try_from(number.unwrap_or(otherwise)).unwrap_or(usize::MAX))
    }
}

/// A value that the word can have.
#[inline]
fn value(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Failure::Senseless(format!("the word has 32 bits, and {value} more")))
}

/// How many to wake.
#[inline]
fn count(sleepers: Sleepers) -> u32 {
    match sleepers {
        Sleepers::Some(count) => u32::try_from(count).map_or(ALL, |count| count.min(ALL)),
        Sleepers::All => ALL,
    }
}

impl Opened for HeldFutex {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Wake(self)),
        }
    }
}

impl Channel for HeldFutex {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        self.word()?;
        self.pages = None;
        Ok(())
    }
}

impl Wake for HeldFutex {
    #[inline(always)]
    fn wait_on(&mut self, expected: u64, patience: Patience) -> Result<()> {
        let (word, expected) = (self.word()?, value(expected)?);
        Ok(match patience {
            Patience::Forever => futex::wait(word, expected),
            Patience::For(timeout) => futex::wait_for(word, expected, timeout),
            Patience::Never => return Err(Failure::senseless("it waits, or there is no call to make")),
        }?)
    }

    #[inline(always)]
    fn notify(&mut self, sleepers: Sleepers) -> Result<Option<u64>> {
        Ok(Some(futex::wake(self.word()?, count(sleepers))? as u64))
    }

    fn wait_for_bits(&mut self, expected: u64, patience: Patience, bits: u64) -> Result<()> {
        let timeout = match patience {
            Patience::Forever => None,
            Patience::For(timeout) => Some(timeout),
            Patience::Never => return Err(Failure::senseless("it waits, or there is no call to make")),
        };
        Ok(futex::wait_for_bits(self.word()?, value(expected)?, timeout, value(bits)?)?)
    }

    fn notify_bits(&mut self, sleepers: Sleepers, bits: u64) -> Result<Option<u64>> {
        Ok(Some(futex::wake_bits(self.word()?, count(sleepers), value(bits)?)? as u64))
    }

    fn choose_word(&mut self, number: u64) -> Result<()> {
        let number = usize::try_from(number).unwrap_or(usize::MAX);
        self.word_at(number)?;
        self.chosen = number;
        Ok(())
    }

    #[cfg(target_os = "linux")]
    fn wait_on_any(&mut self, words: &[u8], expected: u64, patience: Patience) -> Result<u64> {
        let timeout = match patience {
            Patience::Forever => None,
            Patience::For(timeout) => Some(timeout),
            Patience::Never => return Err(Failure::senseless("it waits, or there is no call to make")),
        };
        let words = words.iter().map(|number| self.word_at((*number).into())).collect::<Result<Vec<_>>>()?;
        Ok(futex::wait_for_any(&words, value(expected)?, timeout)? as u64)
    }

    fn requeue(&mut self, asked: &operation::Requeue<u64>) -> Result<u64> {
        let (word, to) = (self.word_of(asked.word, 0)?, self.word_of(asked.to, 1)?);
        let (woken, moved) = (asked.count.unwrap_or(0), asked.moved.unwrap_or(1));
        let [woken, moved] = [woken, moved].map(|number| count(Sleepers::Some(number)));
        Ok(futex::requeue(word, value(asked.expected.unwrap_or(0))?, woken, to, moved)? as u64)
    }

    #[inline(always)]
    fn store(&mut self, stored: u64) -> Result<()> {
        self.word()?.store(value(stored)?, Ordering::SeqCst);
        Ok(())
    }

    #[inline(always)]
    fn load(&mut self) -> Result<u64> {
        Ok(self.word()?.load(Ordering::SeqCst).into())
    }
}
