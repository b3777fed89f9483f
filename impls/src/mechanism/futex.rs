//! `futex`: a word in shared memory to sleep on, futex(2) with `FUTEX_WAIT` and `FUTEX_WAKE`.

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Channel, Failure, Object, Patience, Result, Sleepers, Wake};
use harness_core::wire::HeldEnd;
use impls_sys::{futex, memory::Mapping};
use nix::errno::Errno;
use spec::{operation::End, scenario};
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
        let pages = Mapping::anonymous(size_of::<AtomicU32>()).map_err(OpenError::of("mmap"))?;
        let held = HeldFutex(Some(pages));
        if let Ok(word) = held.word() {
            word.store(initial, Ordering::SeqCst);
        }
        Ok(Box::new(held))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a futex.
struct HeldFutex(Option<Mapping>);

impl HeldFutex {
    fn word(&self) -> Result<&AtomicU32> {
        self.0
            .as_ref()
            .and_then(|pages| pages.word(0))
            .ok_or_else(|| Failure::Senseless("this process does no longer map it".to_owned()))
    }
}

/// A value that the word can have.
fn value(value: u64) -> Result<u32> {
    u32::try_from(value).map_err(|_| Failure::Senseless(format!("the word has 32 bits, and {value} more")))
}

/// How many to wake.
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
        self.0 = None;
        Ok(())
    }
}

impl Wake for HeldFutex {
    fn wait_on(&mut self, expected: u64, patience: Patience) -> Result<()> {
        let (word, expected) = (self.word()?, value(expected)?);
        Ok(match patience {
            Patience::Forever => futex::wait(word, expected),
            Patience::For(timeout) => futex::wait_for(word, expected, timeout),
            Patience::Never => return Err(Failure::Senseless("it waits, or there is no call to make".to_owned())),
        }?)
    }

    fn notify(&mut self, sleepers: Sleepers) -> Result<Option<u64>> {
        Ok(Some(futex::wake(self.word()?, count(sleepers))? as u64))
    }

    fn wait_for_bits(&mut self, expected: u64, patience: Patience, bits: u64) -> Result<()> {
        let timeout = match patience {
            Patience::Forever => None,
            Patience::For(timeout) => Some(timeout),
            Patience::Never => return Err(Failure::Senseless("it waits, or there is no call to make".to_owned())),
        };
        Ok(futex::wait_for_bits(self.word()?, value(expected)?, timeout, value(bits)?)?)
    }

    fn notify_bits(&mut self, sleepers: Sleepers, bits: u64) -> Result<Option<u64>> {
        Ok(Some(futex::wake_bits(self.word()?, count(sleepers), value(bits)?)? as u64))
    }

    fn store(&mut self, stored: u64) -> Result<()> {
        self.word()?.store(value(stored)?, Ordering::SeqCst);
        Ok(())
    }

    fn load(&mut self) -> Result<u64> {
        Ok(self.word()?.load(Ordering::SeqCst).into())
    }
}
