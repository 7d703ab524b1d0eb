//! A child of a connection: one of many requests in progress, with a clock and a deadline of its own.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::{current::Current, entry::Entry, slots::Slots};

/// A child of a connection: one of many requests in progress. The sweeper checks it as it checks a connection.
pub(super) struct Child {
    pub(super) slot: u32,
    pub(super) entry: Entry,
    pub(super) current: Current,
    /// Whether it is a request; else it only has a deadline.
    pub(super) is_request: AtomicBool,
}

/// The children of one connection.
#[derive(Default)]
pub(super) struct Children(Mutex<Slots<Child>>);

impl Children {
    pub(super) fn lock(&self) -> MutexGuard<'_, Slots<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of them are requests. Not inlined: a survey asks each connection, and most of them have no children.
    #[inline(never)]
    pub(super) fn requests(&self) -> usize {
        self.lock().iter().filter(|child| child.is_request.load(Relaxed)).count()
    }
}
