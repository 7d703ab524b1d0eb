//! Calling the handler: its panics are caught, and it goes on when its client disconnects.
//!
//! [`dispatch`] does that for the only request of a connection. The functions below it are those of any request, also one
//! of many.

use std::{
    any::Any,
    future::{Future, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::{Context, Poll},
};

use http::StatusCode;
use quintet_conn::{ConnGuard, Connection, WireError};
use quintet_listener::Stream;
use quintet_mux::{Handler, Response, canonical_host};
use quintet_request::{CloseReason, Request, Requests, Version};

use crate::{
    config::Panicked,
    handler_span::HandlerSpan,
    observe::discard,
    sampling::note_refusal,
    served::{Refusal, observe},
    shared::Shared,
};

/// The most unsent bytes with which an interim reply is still appended. With more it waits in the connection.
const MAX_UNSENT_BYTES: usize = 16 * 1024;

/// Calls the handler and waits for its response. A panic becomes a response of 500 that closes the connection. `None` if
/// the connection was aborted.
///
/// While the handler waits, the output is sent and the client is watched. If the client disconnects or half-closes,
/// [`Request::disconnected`](quintet_request::Request::disconnected) resolves, and the handler goes on.
///
/// # Cancel safety
/// Not cancel safe: the handler is dropped, and its request is not answered.
#[inline]
pub(crate) async fn dispatch<H: Handler, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    request: Request,
    requests: &mut Requests<S>,
) -> Option<Response> {
    if let Some(response) = early_reply(server, connection, &request) {
        if response.status() == StatusCode::MISDIRECTED_REQUEST {
            observe(requests, |notes, _| notes.refuse_open(Refusal::Misdirected));
            note_refusal(server, Refusal::Misdirected);
        }
        return Some(response);
    }
    if request.head().version() == Version::Http10 {
        connection.end_interim(); // HTTP/1.0 has no interim replies
    }
    let span = HandlerSpan::begin(&server.observer, &request);
    let future = match call(server, request, &span) {
        Ok(future) => future,
        Err(payload) => return Some(span.enter(|| panicked_handler(server, connection, payload))),
    };
    let mut future = pin!(future);
    let mut client = Client::Here;
    poll_fn(|cx| match poll_handler(future.as_mut(), cx, &span) {
        // Returned as it is: reading the response here would copy it once more, for thirty instructions.
        Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
        Ok(Poll::Pending) => watch(connection, requests, &mut client, cx).map(|()| None),
        Err(payload) => Poll::Ready(Some(span.enter(|| panicked_handler(server, connection, payload)))),
    })
    .await
}

/// The reply to a request that no handler is called for: one for a host that is not served on its connection, and
/// `OPTIONS *`.
#[inline(always)]
pub(crate) fn early_reply<H>(server: &Shared<H>, connection: &Connection, request: &Request) -> Option<Response> {
    if is_misdirected(connection, request) {
        return Some(misdirected());
    }
    if request.head().is_asterisk() && !server.config.pass_options_star {
        return Some(Response::new(())); // Go: globalOptionsHandler
    }
    None
}

/// The payload of a panic.
pub(crate) type Payload = Box<dyn Any + Send>;

/// Calls the handler, in the span of its request.
///
/// # Errors
/// The payload of its panic: `call` may panic before it returns a future, if the handler is no `async fn`.
#[inline(always)]
pub(crate) fn call<'a, H: Handler>(
    server: &'a Shared<H>,
    request: Request,
    span: &HandlerSpan,
) -> Result<impl Future<Output = Response> + Send + use<'a, H>, Payload> {
    // In the span too: a handler may do its work before it returns a future.
    catch_unwind(AssertUnwindSafe(|| span.enter(|| server.handler.call(request))))
}

/// Polls the future of a handler, in the span of its request.
///
/// # Errors
/// The payload of its panic. The future is not to be polled again.
#[inline(always)]
pub(crate) fn poll_handler<F: Future<Output = Response>>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
    span: &HandlerSpan,
) -> Result<Poll<Response>, Payload> {
    catch_unwind(AssertUnwindSafe(|| span.enter(|| future.poll(cx))))
}

/// Whether a request is for a host that the TLS configuration of its connection does not cover. One without a host is for
/// the name that the handshake said.
#[inline]
fn is_misdirected(connection: &Connection, request: &Request) -> bool {
    let Some(hosts) = connection.hosts() else { return false };
    request.host().is_some_and(|host| !hosts.covers(&canonical_host(host)))
}

/// The client may ask again, on a connection of its own (RFC 9110 §15.5.20).
#[cold]
fn misdirected() -> Response {
    Response::text(StatusCode::MISDIRECTED_REQUEST, "421 Misdirected Request: this connection is for another host")
}

/// Whether the client is still watched.
enum Client {
    Here,
    Gone,
}

/// Watches the client while the handler waits; ready if the connection was aborted.
///
/// After the client disconnected the wire is not polled again: it would report the same end at once, for ever. The abort
/// is then found by its flag; `Connections::abort` wakes the task.
#[cold]
fn watch<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    client: &mut Client,
    cx: &mut Context<'_>,
) -> Poll<()> {
    if let Client::Here = client {
        send_interim(connection, requests);
        match requests.poll_watch(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(WireError::Aborted) => return Poll::Ready(()),
            Poll::Ready(_) => {
                *client = Client::Gone;
                connection.set_disconnected();
            }
        }
    }
    if connection.is_aborted() { Poll::Ready(()) } else { Poll::Pending }
}

/// Appends the interim replies that the handler pushed to the output. If the client has not taken the output yet, they
/// stay in the connection, which bounds their size.
fn send_interim<S: Stream>(connection: &ConnGuard, requests: &mut Requests<S>) {
    if requests.wire().output.len() < MAX_UNSENT_BYTES {
        if let Some(interim) = connection.take_interim() {
            requests.wire().output.extend(&interim);
        }
    }
}

/// Reports the panic of a handler, which is why the connection ends; the response to it.
#[cold]
fn panicked_handler<H>(server: &Shared<H>, connection: &ConnGuard, payload: Payload) -> Response {
    connection.set_close_reason(CloseReason::Panic);
    panicked(server, connection, payload)
}

/// Reports a panic to the hook; returns the response to it, which closes the connection.
#[cold]
pub(crate) fn panicked<H>(server: &Shared<H>, connection: &ConnGuard, payload: Payload) -> Response {
    report_panic(server, connection, connection.take_note().as_deref(), payload);
    internal_error().with_header("connection", "close")
}

/// Reports a panic to the hook. `note` is the method and target that the request left when the panic dropped it: the
/// handler owned the request.
#[cold]
pub(crate) fn report_panic<H>(server: &Shared<H>, connection: &Connection, note: Option<&str>, payload: Payload) {
    let message = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (None, Some(text)) => text.as_str(),
        (None, None) => "not text",
    };
    server.observer.panicked(&Panicked { connection, message, request: note });
    discard(payload);
}

/// The reply in place of one that a panic or a broken body has prevented.
#[cold]
pub(crate) fn internal_error() -> Response {
    Response::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error")
}
