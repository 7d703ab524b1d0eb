//! A reply whose body is read piece by piece.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use quintet_mux::httptest::Recorded;
#[cfg(feature = "http2")]
use quintet_request::Http2Reply;
use tokio::time::timeout;

use super::{http1::Http1, send_error::SendError, test_stream::TestStream};

/// A reply whose body is read piece by piece, as it comes: events, for example. Made by
/// [`TestRequest::open`](super::TestRequest::open). It has a connection of its own in HTTP/1.1, so that the client can send
/// other requests meanwhile; dropping it is a disconnect.
///
/// # Example
/// ```
/// use quintet_server::{Request, httptest::TestServer, mux::{Event, events}};
///
/// # #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
/// # async fn main() {
/// let server = TestServer::start(async |_: Request| {
///     events(async move |mut out| {
///         out.send(&Event::new("one")).await?;
///         out.send(&Event::new("two")).await?;
///         std::future::pending().await
///     })
/// });
/// let mut reply = server.client().request("GET", "/events").open().await;
/// assert_eq!(reply.headers["content-type"], "text/event-stream");
/// assert_eq!(reply.read_until("\n\n").await, "data: one\n\n");
/// assert_eq!(reply.read_until("\n\n").await, "data: two\n\n");
/// # }
/// ```
pub struct OpenReply {
    /// The status.
    pub status: StatusCode,
    /// The fields.
    pub headers: HeaderMap,
    /// The interim replies (1xx) before it, with their fields.
    pub informational: Vec<(StatusCode, HeaderMap)>,
    pub(super) body: OpenBody,
    /// Bytes that were received and not given out.
    pub(super) seen: Vec<u8>,
    pub(super) timeout: Duration,
}

/// Where the body comes from.
pub(super) enum OpenBody {
    Http1(Http1),
    #[cfg(feature = "http2")]
    Http2(Box<Http2Reply>),
}

impl OpenReply {
    /// The next bytes of the body as they arrive; `None` at its end.
    ///
    /// # Panics
    /// If the body is malformed or ends early, or nothing comes in the [time](super::TestClient::set_timeout) of the
    /// client.
    ///
    /// # Cancel safety
    /// Cancel safe over HTTP/1.1: what was received is there for the next call.
    pub async fn chunk(&mut self) -> Option<Bytes> {
        match self.try_chunk().await {
            Ok(chunk) => chunk,
            Err(error) => panic!("the body of a {}: {}", self.status, text_of(&error)),
        }
    }

    /// The same, for a body that may end early.
    ///
    /// # Errors
    /// [`SendError`].
    ///
    /// # Cancel safety
    /// As [`chunk`](Self::chunk).
    pub async fn try_chunk(&mut self) -> Result<Option<Bytes>, SendError> {
        if !self.seen.is_empty() {
            return Ok(Some(std::mem::take(&mut self.seen).into()));
        }
        let next = async {
            match &mut self.body {
                OpenBody::Http1(connection) => connection.chunk().await,
                #[cfg(feature = "http2")]
                OpenBody::Http2(reply) => reply.chunk().await.map_err(SendError::Http2),
            }
        };
        timeout(self.timeout, next).await.map_err(|_| SendError::TimedOut(self.timeout))?
    }

    /// Reads up to and with this text.
    ///
    /// # Panics
    /// If the body ends before, or what was read is not UTF-8; else as [`chunk`](Self::chunk).
    ///
    /// # Cancel safety
    /// Not cancel safe: what was read is lost.
    pub async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        loop {
            let from = read.len().saturating_sub(end.len());
            match self.chunk().await {
                Some(chunk) => read.extend_from_slice(&chunk),
                None => panic!("the body of a {} ended without {end:?}: {}", self.status, read.escape_ascii()),
            }
            let found = read[from..].windows(end.len().max(1)).position(|window| window == end.as_bytes());
            if let Some(at) = found {
                self.seen = read.split_off(from + at + end.len());
                return String::from_utf8(read).expect("a body that is text");
            }
        }
    }

    /// Reads the rest: the whole reply, and the connection if it can be used again.
    pub(super) async fn finish(mut self) -> Result<(Recorded, OpenBody, bool), SendError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.try_chunk().await? {
            body.extend_from_slice(&chunk);
        }
        let mut recorded = Recorded::new(self.status);
        (recorded.headers, recorded.body, recorded.informational) = (self.headers, body.into(), self.informational);
        let is_reusable = match &mut self.body {
            OpenBody::Http1(connection) => {
                recorded.trailers = std::mem::take(&mut connection.trailers);
                connection.finish()?
            }
            #[cfg(feature = "http2")]
            OpenBody::Http2(reply) => {
                recorded.trailers = reply.trailers().await.map_err(SendError::Http2)?;
                true
            }
        };
        Ok((recorded, self.body, is_reusable))
    }

    /// The connection after a 101 of HTTP/1.1, and the bytes that were received after the head: another protocol.
    ///
    /// # Panics
    /// If the status is another one, or the protocol is HTTP/2.
    #[must_use]
    pub fn into_upgraded(self) -> (TestStream, Vec<u8>) {
        assert_eq!(self.status, StatusCode::SWITCHING_PROTOCOLS, "the status of an upgrade");
        match self.body {
            OpenBody::Http1(connection) => connection.into_parts(),
            #[cfg(feature = "http2")]
            OpenBody::Http2(_) => panic!("HTTP/2 has no upgrades"),
        }
    }
}

/// The text of an error and of its cause.
pub(super) fn text_of(error: &SendError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

impl fmt::Debug for OpenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenReply")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
