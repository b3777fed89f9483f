//! Sockets that find each other: bind, connect, listen, accept, shutdown.

use super::Result;
use spec::operation::Direction;

/// A socket that has, or finds, a name.
pub trait Binding {
    /// Makes a socket and gives it the channel's name.
    ///
    /// # Errors
    /// As `socket()` and `bind()`.
    fn bind(&mut self) -> Result<()>;

    /// Makes a socket and connects it to the channel's name.
    ///
    /// # Errors
    /// As `socket()` and `connect()`.
    fn connect(&mut self, nonblocking: bool) -> Result<()>;
}

/// A socket that takes connections.
pub trait Connections: Binding {
    /// Begins to take connections.
    ///
    /// # Errors
    /// As `listen()`.
    fn listen(&mut self, backlog: i32) -> Result<()>;

    /// Takes one connection: reads and writes are on it from now on.
    ///
    /// # Errors
    /// As `accept()`.
    fn accept(&mut self, nonblocking: bool) -> Result<()>;
}

/// A connection whose directions can be ended one by one.
pub trait Shutdown {
    /// Ends a direction.
    ///
    /// # Errors
    /// As `shutdown()`.
    fn shutdown(&mut self, direction: Direction) -> Result<()>;
}
