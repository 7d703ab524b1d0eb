//! Why a request of the test client has no reply.

use std::{io, time::Duration};

use quintet_mux::httptest::ReplyError;

/// Why a request of a [`TestClient`](super::TestClient) has no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No connection could be made: the server has shut down, or the handshake of TLS or HTTP/2 failed.
    #[error("the server cannot be reached")]
    Connect(#[source] io::Error),
    /// The server closed the connection without a byte of the reply, as
    /// [`Response::abort`](crate::Response::abort) does.
    #[error("the server closed the connection without a reply")]
    Closed,
    /// The reply is malformed, or ended early.
    #[error("the reply is malformed")]
    Reply(#[source] ReplyError),
    /// The server sent bytes after a reply that no request asked for.
    #[error("bytes follow the reply: {0:?}")]
    Excess(String),
    /// The connection or the stream of HTTP/2 failed.
    #[error("HTTP/2 failed")]
    Http2(#[source] io::Error),
    /// The reply did not come in time.
    #[error("no whole reply came in {0:?}")]
    TimedOut(Duration),
}

impl From<ReplyError> for SendError {
    fn from(error: ReplyError) -> Self {
        Self::Reply(error)
    }
}
