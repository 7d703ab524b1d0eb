//! A body of a reply that is told which request it answers.

use std::pin::Pin;

use quintet_conn::ActiveRequest;

/// A body of a reply that is told which request it answers, so that it can end when the client has disconnected or the
/// server stops. [`Body::of_reply`](super::Body::of_reply) makes a [`Body`](super::Body) of it.
///
/// A body that wraps another one (to compress it, for example) implements this to pass the request on, by
/// [`Body::set_active`](super::Body::set_active).
pub trait ReplyBody: http_body::Body {
    /// Tells the body which request it answers. The server calls this before it polls the body. It may be called again with
    /// the same request: a wrapper in between may have called it too.
    fn set_active(self: Pin<&mut Self>, active: &ActiveRequest);
}
