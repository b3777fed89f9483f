//! iceoryx2's publish and subscribe, for the loops of `../../c/twins.c`, by the functions of `../../peer.h`.
//!
//! Every byte is copied in and out; or messages stay where they are, and of each only the number at its beginning is written and read, as
//! its own benchmark does; or every eight bytes are written and read where they are.

use iceoryx2::{
    port::{publisher::Publisher, subscriber::Subscriber},
    prelude::*,
};
use std::{cell::RefCell, hint::spin_loop, slice};

type Error = Box<dyn core::error::Error>;

/// What a party holds.
struct Party {
    bytes: usize,
    publisher: Publisher<ipc::Service, [u8], ()>,
    subscriber: Subscriber<ipc::Service, [u8], ()>,
    // Services end with their node.
    _node: Node<ipc::Service>,
}

/// What was asked for before the fork: bytes, messages, and what makes names unique.
static WANTED: std::sync::OnceLock<(usize, usize, String)> = std::sync::OnceLock::new();

thread_local! {
    static PARTY: RefCell<Option<Party>> = const { RefCell::new(None) };
}

impl Party {
    fn new(me: i32) -> Result<Self, Error> {
        set_log_level(LogLevel::Error);
        let (bytes, capacity, unique) = WANTED.get().ok_or("nothing was asked for")?;
        let node = NodeBuilder::new().create::<ipc::Service>()?;
        let service = |queue: i32| -> Result<_, Error> {
            Ok(node
                .service_builder(&format!("plumbline/{unique}/{queue}").as_str().try_into()?)
                .publish_subscribe::<[u8]>()
                .enable_safe_overflow(false)
                .subscriber_max_buffer_size(*capacity)
                .max_publishers(1)
                .max_subscribers(1)
                .open_or_create()?)
        };
        let publisher = service(me)?
            .publisher_builder()
            .initial_max_slice_len(*bytes)
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()?;
        let subscriber = service(1 - me)?.subscriber_builder().create()?;
        Ok(Self { bytes: *bytes, publisher, subscriber, _node: node })
    }

    fn push(&self, message: &[u8]) -> Result<(), Error> {
        let sample = self.publisher.loan_slice_uninit(self.bytes)?;
        sample.write_from_slice(message).send()?;
        Ok(())
    }

    fn push_in_place(&self, number: u64) -> Result<(), Error> {
        let mut sample = self.publisher.loan_slice_uninit(self.bytes)?;
        for (place, byte) in sample.payload_mut().iter_mut().zip(number.to_ne_bytes()) {
            place.write(byte);
        }
        // SAFETY: it is the point of this that most bytes stay what they were; they are bytes of mapped pages, and nobody reads them.
        unsafe { sample.assume_init() }.send()?;
        Ok(())
    }

    fn push_filled(&self, number: u64) -> Result<(), Error> {
        let mut sample = self.publisher.loan_slice_uninit(self.bytes)?;
        let number = number.to_ne_bytes().map(std::mem::MaybeUninit::new);
        for place in sample.payload_mut().chunks_exact_mut(number.len()) {
            place.copy_from_slice(&number);
        }
        // SAFETY: messages have a multiple of eight bytes, all of which were written.
        unsafe { sample.assume_init() }.send()?;
        Ok(())
    }

    fn pop<T>(&self, read: impl FnOnce(&[u8]) -> T) -> Result<T, Error> {
        loop {
            if let Some(sample) = self.subscriber.receive()? {
                return Ok(read(&sample));
            }
            spin_loop();
        }
    }
}

/// The number at the beginning of a message.
fn number_of(message: &[u8]) -> u64 {
    message.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

fn with_party<T>(work: impl FnOnce(&Party) -> Result<T, Error>) -> T {
    PARTY.with_borrow(|party| {
        let done = party.as_ref().ok_or_else(|| "it was not taken up".into()).and_then(work);
        done.unwrap_or_else(|error| {
            eprintln!("iceoryx2: {error}");
            std::process::exit(1);
        })
    })
}

/// See `peer.h`.
#[unsafe(no_mangle)]
pub extern "C" fn peer_make(bytes: usize, capacity: usize) -> i32 {
    // A process id alone comes again in another namespace.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let unique = format!("{}-{}", std::process::id(), now.as_nanos());
    i32::from(WANTED.set((bytes, capacity.min(1_024), unique)).is_ok())
}

/// See `peer.h`.
#[unsafe(no_mangle)]
pub extern "C" fn peer_take_up(me: i32) {
    match Party::new(me) {
        Ok(party) => PARTY.set(Some(party)),
        Err(error) => {
            eprintln!("iceoryx2: {error}");
            std::process::exit(1);
        }
    }
}

/// See `peer.h`.
///
/// # Safety
/// The message has as many bytes as were asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_push(_queue: i32, message: *const u8) {
    with_party(|party| {
        // SAFETY: the caller sees to it.
        party.push(unsafe { slice::from_raw_parts(message, party.bytes) })
    });
}

/// See `peer.h`.
///
/// # Safety
/// The message has room for as many bytes as were asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn peer_pop(_queue: i32, message: *mut u8) {
    with_party(|party| {
        // SAFETY: the caller sees to it.
        let room = unsafe { slice::from_raw_parts_mut(message, party.bytes) };
        party.pop(|message| room.copy_from_slice(message))
    });
}

/// See `peer.h`.
#[unsafe(no_mangle)]
pub extern "C" fn peer_push_in_place(_queue: i32, number: u64) {
    with_party(|party| party.push_in_place(number));
}

/// See `peer.h`.
#[unsafe(no_mangle)]
pub extern "C" fn peer_pop_in_place(_queue: i32) -> u64 {
    with_party(|party| party.pop(number_of))
}

/// See `peer.h`.
#[unsafe(no_mangle)]
pub extern "C" fn peer_push_filled(_queue: i32, number: u64) {
    with_party(|party| party.push_filled(number));
}

/// See `peer.h`.
#[unsafe(no_mangle)]
pub extern "C" fn peer_pop_filled(_queue: i32, number: u64) -> u64 {
    let differences =
        |message: &[u8]| message.chunks_exact(8).fold(0, |all, bytes| all | (number_of(bytes) ^ number));
    number ^ with_party(|party| party.pop(differences))
}

/// Lets go of everything, so that nothing is left in the system.
#[unsafe(no_mangle)]
pub extern "C" fn peer_end() {
    PARTY.set(None);
}
