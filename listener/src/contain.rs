//! Calls of hooks and of other functions that are given to us.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls a hook, say. A panic in it (a log that cannot be written) ends nothing but the call.
pub(crate) fn contain<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        // The payload is a value of the caller's, whose drop may panic too; that second payload is leaked, because its
        // drop may panic again.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(payload))).map_err(std::mem::forget);
        Panicked
    })
}

/// The call panicked.
pub(crate) struct Panicked;
