//! `unix_seqpacket`: a local connection with message boundaries, unix(7).

use super::{
    Mechanism, OpenError, Opened, Place,
    socket::{Address, Kind, PreparedSocket},
};
use nix::unistd::unlink;
use spec::scenario::Channel;

/// The mechanism `unix_seqpacket`.
#[derive(Debug)]
pub struct UnixSeqpacket;

impl Mechanism for UnixSeqpacket {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::UnixSeqpacket
    }

    fn works(&self) -> bool {
        Kind::UnixSeqpacket.works()
    }

    fn open(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(Kind::UnixSeqpacket.pair()?))
    }

    fn prepare(&self, place: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(PreparedSocket { kind: Kind::UnixSeqpacket, address: Address::Path(place.path()) }))
    }

    fn remove(&self, place: &Place) {
        let _ = unlink(&place.path());
    }
}
