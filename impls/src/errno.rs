//! Errors of the system, and the names that the protocol has for them.

use nix::errno::Errno;
use std::sync::OnceLock;

/// Errors have smaller numbers than this everywhere.
const NUMBERS: i32 = 256;

/// The protocol's name of an error; `None` for one that no call of inter-process communication is known to give.
#[must_use]
pub fn name(errno: Errno) -> Option<spec::Errno> {
    *names().get(usize::try_from(errno as i32).ok()?)?
}

/// The names by number. Between the calls of a race there is no time for texts, so all are looked up at once; a root asks for them
/// before it starts processes, which then have them.
pub(crate) fn names() -> &'static [Option<spec::Errno>] {
    static NAMES: OnceLock<Vec<Option<spec::Errno>>> = OnceLock::new();
    let named = |number| spec::Errno::known(&format!("{:?}", Errno::from_raw(number)));
    NAMES.get_or_init(|| (0..NUMBERS).map(named).collect())
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
