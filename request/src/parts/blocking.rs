//! Work that may block, off the worker.

use std::io;

use tokio::runtime::Handle;

/// Runs what may block on the runtime's pool for that, or here if there is no runtime.
///
/// # Cancel safety
/// Cancel safe: what was begun is done, and its result is dropped.
pub(super) async fn unblock<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match Handle::try_current() {
        Ok(pool) => pool.spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error))),
        Err(_) => work(),
    }
}
