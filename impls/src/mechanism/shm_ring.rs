//! `shm_ring`: a queue of our own in shared memory, the reference for "shared memory with careful synchronization".
//!
//! Messages lie in a ring of slots. Between a sender and a receiver there is no lock, just two counters: how many messages were sent, and
//! how many received. Several senders take turns by one robust mutex, several receivers by another; one that is alone needs none. A counter
//! moves only when its slot is done with, as the last thing, so that a process that is killed anywhere leaves a ring that
//! is whole: its message was not sent yet, or not received yet. The next owner of the mutex has nothing to repair.
//!
//! Who finds the ring empty or full looks for a while, if the other side runs on another processor, and then sleeps on the other side's counter.
//! Before that it says that it sleeps, so that nobody makes a system call for the sake of sleepers that there are not. All sleepers are woken, not
//! one: a wake-up that goes to a process which is killed before it uses it would be lost to the others. A sleeper that is killed is
//! counted for ever, which costs a needless call for each message and nothing else.
//!
//! That nobody sleeps is looked at after a counter has moved, and the two must not be exchanged. The fence for it is paid by who is about to
//! sleep, for everybody ([`fence::everywhere`]); where the system cannot do that, by each message.

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Channel, Failure, Message, Object, Patience, Queue, Result};
use harness_core::wire::HeldEnd;
use impls_sys::{
    fence, futex,
    memory::Mapping,
    pthread::{Kind, Mutex},
};
use nix::{
    errno::Errno,
    sched::{sched_getcpu, sched_yield},
};
use spec::{operation::End, scenario};
use std::{
    hint::spin_loop,
    sync::atomic::{self, AtomicU32, AtomicU64, Ordering, compiler_fence},
    time::Instant,
};

/// The mechanism `shm_ring`.
#[derive(Debug)]
pub struct ShmRing;

/// Slots, where the channel does not say: as many as a POSIX queue has.
const CAPACITY: u64 = 10;
/// Bytes in a slot, where the channel does not say.
const MESSAGE_SIZE: u64 = 8192;

// Where things lie in the mapping. What different sides write, or at different times, does not share cache lines; a processor may fetch two
// at a time.
const SENT: usize = 0;
const RECEIVED: usize = 128;
/// How many sleep until something was sent, how many until something was received.
const SLEEP_FOR_SENT: usize = 256;
const SLEEP_FOR_RECEIVED: usize = 260;
/// The processors, and 1, on which a sender and a receiver last were seen; each beside the counter that it moves, whose line it writes anyhow.
const SENDER_AT: usize = SENT + 8;
const RECEIVER_AT: usize = RECEIVED + 8;
/// Whether there ever was a message shorter than a slot. As long as there was none, nobody looks at lengths, and a message of 64 bytes is one
/// cache line and no more.
const HAS_SHORT: usize = 384;
/// By how much the message of each slot is shorter than the slot, eight bytes each; then the slots follow, where a cache line begins.
const SHORT_BY: usize = 512;
const LINE: usize = 64;

/// How often at most is looked before sleeping: about as long as it takes to wake an idle processor, so that at worst waiting takes twice
/// as long as it would have to.
const LOOKS_MAX: u32 = 2_000;
/// How often at least.
const LOOKS_MIN: u32 = 64;
/// How often who shares a processor with the other side lets it run before it sleeps: what the other is about to do it does then, and needs to
/// wake nobody.
const YIELDS: u32 = 2;
/// With every so-manieth message a side says where it runs.
const MESSAGES_OF_A_PLACE: u64 = 16;
/// In every so-manieth wait the most is tried again: a side that always sleeps would never notice that it no longer has to.
const WAITS_OF_A_TRIAL: u32 = 64;

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
        let slot = message_size.checked_next_multiple_of(8);
        let slots = capacity.checked_mul(8).and_then(|lengths| lengths.checked_add(SHORT_BY + LINE));
        let slots = slots.map(|end| end / LINE * LINE);
        let size = slot.and_then(|slot| slot.checked_mul(capacity));
        let length = size.zip(slots).and_then(|(size, slots)| size.checked_add(slots));
        let (Some(slot), Some(slots), Some(length)) = (slot, slots, length) else { return Err(too_large()) };
        if capacity == 0 {
            return Err(too_large());
        }
        let mutex = || Mutex::new(Kind::Robust).map_err(OpenError::of("pthread_mutex_init"));
        Ok(Box::new(Ring {
            pages: Some(Mapping::anonymous(length).map_err(OpenError::of("mmap"))?),
            senders: mutex()?,
            receivers: mutex()?,
            capacity: capacity as u64,
            message_size,
            slot,
            slots,
            is_alone: IsAlone::default(),
            fences: if fence::register().is_ok() { Fences::OfSleepers } else { Fences::OfEach },
            seen: Seen::default(),
            waits: Waits::default(),
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
    /// Held by the process that sends, where there are several.
    senders: Mutex,
    /// Held by the process that receives, where there are several.
    receivers: Mutex,
    /// Slots.
    capacity: u64,
    /// Bytes in the longest message.
    message_size: usize,
    /// Bytes in a slot.
    slot: usize,
    /// Where the slots begin.
    slots: usize,
    is_alone: IsAlone,
    fences: Fences,
    seen: Seen,
    waits: Waits,
}

/// Which side has but one process.
#[derive(Clone, Copy, Debug, Default)]
struct IsAlone {
    sender: bool,
    receiver: bool,
}

/// Who pays for the fence between moving a counter and looking for sleepers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fences {
    /// Who is about to sleep, for all.
    OfSleepers,
    /// Everybody, with each message.
    OfEach,
}

/// The counters as this process last saw them. They only grow: what was free or filled then still is, for all that this process knows, and
/// the other side's cache line is left alone.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    sent: u64,
    received: u64,
}

/// How this process waits.
#[derive(Clone, Copy, Debug, Default)]
struct Waits {
    /// How many there were.
    count: u32,
    /// How often it looks before it sleeps; 0 before the first wait.
    looks: u32,
}

impl Waits {
    /// How often to look this time.
    fn looks(&mut self) -> u32 {
        if self.count.is_multiple_of(WAITS_OF_A_TRIAL) {
            self.looks = LOOKS_MAX;
        }
        self.count = self.count.wrapping_add(1);
        self.looks
    }

    /// Learns whether looking was enough.
    fn learn(&mut self, was_enough: bool) {
        self.looks = if was_enough { LOOKS_MAX } else { (self.looks / 2).max(LOOKS_MIN) };
    }
}

impl Opened for Ring {
    fn held_by(&mut self, senders: usize, receivers: usize) {
        self.is_alone = IsAlone { sender: senders <= 1, receiver: receivers <= 1 };
    }

    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        if self.fences == Fences::OfSleepers {
            fence::register()?;
        }
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

#[cold]
fn too_short() -> Failure {
    Failure::Senseless("the ring is too short".to_owned())
}

#[inline]
fn counter(pages: &Mapping, place: usize) -> Result<&AtomicU64> {
    pages.cell(place).ok_or_else(too_short)
}

#[inline]
fn word(pages: &Mapping, place: usize) -> Result<&AtomicU32> {
    pages.word(place).ok_or_else(too_short)
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
    /// Sleeps as long as the word has this value.
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

/// The half of a counter that changes with every message. It has the same value again after four thousand million messages: nobody is kept
/// from going to sleep for so long.
const LOW_HALF: usize = if cfg!(target_endian = "big") { 4 } else { 0 };

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low_half(count: u64) -> u32 {
    count as u32
}

/// What a side waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Sent,
    Received,
}

impl Awaited {
    fn counter(self) -> usize {
        match self {
            Self::Sent => SENT,
            Self::Received => RECEIVED,
        }
    }

    fn sleepers(self) -> usize {
        match self {
            Self::Sent => SLEEP_FOR_SENT,
            Self::Received => SLEEP_FOR_RECEIVED,
        }
    }

    /// Where who waits for it says where it runs, and where the other side does.
    fn places(self) -> (usize, usize) {
        match self {
            Self::Sent => (RECEIVER_AT, SENDER_AT),
            Self::Received => (SENDER_AT, RECEIVER_AT),
        }
    }
}

/// The processor that this process runs on, and 1; 0 where it cannot be known.
fn place_now() -> u32 {
    sched_getcpu().ok().and_then(|processor| u32::try_from(processor + 1).ok()).unwrap_or(0)
}

impl Ring {
    /// The slot of the message of this number: where it says by how much the message is shorter, and where it begins.
    fn places(&self, number: u64) -> (usize, usize) {
        let index = usize::try_from(number % self.capacity).unwrap_or(0);
        (SHORT_BY + index * 8, self.slots + index * self.slot)
    }

    /// Moves a counter, and wakes those who sleep until it does.
    #[inline]
    fn announce(&self, pages: &Mapping, what: Awaited, count: u64) -> Result<()> {
        if count % MESSAGES_OF_A_PLACE == 1 {
            // Who moves this counter waits for the other one.
            let (_, mover) = what.places();
            word(pages, mover)?.store(place_now(), Ordering::Relaxed);
        }
        counter(pages, what.counter())?.store(count, Ordering::Release);
        match self.fences {
            Fences::OfSleepers => compiler_fence(Ordering::SeqCst),
            Fences::OfEach => atomic::fence(Ordering::SeqCst),
        }
        if word(pages, what.sleepers())?.load(Ordering::Relaxed) > 0 {
            futex::wake_all(word(pages, what.counter() + LOW_HALF)?)?;
        }
        Ok(())
    }

    /// Waits until a counter is no longer what it was seen to be, or for no reason.
    #[cold]
    fn wait(&mut self, awaited: Awaited, seen: u64, limit: &Limit) -> Result<()> {
        let pages = pages(self.pages.as_ref())?;
        if matches!(limit, Limit::AtOnce) {
            return Err(Errno::EAGAIN.into());
        }
        let counter = counter(pages, awaited.counter())?;
        let (own, other) = awaited.places();
        let here = place_now();
        word(pages, own)?.store(here, Ordering::Relaxed);
        if word(pages, other)?.load(Ordering::Relaxed) == here {
            // Who shares a processor with the other side keeps it from running by looking.
            for _ in 0..YIELDS {
                sched_yield()?;
                if counter.load(Ordering::Acquire) != seen {
                    return Ok(());
                }
            }
        } else {
            for look in 0..self.waits.looks() {
                if counter.load(Ordering::Acquire) != seen {
                    self.waits.learn(true);
                    return Ok(());
                }
                // At first the answer may be on its way.
                if look > LOOKS_MIN {
                    spin_loop();
                }
            }
            self.waits.learn(false);
        }
        let sleepers = word(pages, awaited.sleepers())?;
        sleepers.fetch_add(1, Ordering::SeqCst);
        let fenced = if self.fences == Fences::OfSleepers { fence::everywhere() } else { Ok(()) };
        let slept = fenced
            .map_err(Failure::from)
            .and_then(|()| limit.sleep(word(pages, awaited.counter() + LOW_HALF)?, low_half(seen)));
        sleepers.fetch_sub(1, Ordering::Relaxed);
        slept
    }

    /// Sends if there is room. Returns whether there was, and how many were received where there was not.
    #[inline]
    fn try_send(&mut self, bytes: &[u8]) -> Result<std::result::Result<(), u64>> {
        if self.is_alone.sender {
            return self.put(bytes);
        }
        own(&mut self.senders)?;
        let sent = self.put(bytes);
        self.senders.unlock()?;
        sent
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Result<std::result::Result<(), u64>> {
        let pages = pages(self.pages.as_ref())?;
        let number = counter(pages, SENT)?.load(Ordering::Relaxed);
        if number - self.seen.received >= self.capacity {
            self.seen.received = counter(pages, RECEIVED)?.load(Ordering::Acquire);
            if number - self.seen.received >= self.capacity {
                return Ok(Err(self.seen.received));
            }
        }
        let (short_by, place) = self.places(number);
        let has_short = word(pages, HAS_SHORT)?;
        if bytes.len() < self.message_size && has_short.load(Ordering::Relaxed) == 0 {
            // Whoever sees the message sees this as well, and that all messages before had the full length.
            has_short.store(1, Ordering::Relaxed);
        }
        if has_short.load(Ordering::Relaxed) != 0 {
            counter(pages, short_by)?.store((self.message_size - bytes.len()) as u64, Ordering::Relaxed);
        }
        pages.copy_in(place, bytes).ok_or_else(too_short)?;
        self.announce(pages, Awaited::Sent, number + 1)?;
        Ok(Ok(()))
    }

    /// Receives if there is a message. Returns its length, or how many were sent where there is none.
    #[inline]
    fn try_receive(&mut self, buffer: &mut [u8]) -> Result<std::result::Result<usize, u64>> {
        if self.is_alone.receiver {
            return self.take(buffer);
        }
        own(&mut self.receivers)?;
        let received = self.take(buffer);
        self.receivers.unlock()?;
        received
    }

    #[inline]
    fn take(&mut self, buffer: &mut [u8]) -> Result<std::result::Result<usize, u64>> {
        let pages = pages(self.pages.as_ref())?;
        let number = counter(pages, RECEIVED)?.load(Ordering::Relaxed);
        if self.seen.sent <= number {
            self.seen.sent = counter(pages, SENT)?.load(Ordering::Acquire);
            if self.seen.sent == number {
                return Ok(Err(number));
            }
        }
        let (short_by, place) = self.places(number);
        let mut length = self.message_size;
        if word(pages, HAS_SHORT)?.load(Ordering::Relaxed) != 0 {
            let short_by = counter(pages, short_by)?.load(Ordering::Relaxed);
            length = length.saturating_sub(usize::try_from(short_by).unwrap_or(usize::MAX));
        }
        let Some(room) = buffer.get_mut(..length) else { return Err(Errno::EMSGSIZE.into()) };
        pages.copy_out(place, room).ok_or_else(too_short)?;
        self.announce(pages, Awaited::Received, number + 1)?;
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
                Err(seen) => self.wait(Awaited::Received, seen, &limit)?,
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
                Err(seen) => self.wait(Awaited::Sent, seen, &limit)?,
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
