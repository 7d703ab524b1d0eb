//! Calls of hooks.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a hook. A panic in it (a log that cannot be written) ends nothing but the call.
pub(super) fn contain(observe: impl FnOnce()) -> Result<(), Panicked> {
    catch_unwind(AssertUnwindSafe(observe)).map_err(|payload| {
        // The payload is a value of the caller's, whose drop may panic too; that second payload is leaked, because its
        // drop may panic again.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload))).map_err(std::mem::forget);
        Panicked
    })
}

/// The call panicked.
pub(super) struct Panicked;
