//! One request of a connection of HTTP/2: calling its handler, with the names of Go's `http2.serverConn` at the right.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use http::{Method, StatusCode};
use quintet_mux::{Handler, Response};
use quintet_request::{Exchange, HeadError, Request, RequestsError, StreamReply};

use super::{
    respond_stream::{finish_stream, respond_stream},
    work::Place,
};
use crate::{
    config::Refused,
    dispatch::{Payload, call, early_reply, internal_error, poll_handler, report_panic},
    handler_span::HandlerSpan,
    sampling::note_refusal,
    served::{Outcome, Refusal},
};

/// Serves one request. Go: `(*http2.serverConn).runHandler`.
///
/// # Cancel safety
/// Not cancel safe: the handler is dropped, and the stream is reset.
#[expect(clippy::manual_async_fn, reason = "an async function keeps a second copy of its arguments: 200 bytes")]
pub(super) fn serve_stream<H: Handler>(
    mut place: Place<H>,
    request: Request,
    mut reply: StreamReply,
) -> impl Future<Output = ()> + Send {
    async move {
        let mut exchange = Exchange::new(request.head());
        let response = match early_reply(&place.work.server, &place.work.connection, &request) {
            Some(response) => {
                if response.status() == StatusCode::MISDIRECTED_REQUEST {
                    place.observe(|note| note.refuse(Refusal::Misdirected));
                    place.sampling.set_outcome(Outcome::Refused(Refusal::Misdirected));
                    note_refusal(&place.work.server, Refusal::Misdirected);
                }
                response
            }
            None => {
                let response = handle(&place, request, &mut reply).await;
                if let Some(response) = &response {
                    place.sampling.handled(response);
                }
                place.observe(|note| note.handled(&reply));
                match response {
                    Some(response) => response,
                    None => return, // the connection was aborted
                }
            }
        };
        if let Some(rest) = respond_stream(&mut place, &mut exchange, response, reply) {
            Box::pin(finish_stream(place, exchange, rest)).await;
        }
    }
}

/// Calls the handler and waits for its response. A panic becomes a response of 500; the other requests go on. `None` if
/// the connection was aborted.
///
/// A client that resets the request, or disconnects, is told to the handler, and the handler goes on.
async fn handle<H: Handler>(place: &Place<H>, request: Request, reply: &mut StreamReply) -> Option<Response> {
    // Go: handler(rw, req)
    let span = HandlerSpan::begin(&place.work.server.observer, &request);
    let future = match call(&place.work.server, request, &span) {
        Ok(future) => future,
        Err(payload) => return Some(span.enter(|| panicked(place, reply, payload))),
    };
    let mut future = pin!(future);
    poll_fn(|cx| match poll_handler(future.as_mut(), cx, &span) {
        Ok(Poll::Ready(response)) => Poll::Ready(Some(response)),
        Ok(Poll::Pending) => reply.poll_watch(cx).map(|()| None),
        Err(payload) => Poll::Ready(Some(span.enter(|| panicked(place, reply, payload)))),
    })
    .await
}

/// Reports the panic of a handler; returns the response to it.
#[cold]
fn panicked<H>(place: &Place<H>, reply: &StreamReply, payload: Payload) -> Response {
    let note = reply.active().and_then(|active| active.take_note());
    report_panic(&place.work.server, &place.work.connection, note.as_deref(), payload);
    place.panicked();
    internal_error()
}

/// Answers a refused head. The connection goes on: its frames are those of HTTP/2, whatever a head says.
///
/// # Cancel safety
/// Not cancel safe: the stream is reset.
pub(super) async fn refuse_stream<H>(mut place: Place<H>, error: HeadError, method: Method, reply: StreamReply) {
    note_refusal(&place.work.server, Refusal::Head(error));
    let (status, error) = (error.status(), RequestsError::Head(error));
    let refused = Refused { connection: &place.work.connection, error: &error, status };
    let own = place.work.server.observer.refused(&refused);
    let response = own.unwrap_or_else(|| Response::text(status, format_args!("{status}: {error}")));
    let mut exchange = Exchange::refused_stream(&method);
    if let Some(rest) = respond_stream(&mut place, &mut exchange, response, reply) {
        Box::pin(finish_stream(place, exchange, rest)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_mux::ServeMux;

    fn size<H: Handler, F>(_: &H, _: impl Fn(Place<H>, Request, StreamReply) -> F) -> usize {
        size_of::<F>()
    }

    /// Up to 1,032 bytes the allocator answers from a list of its own; above, a request costs 600 instructions more.
    #[test]
    fn the_task_of_a_stream_is_less_than_a_kibibyte() {
        let single = async |request: Request| {
            let body = request.into_body().to_bytes(1 << 20).await;
            format!("{body:?}")
        };
        let sizes = (size(&single, serve_stream), size(&ServeMux::new(), serve_stream));
        assert!(sizes.0 < 1032 && sizes.1 < 1032, "{sizes:?} bytes");
    }
}
