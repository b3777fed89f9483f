//! Objects with a name by which unrelated processes find them.

use super::Result;
use spec::operation::Access;

/// How an object is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// What for.
    pub access: Access,
    /// `O_CREAT`.
    pub create: bool,
    /// `O_EXCL`.
    pub exclusive: bool,
    /// `O_NONBLOCK`.
    pub nonblocking: bool,
}

/// What a named object can do.
pub trait Names {
    /// Opens it.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where names are not opened but bound and connected to.
    fn open(&mut self, opening: Opening) -> Result<()>;

    /// Removes the name; what is open lives on.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where the name goes with its socket.
    fn unlink(&mut self) -> Result<()>;
}
