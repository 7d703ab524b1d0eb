//! A limit of the requests at work: more are refused at once, instead of waiting.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};
use quintet_request::{Body, BodyError, Request};

use crate::{Handler, Response};

/// A limit of the requests at work: one more is answered 503 with `Retry-After`, before its handler is called. Clones are
/// the same limit, which several handlers can share.
///
/// A request is at work from the call of its handler until the future of the handler ends or is dropped, and, if its reply
/// has a streamed body, until that was sent whole or is dropped. A reply in memory or from a file may still be on its way to
/// a slow client: it costs no handler. A takeover (WebSocket) is not at work after its 101.
///
/// A server that is asked for more than it can do answers nobody in time if all have to wait. With this, those that it
/// answers are answered in time, and a balancer can send the others elsewhere. Choose the limit by measuring how many
/// requests at once the handlers can do.
///
/// # Example
/// ```
/// use quintet_mux::{ServeMux, Shed};
///
/// async fn search(_: quintet_request::Request) -> &'static str {
///     "found\n"
/// }
///
/// let shed = Shed::new(100);
/// let mux = ServeMux::new();
/// mux.handle("GET /search", shed.clone().handler(search));
/// assert_eq!((shed.at_work(), shed.refused()), (0, 0));
/// ```
#[doc(alias = "load shedding")]
#[doc(alias = "overload")]
#[doc(alias = "concurrency limit")]
#[derive(Clone, Debug)]
pub struct Shed {
    limit: usize,
    retry_after: Duration,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    at_work: AtomicUsize,
    refused: AtomicU64,
}

impl Shed {
    /// At most `n` requests at work, at least 1; `Retry-After: 1`.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { limit: n.max(1), retry_after: Duration::from_secs(1), counts: Arc::default() }
    }

    /// The same with another `Retry-After`, in whole seconds, rounded up.
    ///
    /// # Spec
    /// RFC 9110 §10.2.3.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = after;
        self
    }

    /// Wraps a handler, whose requests count.
    #[must_use]
    pub fn handler(self, handler: impl Handler) -> impl Handler {
        ShedHandler { shed: self, handler }
    }

    /// The number of requests at work now.
    #[must_use]
    pub fn at_work(&self) -> usize {
        self.counts.at_work.load(Relaxed)
    }

    /// How many requests were answered 503.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.counts.refused.load(Relaxed)
    }

    /// The place of one more request; `None` if all are taken.
    fn take_place(&self) -> Option<Place> {
        // Not added first and taken back: meanwhile another request would be refused although a place is free.
        let one_more = |at_work| if at_work < self.limit { Some(at_work + 1) } else { None };
        self.counts.at_work.fetch_update(Relaxed, Relaxed, one_more).ok()?;
        Some(Place(Arc::clone(&self.counts)))
    }

    #[cold]
    fn refuse(&self) -> Response {
        self.counts.refused.fetch_add(1, Relaxed);
        let seconds = self.retry_after.as_secs() + u64::from(self.retry_after.subsec_nanos() > 0);
        Response::text(StatusCode::SERVICE_UNAVAILABLE, "503 Service Unavailable: too many requests at work")
            .with_header("retry-after", seconds)
    }
}

/// The place of one request among those at work. Dropping it frees the place.
struct Place(Arc<Counts>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Relaxed);
    }
}

struct ShedHandler<H> {
    shed: Shed,
    handler: H,
}

impl<H: Handler> Handler for ShedHandler<H> {
    async fn call(&self, request: Request) -> Response {
        let Some(place) = self.shed.take_place() else { return self.shed.refuse() };
        let mut response = self.handler.call(request).await;
        if response.body().is_streamed() {
            let body = response.take_body();
            *response.body_mut() = Body::new(AtWork { body, place: Some(place) });
        }
        response
    }
}

/// A streamed body whose request is at work until it ends.
struct AtWork {
    body: Body,
    place: Option<Place>,
}

impl HttpBody for AtWork {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.place = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
