//! `udp`: UDP datagrams over the loopback interface, udp(7).

use super::{
    Mechanism, OpenError, Opened, Place,
    socket::{Address, Kind, OpenSockets, PreparedSocket, bind_to, connect_to, free_port, port_of},
};
use spec::scenario::Channel;
use std::os::fd::AsRawFd as _;

/// The mechanism `udp`.
#[derive(Debug)]
pub struct Udp;

impl Mechanism for Udp {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Udp
    }

    fn works(&self) -> bool {
        Kind::Udp.works()
    }

    fn open(&self, _: &Place, options: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let bound = || {
            let made = Kind::Udp.make().map_err(OpenError::of("socket"))?;
            bind_to(&made, &Address::Loopback(0)).map_err(OpenError::of("bind"))?;
            let port = port_of(&made).map_err(OpenError::of("getsockname"))?;
            Ok((made, port))
        };
        let (first, first_port) = bound()?;
        let (second, second_port) = bound()?;
        connect_to(first.as_raw_fd(), &Address::Loopback(second_port)).map_err(OpenError::of("connect"))?;
        if options.between.is_some() {
            connect_to(second.as_raw_fd(), &Address::Loopback(first_port)).map_err(OpenError::of("connect"))?;
        }
        Ok(Box::new(OpenSockets { kind: Kind::Udp, first, second }))
    }

    fn prepare(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let address = Address::Loopback(free_port(Kind::Udp)?);
        Ok(Box::new(PreparedSocket { kind: Kind::Udp, address }))
    }

    fn remove(&self, _: &Place) {}
}
