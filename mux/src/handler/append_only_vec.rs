//! A list that only grows, and whose entries never move.
//!
//! A handler is called for as long as a reply takes. If entries could move, each request would have to hold on to its
//! own, by counting a reference that all threads share; as they do not, a plain borrow of the list is enough.

use std::sync::OnceLock;

/// The first block has this many places; each further block twice as many as the one before.
const FIRST: usize = 16;

/// A list that only grows, and whose entries never move.
#[derive(Debug)]
pub(super) struct AppendOnlyVec<T>([OnceLock<Box<[OnceLock<T>]>>; usize::BITS as usize - FIRST.ilog2() as usize]);

impl<T> AppendOnlyVec<T> {
    pub(super) fn new() -> Self {
        AppendOnlyVec([const { OnceLock::new() }; usize::BITS as usize - FIRST.ilog2() as usize])
    }

    /// Puts an entry at a place that was not used before.
    pub(super) fn set(&self, at: usize, entry: T) {
        let (block, place) = locate(at);
        let places = self.0[block].get_or_init(|| (0..FIRST << block).map(|_| OnceLock::new()).collect());
        let fresh = places[place].set(entry).is_ok();
        assert!(fresh, "a place is used once");
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        let (block, place) = locate(at);
        self.0[block].get()?.get(place)?.get()
    }
}

/// The block that holds place `at`, and where in it. Blocks start at 0, 16, 48, 112, …
#[inline]
const fn locate(at: usize) -> (usize, usize) {
    let block = (at / FIRST + 1).ilog2() as usize;
    (block, at - FIRST * ((1 << block) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_where_it_was_put_and_stays_there() {
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
