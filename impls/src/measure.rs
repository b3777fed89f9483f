//! The measured loops: one thing done many times, through the same abilities that scenarios use, compiled for each mechanism's own type.
//!
//! An ability's trait has a supertrait here whose only implementation is for all of its implementors: the one dynamic call is that which
//! begins a loop, and within the loop every call is known and inlined: methods of mechanisms that are measured are `#[inline(always)]`. Left to
//! itself the compiler calls them, with arguments and results in memory, which takes a nanosecond or two where nothing but a lock is taken, and ten
//! or more where a system call has just made the processor forget its branches. Loops allocate nothing, check what they receive, and look at
//! the clock only where each operation is timed.

mod counter;
mod floor;
mod in_place;
mod lock;
mod memory;
mod payload;
mod queue;
mod signals;
mod stream;
mod task;
mod usage;
mod wake;

pub use counter::DrivenCounter;
pub use lock::DrivenLock;
pub use memory::DrivenMemory;
pub use queue::DrivenQueue;
pub use stream::DrivenStream;
pub use task::{Company, Recorder, Stopped, Task};
pub use wake::DrivenWake;

use crate::{ability::Object, perform::Problem};
use harness_core::wire::measure::Task as What;
use std::any::Any;

/// The channels of a task, as the process holds them.
#[derive(Debug, Default)]
pub struct Channels<'c> {
    /// What is measured; of two channels the one that this process sends on.
    pub channel: Option<&'c mut Object>,
    /// Where the other's messages come, where that is another.
    pub answers: Option<&'c mut Object>,
}

/// Does a task.
///
/// # Errors
/// Why it cannot be done here, or what went wrong.
pub fn drive(channels: Channels<'_>, task: &mut Task<'_>) -> Result<(), Stopped> {
    match task.what() {
        What::SystemCall => floor::system_call(task),
        What::Copy => floor::copy(task),
        What::Add => floor::add(task),
        What::Line => floor::line(mapping(channels.channel)?, task),
        What::Switch => floor::switch(mapping(channels.channel)?, task),
        What::Sigwait | What::Sigqueue | What::Signalfd | What::Handler => signals::round_trips(task),
        What::RoundTrip
        | What::RoundTripInPlace
        | What::OneWay
        | What::OneWayInPlace
        | What::OneWayFilled
        | What::OneWayBatch
        | What::OpenLoop
        | What::Take
        | What::TakeShared => of_channel(channels, task),
        What::KeepAwake => Err(Problem("what keeps a processor awake is not driven".to_owned()).into()),
    }
}

fn of_channel(channels: Channels<'_>, task: &mut Task<'_>) -> Result<(), Stopped> {
    let Channels { channel, answers } = channels;
    match (channel, answers) {
        (Some(Object::Stream(stream)), None) => stream.drive(None, task),
        (Some(Object::Stream(stream)), Some(Object::Stream(back))) => stream.drive(Some(back.as_mut()), task),
        (Some(Object::Queue(queue)), None) => queue.drive(None, task),
        (Some(Object::Queue(queue)), Some(Object::Queue(back))) => queue.drive(Some(back.as_mut()), task),
        (Some(Object::Counter(counter)), None) => counter.drive(None, task),
        (Some(Object::Counter(counter)), Some(Object::Counter(back))) => counter.drive(Some(back.as_mut()), task),
        (Some(Object::Memory(memory)), _) => memory.drive(task),
        (Some(Object::Lock(lock)), _) => lock.drive(task),
        (Some(Object::Wake(wake)), _) => wake.drive(task),
        (channel, answers) => {
            Err(Problem(format!("it cannot measure {:?} with {channel:?} and {answers:?}", task.what())).into())
        }
    }
}

/// The memory of a floor.
fn mapping(channel: Option<&mut Object>) -> Result<&impls_sys::memory::Mapping, Stopped> {
    let mapped = match channel {
        Some(Object::Memory(memory)) => memory.mapped(),
        _ => None,
    };
    mapped.ok_or_else(|| Problem("it was told of no memory".to_owned()).into())
}

/// The two channels of a loop, both of one type; there may be just one, that goes both ways.
struct Ends<'c, C> {
    out: &'c mut C,
    back: Option<&'c mut C>,
}

impl<'c, C: Any> Ends<'c, C> {
    fn new(out: &'c mut C, back: Option<&'c mut dyn Any>) -> Result<Self, Stopped> {
        let back = back
            .map(|back| back.downcast_mut())
            .map(|back| back.ok_or_else(|| Problem("both channels have to be of one mechanism".to_owned())))
            .transpose()?;
        Ok(Self { out, back })
    }

    #[inline]
    fn back(&mut self) -> &mut C {
        self.back.as_deref_mut().unwrap_or(self.out)
    }
}
