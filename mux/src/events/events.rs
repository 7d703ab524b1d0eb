//! Replies of server-sent events.

use std::{future::Future, io};

use http::{HeaderName, HeaderValue, header};
use quintet_request::{Body, Request};

use super::{event_options::EventOptions, event_stream::EventStream, event_writer::EventWriter};
use crate::Response;

/// A reply of server-sent events: `write` sends them as they happen, for as long as it likes. The browser's side is
/// `new EventSource(url)`.
///
/// The reply has the type `text/event-stream`, `Cache-Control: no-cache`, and `X-Accel-Buffering: no`, so that nginx passes
/// each event on at once. Every 15 seconds without an event a comment is sent (see [`EventOptions::heartbeat`]).
///
/// The stream ends when the future ends. It also ends, and the future is dropped, as soon as the client has disconnected or
/// the server stops; [`EventWriter::stopping`] is for last events. An error of the future breaks the reply off. In all
/// these cases the browser connects again after a while, with the id of the last event ([`last_event_id`]); a reply of 204
/// makes it stop.
///
/// # Example
/// ```
/// use std::time::Duration;
///
/// use quintet_mux::{Event, Response, events, last_event_id};
/// use quintet_request::Request;
///
/// /// Counts the seconds, and goes on where the client was.
/// async fn seconds(request: Request) -> Response {
///     let last: u64 = last_event_id(&request).and_then(|id| id.parse().ok()).unwrap_or(0);
///     events(async move |mut out| {
///         for n in last + 1.. {
///             out.send(&Event::new(format!("second {n}")).with_id(n.to_string())?).await?;
///             tokio::time::sleep(Duration::from_secs(1)).await;
///         }
///         Ok(())
///     })
/// }
/// # fn check(_: impl quintet_mux::Handler) {}
/// # check(seconds);
/// ```
///
/// # Spec
/// HTML Standard §9.2.
#[doc(alias = "server-sent events")]
#[doc(alias = "EventSource")]
#[doc(alias = "sse")]
#[must_use]
pub fn events<F, W>(write: W) -> Response
where
    W: FnOnce(EventWriter) -> F,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    events_with(EventOptions::default(), write)
}

/// As [`events`], with other settings.
#[must_use]
pub fn events_with<F, W>(options: EventOptions, write: W) -> Response
where
    W: FnOnce(EventWriter) -> F,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let written = Body::writer(|writer| write(EventWriter::new(writer)));
    Response::new(Body::of_reply(EventStream::new(written, options)))
        .with_content_type("text/event-stream")
        .with_header(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))
        .with_header(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))
}

/// The id of the last event that this client got before it connected again. `None` if it has none, or it is not UTF-8.
///
/// Any client may send any id: it is to be parsed like every other part of a request.
///
/// # Spec
/// HTML Standard §9.2.4, `Last-Event-ID`.
#[doc(alias = "Last-Event-ID")]
#[must_use]
pub fn last_event_id(request: &Request) -> Option<&str> {
    request.header("last-event-id").filter(|id| !id.is_empty())
}
