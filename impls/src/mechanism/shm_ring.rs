//! `shm_ring`: a queue of our own in shared memory, the reference for "shared memory with careful synchronization".
//!
//! Messages lie in a ring of slots. Between a sender and a receiver there is no lock, just two counters: how many messages were sent, and
//! how many received. Several senders take turns by one robust mutex, several receivers by another; one that is alone needs none. A counter
//! moves only when its slots are done with, as the last thing, so that a process that is killed anywhere leaves a ring that
//! is whole: its messages were not sent yet, or not received yet. The next owner of the mutex has nothing to repair.
//!
//! A sender can write messages where they lie, and a receiver look at them there: [`ring::Reservation`] is room for some, which becomes messages when
//! it is committed, all of them by one store; [`ring::Look`] is some messages, which leave the ring when they are released. `send()` and
//! `receive()` are those two with a copy between. Either is nothing but what its process knows, and the mutex where there are several: who is
//! killed with it has sent nothing, and received nothing.
//!
//! What it costs is decided by how many cache lines go from one processor to the other, and whether they go one after another:
//!
//! - A side remembers how far it saw the other, and looks again only when it has to.
//! - Who waits for a message looks for the counter and asks for the slot at the same time, so that both lines come together.
//! - A sender that finds everything received begins again at the first slots, which are still near; otherwise
//!   short messages would go through the whole ring, and each slot be a line that nobody has had for long. See [`ring`].
//! - A receiver at the heels of a fast sender keeps off for a moment, and finds several messages at the next look.
//! - Short messages are read in words, and long ones copied in whichever way is the fastest just now. See [`impls_sys::copying`] and [`ways`].
//! - Slots of long messages lie in more memory than a processor has cache of its own: what was written has left it when it is read.
//!
//! Who finds the ring empty or full looks for a while, if the other side runs on another processor, and then sleeps on the other side's counter.
//! Before that it says that it sleeps, so that nobody makes a system call for the sake of sleepers that there are not. All sleepers are woken, not
//! one: a wake-up that goes to a process which is killed before it uses it would be lost to the others. A sleeper that is killed is
//! counted for ever, which costs a needless call for each message and nothing else.
//!
//! That nobody sleeps is looked at after a counter has moved, and the two must not be exchanged. The fence for it is paid by who is about to
//! sleep, for everybody ([`impls_sys::fence::everywhere`]); where the system cannot do that, by each message.

mod ring;
mod waiting;
mod ways;

use super::{Mechanism, OpenError, Opened, Place, no_such_end};
use crate::ability::{Channel, Failure, Message, Object, Patience, Queue, Result};
use harness_core::wire::HeldEnd;
use impls_sys::{
    fence,
    pthread::{Kind, Mutex},
};
use nix::errno::Errno;
use ring::Shape;
pub use ring::{Look, Region, Reservation, Ring};
use spec::{operation::End, scenario};

/// The mechanism `shm_ring`.
#[derive(Debug)]
pub struct ShmRing;

/// Slots, where the channel does not say: as many as a POSIX queue has.
const CAPACITY: u64 = 10;
/// Bytes in a slot, where the channel does not say.
const MESSAGE_SIZE: u64 = 8192;

impl Mechanism for ShmRing {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::ShmRing
    }

    fn works(&self) -> bool {
        super::futexes_work() && Mutex::new(Kind::Robust).is_ok()
    }

    fn open(&self, _: &Place, options: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        let number = |number: u64| {
            usize::try_from(number).map_err(|_| OpenError { call: "the size of the ring", errno: Errno::EINVAL })
        };
        let capacity = number(options.capacity.unwrap_or(CAPACITY))?;
        let message_size = number(options.message_size.unwrap_or(MESSAGE_SIZE))?;
        let shape = Shape::new(capacity, message_size)
            .ok_or(OpenError { call: "the size of the ring", errno: Errno::EINVAL })?;
        Ok(Box::new(Ring::new(shape)?))
    }

    fn prepare(&self, _: &Place, _: &scenario::Channel<u64>) -> std::result::Result<Box<dyn Opened>, OpenError> {
        Err(OpenError::nameless())
    }

    fn remove(&self, _: &Place) {}
}

impl Opened for Ring {
    fn held_by(&mut self, senders: usize, receivers: usize) {
        self.are_alone(senders <= 1, receivers <= 1);
    }

    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        if self.needs_registration() {
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
        self.unmap()
    }
}

impl Queue for Ring {
    fn send(&mut self, bytes: &[u8], priority: Option<u32>, patience: Patience) -> Result<usize> {
        if priority.is_some() {
            return Err(Failure::Senseless("its messages have no priority".to_owned()));
        }
        if bytes.len() > self.message_size() {
            return Err(Errno::EMSGSIZE.into());
        }
        let mut reservation = self.reserve(1, patience)?;
        reservation.copy_in(0, bytes)?;
        reservation.commit(1)?;
        Ok(bytes.len())
    }

    fn receive(&mut self, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        if peek {
            return Err(Failure::Senseless("it has no way to peek".to_owned()));
        }
        let mut look = self.look(1, patience)?;
        let length = look.copy_out(0, buffer)?;
        look.release(1)?;
        Ok(Message { length, ..Message::default() })
    }

    fn message_size_max(&self) -> usize {
        self.message_size()
    }

    fn attributes(&mut self) -> Result<u64> {
        self.waiting()
    }

    fn in_place(&mut self) -> Option<&mut Ring> {
        Some(self)
    }
}
