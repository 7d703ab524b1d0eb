//! A vector that only grows, and whose entries never move.
//!
//! A handler is borrowed for as long as it makes its reply. If entries could move, each request would need a reference
//! count of its own handler, and the counter would be written by all threads. As entries never move, a plain borrow of
//! the vector is enough.

use std::sync::OnceLock;

/// The number of places in the first block. Each further block has twice as many as the block before it.
const FIRST: usize = 16;

/// A vector that only grows, and whose entries never move: the blocks stay where they are, and a new one is added.
#[derive(Debug)]
pub(super) struct AppendOnlyVec<T>([OnceLock<Box<[OnceLock<T>]>>; usize::BITS as usize - FIRST.ilog2() as usize]);

impl<T> AppendOnlyVec<T> {
    pub(super) fn new() -> Self {
        Self([const { OnceLock::new() }; usize::BITS as usize - FIRST.ilog2() as usize])
    }

    /// Puts an entry at an unused place.
    ///
    /// # Panics
    /// If the place is used. Each place is the length of a list that only grows, read under a lock, and so is new.
    pub(super) fn set(&self, at: usize, entry: T) {
        let (block, place) = locate(at);
        // A whole block at once, so that the entries of a small mux lie side by side.
        let places = self.0[block].get_or_init(|| (0..FIRST << block).map(|_| OnceLock::new()).collect());
        let fresh = places[place].set(entry).is_ok();
        assert!(fresh, "a place is used once");
    }

    /// The entry at a place, if it was set. A thread that learned of the place after it was set sees the entry.
    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        let (block, place) = locate(at);
        // Two acquire loads, of the block and of the place, and no lock.
        self.0[block].get()?.get(place)?.get()
    }
}

/// The block of place `at`, and the offset in that block. The blocks start at 0, 16, 48, 112, …: block `n` at
/// `16 * (2^n - 1)`.
#[inline]
const fn locate(at: usize) -> (usize, usize) {
    let block = (at / FIRST + 1).ilog2() as usize;
    (block, at - FIRST * ((1 << block) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_an_append_only_vec_never_move() {
        let entries = AppendOnlyVec::new();
        entries.set(0, 0);
        let first: *const usize = entries.get(0).unwrap();
        for at in 1..10_000 {
            entries.set(at, at);
        }
        assert!((0..10_000).all(|at| entries.get(at) == Some(&at)));
        assert_eq!(entries.get(10_000), None);
        assert!(std::ptr::eq(first, entries.get(0).unwrap()));
    }
}
