//! `unix_datagram`: a local datagram socket, unix(7).

use super::{
    Mechanism, OpenError, Opened, Place,
    socket::{Address, Kind, PreparedSocket},
};
use nix::unistd::unlink;
use spec::scenario::Channel;

/// The mechanism `unix_datagram`.
#[derive(Debug)]
pub struct UnixDatagram;

impl Mechanism for UnixDatagram {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::UnixDatagram
    }

    fn works(&self) -> bool {
        Kind::UnixDatagram.works()
    }

    fn open(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(Kind::UnixDatagram.pair()?))
    }

    fn prepare(&self, place: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(PreparedSocket { kind: Kind::UnixDatagram, address: Address::Path(place.path()) }))
    }

    fn remove(&self, place: &Place) {
        let _ = unlink(&place.path());
    }
}
