//! What the sockets of six mechanisms share: pairs, addresses, and the ends that a process holds.

use super::{OpenError, Opened, no_such_end};
use crate::ability::{
    Binding, Channel, Connections, Failure, Message, Names, Object, Opening, Patience, Queue, Result, Shutdown, Stream,
};
use harness_core::wire::HeldEnd;
use impls_sys::descriptor::Descriptor;
use nix::{
    errno::Errno,
    sys::socket::{
        AddressFamily, Backlog, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrIn6, SockaddrLike, SockaddrStorage,
        UnixAddr, bind, connect, getpeername, getsockname, listen, recv, send, setsockopt, shutdown, socket,
        socketpair, sockopt::TcpNoDelay,
    },
    unistd::unlink,
};
use spec::operation::{Direction, End};
use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
    sync::atomic::{AtomicU16, Ordering},
};

/// A buffer that takes every message of a local socket or of UDP, with the system's usual limits: bytes.
const MESSAGE_SIZE_MAX: usize = 256 << 10;

/// The kinds of socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    UnixStream,
    UnixDatagram,
    UnixSeqpacket,
    Tcp,
    Tcp6,
    Udp,
    Udp6,
}

impl Kind {
    fn family(self) -> AddressFamily {
        match self {
            Self::UnixStream | Self::UnixDatagram | Self::UnixSeqpacket => AddressFamily::Unix,
            Self::Tcp | Self::Udp => AddressFamily::Inet,
            Self::Tcp6 | Self::Udp6 => AddressFamily::Inet6,
        }
    }

    fn socket_type(self) -> SockType {
        match self {
            Self::UnixStream | Self::Tcp | Self::Tcp6 => SockType::Stream,
            Self::UnixDatagram | Self::Udp | Self::Udp6 => SockType::Datagram,
            Self::UnixSeqpacket => SockType::SeqPacket,
        }
    }

    fn is_datagram(self) -> bool {
        self.socket_type() == SockType::Datagram
    }

    fn is_stream(self) -> bool {
        self.socket_type() == SockType::Stream
    }

    /// `socket()`. Small segments are not held back: what one step writes the next one reads.
    pub(super) fn make(self) -> impls_sys::Result<OwnedFd> {
        let made = socket(self.family(), self.socket_type(), SockFlag::SOCK_CLOEXEC, None)?;
        if matches!(self, Self::Tcp | Self::Tcp6) {
            setsockopt(&made, TcpNoDelay, &true)?;
        }
        Ok(made)
    }

    /// Whether this system has it.
    pub(super) fn works(self) -> bool {
        match self.family() {
            AddressFamily::Unix => self.make().is_ok(),
            _ => self.make().is_ok_and(|made| bind_to(&made, &self.loopback(0)).is_ok()),
        }
    }

    /// A port of the loopback interface, in this kind's family.
    pub(super) fn loopback(self, port: u16) -> Address {
        Address::Loopback(match self.family() {
            AddressFamily::Inet6 => SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
            _ => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        })
    }

    /// A connected pair of local sockets.
    pub(super) fn pair(self) -> std::result::Result<OpenSockets, OpenError> {
        let (first, second) = socketpair(self.family(), self.socket_type(), None, SockFlag::SOCK_CLOEXEC)
            .map_err(OpenError::of("socketpair"))?;
        Ok(OpenSockets { kind: self, first, second })
    }
}

/// Where a socket has its name.
#[derive(Clone, Debug)]
pub(super) enum Address {
    Path(PathBuf),
    /// A name in the abstract name space of Linux: unix(7).
    Abstract(Vec<u8>),
    /// A port of the loopback interface.
    Loopback(SocketAddr),
}

impl Address {
    /// As the calls take it, handed to one of them.
    fn with<T>(&self, call: impl FnOnce(&dyn SockaddrLike) -> impls_sys::Result<T>) -> impls_sys::Result<T> {
        match self {
            Self::Path(path) => call(&UnixAddr::new(path)?),
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Abstract(name) => call(&UnixAddr::new_abstract(name)?),
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            Self::Abstract(_) => Err(Errno::ENOTSUP),
            Self::Loopback(address) => call(&SockaddrStorage::from(*address)),
        }
    }
}

pub(super) fn bind_to(socket: &OwnedFd, address: &Address) -> impls_sys::Result<()> {
    address.with(|address| bind(socket.as_raw_fd(), address))
}

pub(super) fn connect_to(number: i32, address: &Address) -> impls_sys::Result<()> {
    address.with(|address| connect(number, address))
}

/// The port that a socket was bound to.
pub(super) fn port_of(socket: &OwnedFd) -> impls_sys::Result<u16> {
    getsockname::<SockaddrStorage>(socket.as_raw_fd()).map(port_in)
}

/// The port that a socket is connected to.
fn peer_port_of(number: i32) -> impls_sys::Result<u16> {
    getpeername::<SockaddrStorage>(number).map(port_in)
}

/// The port in an address; 0 where it has none.
fn port_in(address: SockaddrStorage) -> u16 {
    let four = address.as_sockaddr_in().map(SockaddrIn::port);
    four.or(address.as_sockaddr_in6().map(SockaddrIn6::port)).unwrap_or(0)
}

/// A port that was free just now, below those that the system gives to connecting sockets by itself.
///
/// It cannot be held for the process that is to bind it: a second socket on it would change what `bind()` gives. In
/// a network name space of its own nobody else takes it; elsewhere each agent begins its search at another place.
pub(super) fn free_port(kind: Kind) -> std::result::Result<u16, OpenError> {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    const PROCESSES_APART: u32 = 97;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id().wrapping_mul(PROCESSES_APART) % u32::from(COUNT)).unwrap_or(0);
    let mut result = Err(OpenError { call: "bind", errno: Errno::EADDRINUSE });
    for _ in 0..COUNT {
        let port = FIRST + start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let made = kind.make().map_err(OpenError::of("socket"))?;
        match bind_to(&made, &kind.loopback(port)) {
            Ok(()) => return Ok(port),
            Err(Errno::EADDRINUSE | Errno::EACCES) => {}
            Err(errno) => {
                result = Err(OpenError { call: "bind", errno });
                break;
            }
        }
    }
    result
}

/// How many connections of strangers are taken before ours, at most.
const STRANGERS_MAX: usize = 64;

impl Kind {
    /// A connection that was made by `listen()`, `connect()` and `accept()` at this address.
    pub(super) fn connection(self, address: &Address) -> std::result::Result<OpenSockets, OpenError> {
        let listener = self.make().map_err(OpenError::of("socket"))?;
        bind_to(&listener, address).map_err(OpenError::of("bind"))?;
        listen(&listener, Backlog::new(1).unwrap_or(Backlog::MAXCONN)).map_err(OpenError::of("listen"))?;
        let address = match address {
            Address::Loopback(_) => self.loopback(port_of(&listener).map_err(OpenError::of("getsockname"))?),
            named => named.clone(),
        };
        let first = self.make().map_err(OpenError::of("socket"))?;
        connect_to(first.as_raw_fd(), &address).map_err(OpenError::of("connect"))?;
        let own = port_of(&first).map_err(OpenError::of("getsockname"))?;
        let second = accept_from(&listener.into(), own)?;
        Ok(OpenSockets { kind: self, first, second })
    }
}

/// Takes the connection that comes from this port (0 where there are no ports), whoever else finds the listener.
fn accept_from(listener: &Descriptor, port: u16) -> std::result::Result<OwnedFd, OpenError> {
    for _ in 0..STRANGERS_MAX {
        let connection = listener.accept().map_err(OpenError::of("accept"))?;
        if peer_port_of(connection.number()).map_err(OpenError::of("getpeername"))? == port {
            return connection.into_owned().map_err(OpenError::of("accept"));
        }
    }
    Err(OpenError { call: "accept", errno: Errno::ECONNABORTED })
}

/// Two connected sockets that a root has opened.
pub(super) struct OpenSockets {
    pub(super) kind: Kind,
    /// Writers of a one-way channel share it.
    pub(super) first: OwnedFd,
    /// Readers of a one-way channel share it.
    pub(super) second: OwnedFd,
}

impl Opened for OpenSockets {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        let kind = self.kind;
        let sockets = match end {
            HeldEnd::First => Sockets { reading: self.first.into(), two_way: true, ..Sockets::new(kind, None) },
            HeldEnd::Second => Sockets { reading: self.second.into(), two_way: true, ..Sockets::new(kind, None) },
            HeldEnd::Nothing => Sockets::new(kind, None),
            HeldEnd::Read => Sockets { reading: self.second.into(), ..Sockets::new(kind, None) },
            HeldEnd::Write => Sockets { writing: self.first.into(), ..Sockets::new(kind, None) },
            HeldEnd::Both => {
                Sockets { reading: self.second.into(), writing: self.first.into(), ..Sockets::new(kind, None) }
            }
        };
        Ok(sockets.into_object())
    }
}

/// A name at which processes bind and connect for themselves.
pub(super) struct PreparedSocket {
    pub(super) kind: Kind,
    pub(super) address: Address,
}

impl Opened for PreparedSocket {
    fn hold(self: Box<Self>, end: HeldEnd) -> Result<Object> {
        match end {
            HeldEnd::First | HeldEnd::Second => Err(no_such_end(end)),
            _ => Ok(Sockets::new(self.kind, Some(self.address)).into_object()),
        }
    }
}

/// The sockets of a channel that a process holds.
#[derive(Debug)]
struct Sockets {
    kind: Kind,
    reading: Descriptor,
    writing: Descriptor,
    /// Whether the reading socket is written to as well.
    two_way: bool,
    listener: Descriptor,
    /// Connections that were accepted before the one in use: they live until the process ends, as in a server.
    earlier: Vec<Descriptor>,
    /// A socket whose `connect()` did not wait or was interrupted.
    connecting: Descriptor,
    address: Option<Address>,
}

impl Sockets {
    fn new(kind: Kind, address: Option<Address>) -> Self {
        Self {
            kind,
            reading: Descriptor::none(),
            writing: Descriptor::none(),
            two_way: address.is_some(),
            listener: Descriptor::none(),
            earlier: Vec::new(),
            connecting: Descriptor::none(),
            address,
        }
    }

    fn into_object(self) -> Object {
        if self.kind.is_stream() { Object::Stream(Box::new(self)) } else { Object::Queue(Box::new(self)) }
    }

    #[inline]
    fn writer(&self) -> &Descriptor {
        if self.two_way { &self.reading } else { &self.writing }
    }

    fn held(&mut self) -> impl Iterator<Item = &mut Descriptor> {
        [&mut self.reading, &mut self.writing, &mut self.listener, &mut self.connecting]
            .into_iter()
            .chain(&mut self.earlier)
            .filter(|descriptor| descriptor.is_open())
    }

    fn address(&self) -> Result<&Address> {
        self.address.as_ref().ok_or_else(|| Failure::senseless("it was inherited and has no name"))
    }

    /// Takes a connection into use; the one before stays open.
    fn use_connection(&mut self, connection: Descriptor) {
        let before = std::mem::replace(&mut self.reading, connection);
        if before.is_open() {
            self.earlier.push(before);
        }
    }
}

/// Makes a call with `O_NONBLOCK` set around it, where the call has no flag for that.
fn without_waiting<T>(
    descriptor: &Descriptor,
    nonblocking: bool,
    call: impl FnOnce() -> impls_sys::Result<T>,
) -> impls_sys::Result<T> {
    if !nonblocking {
        return call();
    }
    let before = descriptor.set_nonblocking(true)?;
    let result = call();
    if !before {
        descriptor.set_nonblocking(false)?;
    }
    result
}

#[inline]
fn flags(nonblocking: bool, peek: bool) -> MsgFlags {
    let mut flags = MsgFlags::empty();
    flags.set(MsgFlags::MSG_DONTWAIT, nonblocking);
    flags.set(MsgFlags::MSG_PEEK, peek);
    flags
}

/// Receives a message; gives how much of it found room, and whether that was not all.
///
/// On Linux `recv()` gives the whole length of a message that is cut where it is asked to by `MSG_TRUNC`: recv(2). That costs one
/// structure less to copy into the kernel and out of it than `recvmsg()` does.
#[cfg(target_os = "linux")]
#[inline]
fn receive_message(socket: i32, buffer: &mut [u8], flags: MsgFlags) -> impls_sys::Result<(usize, bool)> {
    let length = recv(socket, buffer, flags | MsgFlags::MSG_TRUNC)?;
    Ok((length.min(buffer.len()), length > buffer.len()))
}

/// Receives a message; gives how much of it found room, and whether that was not all.
#[cfg(not(target_os = "linux"))]
fn receive_message(socket: i32, buffer: &mut [u8], flags: MsgFlags) -> impls_sys::Result<(usize, bool)> {
    let mut pieces = [std::io::IoSliceMut::new(buffer)];
    let received = nix::sys::socket::recvmsg::<()>(socket, &mut pieces, None, flags)?;
    Ok((received.bytes, received.flags.contains(MsgFlags::MSG_TRUNC)))
}

/// Whether a call is not to wait; sockets of these kinds have no timeouts.
#[inline]
fn nonblocking(patience: Patience) -> Result<bool> {
    match patience {
        Patience::Forever => Ok(false),
        Patience::Never => Ok(true),
        Patience::For(_) => Err(Failure::senseless("its calls take no timeout")),
    }
}

impl Channel for Sockets {
    fn close(&mut self, end: Option<End>) -> Result<()> {
        match end {
            Some(End::Listener) => Ok(self.listener.close()?),
            Some(End::Write) if !self.two_way => Ok(self.writing.close()?),
            Some(End::Read | End::Write) => Ok(self.reading.close()?),
            None => {
                let mut result = None;
                for descriptor in self.held() {
                    let closed = descriptor.close();
                    result = result.or(Some(closed));
                }
                self.earlier.clear();
                // Where nothing is held the system says so.
                Ok(result.unwrap_or_else(|| Descriptor::none().close())?)
            }
        }
    }

    fn set_nonblocking(&mut self, nonblocking: bool) -> Result<()> {
        let mut any = false;
        for descriptor in self.held() {
            descriptor.set_nonblocking(nonblocking)?;
            any = true;
        }
        if any { Ok(()) } else { Err(Errno::EBADF.into()) }
    }

    fn descriptor(&self, end: Option<End>) -> Option<i32> {
        Some(match end {
            Some(End::Listener) => self.listener.number(),
            Some(End::Write) => self.writer().number(),
            Some(End::Read) => self.reading.number(),
            None => [&self.reading, &self.writing, &self.listener, &self.connecting]
                .into_iter()
                .find(|descriptor| descriptor.is_open())
                .map_or(-1, Descriptor::number),
        })
    }

    fn adopt(&mut self, handle: OwnedFd, end: End) -> Result<()> {
        match end {
            End::Listener => self.listener = handle.into(),
            End::Write if !self.two_way => self.writing = handle.into(),
            _ => self.reading = handle.into(),
        }
        Ok(())
    }

    fn names(&mut self) -> Option<&mut dyn Names> {
        if self.address.is_some() { Some(self) } else { None }
    }

    fn binding(&mut self) -> Option<&mut dyn Binding> {
        if self.address.is_some() { Some(self) } else { None }
    }

    fn connections(&mut self) -> Option<&mut dyn Connections> {
        if self.address.is_some() && !self.kind.is_datagram() { Some(self) } else { None }
    }

    fn shutdown(&mut self) -> Option<&mut dyn Shutdown> {
        if self.kind.is_datagram() { None } else { Some(self) }
    }
}

impl Stream for Sockets {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8], nonblocking: bool) -> Result<usize> {
        let writer = self.writer();
        // Without MSG_NOSIGNAL: SIGPIPE is part of what is examined.
        Ok(if nonblocking { send(writer.number(), bytes, MsgFlags::MSG_DONTWAIT) } else { writer.write(bytes) }?)
    }

    #[inline(always)]
    fn read(&mut self, buffer: &mut [u8], nonblocking: bool, peek: bool) -> Result<usize> {
        Ok(if nonblocking || peek {
            recv(self.reading.number(), buffer, flags(nonblocking, peek))
        } else {
            self.reading.read(buffer)
        }?)
    }
}

impl Queue for Sockets {
    #[inline(always)]
    fn send(&mut self, bytes: &[u8], priority: Option<u32>, patience: Patience) -> Result<usize> {
        if priority.is_some() {
            return Err(Failure::senseless("its messages have no priority"));
        }
        Ok(send(self.writer().number(), bytes, flags(nonblocking(patience)?, false))?)
    }

    #[inline(always)]
    fn receive(&mut self, buffer: &mut [u8], patience: Patience, peek: bool) -> Result<Message> {
        let (length, truncated) = receive_message(self.reading.number(), buffer, flags(nonblocking(patience)?, peek))?;
        Ok(Message {
            length,
            priority: None,
            r#type: None,
            truncated,
            // On a SOCK_SEQPACKET socket Linux tells an empty message and the end apart in no way.
            ended: length == 0 && !buffer.is_empty() && !self.kind.is_datagram(),
        })
    }

    fn message_size_max(&self) -> usize {
        MESSAGE_SIZE_MAX
    }
}

impl Names for Sockets {
    fn open(&mut self, _: Opening) -> Result<()> {
        Err(Failure::senseless("sockets are not opened: use bind and connect"))
    }

    fn unlink(&mut self) -> Result<()> {
        match self.address()? {
            Address::Path(path) => Ok(unlink(path)?),
            Address::Abstract(_) | Address::Loopback(_) => {
                Err(Failure::senseless("it has no name that could be removed"))
            }
        }
    }
}

impl Binding for Sockets {
    fn bind(&mut self) -> Result<()> {
        let made = self.kind.make()?;
        bind_to(&made, self.address()?)?;
        if self.kind.is_datagram() {
            self.reading = made.into();
        } else {
            self.listener = made.into();
        }
        Ok(())
    }

    fn connect(&mut self, nonblocking: bool) -> Result<()> {
        let address = self.address()?.clone();
        if self.kind.is_datagram() {
            if !self.reading.is_open() {
                self.reading = self.kind.make()?.into();
            }
            return Ok(connect_to(self.reading.number(), &address)?);
        }
        let made = if self.connecting.is_open() {
            std::mem::take(&mut self.connecting)
        } else {
            Descriptor::from(self.kind.make()?)
        };
        match without_waiting(&made, nonblocking, || connect_to(made.number(), &address)) {
            Ok(()) => self.use_connection(made),
            Err(errno) => {
                if matches!(errno, Errno::EINPROGRESS | Errno::EALREADY | Errno::EINTR) {
                    self.connecting = made;
                }
                return Err(errno.into());
            }
        }
        Ok(())
    }
}

impl Connections for Sockets {
    fn listen(&mut self, backlog: i32) -> Result<()> {
        // nix refuses what the system would cut to its own maximum.
        let backlog = Backlog::new(backlog).unwrap_or(Backlog::MAXCONN);
        Ok(self.listener.with(|listener| listen(listener, backlog))?)
    }

    fn accept(&mut self, nonblocking: bool) -> Result<()> {
        let connection = without_waiting(&self.listener, nonblocking, || self.listener.accept())?;
        self.use_connection(connection);
        Ok(())
    }
}

impl Shutdown for Sockets {
    fn shutdown(&mut self, direction: Direction) -> Result<()> {
        use nix::sys::socket::Shutdown as How;
        let (descriptor, how) = match direction {
            Direction::Read => (&self.reading, How::Read),
            Direction::Write => (self.writer(), How::Write),
            Direction::Both if self.reading.is_open() => (&self.reading, How::Both),
            Direction::Both => (self.writer(), How::Both),
        };
        Ok(shutdown(descriptor.number(), how)?)
    }
}
