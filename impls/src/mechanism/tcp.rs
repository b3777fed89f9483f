//! `tcp`: a TCP connection over the loopback interface, tcp(7).

use super::{
    Mechanism, OpenError, Opened, Place,
    socket::{Address, Kind, OpenSockets, PreparedSocket, bind_to, connect_to, free_port, port_of},
};
use impls_sys::descriptor::Descriptor;
use nix::sys::socket::{Backlog, SockaddrIn, getpeername, listen};
use spec::scenario::Channel;
use std::os::fd::{AsRawFd as _, OwnedFd};

/// The mechanism `tcp`.
#[derive(Debug)]
pub struct Tcp;

/// How many connections of strangers are taken before ours, at most.
const STRANGERS_MAX: usize = 64;

impl Mechanism for Tcp {
    fn which(&self) -> spec::Mechanism {
        spec::Mechanism::Tcp
    }

    fn works(&self) -> bool {
        Kind::Tcp.works()
    }

    fn open(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let listener = Kind::Tcp.make().map_err(OpenError::of("socket"))?;
        bind_to(&listener, &Address::Loopback(0)).map_err(OpenError::of("bind"))?;
        listen(&listener, Backlog::new(1).unwrap_or(Backlog::MAXCONN)).map_err(OpenError::of("listen"))?;
        let port = port_of(&listener).map_err(OpenError::of("getsockname"))?;
        let first = Kind::Tcp.make().map_err(OpenError::of("socket"))?;
        connect_to(first.as_raw_fd(), &Address::Loopback(port)).map_err(OpenError::of("connect"))?;
        let own = port_of(&first).map_err(OpenError::of("getsockname"))?;
        let second = accept_from(&listener.into(), own)?;
        Ok(Box::new(OpenSockets { kind: Kind::Tcp, first, second }))
    }

    fn prepare(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let address = Address::Loopback(free_port(Kind::Tcp)?);
        Ok(Box::new(PreparedSocket { kind: Kind::Tcp, address }))
    }

    fn remove(&self, _: &Place) {}
}

/// Takes the connection that comes from this port, whoever else finds the listener.
fn accept_from(listener: &Descriptor, port: u16) -> Result<OwnedFd, OpenError> {
    for _ in 0..STRANGERS_MAX {
        let connection = listener.accept().map_err(OpenError::of("accept"))?;
        let peer = getpeername::<SockaddrIn>(connection.number()).map_err(OpenError::of("getpeername"))?;
        if peer.port() == port {
            return connection.into_owned().map_err(OpenError::of("accept"));
        }
    }
    Err(OpenError { call: "accept", errno: nix::errno::Errno::ECONNABORTED })
}
