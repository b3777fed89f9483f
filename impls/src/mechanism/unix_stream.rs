//! `unix_stream`: a local stream socket, unix(7).

use super::{
    Mechanism, OpenError, Opened, Place,
    socket::{Address, Kind, PreparedSocket},
};
use nix::unistd::unlink;
use spec::scenario::Channel;

/// The mechanism `unix_stream`.
#[derive(Debug)]
pub struct UnixStream;

impl Mechanism for UnixStream {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::UnixStream
    }

    fn works(&self) -> bool {
        Kind::UnixStream.works()
    }

    fn open(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(Kind::UnixStream.pair()?))
    }

    fn prepare(&self, place: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(PreparedSocket { kind: Kind::UnixStream, address: Address::Path(place.path()) }))
    }

    fn remove(&self, place: &Place) {
        let _ = unlink(&place.path());
    }
}
