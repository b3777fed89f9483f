//! Copying into memory that another processor reads, and out of memory that another one wrote.
//!
//! What such a copy costs is decided by where the cache lines are, not by how many instructions it takes, and three things about that are not
//! in `memcpy()`:
//!
//! - A message was mostly written just before it is sent, by stores of eight bytes. A vector load over several such stores cannot be served from
//!   the store buffer; it waits until they have left it, and so behind the stores into the slot before, which wait for a cache line. A
//!   short message, and the beginning of a long one, is therefore read in words.
//! - Which way of copying many lines is the fastest depends on where they are just now: in this processor's cache, in that of the
//!   other, in one that both share, or nowhere. See [`Way`].
//! - A line that is asked for before it is needed is on its way meanwhile ([`expect`]).

use std::sync::atomic::AtomicU64;

/// How many bytes at the beginning of a message are read in words.
const HEAD: usize = 64;
/// Up to this length a message is read in words as a whole.
const SHORT: usize = 128;
const WORD: usize = size_of::<u64>();

/// How bytes are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Way {
    /// As the C library does: on x86 mostly by one instruction, in which the processor fetches far ahead.
    #[default]
    Library,
    /// By wide loads and stores, one after another. Where the processor has none, as [`Self::Library`].
    Wide,
    /// By wide loads and by stores that go around the caches: nobody has to fetch a line only to overwrite it, nor to take it away from the
    /// processor that read it last. Where the processor has none, as [`Self::Library`].
    Around,
}

/// Copies bytes that were just written into memory where others will read them.
///
/// # Safety
/// `to` is valid for writes of as many bytes, and overlaps nothing that a reference points to.
#[inline]
pub(crate) unsafe fn copy_in(way: Way, from: &[u8], to: *mut u8) {
    let length = from.len();
    let in_words = if from.as_ptr().cast::<u64>().is_aligned() && to.cast::<u64>().is_aligned() {
        if length <= SHORT { length / WORD } else { HEAD / WORD }
    } else {
        0
    };
    for word in 0..in_words {
        let from = from.as_ptr().cast::<u64>().wrapping_add(word);
        // SAFETY: the word lies within the slice, and is aligned. Volatile, so that it stays a load of eight bytes.
        let value = unsafe { from.read_volatile() };
        // SAFETY: the caller answers for the place, which is aligned.
        unsafe { to.cast::<u64>().wrapping_add(word).write(value) };
    }
    let done = in_words * WORD;
    if done < length {
        // SAFETY: the rest of both lies within what the caller answers for.
        unsafe { copy(way, from.as_ptr().wrapping_add(done), to.wrapping_add(done), length - done) };
    }
}

/// Copies bytes out of memory where others have written them.
///
/// # Safety
/// `from` is valid for reads of as many bytes, and nobody writes them meanwhile.
#[inline]
pub(crate) unsafe fn copy_out(way: Way, from: *const u8, to: &mut [u8]) {
    // SAFETY: the caller answers for the source, and the slice for the rest.
    unsafe { copy(way, from, to.as_mut_ptr(), to.len()) };
}

/// # Safety
/// As `std::ptr::copy_nonoverlapping()`.
#[inline]
unsafe fn copy(way: Way, from: *const u8, to: *mut u8, length: usize) {
    #[cfg(target_arch = "x86_64")]
    if way != Way::Library && length >= wide::AT_LEAST && wide::works() {
        if way == Way::Around && to.align_offset(wide::STORE) == 0 {
            // SAFETY: the processor has the instructions, the place is aligned, and the caller answers for the memory.
            unsafe { wide::around(from, to, length) };
        } else {
            // SAFETY: the processor has the instructions, and the caller answers for the memory.
            unsafe { wide::through(from, to, length) };
        }
        return;
    }
    let _ = way;
    // SAFETY: the caller answers for both.
    unsafe { std::ptr::copy_nonoverlapping(from, to, length) };
}

/// Asks for the cache line of a cell, to be read.
#[inline]
pub fn expect(cell: &AtomicU64) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which neither reads nor fails.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(cell.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = cell;
}

/// Loads and stores of 32 bytes.
#[cfg(target_arch = "x86_64")]
mod wide {
    use std::arch::x86_64::{__m256i, _mm_sfence, _mm256_loadu_si256, _mm256_storeu_si256, _mm256_stream_si256};

    /// Bytes in a store.
    pub(super) const STORE: usize = size_of::<__m256i>();
    /// In each turn of the loop so many bytes are copied.
    const TURN: usize = 4 * STORE;
    /// What is shorter is not worth the loop.
    pub(super) const AT_LEAST: usize = 4 * TURN;

    pub(super) fn works() -> bool {
        std::arch::is_x86_feature_detected!("avx")
    }

    /// One turn: reads all of it before any of it is written.
    ///
    /// # Safety
    /// The processor has AVX, and `from` is valid for reads of [`TURN`] bytes.
    #[inline]
    #[target_feature(enable = "avx")]
    unsafe fn load(from: *const u8) -> [__m256i; 4] {
        let at = |place: usize| from.wrapping_add(place * STORE).cast::<__m256i>();
        // SAFETY: the caller answers for it.
        let first = unsafe { _mm256_loadu_si256(at(0)) };
        // SAFETY: the same.
        let second = unsafe { _mm256_loadu_si256(at(1)) };
        // SAFETY: the same.
        let third = unsafe { _mm256_loadu_si256(at(2)) };
        // SAFETY: the same.
        let fourth = unsafe { _mm256_loadu_si256(at(3)) };
        [first, second, third, fourth]
    }

    /// Through the caches.
    ///
    /// # Safety
    /// As `std::ptr::copy_nonoverlapping()`, and the processor has AVX.
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn through(from: *const u8, to: *mut u8, length: usize) {
        let whole = length / TURN * TURN;
        for place in (0..whole).step_by(TURN) {
            // SAFETY: the turn lies within what the caller answers for.
            let values = unsafe { load(from.wrapping_add(place)) };
            for (store, value) in values.into_iter().enumerate() {
                let to = to.wrapping_add(place + store * STORE).cast::<__m256i>();
                // SAFETY: the same.
                unsafe { _mm256_storeu_si256(to, value) };
            }
        }
        // SAFETY: the rest lies within it as well.
        unsafe { std::ptr::copy_nonoverlapping(from.wrapping_add(whole), to.wrapping_add(whole), length - whole) };
    }

    /// Around the caches. Whatever is stored afterwards is seen after it.
    ///
    /// # Safety
    /// As `std::ptr::copy_nonoverlapping()`, the processor has AVX, and `to` is aligned to [`STORE`].
    #[target_feature(enable = "avx")]
    pub(super) unsafe fn around(from: *const u8, to: *mut u8, length: usize) {
        let whole = length / TURN * TURN;
        for place in (0..whole).step_by(TURN) {
            // SAFETY: the turn lies within what the caller answers for.
            let values = unsafe { load(from.wrapping_add(place)) };
            for (store, value) in values.into_iter().enumerate() {
                let to = to.wrapping_add(place + store * STORE).cast::<__m256i>();
                // SAFETY: the same, and it is aligned.
                unsafe { _mm256_stream_si256(to, value) };
            }
        }
        // These stores are ordered with no others: neither with those before, nor with that which will say that the message is there.
        _mm_sfence();
        // SAFETY: the rest lies within it as well.
        unsafe { std::ptr::copy_nonoverlapping(from.wrapping_add(whole), to.wrapping_add(whole), length - whole) };
    }
}
