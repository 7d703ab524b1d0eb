//! Handlers, which answer requests.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use quintet_request::Request;

use super::{into_response::IntoResponse, response::Response};

/// A handler, which answers requests: an `async fn(Request) -> impl IntoResponse`, or a type that implements this
/// trait. Go: `http.Handler`; [`call`](Self::call) is Go's `ServeHTTP`.
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
/// A test calls a handler without a server: [the README](crate#testing-a-handler) has an example.
///
/// # Sharing
/// [`with_state`](crate::with_state) gives a handler more than the request, such as a database. An [`Arc`] of a handler
/// is a handler, for use in several places. Handlers of different types in one collection are [`BoxHandler`]s: a
/// handler returns a future of its own type, so there is no `dyn Handler`.
///
/// A closure that captures is written `move |request: Request| async move { … }`, with a clone in front of `async` of what
/// is not `Copy`; the future of `async move |request| …` would borrow from the closure.
#[doc(alias = "middleware")]
#[doc(alias = "service")]
#[doc(alias = "ServeHTTP")]
#[doc(alias = "HandlerFunc")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "expected a handler",
    note = "a handler is an `async fn(Request) -> impl IntoResponse`, a closure `|request: Request| async move {{ … }}`, or a type that implements `Handler`",
    note = "one that needs more than the request is `with_state(state, handler)` of an `async fn(State, Request) -> impl IntoResponse`",
    note = "there is no `dyn Handler`: `BoxHandler::new(handler)` is a type-erased handler, and an `Arc` of a handler is a handler"
)]
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    ///
    /// # Cancel safety
    /// The server drops the future only when it aborts the connection, not when the client disconnects. A handler that
    /// must react to that waits for [`Request::disconnected`].
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// Wraps the handler: `handler.with(wrap)` is `wrap(handler)`, so that middleware is written in the order in which it
    /// stands around the handler. **The last one is the outermost**: it sees a request first, and the reply last.
    ///
    /// `wrap` is a closure with a call of the middleware, or any function from a handler to a handler. Middleware of one's own
    /// is a function of a request that has the inner handler as its [state](crate::with_state).
    ///
    /// # Example
    /// ```
    /// use quintet_mux::{Handler, ServeMux, max_bytes, timeout, with_state};
    /// use quintet_request::Request;
    /// use std::{sync::Arc, time::Duration};
    ///
    /// /// Middleware of one's own: it adds a name to what it passes on, and to what it passes back.
    /// fn named(name: &'static str, inner: impl Handler) -> impl Handler {
    ///     with_state((name, Arc::new(inner)), async |(name, inner), mut request| {
    ///         request.set_path(format!("{}{name}/", request.path()));
    ///         inner.call(request).await.with_header("x-seen-by", name)
    ///     })
    /// }
    ///
    /// let mux = ServeMux::new();
    /// mux.handle("/", async |request: Request| request.path().to_owned());
    /// let handler = mux
    ///     .with(|mux| timeout(mux, Duration::from_secs(10), "too slow\n"))
    ///     .with(|handler| named("inner", handler))
    ///     .with(|handler| named("outer", handler))
    ///     .with(|handler| max_bytes(1 << 20, handler));
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let mut reply = handler.call(Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap()).await;
    /// assert_eq!(reply.take_body().to_bytes(100).await.unwrap(), "/outer/inner/");
    /// let seen: Vec<_> = reply.headers().unwrap().get_all("x-seen-by").iter().collect();
    /// assert_eq!(seen, ["inner", "outer"]);
    /// # });
    /// ```
    #[doc(alias = "layer")]
    #[doc(alias = "middleware")]
    #[must_use]
    fn with<W: Handler>(self, wrap: impl FnOnce(Self) -> W) -> W
    where
        Self: Sized,
    {
        wrap(self)
    }
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

/// An `Arc` of a handler is a handler, for use in several places. There is no such impl for `Box<H>`: a `Box` of a
/// function is itself a function and so a handler, and the two impls would conflict.
impl<H: Handler> Handler for Arc<H> {
    #[inline]
    fn call(&self, request: Request) -> impl Future<Output = Response> + Send {
        H::call(self, request)
    }
}

/// The boxed future of a [`BoxHandler`].
pub(super) type Answer<'a> = Pin<Box<dyn Future<Output = Response> + Send + 'a>>;

/// The object-safe form of [`Handler`]: its future is boxed, which costs one allocation per request.
pub(super) trait Erased: Send + Sync {
    fn call(&self, request: Request) -> Answer<'_>;
}

impl<H: Handler> Erased for H {
    fn call(&self, request: Request) -> Answer<'_> {
        Box::pin(Handler::call(self, request))
    }
}

/// A type-erased handler, in place of `Box<dyn Handler>`. A clone is cheap, and shares the handler. A call costs one
/// allocation.
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
    /// Erases the type of a handler.
    #[must_use]
    pub fn new(handler: impl Handler) -> Self {
        Self(Arc::new(handler))
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
