//! `udp`, `udp6`: UDP datagrams over the loopback interface, udp(7), by IPv4 or IPv6.

use super::{
    Mechanism, OpenError, Opened, Place,
    socket::{Kind, OpenSockets, PreparedSocket, bind_to, connect_to, free_port, port_of},
};
use spec::scenario::Channel;
use std::os::fd::AsRawFd as _;

/// The mechanisms `udp` and `udp6`.
#[derive(Debug)]
pub struct Udp {
    which: spec::Mechanism,
    kind: Kind,
}

/// By IPv4.
pub static UDP: Udp = Udp { which: spec::Mechanism::Udp, kind: Kind::Udp };
/// By IPv6.
pub static UDP6: Udp = Udp { which: spec::Mechanism::Udp6, kind: Kind::Udp6 };

impl Mechanism for Udp {
    fn which(&self) -> spec::Mechanism {
        self.which
    }

    fn works(&self) -> bool {
        self.kind.works()
    }

    fn open(&self, _: &Place, options: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let kind = self.kind;
        let bound = || {
            let made = kind.make().map_err(OpenError::of("socket"))?;
            bind_to(&made, &kind.loopback(0)).map_err(OpenError::of("bind"))?;
            let port = port_of(&made).map_err(OpenError::of("getsockname"))?;
            Ok((made, port))
        };
        let (first, first_port) = bound()?;
        let (second, second_port) = bound()?;
        connect_to(first.as_raw_fd(), &kind.loopback(second_port)).map_err(OpenError::of("connect"))?;
        if options.between.is_some() {
            connect_to(second.as_raw_fd(), &kind.loopback(first_port)).map_err(OpenError::of("connect"))?;
        }
        Ok(Box::new(OpenSockets { kind, first, second }))
    }

    fn prepare(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let address = self.kind.loopback(free_port(self.kind)?);
        Ok(Box::new(PreparedSocket { kind: self.kind, address }))
    }

    fn remove(&self, _: &Place) {}
}
