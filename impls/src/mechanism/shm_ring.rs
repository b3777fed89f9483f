//! `shm_ring`: a queue of our own in shared memory, the reference for "shared memory with careful synchronization".
//!
//! Messages lie in a ring of slots. Senders take turns by one robust mutex, receivers by another; between a sender and a receiver
//! there is no lock, just two counters: how many messages were sent, and how many received. A counter moves only when its
//! slot is done with, as the last thing under the mutex, so that a process that is killed anywhere leaves a ring that is
//! whole: its message was not sent yet, or not received yet. The next owner of the mutex has nothing to repair.
//!
//! Who finds the ring empty or full sleeps on an event word, which every send or receive changes. All sleepers are woken, not
//! one: a wake-up that goes to a process which is killed before it uses it would be lost to the others.

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Channel, Failure, Message, Object, Patience, Queue, Result};
use harness_core::wire::HeldEnd;
use impls_sys::{
    futex,
    memory::Mapping,
    pthread::{Kind, Mutex},
};
use nix::errno::Errno;
use spec::{operation::End, scenario};
use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Instant,
};

/// The mechanism `shm_ring`.
#[derive(Debug)]
pub struct ShmRing;

/// Slots, where the channel does not say: as many as a POSIX queue has.
const CAPACITY: u64 = 10;
/// Bytes in a slot, where the channel does not say.
const MESSAGE_SIZE: u64 = 8192;

// Where things lie in the mapping. Counters of different sides do not share a cache line.
const SENT: usize = 0;
const RECEIVED: usize = 64;
const SENT_EVENT: usize = 128;
const RECEIVED_EVENT: usize = 192;
const SLOTS: usize = 256;
/// A slot begins with the length of its message.
const SLOT_HEAD: usize = 8;

impl Mechanism for ShmRing {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::ShmRing
    }

    fn works(&self) -> bool {
        super::futexes_work() && Mutex::new(Kind::Robust).is_ok()
    }

    fn open(&self, _: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let too_large = || OpenError { call: "the size of the ring", errno: Errno::EINVAL };
        let number = |number: u64| usize::try_from(number).map_err(|_| too_large());
        let capacity = number(options.capacity.unwrap_or(CAPACITY))?;
        let message_size = number(options.message_size.unwrap_or(MESSAGE_SIZE))?;
        let slot = message_size.checked_next_multiple_of(8).and_then(|size| size.checked_add(SLOT_HEAD));
        let length = slot.and_then(|slot| slot.checked_mul(capacity)).and_then(|slots| slots.checked_add(SLOTS));
        let (Some(slot), Some(length)) = (slot, length) else { return Err(too_large()) };
        if capacity == 0 {
            return Err(too_large());
        }
        let mutex = || Mutex::new(Kind::Robust).map_err(OpenError::of("pthread_mutex_init"));
        Ok(Box::new(Ring {
            pages: Some(Mapping::anonymous(length).map_err(OpenError::of("mmap"))?),
            senders: mutex()?,
            receivers: mutex()?,
            capacity,
            message_size,
            slot,
        }))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

/// What a process holds of a ring.
struct Ring {
    pages: Option<Mapping>,
    /// Held by the process that sends.
    senders: Mutex,
    /// Held by the process that receives.
    receivers: Mutex,
    /// Slots.
    capacity: usize,
    /// Bytes in the longest message.
    message_size: usize,
    /// Bytes in a slot.
    slot: usize,
}

impl Opened for Ring {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second | HeldEnd::Nothing => Err(no_such_end(end)),
            HeldEnd::Read | HeldEnd::Write | HeldEnd::Both => Ok(Object::Queue(self)),
        }
    }
}

impl Channel for Ring {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        super::no_listener(end)?;
        pages(self.pages.as_ref())?;
        self.pages = None;
        Ok(())
    }
}

/// The pages, as long as this process maps them.
fn pages(pages: Option<&Mapping>) -> Result<&Mapping> {
    pages.ok_or_else(|| Failure::Senseless("this process does no longer map it".to_owned()))
}

fn counter(pages: &Mapping, place: usize) -> Result<&AtomicU64> {
    pages.cell(place).ok_or_else(|| Failure::Senseless("the ring is too short".to_owned()))
}

fn event(pages: &Mapping, place: usize) -> Result<&AtomicU32> {
    pages.word(place).ok_or_else(|| Failure::Senseless("the ring is too short".to_owned()))
}

/// Takes a mutex; that its last owner has died changes nothing, see the module.
fn own(mutex: &mut Mutex) -> Result<()> {
    match mutex.lock() {
        Err(Errno::EOWNERDEAD) => Ok(mutex.consistent()?),
        locked => Ok(locked?),
    }
}

/// Until when a call may wait.
enum Limit {
    None,
    At(Instant),
    AtOnce,
}

impl From<Patience> for Limit {
    fn from(patience: Patience) -> Self {
        match patience {
            Patience::Forever => Self::None,
            Patience::Never => Self::AtOnce,
            Patience::For(timeout) => Self::At(Instant::now() + timeout),
        }
    }
}

impl Limit {
    /// Sleeps as long as the event word has this value.
    fn sleep(&self, word: &AtomicU32, value: u32) -> Result<()> {
        let slept = match self {
            Self::AtOnce => return Err(Errno::EAGAIN.into()),
            Self::None => futex::wait(word, value),
            Self::At(deadline) => futex::wait_for(word, value, deadline.saturating_duration_since(Instant::now())),
        };
        match slept {
            Ok(()) | Err(Errno::EAGAIN) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Tells all who sleep on an event word that something has happened.
fn announce(word: &AtomicU32) -> Result<()> {
    word.fetch_add(1, Ordering::Release);
    Ok(futex::wake_all(word)?)
}

impl Ring {
    /// Where the slot of the message of this number begins.
    fn place(&self, number: u64) -> usize {
        let index = usize::try_from(number % self.capacity as u64).unwrap_or(0);
        SLOTS + index * self.slot
    }

    /// Sends if there is room. Returns whether there was, and the value of the event word from before it was looked for.
    fn try_send(&mut self, bytes: &[u8]) -> Result<std::result::Result<(), u32>> {
        own(&mut self.senders)?;
        let sent = self.put(bytes);
        self.senders.unlock()?;
        sent
    }

    fn put(&self, bytes: &[u8]) -> Result<std::result::Result<(), u32>> {
        let pages = pages(self.pages.as_ref())?;
        let before = event(pages, RECEIVED_EVENT)?.load(Ordering::Acquire);
        let (sent, received) = (counter(pages, SENT)?, counter(pages, RECEIVED)?);
        let number = sent.load(Ordering::Relaxed);
        if number - received.load(Ordering::Acquire) >= self.capacity as u64 {
            return Ok(Err(before));
        }
        let place = self.place(number);
        counter(pages, place)?.store(bytes.len() as u64, Ordering::Relaxed);
        for (index, chunk) in bytes.chunks(8).enumerate() {
            let mut cell = [0; 8];
            cell[..chunk.len()].copy_from_slice(chunk);
            counter(pages, place + SLOT_HEAD + 8 * index)?.store(u64::from_ne_bytes(cell), Ordering::Relaxed);
        }
        sent.store(number + 1, Ordering::Release);
        announce(event(pages, SENT_EVENT)?)?;
        Ok(Ok(()))
    }

    /// Receives if there is a message. Returns its length, or the value of the event word from before it was looked for.
    fn try_receive(&mut self, buffer: &mut [u8]) -> Result<std::result::Result<usize, u32>> {
        own(&mut self.receivers)?;
        let received = self.take(buffer);
        self.receivers.unlock()?;
        received
    }

    fn take(&self, buffer: &mut [u8]) -> Result<std::result::Result<usize, u32>> {
        let pages = pages(self.pages.as_ref())?;
        let before = event(pages, SENT_EVENT)?.load(Ordering::Acquire);
        let (sent, received) = (counter(pages, SENT)?, counter(pages, RECEIVED)?);
        let number = received.load(Ordering::Relaxed);
        if sent.load(Ordering::Acquire) == number {
            return Ok(Err(before));
        }
        let place = self.place(number);
        let length = usize::try_from(counter(pages, place)?.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let Some(room) = buffer.get_mut(..length) else { return Err(Errno::EMSGSIZE.into()) };
        for (index, chunk) in room.chunks_mut(8).enumerate() {
            let cell = counter(pages, place + SLOT_HEAD + 8 * index)?.load(Ordering::Relaxed).to_ne_bytes();
            chunk.copy_from_slice(&cell[..chunk.len()]);
        }
        received.store(number + 1, Ordering::Release);
        announce(event(pages, RECEIVED_EVENT)?)?;
        Ok(Ok(length))
    }
}

impl Queue for Ring {
    fn send(&mut self, bytes: &[u8], priority: Option<u32>, patience: Patience) -> Result<usize> {
        if priority.is_some() {
            return Err(Failure::Senseless("its messages have no priority".to_owned()));
        }
        if bytes.len() > self.message_size {
            return Err(Errno::EMSGSIZE.into());
        }
        let limit = Limit::from(patience);
        loop {
            match self.try_send(bytes)? {
                Ok(()) => return Ok(bytes.len()),
                Err(before) => limit.sleep(event(pages(self.pages.as_ref())?, RECEIVED_EVENT)?, before)?,
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        if peek {
            return Err(Failure::Senseless("it has no way to peek".to_owned()));
        }
        let limit = Limit::from(patience);
        loop {
            match self.try_receive(buffer)? {
                Ok(length) => return Ok(Message { length, ..Message::default() }),
                Err(before) => limit.sleep(event(pages(self.pages.as_ref())?, SENT_EVENT)?, before)?,
            }
        }
    }

    fn message_size_max(&self) -> usize {
        self.message_size
    }

    fn attributes(&mut self) -> Result<u64> {
        let pages = pages(self.pages.as_ref())?;
        // Received first: whatever happens between the two, it is never more than was sent.
        let received = counter(pages, RECEIVED)?.load(Ordering::Acquire);
        Ok(counter(pages, SENT)?.load(Ordering::Acquire) - received)
    }
}
