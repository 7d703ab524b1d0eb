//! A time limit for a handler.

use std::time::Duration;

use http::StatusCode;
use quintet_request::Request;

use crate::{Handler, Response};

/// Limits the time that `handler` may take for a reply. After `after` the request is answered by 503 with `message`, or
/// with a page of HTML if `message` is empty. Go: `http.TimeoutHandler`.
///
/// The limit is for the time until the handler returns its reply; a streamed body may take longer. Go keeps the whole
/// reply in memory until the handler is done. The future of a handler that exceeds the limit is dropped.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, timeout};
/// use quintet_request::Request;
/// use std::time::Duration;
///
/// async fn never(_: Request) -> &'static str {
///     std::future::pending().await
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let handler = timeout(never, Duration::from_millis(5), "too slow\n");
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
/// assert_eq!(handler.call(request).await.status(), 503);
/// # }
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "TimeoutHandler")]
#[must_use]
pub fn timeout(handler: impl Handler, after: Duration, message: &'static str) -> impl Handler {
    Timeout { handler, after, message }
}

struct Timeout<H> {
    handler: H,
    after: Duration,
    message: &'static str,
}

impl<H: Handler> Handler for Timeout<H> {
    async fn call(&self, request: Request) -> Response {
        let reply = tokio::time::timeout(self.after, self.handler.call(request)).await;
        reply.unwrap_or_else(|_late| {
            let message = if self.message.is_empty() { PAGE } else { self.message };
            Response::new(message).with_status(StatusCode::SERVICE_UNAVAILABLE)
        })
    }
}

const PAGE: &str = "<html><head><title>Timeout</title></head><body><h1>Timeout</h1></body></html>";
