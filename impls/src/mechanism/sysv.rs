//! What System V objects share: the key by which they are found.

use super::{OpenError, Place};
use crate::ability::Opening;
use impls_sys::sysv::Creation;

/// The key of a channel: made of its name, as ftok(3) makes one of a path. Two names may have the same key, and the second object
/// cannot be made then.
pub(super) fn key(place: &Place) -> Result<i32, OpenError> {
    // The hash by Fowler, Noll and Vo, in its 32-bit form 1a.
    let hash = place
        .name()?
        .to_bytes()
        .iter()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    // Positive, and never 0, which is IPC_PRIVATE.
    Ok(i32::try_from(hash >> 1).unwrap_or(i32::MAX).max(1))
}

/// What an opening asks for.
pub(super) fn creation(opening: Opening) -> Creation {
    Creation { create: opening.create, exclusive: opening.exclusive }
}
