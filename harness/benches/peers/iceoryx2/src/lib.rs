//! iceoryx2's publish and subscribe, for the loops of `../../c/twins.c`, by the functions of `../../peer.h`.
//!
//! With `PLUMBLINE_IN_PLACE` set, messages stay where they are: of each only the number at its beginning is written and read, as its own
//! benchmark does. Otherwise every byte is copied in and out.

use iceoryx2::{
    port::{publisher::Publisher, subscriber::Subscriber},
    prelude::*,
};
use std::{cell::RefCell, hint::spin_loop, slice};

type Error = Box<dyn core::error::Error>;

/// What a party holds.
struct Party {
    bytes: usize,
    in_place: bool,
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
        let in_place = std::env::var_os("PLUMBLINE_IN_PLACE").is_some();
        Ok(Self { bytes: *bytes, in_place, publisher, subscriber, _node: node })
    }

    fn push(&self, message: &[u8]) -> Result<(), Error> {
        let mut sample = self.publisher.loan_slice_uninit(self.bytes)?;
        if self.in_place {
            for (place, byte) in sample.payload_mut().iter_mut().zip(message.iter().take(8)) {
                place.write(*byte);
            }
            // SAFETY: it is the point of this that most bytes stay what they were; they are bytes of mapped pages, and nobody reads them.
            unsafe { sample.assume_init() }.send()?;
        } else {
            sample.write_from_slice(message).send()?;
        }
        Ok(())
    }

    fn pop(&self, message: &mut [u8]) -> Result<(), Error> {
        loop {
            if let Some(sample) = self.subscriber.receive()? {
                let length = if self.in_place { self.bytes.min(8) } else { self.bytes };
                message[..length].copy_from_slice(&sample[..length]);
                return Ok(());
            }
            spin_loop();
        }
    }
}

fn with_party(work: impl FnOnce(&Party) -> Result<(), Error>) {
    PARTY.with_borrow(|party| {
        let done = party.as_ref().ok_or_else(|| "it was not taken up".into()).and_then(work);
        if let Err(error) = done {
            eprintln!("iceoryx2: {error}");
            std::process::exit(1);
        }
    });
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
        party.pop(unsafe { slice::from_raw_parts_mut(message, party.bytes) })
    });
}

/// Lets go of everything, so that nothing is left in the system.
#[unsafe(no_mangle)]
pub extern "C" fn peer_end() {
    PARTY.set(None);
}
