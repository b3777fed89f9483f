//! The ring itself: where things lie, room that is reserved and committed, messages that are looked at and released.
//!
//! Messages are numbered. The message of a number lies in the slot that is as far behind the first one as the number is behind a *base*, which the sender
//! keeps beside its counter; so it can begin again at the first slot. It does so only when everything was received and nothing is
//! underway, and where slots are used up it moves the base on by as many as there are, which leaves every message where it is. Whoever sees a
//! message sees a base that leads to it: the base was stored before the counter that says that the message is there, and is not
//! set anew before the message has left the ring.
//!
//! What is done for each message is inlined as a whole: a function that is called puts registers onto its stack, and such stores stand in the processor's
//! queue behind those into the ring, which wait for their cache lines. The more of them a message takes, the fewer messages are underway at once.
#![expect(clippy::inline_always, reason = "see above")]

use super::{
    super::OpenError,
    waiting::{LOOKS_AT_ONCE, Limit, Waits},
    ways::Ways,
};
use crate::ability::{Failure, Patience, Result};
use impls_sys::{
    copying::{Way, expect},
    fence, futex,
    memory::Mapping,
    pthread::{Kind, Mutex},
};
use nix::{
    errno::Errno,
    sched::{sched_getcpu, sched_yield},
};
use std::{
    hint::spin_loop,
    sync::atomic::{self, AtomicU8, AtomicU32, AtomicU64, Ordering, compiler_fence},
};

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
/// The number whose message lies in the first slot, or would.
const BASE: usize = SENT + 16;
/// Whether there ever was a message shorter than a slot. As long as there was none, nobody looks at lengths, and a message of 64 bytes is one
/// cache line and no more.
const HAS_SHORT: usize = 384;
/// By how much the message of each slot is shorter than the slot, eight bytes each; then the slots follow.
const SHORT_BY: usize = 512;
const LINE: usize = 64;
const PAGE: usize = 4096;

/// With every so-manieth message a side says where it runs.
const MESSAGES_OF_A_PLACE: u64 = 16;
/// How often who shares a processor with the other side lets it run before it sleeps: what the other is about to do it does then, and needs to
/// wake nobody.
const YIELDS: u32 = 2;

/// Bytes of the slots at the beginning that a sender likes to use, where everything it sends is received at once: they stay in the nearest cache.
const NEAR: usize = 1024;
/// Slots up to this length are asked for while their message is waited for.
const EXPECTED: usize = 2 * LINE;
/// Where slots are long and all of them together have more bytes than this, there are so many that they have [`SPREAD`].
const SPREAD_FROM: usize = 512 << 10;
/// More than a processor has cache of its own. A line that has left the sender's is read from the cache that both share, or from
/// memory, in a fraction of the time that it takes to be fetched from the sender's; and the other way round when it is written again.
const SPREAD: usize = 4 << 20;

/// How large a ring is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// The most messages that it holds.
    capacity: u64,
    /// Bytes in the longest message.
    message_size: usize,
    /// Bytes in a slot.
    slot: usize,
    /// How many slots there are: at least as many as messages.
    slots: u64,
    /// How many slots a sender uses before it looks whether it can begin again; never so many where that wins nothing.
    near: u64,
    /// Where the slots begin.
    first: usize,
    /// Bytes of everything.
    length: usize,
}

impl Shape {
    /// `None` where that is nothing, or more than there can be.
    pub(super) fn new(capacity: usize, message_size: usize) -> Option<Self> {
        let slot = message_size.checked_next_multiple_of(8)?;
        let is_spread = slot >= super::ways::LONG && slot.checked_mul(capacity)? >= SPREAD_FROM;
        let slots = if is_spread { capacity.max(SPREAD / slot) } else { capacity };
        let end = slots.checked_mul(8)?.checked_add(SHORT_BY)?;
        // Long slots begin where a page does: copying is slow where source and destination lie differently to pages.
        let first = end.checked_next_multiple_of(if slot >= super::ways::LONG { PAGE } else { LINE })?;
        let length = slot.checked_mul(slots)?.checked_add(first)?;
        let near = NEAR / slot.max(1);
        let near = if near > 1 && near < slots { near as u64 } else { u64::MAX };
        let shape = Self { capacity: capacity as u64, message_size, slot, slots: slots as u64, near, first, length };
        (capacity > 0).then_some(shape)
    }
}

/// What a process holds of a ring.
#[derive(Debug)]
pub struct Ring {
    pages: Option<Mapping>,
    /// Held by the process that sends, where there are several.
    senders: Mutex,
    /// Held by the process that receives, where there are several.
    receivers: Mutex,
    shape: Shape,
    is_alone: IsAlone,
    fences: Fences,
    seen: Seen,
    sent: Own,
    received: Own,
    /// Before the message of this number a sender does not look whether it can begin again at the first slot.
    again_at: u64,
    waits: Waits,
    ways_in: Ways,
    ways_out: Ways,
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
    /// The base as it was when messages were seen; it is that of all of them.
    base: u64,
}

/// What a process that is alone on its side knows of its own counter, which nobody else moves. To look at the counter would be to wait for its cache
/// line, which the other side has taken to see it.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    /// Whether it has looked once.
    is_known: bool,
    number: u64,
    /// The base of this message, and of all up to `until`, whose slots follow one another.
    base: u64,
    /// Up to the message of this number nothing has to be looked at, nor thought about; 0 where each has to be.
    until: u64,
}

impl Own {
    /// Some of the messages that nothing has to be looked at for; `None` where there is none.
    #[inline(always)]
    fn next(&self, count: u64) -> Option<Span> {
        let Self { number, base, until, .. } = *self;
        (number < until).then(|| Span { number, count: count.min(until - number), slot: number - base })
    }
}

/// The pages, as long as this process maps them.
#[inline(always)]
fn mapped(pages: Option<&Mapping>) -> Result<&Mapping> {
    pages.ok_or_else(no_longer_mapped)
}

#[cold]
fn no_longer_mapped() -> Failure {
    Failure::Senseless("this process does no longer map it".to_owned())
}

#[cold]
fn too_short() -> Failure {
    Failure::Senseless("the ring is too short".to_owned())
}

#[cold]
fn no_such_message() -> Failure {
    Failure::Senseless("it is none of those that were reserved or found".to_owned())
}

#[inline(always)]
fn counter(pages: &Mapping, place: usize) -> Result<&AtomicU64> {
    pages.cell(place).ok_or_else(too_short)
}

#[inline(always)]
fn word(pages: &Mapping, place: usize) -> Result<&AtomicU32> {
    pages.word(place).ok_or_else(too_short)
}

/// Takes a mutex; that its last owner has died changes nothing, see the module above.
fn own(mutex: &mut Mutex) -> Result<()> {
    match mutex.lock() {
        Err(Errno::EOWNERDEAD) => Ok(mutex.consistent()?),
        locked => Ok(locked?),
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

/// Says where the process runs that moves a counter, which waits for the other one.
#[cold]
fn say_where(pages: &Mapping, moved: Awaited) -> Result<()> {
    let (_, mover) = moved.places();
    word(pages, mover)?.store(place_now(), Ordering::Relaxed);
    Ok(())
}

#[cold]
fn wake(pages: &Mapping, what: Awaited) -> Result<()> {
    Ok(futex::wake_all(word(pages, what.counter() + LOW_HALF)?)?)
}

/// Some messages one after another, or room for them.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// The number of the first.
    number: u64,
    count: u64,
    /// The slot of the first.
    slot: u64,
}

/// What was found, or how far the other side was where nothing was.
type Found = std::result::Result<Span, u64>;

impl Ring {
    /// Makes one.
    pub(super) fn new(shape: Shape) -> std::result::Result<Self, OpenError> {
        let mutex = || Mutex::new(Kind::Robust).map_err(OpenError::of("pthread_mutex_init"));
        Ok(Self {
            pages: Some(Mapping::anonymous(shape.length).map_err(OpenError::of("mmap"))?),
            senders: mutex()?,
            receivers: mutex()?,
            shape,
            is_alone: IsAlone::default(),
            fences: if fence::register().is_ok() { Fences::OfSleepers } else { Fences::OfEach },
            seen: Seen::default(),
            sent: Own::default(),
            received: Own::default(),
            again_at: 0,
            waits: Waits::default(),
            ways_in: Ways::in_(),
            ways_out: Ways::out(),
        })
    }

    /// Says which side has but one process, which then takes no turns.
    pub(super) fn are_alone(&mut self, sender: bool, receiver: bool) {
        self.is_alone = IsAlone { sender, receiver };
    }

    /// Whether processes that hold it have to take part in the fences of others.
    pub(super) fn needs_registration(&self) -> bool {
        self.fences == Fences::OfSleepers
    }

    /// Bytes in the longest message.
    #[must_use]
    pub fn message_size(&self) -> usize {
        self.shape.message_size
    }

    /// Lets go of the memory.
    pub(super) fn unmap(&mut self) -> Result<()> {
        mapped(self.pages.as_ref())?;
        self.pages = None;
        (self.sent, self.received) = (Own::default(), Own::default());
        Ok(())
    }

    /// How many messages it holds.
    pub(super) fn waiting(&self) -> Result<u64> {
        let pages = mapped(self.pages.as_ref())?;
        // Received first: whatever happens between the two, it is never more than was sent.
        let received = counter(pages, RECEIVED)?.load(Ordering::Acquire);
        Ok(counter(pages, SENT)?.load(Ordering::Acquire) - received)
    }

    /// Reserves room for as many messages as there is room for, but no more than `count`; waits until there is room for one.
    ///
    /// Other senders wait as long as it is held.
    ///
    /// # Errors
    /// `EAGAIN` or `ETIMEDOUT` where there was no room in time, `EINTR` at a signal; senseless where the ring was closed.
    #[inline(always)]
    pub fn reserve(&mut self, count: u64, patience: Patience) -> Result<Reservation<'_>> {
        // For one message: several are not to be fewer than there is room for.
        let span = match self.sent.next(count) {
            Some(span) if span.count == count => span,
            _ => self.reserve_slowly(count, patience)?,
        };
        Ok(Reservation { ring: self, span })
    }

    #[inline(never)]
    fn reserve_slowly(&mut self, count: u64, patience: Patience) -> Result<Span> {
        let limit = Limit::from(patience);
        loop {
            if !self.is_alone.sender {
                own(&mut self.senders)?;
            }
            match self.room(count) {
                Ok(Ok(span)) => return Ok(span),
                Ok(Err(seen)) => {
                    self.let_others_send()?;
                    self.wait(Awaited::Received, seen, &limit)?;
                }
                Err(failure) => {
                    self.let_others_send()?;
                    return Err(failure);
                }
            }
        }
    }

    #[inline(always)]
    fn let_others_send(&mut self) -> Result<()> {
        if self.is_alone.sender { Ok(()) } else { Ok(self.senders.unlock()?) }
    }

    /// Finds as many messages as there are, but no more than `count`; waits until there is one.
    ///
    /// Other receivers wait as long as they are looked at.
    ///
    /// # Errors
    /// As [`Self::reserve`].
    #[inline(always)]
    pub fn look(&mut self, count: u64, patience: Patience) -> Result<Look<'_>> {
        let span = match self.received.next(count) {
            Some(span) => span,
            None => self.look_slowly(count, patience)?,
        };
        Ok(Look { ring: self, span })
    }

    #[inline(never)]
    fn look_slowly(&mut self, count: u64, patience: Patience) -> Result<Span> {
        let limit = Limit::from(patience);
        loop {
            if !self.is_alone.receiver {
                own(&mut self.receivers)?;
            }
            match self.messages(count) {
                Ok(Ok(span)) => return Ok(span),
                Ok(Err(seen)) => {
                    self.let_others_receive()?;
                    self.wait(Awaited::Sent, seen, &limit)?;
                }
                Err(failure) => {
                    self.let_others_receive()?;
                    return Err(failure);
                }
            }
        }
    }

    #[inline(always)]
    fn let_others_receive(&mut self) -> Result<()> {
        if self.is_alone.receiver { Ok(()) } else { Ok(self.receivers.unlock()?) }
    }

    /// Room for messages, as the one process that sends just now.
    #[inline(always)]
    fn room(&mut self, count: u64) -> Result<Found> {
        let pages = mapped(self.pages.as_ref())?;
        let Shape { capacity, slots, near, .. } = self.shape;
        if !self.is_alone.sender || !self.sent.is_known {
            let number = counter(pages, SENT)?.load(Ordering::Relaxed);
            let base = counter(pages, BASE)?.load(Ordering::Relaxed);
            self.sent = Own { is_known: true, number, base, until: 0 };
        }
        let number = self.sent.number;
        if number - self.seen.received + count > capacity {
            self.seen.received = counter(pages, RECEIVED)?.load(Ordering::Acquire);
            if number - self.seen.received >= capacity {
                return Ok(Err(self.seen.received));
            }
        }
        let mut slot = number - self.sent.base;
        if slot >= near && number >= self.again_at {
            slot = self.begin_again(slot)?;
        }
        let pages = mapped(self.pages.as_ref())?;
        if slot >= slots {
            slot -= slots;
            self.sent.base = number - slot;
            counter(pages, BASE)?.store(self.sent.base, Ordering::Relaxed);
        }
        let count = count.min(capacity - (number - self.seen.received));
        let span = Span { number, count, slot };
        if word(pages, HAS_SHORT)?.load(Ordering::Relaxed) != 0 {
            // What the messages before were shorter by says nothing about these.
            for which in 0..count {
                counter(pages, self.short_by(&span, which))?.store(0, Ordering::Relaxed);
            }
            self.sent.until = 0;
        } else if self.is_alone.sender {
            let begins_again = self.sent.base.saturating_add(near).max(self.again_at);
            let until = (self.seen.received + capacity).min(self.sent.base + slots);
            self.sent.until = until.min(begins_again);
        }
        Ok(Ok(span))
    }

    /// Goes back to the first slot, where all messages were received. Returns the slot that comes next.
    #[cold]
    fn begin_again(&mut self, slot: u64) -> Result<u64> {
        let pages = mapped(self.pages.as_ref())?;
        let Shape { capacity, near, .. } = self.shape;
        let number = self.sent.number;
        self.seen.received = counter(pages, RECEIVED)?.load(Ordering::Acquire);
        let is_empty = self.seen.received == number;
        // To look takes the line from the receiver in which it counts. Where messages are underway that wins nothing, and will not soon.
        self.again_at = number + if is_empty { near } else { capacity.max(near) };
        if is_empty {
            // Nobody will look for a message by the old base.
            self.sent.base = number;
            counter(pages, BASE)?.store(number, Ordering::Relaxed);
        }
        Ok(if is_empty { 0 } else { slot })
    }

    /// Messages, as the one process that receives just now.
    #[inline(always)]
    fn messages(&mut self, count: u64) -> Result<Found> {
        let pages = mapped(self.pages.as_ref())?;
        if !self.is_alone.receiver || !self.received.is_known {
            let number = counter(pages, RECEIVED)?.load(Ordering::Relaxed);
            self.received = Own { is_known: true, number, ..Own::default() };
        }
        let number = self.received.number;
        if self.seen.sent <= number {
            let sent = counter(pages, SENT)?.load(Ordering::Acquire);
            if sent == number {
                return Ok(Err(number));
            }
            // Not before there is a message: until then the base may be set anew.
            self.seen.base = counter(pages, BASE)?.load(Ordering::Relaxed);
            self.seen.sent = sent;
        }
        let slot = self.slot_of(number);
        if self.is_alone.receiver && number >= slot {
            self.received.base = number - slot;
            self.received.until = self.seen.sent.min(self.received.base + self.shape.slots);
        }
        Ok(Ok(Span { number, count: count.min(self.seen.sent - number), slot }))
    }

    /// The slot of a message that was not received yet, as far as the base is known.
    #[inline(always)]
    fn slot_of(&self, number: u64) -> u64 {
        let slots = self.shape.slots;
        // The base may have moved on already, to behind this message: by as many as there are slots.
        let distance = if number < self.seen.base { number + slots } else { number }.wrapping_sub(self.seen.base);
        if distance < slots { distance } else { distance % slots }
    }

    #[inline(always)]
    fn slot_index(&self, span: &Span, which: u64) -> usize {
        let slot = span.slot + which;
        let slot = if slot < self.shape.slots { slot } else { slot - self.shape.slots };
        // There are no more slots than fit into memory.
        usize::try_from(slot).unwrap_or(0)
    }

    #[inline(always)]
    fn short_by(&self, span: &Span, which: u64) -> usize {
        SHORT_BY + self.slot_index(span, which) * 8
    }

    #[inline(always)]
    fn place(&self, span: &Span, which: u64) -> usize {
        self.shape.first + self.slot_index(span, which) * self.shape.slot
    }

    /// Moves a counter on, and wakes those who sleep until it does.
    #[inline(always)]
    fn announce(&self, what: Awaited, from: u64, count: u64) -> Result<()> {
        let pages = mapped(self.pages.as_ref())?;
        let to = from + count;
        if from / MESSAGES_OF_A_PLACE != to / MESSAGES_OF_A_PLACE {
            say_where(pages, what)?;
        }
        counter(pages, what.counter())?.store(to, Ordering::Release);
        match self.fences {
            Fences::OfSleepers => compiler_fence(Ordering::SeqCst),
            Fences::OfEach => atomic::fence(Ordering::SeqCst),
        }
        if word(pages, what.sleepers())?.load(Ordering::Relaxed) > 0 {
            wake(pages, what)?;
        }
        Ok(())
    }

    /// Waits until a counter is no longer what it was seen to be, or for no reason.
    #[inline(never)]
    fn wait(&mut self, awaited: Awaited, seen: u64, limit: &Limit) -> Result<()> {
        if matches!(limit, Limit::AtOnce) {
            return Err(Errno::EAGAIN.into());
        }
        if !self.waits.shares_processor && self.look_at_once(awaited, seen)? {
            return Ok(());
        }
        self.wait_long(awaited, seen, limit)
    }

    /// Looks for a moment. Returns whether something came.
    #[inline]
    fn look_at_once(&mut self, awaited: Awaited, seen: u64) -> Result<bool> {
        let pages = mapped(self.pages.as_ref())?;
        let counter = counter(pages, awaited.counter())?;
        let next = self.expected(pages, awaited, seen);
        let kept_off = awaited == Awaited::Sent && self.waits.keep_off();
        for look in 0..LOOKS_AT_ONCE {
            if let Some(next) = next {
                expect(next);
            }
            let count = counter.load(Ordering::Acquire);
            if count != seen {
                if awaited == Awaited::Sent {
                    self.waits.came(look, kept_off, count.wrapping_sub(seen));
                }
                return Ok(true);
            }
        }
        if awaited == Awaited::Sent {
            self.waits.came(LOOKS_AT_ONCE, kept_off, 0);
        }
        Ok(false)
    }

    /// The beginning of the slot that the next message is likely to be in, where it is worth asking for. Of a sender who is just ahead it is not: the
    /// line would be taken from it while it writes.
    fn expected<'p>(&self, pages: &'p Mapping, awaited: Awaited, seen: u64) -> Option<&'p AtomicU64> {
        if awaited != Awaited::Sent || self.shape.slot > EXPECTED || self.waits.is_at_heels() {
            return None;
        }
        pages.cell(self.place(&Span { number: seen, count: 1, slot: self.slot_of(seen) }, 0))
    }

    #[cold]
    fn wait_long(&mut self, awaited: Awaited, seen: u64, limit: &Limit) -> Result<()> {
        let pages = mapped(self.pages.as_ref())?;
        let counter = counter(pages, awaited.counter())?;
        let (own, other) = awaited.places();
        let here = place_now();
        word(pages, own)?.store(here, Ordering::Relaxed);
        self.waits.shares_processor = word(pages, other)?.load(Ordering::Relaxed) == here;
        if self.waits.shares_processor {
            // Who shares a processor with the other side keeps it from running by looking.
            for _ in 0..YIELDS {
                sched_yield()?;
                if counter.load(Ordering::Acquire) != seen {
                    return Ok(());
                }
            }
        } else {
            let next = self.expected(pages, awaited, seen);
            for _ in 0..self.waits.looks() {
                if let Some(next) = next {
                    expect(next);
                }
                if counter.load(Ordering::Acquire) != seen {
                    self.waits.learn(true);
                    return Ok(());
                }
                spin_loop();
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
}

/// The bytes of one message, or the room for one, where they lie.
///
/// As all shared memory they are reached through atomics, or copied. That nobody else reaches them meanwhile is what [`Reservation`] and [`Look`] are
/// for.
#[derive(Clone, Copy, Debug)]
pub struct Region<'r> {
    pages: &'r Mapping,
    place: usize,
    length: usize,
}

impl<'r> Region<'r> {
    /// How many bytes it has.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// All of its bytes.
    ///
    /// # Errors
    /// Never, as long as the ring is whole.
    pub fn bytes(&self) -> Result<&'r [AtomicU8]> {
        self.pages.bytes(self.place, self.length).ok_or_else(too_short)
    }

    /// Its bytes in cells of eight, but for those at the end that fill none.
    ///
    /// # Errors
    /// Never, as long as the ring is whole.
    #[inline(always)]
    pub fn cells(&self) -> Result<&'r [AtomicU64]> {
        self.pages.cells(self.place, self.length / 8).ok_or_else(too_short)
    }
}

/// Room for messages that become some when it is committed, all at once. Dropped before, it never was.
#[derive(Debug)]
pub struct Reservation<'r> {
    ring: &'r mut Ring,
    span: Span,
}

impl Reservation<'_> {
    /// For how many messages there is room: at least one.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.span.count
    }

    /// The room for one of them, which is as long as the longest message.
    ///
    /// # Errors
    /// Senseless where it is none of those that were reserved.
    #[inline(always)]
    pub fn region(&self, which: u64) -> Result<Region<'_>> {
        if which >= self.span.count {
            return Err(no_such_message());
        }
        let pages = mapped(self.ring.pages.as_ref())?;
        Ok(Region { pages, place: self.ring.place(&self.span, which), length: self.ring.shape.message_size })
    }

    /// Says how long one of them is to be. Where nothing is said it is as long as it can be.
    ///
    /// # Errors
    /// `EMSGSIZE` where that is too long; senseless where it is none of those that were reserved.
    #[inline(always)]
    pub fn set_length(&mut self, which: u64, length: usize) -> Result<()> {
        if which >= self.span.count {
            return Err(no_such_message());
        }
        let message_size = self.ring.shape.message_size;
        let short_by = message_size.checked_sub(length).ok_or(Errno::EMSGSIZE)?;
        let pages = mapped(self.ring.pages.as_ref())?;
        let has_short = word(pages, HAS_SHORT)?;
        let is_known = has_short.load(Ordering::Relaxed) != 0;
        if short_by > 0 && !is_known {
            // Whoever sees the message sees this as well, and that all messages before had the full length.
            has_short.store(1, Ordering::Relaxed);
            // From now on the lengths of what is reserved have to be set back.
            self.ring.sent.until = 0;
        }
        if short_by > 0 || is_known {
            counter(pages, self.ring.short_by(&self.span, which))?.store(short_by as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Copies a message into the room for one of them.
    ///
    /// # Errors
    /// As [`Self::set_length`].
    #[inline(always)]
    pub fn copy_in(&mut self, which: u64, bytes: &[u8]) -> Result<()> {
        self.set_length(which, bytes.len())?;
        let place = self.ring.place(&self.span, which);
        let Ring { pages, ways_in, .. } = &mut *self.ring;
        let pages = mapped(pages.as_ref())?;
        ways_in.copy(bytes.len(), |way| pages.copy_in_by(way, place, bytes)).ok_or_else(too_short)
    }

    /// Makes messages of the first so many; the room for the others is given back.
    ///
    /// # Errors
    /// Senseless where it is more than were reserved; as futex(2) where nobody could be woken.
    #[inline(always)]
    pub fn commit(self, count: u64) -> Result<()> {
        if count > self.span.count {
            return Err(no_such_message());
        }
        if count == 0 {
            return Ok(());
        }
        self.ring.sent.number = self.span.number + count;
        self.ring.announce(Awaited::Sent, self.span.number, count)
    }
}

impl Drop for Reservation<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // A robust mutex that this process holds can be given back.
        let _ = self.ring.let_others_send();
    }
}

/// Messages that are looked at where they lie. Dropped before they are released, they stay.
#[derive(Debug)]
pub struct Look<'r> {
    ring: &'r mut Ring,
    span: Span,
}

impl Look<'_> {
    /// How many messages there are: at least one.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.span.count
    }

    /// The bytes of one of them.
    ///
    /// # Errors
    /// Senseless where it is none of those that were found.
    #[inline(always)]
    pub fn region(&self, which: u64) -> Result<Region<'_>> {
        if which >= self.span.count {
            return Err(no_such_message());
        }
        let pages = mapped(self.ring.pages.as_ref())?;
        let mut length = self.ring.shape.message_size;
        if word(pages, HAS_SHORT)?.load(Ordering::Relaxed) != 0 {
            let short_by = counter(pages, self.ring.short_by(&self.span, which))?.load(Ordering::Relaxed);
            length = length.saturating_sub(usize::try_from(short_by).unwrap_or(usize::MAX));
        }
        Ok(Region { pages, place: self.ring.place(&self.span, which), length })
    }

    /// Copies one of them into a buffer. Returns its length.
    ///
    /// # Errors
    /// `EMSGSIZE` where it is longer than the buffer; senseless where it is none of those that were found.
    #[inline(always)]
    pub fn copy_out(&mut self, which: u64, buffer: &mut [u8]) -> Result<usize> {
        let Region { place, length, .. } = self.region(which)?;
        let Some(room) = buffer.get_mut(..length) else { return Err(Errno::EMSGSIZE.into()) };
        let Ring { pages, ways_out, .. } = &mut *self.ring;
        let pages = mapped(pages.as_ref())?;
        ways_out.copy(length, |way: Way| pages.copy_out_by(way, place, room)).ok_or_else(too_short)?;
        Ok(length)
    }

    /// Takes the first so many out of the ring; the others stay.
    ///
    /// # Errors
    /// Senseless where it is more than were found; as futex(2) where nobody could be woken.
    #[inline(always)]
    pub fn release(self, count: u64) -> Result<()> {
        if count > self.span.count {
            return Err(no_such_message());
        }
        if count == 0 {
            return Ok(());
        }
        self.ring.received.number = self.span.number + count;
        self.ring.announce(Awaited::Received, self.span.number, count)
    }
}

impl Drop for Look<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // A robust mutex that this process holds can be given back.
        let _ = self.ring.let_others_receive();
    }
}

#[cfg(test)]
mod tests {
    use super::{NEAR, Ring, SPREAD, SPREAD_FROM, Shape};
    use crate::ability::{Failure, Patience};
    use nix::errno::Errno;
    use proptest::prelude::*;
    use rstest::rstest;
    use std::{collections::VecDeque, sync::atomic::Ordering};

    fn ring(capacity: usize, message_size: usize, are_alone: bool) -> Ring {
        let mut ring = Ring::new(Shape::new(capacity, message_size).unwrap()).unwrap();
        ring.are_alone(are_alone, are_alone);
        ring
    }

    /// A message that differs from those around it in every byte.
    fn message(number: u64, length: usize) -> Vec<u8> {
        (0..length as u64).map(|place| (number.wrapping_mul(31) ^ place.wrapping_mul(7)).to_le_bytes()[0]).collect()
    }

    fn send(ring: &mut Ring, bytes: &[u8]) {
        let mut reservation = ring.reserve(1, Patience::Never).unwrap();
        reservation.copy_in(0, bytes).unwrap();
        reservation.commit(1).unwrap();
    }

    fn receive(ring: &mut Ring) -> Vec<u8> {
        let mut buffer = vec![0; ring.message_size()];
        let mut look = ring.look(1, Patience::Never).unwrap();
        let length = look.copy_out(0, &mut buffer).unwrap();
        look.release(1).unwrap();
        buffer.truncate(length);
        buffer
    }

    fn nothing() -> Failure {
        Failure::Errno(Errno::EAGAIN)
    }

    #[rstest]
    #[case(true)]
    #[case(false)]
    fn what_was_reserved_and_given_up_never_was(#[case] are_alone: bool) {
        let mut ring = ring(2, 64, are_alone);
        let mut reservation = ring.reserve(2, Patience::Never).unwrap();
        reservation.copy_in(0, &message(1, 64)).unwrap();
        reservation.copy_in(1, &message(2, 10)).unwrap();
        drop(reservation);
        assert_eq!(ring.waiting(), Ok(0));
        assert_eq!(ring.look(1, Patience::Never).map(drop), Err(nothing()));
        // Not even the length of the one that was to be shorter.
        send(&mut ring, &message(3, 64));
        send(&mut ring, &message(4, 64));
        assert_eq!(receive(&mut ring), message(3, 64));
        assert_eq!(receive(&mut ring), message(4, 64));
    }

    #[rstest]
    #[case(64, 0)]
    #[case(64, 1)]
    #[case(64, 63)]
    #[case(64, 64)]
    #[case(13, 12)]
    #[case(65_536, 5_000)]
    fn a_message_may_be_shorter_than_its_room(#[case] message_size: usize, #[case] length: usize) {
        let mut ring = ring(8, message_size, true);
        let mut reservation = ring.reserve(1, Patience::Never).unwrap();
        assert_eq!(reservation.region(0).unwrap().length(), message_size);
        for (byte, value) in reservation.region(0).unwrap().bytes().unwrap().iter().zip(message(1, length)) {
            byte.store(value, Ordering::Relaxed);
        }
        assert_eq!(reservation.set_length(0, message_size + 1), Err(Failure::Errno(Errno::EMSGSIZE)));
        reservation.set_length(0, length).unwrap();
        reservation.commit(1).unwrap();
        let look = ring.look(1, Patience::Never).unwrap();
        let bytes = look.region(0).unwrap().bytes().unwrap();
        assert!(bytes.iter().map(|byte| byte.load(Ordering::Relaxed)).eq(message(1, length)));
        look.release(1).unwrap();
        // The next one is as long as can be again, where nothing else is said.
        ring.reserve(1, Patience::Never).unwrap().commit(1).unwrap();
        assert_eq!(receive(&mut ring).len(), message_size);
    }

    #[test]
    fn of_several_some_are_committed_and_some_released() {
        let mut ring = ring(4, 64, true);
        let mut reservation = ring.reserve(10, Patience::Never).unwrap();
        assert_eq!(reservation.count(), 4);
        for which in 0..4 {
            reservation.copy_in(which, &message(which, 20)).unwrap();
        }
        assert!(matches!(reservation.copy_in(4, b"beyond"), Err(Failure::Senseless(_))));
        reservation.commit(3).unwrap();
        assert_eq!(ring.waiting(), Ok(3));
        let look = ring.look(10, Patience::Never).unwrap();
        assert_eq!(look.count(), 3);
        assert!(matches!(look.region(3), Err(Failure::Senseless(_))));
        look.release(2).unwrap();
        assert_eq!(receive(&mut ring), message(2, 20));
        assert_eq!(ring.waiting(), Ok(0));
    }

    #[test]
    fn nothing_is_committed_or_released_that_is_not_held() {
        let mut ring = ring(2, 8, false);
        assert!(matches!(ring.reserve(1, Patience::Never).unwrap().commit(2), Err(Failure::Senseless(_))));
        send(&mut ring, &message(1, 8));
        assert!(matches!(ring.look(1, Patience::Never).unwrap().release(2), Err(Failure::Senseless(_))));
        assert_eq!(receive(&mut ring), message(1, 8));
    }

    #[test]
    fn a_full_ring_gives_no_room_until_something_is_released() {
        let mut ring = ring(3, 8, true);
        (0..3).for_each(|number| send(&mut ring, &message(number, 8)));
        assert_eq!(ring.reserve(1, Patience::Never).map(drop), Err(nothing()));
        drop(ring.look(3, Patience::Never).unwrap());
        assert_eq!(ring.reserve(1, Patience::Never).map(drop), Err(nothing()));
        ring.look(3, Patience::Never).unwrap().release(2).unwrap();
        assert_eq!(ring.reserve(9, Patience::Never).unwrap().count(), 2);
    }

    #[test]
    fn where_all_was_received_the_first_slots_are_used_again() {
        let mut ring = ring(4096, 64, true);
        let near = (NEAR / 64) as u64;
        let mut slots = Vec::new();
        for number in 0..10 * near {
            let reservation = ring.reserve(1, Patience::Never).unwrap();
            slots.push(reservation.span.slot);
            reservation.commit(1).unwrap();
            assert_eq!(receive(&mut ring).len(), 64, "{number}");
        }
        assert!(slots.iter().all(|slot| *slot < near), "{slots:?}");
    }

    #[test]
    fn long_slots_are_spread_and_begin_with_a_page() {
        let shape = Shape::new(16, 65_536).unwrap();
        assert_eq!((shape.slots, shape.first % 4096), ((SPREAD / 65_536) as u64, 0));
        assert_eq!(Shape::new(10, 8192).unwrap().slots, 10);
        assert_eq!(Shape::new(SPREAD_FROM / 64 + 1, 64).unwrap().slots, SPREAD_FROM as u64 / 64 + 1);
        assert_eq!(Shape::new(0, 64), None);
        assert_eq!(Shape::new(2, usize::MAX), None);
    }

    /// What is done to a ring next.
    #[derive(Clone, Debug)]
    enum Step {
        /// Reserves so many, writes them in these lengths, and commits so many.
        Send { lengths: Vec<usize>, committed: usize },
        /// Looks at so many, and releases so many.
        Receive { count: usize, released: usize },
    }

    fn step(message_size: usize) -> impl Strategy<Value = Step> {
        prop_oneof![
            (prop::collection::vec(prop_oneof![Just(message_size), 0..=message_size], 1..6), 0_usize..6)
                .prop_map(|(lengths, committed)| Step::Send { lengths, committed }),
            (1_usize..6, 0_usize..6).prop_map(|(count, released)| Step::Receive { count, released }),
        ]
    }

    fn rings() -> impl Strategy<Value = (usize, usize, bool, Vec<Step>)> {
        (prop_oneof![1_usize..6, Just(40), Just(300)], prop_oneof![Just(8), Just(13), Just(64), Just(2048)])
            .prop_flat_map(|(capacity, size)| {
                (Just(capacity), Just(size), any::<bool>(), prop::collection::vec(step(size), 1..200))
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

        #[test]
        fn messages_come_whole_and_in_order((capacity, size, are_alone, steps) in rings()) {
            let mut ring = ring(capacity, size, are_alone);
            let mut expected: VecDeque<Vec<u8>> = VecDeque::new();
            let mut number = 0;
            for step in steps {
                match step {
                    Step::Send { lengths, committed } => {
                        let free = capacity - expected.len();
                        let Ok(mut reservation) = ring.reserve(lengths.len() as u64, Patience::Never) else {
                            prop_assert_eq!(free, 0);
                            continue;
                        };
                        prop_assert_eq!(reservation.count(), lengths.len().min(free) as u64);
                        let mut written = Vec::new();
                        for (which, length) in (0..reservation.count()).zip(lengths) {
                            number += 1;
                            reservation.copy_in(which, &message(number, length)).unwrap();
                            written.push(message(number, length));
                        }
                        written.truncate(committed);
                        reservation.commit(written.len() as u64).unwrap();
                        expected.extend(written);
                    }
                    Step::Receive { count, released } => {
                        let Ok(mut look) = ring.look(count as u64, Patience::Never) else {
                            prop_assert_eq!(expected.len(), 0);
                            continue;
                        };
                        // It may be told of fewer than there are: of those that this process has seen.
                        let found = usize::try_from(look.count()).unwrap();
                        prop_assert!(found >= 1 && found <= count.min(expected.len()));
                        let mut buffer = vec![0; size];
                        for (which, due) in (0..look.count()).zip(&expected) {
                            let length = look.copy_out(which, &mut buffer).unwrap();
                            prop_assert_eq!(&buffer[..length], due.as_slice());
                        }
                        let released = released.min(found);
                        look.release(released as u64).unwrap();
                        expected.drain(..released);
                    }
                }
                prop_assert_eq!(ring.waiting().unwrap(), expected.len() as u64);
            }
        }
    }
}
