//! A handler that answers in time, if only to say that it could not.

use std::time::Duration;

use http::StatusCode;
use quintet_request::Request;

use crate::{Handler, Response};

/// Serves requests by `handler` if it answers within `after`; otherwise with 503 and `message`, or with a page of
/// HTML if that is empty. Go: `http.TimeoutHandler`.
///
/// The time is that until the handler returns its reply. A body that is streamed is not gathered first and may go on
/// for longer; Go holds the whole reply back in memory until the handler is done. A handler that is late is dropped.
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
