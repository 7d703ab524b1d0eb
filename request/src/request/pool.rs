//! The pool of a thread: the memory of finished requests, reused for new ones.

use std::cell::RefCell;

use super::inner::Inner;

/// The most boxes that a thread keeps. A power of two, so that `%` is a mask.
const MAX_POOLED_REQUESTS: usize = 256;
/// A box whose head grew larger than this, in bytes, is not kept.
const MAX_POOLED_HEAD_BYTES: usize = 16 * 1024;

thread_local! {
    /// One place for each connection number modulo the size. A connection so finds the box of its own last request,
    /// whose head the next one probably resembles, which the head cache makes use of (`Head::parse`). A thread-local
    /// needs no lock; a request that is dropped on another thread goes into that thread's pool.
    static POOL: RefCell<Vec<Option<Box<Inner>>>> = const { RefCell::new(Vec::new()) };
}

/// Takes a box for the connection with this number. It still has the head and the route of its last request; everything
/// else is empty.
// Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
#[inline(always)]
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
    // While a thread exits its pool may be gone already; the box is then freed.
    let _ = POOL.try_with(|pool| {
        let mut pool = pool.borrow_mut();
        if pool.len() <= inner.place {
            pool.resize_with(inner.place + 1, || None);
        }
        let place = inner.place;
        pool[place] = Some(inner);
    });
}
