//! `tcp`, `tcp6`: a TCP connection over the loopback interface, tcp(7), by IPv4 or IPv6.

use super::{
    Mechanism, OpenError, Opened, Place,
    socket::{Kind, PreparedSocket, free_port},
};
use spec::scenario::Channel;

/// The mechanisms `tcp` and `tcp6`.
#[derive(Debug)]
pub struct Tcp {
    which: spec::Mechanism,
    kind: Kind,
}

/// By IPv4.
pub static TCP: Tcp = Tcp { which: spec::Mechanism::Tcp, kind: Kind::Tcp };
/// By IPv6.
pub static TCP6: Tcp = Tcp { which: spec::Mechanism::Tcp6, kind: Kind::Tcp6 };

impl Mechanism for Tcp {
    fn which(&self) -> spec::Mechanism {
        self.which
    }

    fn works(&self) -> bool {
        self.kind.works()
    }

    fn open(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        Ok(Box::new(self.kind.connection(&self.kind.loopback(0))?))
    }

    fn prepare(&self, _: &Place, _: &Channel<u64>) -> Result<Box<dyn Opened>, OpenError> {
        let address = self.kind.loopback(free_port(self.kind)?);
        Ok(Box::new(PreparedSocket { kind: self.kind, address }))
    }

    fn remove(&self, _: &Place) {}
}
