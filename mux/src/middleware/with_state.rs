//! Shared state for a handler.

use std::future::Future;

use quintet_request::Request;

use crate::{Handler, IntoResponse};

/// A handler that calls `handler` with a clone of `state` and the request. `handler` is an `async fn(State, Request)`
/// or a closure with these arguments. Go: a closure over the state, or a method of it.
///
/// The state is cloned once per request, so it should be cheap to clone: an [`Arc`](std::sync::Arc), the handle of a
/// database pool, the sender of a channel. Several values are a tuple, or a struct that derives `Clone`.
///
/// # Example
/// ```
/// use quintet_mux::{ServeMux, with_state};
/// use quintet_request::Request;
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// async fn visits(count: Arc<AtomicU64>, request: Request) -> String {
///     format!("{}: {}\n", request.path(), count.fetch_add(1, Ordering::Relaxed))
/// }
///
/// let count = Arc::new(AtomicU64::new(0));
/// let mux = ServeMux::new();
/// mux.handle("/visits", with_state(count.clone(), visits));
/// mux.handle("/reset", with_state(count, async |count, _| count.store(0, Ordering::Relaxed)));
/// ```
#[doc(alias = "state")]
#[doc(alias = "dependency injection")]
#[doc(alias = "extractor")]
#[must_use]
pub fn with_state<S, F, Fut>(state: S, handler: F) -> impl Handler
where
    S: Clone + Send + Sync + 'static,
    F: Fn(S, Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoResponse> + Send,
{
    move |request: Request| handler(state.clone(), request)
}
