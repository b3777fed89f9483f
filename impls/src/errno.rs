//! Errors of the system, and the names that the protocol has for them.

use nix::errno::Errno;

/// The protocol's name of an error; `None` for one that no call of inter-process communication is known to give.
#[must_use]
pub fn name(errno: Errno) -> Option<spec::Errno> {
    format!("{errno:?}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::name;
    use nix::errno::Errno;

    #[test]
    fn errors_have_the_names_of_the_manual() {
        for (errno, text) in [(Errno::EAGAIN, "EAGAIN"), (Errno::EPIPE, "EPIPE"), (Errno::ETIMEDOUT, "ETIMEDOUT")] {
            assert_eq!(name(errno).unwrap().name(), text);
        }
        assert_eq!(name(Errno::UnknownErrno), None);
    }
}
