//! `unix_abstract_stream`: a local stream socket whose name lies in the abstract name space of Linux, unix(7).

use super::{
    Mechanism, OpenError, Opened, Place,
    socket::{Address, Kind, PreparedSocket},
};
use spec::scenario::Channel;

/// The mechanism `unix_abstract_stream`.
#[derive(Debug)]
pub struct UnixAbstractStream;

/// The name goes with its last socket: nothing is to be removed.
fn address(place: &Place) -> Result<Address, OpenError> {
    Ok(Address::Abstract(place.name()?.into_bytes()))
}

impl Mechanism for UnixAbstractStream {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::UnixAbstractStream
    }

    fn works(&self) -> bool {
        cfg!(target_os = "linux") && Kind::UnixStream.works()
    }

    fn open(&self, place: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(Kind::UnixStream.connection(&address(place)?)?))
    }

    fn prepare(&self, place: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(PreparedSocket { kind: Kind::UnixStream, address: address(place)? }))
    }

    fn remove(&self, _: &Place) {}
}
