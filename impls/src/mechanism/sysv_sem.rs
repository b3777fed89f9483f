//! `sysv_sem`: a System V semaphore set, semget(2), semop(2).

use super::{Mechanism, OpenError, Opened, Place, no_such_end, sysv};
use crate::ability::{Channel, Counter, Failure, Names, Object, Opening, Patience, Result};
use harness_core::wire::HeldEnd;
use impls_sys::sysv::{Change, Creation, change, remove_semaphores, semaphores, set_value, value};
use nix::errno::Errno;
use spec::{operation::End, scenario};
use std::time::Duration;

/// The mechanism `sysv_sem`.
#[derive(Debug)]
pub struct SysvSem;

fn count(options: &scenario::Channel<u64>) -> i32 {
    // More than the system allows is its error to report.
    i32::try_from(options.size.unwrap_or(1)).unwrap_or(i32::MAX)
}

/// Makes a set, each semaphore with the value it begins with.
fn make(key: i32, options: &scenario::Channel<u64>) -> std::result::Result<i32, OpenError> {
    let id = semaphores(key, count(options), Creation::NEW).map_err(OpenError::of("semget"))?;
    let initial = i32::try_from(options.initial.unwrap_or(0)).unwrap_or(i32::MAX);
    for number in 0..count(options) {
        set_value(id, number, initial).map_err(OpenError::of("semctl"))?;
    }
    Ok(id)
}

impl Mechanism for SysvSem {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::SysvSem
    }

    fn works(&self) -> bool {
        // What is not there is ENOENT, where there can be sets at all.
        semaphores(1, 0, Creation::default()) == Err(Errno::ENOENT)
    }

    fn open(&self, place: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let key = sysv::key(place)?;
        let id = make(key, options)?;
        Ok(Box::new(HeldSet { key, count: count(options), id: Some(id), by_name: false }))
    }

    fn prepare(
        &self,
        place: &Place,
        options: &scenario::Channel<u64>,
    ) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let key = sysv::key(place)?;
        if options.exists {
            make(key, options)?;
        }
        Ok(Box::new(HeldSet { key, count: count(options), id: None, by_name: true }))
    }

    fn remove(&self, place: &Place) {
        let _ = sysv::key(place).map(|key| semaphores(key, 0, Creation::default()).and_then(remove_semaphores));
    }
}

/// What a process knows of a set.
struct HeldSet {
    key: i32,
    count: i32,
    id: Option<i32>,
    by_name: bool,
}

impl HeldSet {
    #[inline]
    fn id(&self) -> Result<i32> {
        self.id.ok_or_else(|| Failure::senseless("this process has not opened it"))
    }
}

impl Opened for HeldSet {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Counter(self)),
        }
    }
}

impl Channel for HeldSet {
    fn close(&mut self, _: Option<End>) -> Result<()> {
        Err(Failure::senseless("there is nothing to close: it is known by its number alone"))
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.by_name { Some(self) } else { None }
    }
}

impl Counter for HeldSet {
    #[inline(always)]
    fn wait(&mut self, patience: Patience) -> Result<Option<u64>> {
        let down = Change { add: -1, nonblocking: matches!(patience, Patience::Never), ..Change::default() };
        let timeout = if let Patience::For(timeout) = patience { Some(timeout) } else { None };
        self.change(&[down], timeout)?;
        Ok(None)
    }

    #[inline(always)]
    fn post(&mut self, _: u64, _: Patience) -> Result<()> {
        self.change(&[Change { add: 1, ..Change::default() }], None)
    }

    fn value(&mut self, number: u64) -> Result<u64> {
        let number = i32::try_from(number).map_err(|_| Errno::EINVAL)?;
        Ok(u64::try_from(value(self.id()?, number)?).unwrap_or(0))
    }

    fn set_value(&mut self, number: u64, value: u64) -> Result<bool> {
        let number = i32::try_from(number).map_err(|_| Errno::EINVAL)?;
        let value = i32::try_from(value).map_err(|_| Errno::ERANGE)?;
        set_value(self.id()?, number, value)?;
        Ok(true)
    }

    #[inline(always)]
    fn change(&mut self, changes: &[Change], timeout: Option<Duration>) -> Result<()> {
        Ok(change(self.id()?, changes, timeout)?)
    }
}

impl Names for HeldSet {
    fn open(&mut self, opening: Opening) -> Result<()> {
        self.id = Some(semaphores(self.key, self.count, sysv::creation(opening))?);
        Ok(())
    }

    fn unlink(&mut self) -> Result<()> {
        let id = self.id.map_or_else(|| semaphores(self.key, 0, Creation::default()), Ok)?;
        Ok(remove_semaphores(id)?)
    }
}
