//! What answers a request.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use quintet_request::Request;

use super::{into_response::IntoResponse, response::Response};

/// What answers a request: an `async fn(Request) -> impl IntoResponse`, or a type that implements this. Go:
/// `http.Handler`; implementing [`call`](Self::call) is Go's `ServeHTTP`.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, IntoResponse, Response};
/// use quintet_request::Request;
///
/// async fn hello(request: Request) -> impl IntoResponse {
///     format!("hello from {}\n", request.path())
/// }
///
/// struct Counter(std::sync::atomic::AtomicU64);
///
/// impl Handler for Counter {
///     async fn call(&self, _: Request) -> Response {
///         let n = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         format!("{n}\n").into_response()
///     }
/// }
/// # fn check(_: impl Handler) {}
/// # check(hello);
/// ```
///
/// # Testing
/// A handler is called without a server: [the README](crate#testing-a-handler) has an example.
///
/// # Sharing
/// A handler that needs more than the request, a database, say, is given it by [`with_state`](crate::with_state). One
/// handler in several places is an [`Arc`] of it. Handlers of different types in one collection are [`BoxHandler`]s: a
/// handler returns a future of its own type, so there is no `dyn Handler`.
#[doc(alias = "middleware")]
#[doc(alias = "service")]
#[doc(alias = "ServeHTTP")]
#[doc(alias = "HandlerFunc")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not answer requests",
    label = "not a handler",
    note = "a handler is an `async fn(Request) -> impl IntoResponse`, a closure `|request: Request| async move {{ … }}`, or a type that implements `Handler`",
    note = "one that needs more than the request is `with_state(state, handler)` of an `async fn(State, Request) -> impl IntoResponse`",
    note = "there is no `dyn Handler`: `BoxHandler::new(handler)` is a handler whose type is forgotten, and an `Arc` of a handler is one"
)]
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    ///
    /// # Cancel safety
    /// The future is not dropped when the client goes away, only when the connection is aborted; a handler that wants
    /// to know waits for [`Request::disconnected`].
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send;
}

impl<F, Fut> Handler for F
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoResponse> + Send,
{
    #[inline]
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send {
        let answer = self(request);
        async move { answer.await.into_response() }
    }
}

/// A handler in several places. `Box<H>` cannot be one: of a function it is a function, and a handler as such.
impl<H: Handler> Handler for Arc<H> {
    #[inline]
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send {
        H::call(self, request)
    }
}

/// The future of a handler whose type is forgotten.
pub(super) type Answer<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// A handler whose type is forgotten: one box per request.
pub(super) trait Erased: Send + Sync {
    fn call(&self, request: Request) -> Answer<'_>;
}

impl<H: Handler> Erased for H {
    fn call(&self, request: Request) -> Answer<'_> {
        Box::pin(Handler::call(self, request))
    }
}

/// A handler whose type is forgotten; cheap to clone. It takes the place of `Box<dyn Handler>`, and costs one box per
/// request.
///
/// # Example
/// ```
/// use quintet_mux::{BoxHandler, ServeMux, not_found};
///
/// let pages = [
///     ("/{$}", BoxHandler::new(async |_| "hello\n")),
///     ("/favicon.ico", BoxHandler::new(not_found)),
/// ];
/// let mux = ServeMux::new();
/// for (pattern, handler) in pages {
///     mux.handle(pattern, handler);
/// }
/// ```
#[derive(Clone)]
pub struct BoxHandler(Arc<dyn Erased>);

impl BoxHandler {
    /// Forgets the type of a handler.
    #[must_use]
    pub fn new(handler: impl Handler) -> Self {
        BoxHandler(Arc::new(handler))
    }

    #[inline]
    pub(super) fn answer(&self, request: Request) -> Answer<'_> {
        self.0.call(request)
    }
}

impl Handler for BoxHandler {
    #[inline]
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send {
        self.answer(request)
    }
}

impl fmt::Debug for BoxHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxHandler")
    }
}
