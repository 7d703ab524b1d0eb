//! One of many requests in progress on a connection, with a clock and a deadline of its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{current::Current, entry::Entry, slots::Slots};

/// One of many requests in progress on a connection: the sweeper looks at it as at a connection.
pub(super) struct Child {
    pub(super) slot: u32,
    pub(super) entry: Entry,
    pub(super) current: Current,
}

/// The children of one connection that live.
#[derive(Default)]
pub(super) struct Children(Mutex<Slots<Child>>);

impl Children {
    pub(super) fn lock(&self) -> MutexGuard<'_, Slots<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
