//! An id for each request.

use std::{
    future::Future,
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use http::{HeaderName, HeaderValue};
use quintet_listener::{Addr, Nets};
use quintet_request::{Request, RequestId};

use crate::{Handler, Response};

/// The name of the field.
const FIELD: &str = "x-request-id";
const FIELD_NAME: HeaderName = HeaderName::from_static(FIELD);

/// Gives each request an id, and calls `handler`.
///
/// It is the `X-Request-Id` of a peer in the `trusted` networks, if that is a [`RequestId`]: one field of at most 128 plain
/// characters. Any other request gets a new id of 128 bits, in hexadecimal. It is at [`Request::id`] and in the
/// `X-Request-Id` field that inner handlers and services see, in the same field of the reply, and in the server's `Served`.
/// `traceparent` is left as it is.
///
/// New ids are unique and random enough not to meet by chance; they are no secret.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, request_id};
/// use quintet_request::Request;
///
/// let handler = request_id("10.0.0.0/8, unix".parse()?, async |request: Request| {
///     format!("request {}\n", request.id().expect("request_id sets it"))
/// });
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: spoofed\r\n\r\n").unwrap();
/// let mut reply = handler.call(request).await;
/// let id = reply.header("x-request-id").unwrap();
/// let body = reply.take_body().to_bytes(100).await.unwrap();
/// assert_eq!(body, format!("request {}\n", id.to_str().unwrap()));
/// assert_ne!(id, "spoofed"); // no connection, so no trusted peer
/// # });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "middleware")]
#[doc(alias = "X-Request-Id")]
#[doc(alias = "correlation id")]
#[must_use]
pub fn request_id(trusted: Nets, handler: impl Handler) -> impl Handler {
    WithRequestId { trusted, ids: Ids::new(), handler }
}

struct WithRequestId<H> {
    trusted: Nets,
    ids: Ids,
    handler: H,
}

impl<H> WithRequestId<H> {
    /// The id of a trusted peer, if there is one and no more.
    fn told(&self, request: &Request) -> Option<RequestId> {
        let is_trusted = |peer: &&Addr| self.trusted.contains(peer);
        request.peer_addr().filter(is_trusted)?;
        let mut values = request.headers_named(FIELD);
        let id = std::str::from_utf8(values.next()?).ok()?.parse().ok()?;
        // Of two, the next server might take the other one.
        if values.next().is_some() { None } else { Some(id) }
    }
}

impl<H: Handler> Handler for WithRequestId<H> {
    fn call(&self, mut request: Request) -> impl Future<Output = Response> + Send {
        let id = self.told(&request).unwrap_or_else(|| {
            let id = self.ids.next();
            // It only fails for a field that cannot be written, and an id can.
            let _ = request.set_header(FIELD, id.as_str());
            id
        });
        request.set_id(id.clone());
        async move {
            let mut reply = self.handler.call(request).await;
            if let Ok(value) = HeaderValue::from_str(id.as_str()) {
                // In place of one that the handler set, a copy of another server's reply perhaps. A full map has no room.
                let _ = reply.headers_mut().try_insert(FIELD_NAME, value);
            }
            reply
        }
    }
}

/// A source of ids: a counter, mixed by two hash functions with random keys. It draws no random bytes for each request.
struct Ids {
    keys: [RandomState; 2],
    count: AtomicU64,
}

impl Ids {
    fn new() -> Self {
        Self { keys: [RandomState::new(), RandomState::new()], count: AtomicU64::new(0) }
    }

    fn next(&self) -> RequestId {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [high, low] = self.keys.each_ref().map(|key| u128::from(key.hash_one(count)));
        RequestId::from_bits(high << 64 | low)
    }
}
