//! The guard of a connection in its task, which always ends with a close reason.

use std::{ops::Deref, thread::panicking};

use quintet_conn::ConnGuard;
use quintet_request::CloseReason;

/// Sets the close reason of a connection that has none when its task ends: the task panicked where no panic is caught (in
/// the destructor of a handler's future or body), or was dropped with its runtime.
pub(crate) struct Ended(pub(crate) ConnGuard);

impl Deref for Ended {
    type Target = ConnGuard;
    #[inline]
    fn deref(&self) -> &ConnGuard {
        &self.0
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.set_close_reason(if panicking() { CloseReason::Panic } else { CloseReason::Aborted });
    }
}
