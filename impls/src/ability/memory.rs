//! Bytes and atomic cells that several processes see.

use super::{Channel, Failure, Result};
use crate::measure::DrivenMemory;
use crate::perform::words::Access;
use impls_sys::memory::Mapping;
use nix::errno::Errno;
use spec::{Operation, operation::SealKind};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A memory object that this process has mapped.
pub trait Memory: Channel + DrivenMemory {
    /// Sees to it that these bytes are mapped, as far as that can be. They may lie beyond the object's end: touching them is
    /// `SIGBUS` then, as in any program.
    ///
    /// # Errors
    /// As the call that extends the mapping, where one is needed; senseless where nothing is mapped any more.
    fn reach(&mut self, at: u64, size: u64) -> Result<&Mapping>;

    /// What is mapped by now.
    fn mapped(&self) -> Option<&Mapping>;

    /// An access to a word that was made reachable, ready to be made.
    ///
    /// # Errors
    /// As [`Access::new`].
    fn access(&self, operation: &Operation<u64>) -> Result<Access<'_>> {
        Access::new(operation, self.mapped())
    }

    /// Whether [`Self::access`] has to be asked each time that an access is made: what saboteurs want. A word that is reachable stays
    /// where it is.
    fn is_fickle(&self) -> bool {
        false
    }

    /// Sets the size of the object.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where its size is fixed.
    fn resize(&mut self, _size: u64) -> Result<()> {
        Err(Failure::senseless("its size is fixed"))
    }

    /// Forbids changes of the object.
    ///
    /// # Errors
    /// As the mechanism's call; senseless where it has no seals.
    fn seal(&mut self, _seals: &[SealKind]) -> Result<()> {
        Err(Failure::senseless("it has no seals"))
    }

    /// Stores into a cell of eight bytes, sequentially consistent.
    ///
    /// # Errors
    /// As [`Self::reach`].
    fn store(&mut self, cell: u64, value: u64) -> Result<()> {
        self::cell(self, cell)?.store(value, Ordering::SeqCst);
        Ok(())
    }

    /// Loads a cell of eight bytes, sequentially consistent.
    ///
    /// # Errors
    /// As [`Self::reach`].
    fn load(&mut self, cell: u64) -> Result<u64> {
        Ok(self::cell(self, cell)?.load(Ordering::SeqCst))
    }

    /// Stores bytes at an offset, one by one.
    ///
    /// # Errors
    /// As [`Self::reach`].
    fn store_bytes(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        for (place, byte) in self::bytes(self, at, bytes.len())?.zip(bytes) {
            place.store(*byte, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Loads bytes from an offset, one by one.
    ///
    /// # Errors
    /// As [`Self::reach`].
    fn load_bytes(&mut self, at: u64, buffer: &mut [u8]) -> Result<()> {
        for (place, byte) in bytes(self, at, buffer.len())?.zip(buffer) {
            *byte = place.load(Ordering::Relaxed);
        }
        Ok(())
    }
}

fn cell<M: Memory + ?Sized>(memory: &mut M, cell: u64) -> Result<&AtomicU64> {
    let at = cell.checked_mul(8).ok_or(Errno::EFAULT)?;
    let offset = usize::try_from(at).map_err(|_| Errno::EFAULT)?;
    memory.reach(at, 8)?.cell(offset).ok_or_else(|| Errno::EFAULT.into())
}

fn bytes<M: Memory + ?Sized>(memory: &mut M, at: u64, length: usize) -> Result<impl Iterator<Item = &AtomicU8>> {
    let start = usize::try_from(at).map_err(|_| Errno::EFAULT)?;
    let mapping = memory.reach(at, length as u64)?;
    Ok((start..start + length).map_while(|offset| mapping.byte(offset)))
}
