//! Memory that several processes map: anonymous pages, and memory objects.

use crate::{
    Errno, Result,
    copying::{self, Way},
    descriptor::Descriptor,
};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use std::{
    num::NonZeroUsize,
    os::fd::BorrowedFd,
    ptr::NonNull,
    sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64},
};

/// A mapping, unmapped when it is dropped. Its bytes are reached through atomics alone, whoever else maps them.
#[derive(Debug)]
pub struct Mapping {
    address: NonNull<u8>,
    length: NonZeroUsize,
    /// Whether it is a System V segment, which has a call of its own to be given back by.
    attached: bool,
}

// SAFETY: the pages belong to the process, not to a thread.
unsafe impl Send for Mapping {}
// SAFETY: through a shared reference the bytes are only reached by atomics.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Zeroed pages that are shared with every process forked from now on.
    ///
    /// # Errors
    /// As `mmap()`; `EINVAL` for a length of 0.
    pub fn anonymous(length: usize) -> Result<Self> {
        let length = NonZeroUsize::new(length).ok_or(Errno::EINVAL)?;
        // SAFETY: a new mapping at an address of the system's choice disturbs nothing.
        let address = unsafe {
            mmap_anonymous(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED)
        }?;
        Ok(Self { address: address.cast(), length, attached: false })
    }

    /// The first bytes of a memory object, `MAP_SHARED`. They may lie beyond its end: touching those is `SIGBUS`.
    ///
    /// # Errors
    /// As `mmap()`; `EINVAL` for a length of 0, `EBADF` for a descriptor that is not held.
    pub fn of(object: &Descriptor, length: usize, writable: bool) -> Result<Self> {
        let length = NonZeroUsize::new(length).ok_or(Errno::EINVAL)?;
        if !object.is_open() {
            return Err(Errno::EBADF);
        }
        let access = if writable { ProtFlags::PROT_READ | ProtFlags::PROT_WRITE } else { ProtFlags::PROT_READ };
        // SAFETY: the descriptor is open, and stays so while `object` is borrowed.
        let descriptor = unsafe { BorrowedFd::borrow_raw(object.number()) };
        // SAFETY: a new mapping at an address of the system's choice disturbs nothing.
        let address = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, descriptor, 0) }?;
        Ok(Self { address: address.cast(), length, attached: false })
    }

    /// A System V segment of so many bytes: `shmat()`.
    ///
    /// # Errors
    /// As the call; `EINVAL` for a length of 0.
    pub fn attach(segment: i32, length: usize, writable: bool) -> Result<Self> {
        let length = NonZeroUsize::new(length).ok_or(Errno::EINVAL)?;
        let flags = if writable { 0 } else { libc::SHM_RDONLY };
        // SAFETY: a new mapping at an address of the system's choice disturbs nothing.
        let address = unsafe { libc::shmat(segment, std::ptr::null(), flags) };
        // The call says -1, as an address.
        if address.addr() == usize::MAX {
            return Err(Errno::last());
        }
        let address = NonNull::new(address.cast()).ok_or(Errno::EINVAL)?;
        Ok(Self { address, length, attached: true })
    }

    /// How many bytes are mapped.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length.get()
    }

    /// The byte at an offset.
    #[must_use]
    #[inline]
    pub fn byte(&self, offset: usize) -> Option<&AtomicU8> {
        let address = self.inside(offset, 1)?;
        // SAFETY: the byte is mapped as long as `self` lives, and everybody here reaches it through atomics.
        Some(unsafe { AtomicU8::from_ptr(address.as_ptr()) })
    }

    /// The word of four bytes at an offset.
    #[must_use]
    #[inline]
    pub fn word(&self, offset: usize) -> Option<&AtomicU32> {
        let address = self.inside(offset, 4)?.cast::<u32>();
        // SAFETY: it is aligned and mapped as long as `self` lives, and everybody here reaches it through atomics.
        Some(unsafe { AtomicU32::from_ptr(address.as_ptr()) })
    }

    /// The cell of eight bytes at an offset.
    #[must_use]
    #[inline]
    pub fn cell(&self, offset: usize) -> Option<&AtomicU64> {
        let address = self.inside(offset, 8)?.cast::<u64>();
        // SAFETY: it is aligned and mapped as long as `self` lives, and everybody here reaches it through atomics.
        Some(unsafe { AtomicU64::from_ptr(address.as_ptr()) })
    }

    /// The half word of two bytes at an offset.
    #[must_use]
    #[inline]
    pub fn half_word(&self, offset: usize) -> Option<&AtomicU16> {
        let address = self.inside(offset, 2)?.cast::<u16>();
        // SAFETY: it is aligned and mapped as long as `self` lives, and everybody here reaches it through atomics.
        Some(unsafe { AtomicU16::from_ptr(address.as_ptr()) })
    }

    /// So many cells of eight bytes from an offset on.
    #[must_use]
    #[inline]
    pub fn cells(&self, offset: usize, count: usize) -> Option<&[AtomicU64]> {
        let size = count.checked_mul(8)?;
        let address = self.inside(offset, 8)?.cast::<AtomicU64>();
        if offset.checked_add(size)? > self.length.get() {
            return None;
        }
        // SAFETY: all of them are aligned and mapped as long as `self` lives, and everybody here reaches them through atomics.
        Some(unsafe { std::slice::from_raw_parts(address.as_ptr(), count) })
    }

    /// So many bytes from an offset on.
    #[must_use]
    #[inline]
    pub fn bytes(&self, offset: usize, count: usize) -> Option<&[AtomicU8]> {
        let end = offset.checked_add(count)?;
        if end > self.length.get() {
            return None;
        }
        // SAFETY: the offset lies within the mapping, or just behind it where there are none.
        let address = unsafe { self.address.add(offset) }.cast::<AtomicU8>();
        // SAFETY: all of them are mapped as long as `self` lives, and everybody here reaches them through atomics.
        Some(unsafe { std::slice::from_raw_parts(address.as_ptr(), count) })
    }

    /// Copies bytes to an offset, in the order in which it goes fastest. `None` where not all of them are mapped.
    ///
    /// Nobody may look at these bytes before they are told that they are there: the processes that share them see to that. Who looks
    /// all the same sees some of the old and some of the new.
    #[must_use]
    #[inline]
    pub fn copy_in(&self, offset: usize, bytes: &[u8]) -> Option<()> {
        if offset.checked_add(bytes.len())? > self.length.get() {
            return None;
        }
        // SAFETY: the offset lies within the mapping, or just behind it where there are no bytes.
        let to = unsafe { self.address.add(offset) };
        // SAFETY: all of them are mapped as long as `self` lives, and no reference to plain bytes of a mapping is ever made.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to.as_ptr(), bytes.len()) };
        Some(())
    }

    /// Copies bytes from an offset. `None` where not all of them are mapped. See [`Self::copy_in`].
    #[must_use]
    #[inline]
    pub fn copy_out(&self, offset: usize, room: &mut [u8]) -> Option<()> {
        if offset.checked_add(room.len())? > self.length.get() {
            return None;
        }
        // SAFETY: the offset lies within the mapping, or just behind it where there are no bytes.
        let from = unsafe { self.address.add(offset) };
        // SAFETY: all of them are mapped as long as `self` lives, and no reference to plain bytes of a mapping is ever made.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), room.as_mut_ptr(), room.len()) };
        Some(())
    }

    /// As [`Self::copy_in`], in one of several ways.
    #[must_use]
    #[inline]
    pub fn copy_in_by(&self, way: Way, offset: usize, bytes: &[u8]) -> Option<()> {
        if offset.checked_add(bytes.len())? > self.length.get() {
            return None;
        }
        // SAFETY: the offset lies within the mapping, or just behind it where there are no bytes.
        let to = unsafe { self.address.add(offset) };
        // SAFETY: all of them are mapped as long as `self` lives, and no reference to plain bytes of a mapping is ever made.
        unsafe { copying::copy_in(way, bytes, to.as_ptr()) };
        Some(())
    }

    /// As [`Self::copy_out`], in one of several ways.
    #[must_use]
    #[inline]
    pub fn copy_out_by(&self, way: Way, offset: usize, room: &mut [u8]) -> Option<()> {
        if offset.checked_add(room.len())? > self.length.get() {
            return None;
        }
        // SAFETY: the offset lies within the mapping, or just behind it where there are no bytes.
        let from = unsafe { self.address.add(offset) };
        // SAFETY: all of them are mapped as long as `self` lives, and no reference to plain bytes of a mapping is ever made.
        unsafe { copying::copy_out(way, from.as_ptr(), room) };
        Some(())
    }

    /// The address of an object of `size` bytes at an offset, where all of it is mapped and it is aligned to its size.
    #[inline]
    pub(crate) fn inside(&self, offset: usize, size: usize) -> Option<NonNull<u8>> {
        let end = offset.checked_add(size)?;
        if end > self.length.get() || !offset.is_multiple_of(size.next_power_of_two().min(16)) {
            return None;
        }
        // SAFETY: the offset lies within the mapping.
        Some(unsafe { self.address.add(offset) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.attached {
            // SAFETY: `shmat()` gave the address, and nothing borrowed from the mapping outlives it.
            unsafe { libc::shmdt(self.address.as_ptr().cast()) };
            return;
        }
        // SAFETY: nothing borrowed from the mapping outlives it.
        let _ = unsafe { munmap(self.address.cast(), self.length.get()) };
    }
}

/// Asks for large pages under a large buffer that is about to be filled: one fault each 2 MiB, in place of one each 4 KiB. It is a
/// hint, and where the system does not follow it nothing is lost.
#[cfg(target_os = "linux")]
pub fn prefer_large_pages(buffer: &mut [u8]) {
    const PAGE_BYTES: usize = 4096;
    let skipped = buffer.as_ptr().align_offset(PAGE_BYTES);
    let Some(pages) = buffer.get_mut(skipped..).filter(|pages| !pages.is_empty()) else { return };
    // SAFETY: the advice changes no byte of the memory, which is this buffer's own.
    unsafe { libc::madvise(pages.as_mut_ptr().cast(), pages.len(), libc::MADV_HUGEPAGE) };
}

/// See the same function for Linux: elsewhere nothing is asked for.
#[cfg(not(target_os = "linux"))]
pub fn prefer_large_pages(_buffer: &mut [u8]) {}
