//! The memory of requests, kept for the next ones.

use std::cell::RefCell;

use super::inner::Inner;

/// How many boxes a thread keeps: a power of two.
const MAX_POOLED_REQUESTS: usize = 256;
/// A box whose head grew larger than this, in bytes, is not kept.
const MAX_POOLED_HEAD_BYTES: usize = 16 * 1024;

thread_local! {
    /// The boxes by the connection that used them last. A connection finds the box of its last request again, and with
    /// it that request's head, which the next one is likely to resemble; see `Head::parse`.
    static POOL: RefCell<Vec<Option<Box<Inner>>>> = const { RefCell::new(Vec::new()) };
}

/// A box for the connection of this number. Its head is whatever it was last, and its route; everything else is blank.
#[inline]
pub(super) fn take(number: usize) -> Box<Inner> {
    let place = number % MAX_POOLED_REQUESTS;
    let kept = POOL.try_with(|pool| pool.borrow_mut().get_mut(place)?.take()).ok().flatten();
    let mut inner = kept.unwrap_or_default();
    inner.place = place;
    inner
}

/// Gives a box back.
#[inline]
pub(super) fn give(inner: Box<Inner>) {
    if inner.head.capacity() > MAX_POOLED_HEAD_BYTES {
        return;
    }
    // A thread that is being torn down has no pool any more.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() <= inner.place {
            pool.resize_with(inner.place + 1, || None);
        }
        let place = inner.place;
        pool[place] = Some(inner);
    });
}
