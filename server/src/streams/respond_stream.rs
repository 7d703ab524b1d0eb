//! Sending a response on a stream of HTTP/2.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use quintet_conn::ActiveRequest;
use quintet_mux::Response;
use quintet_request::{
    Body, Exchange, ResetReason, StreamError, StreamReply, StreamWriter,
    reply::{Head, Length, Plan},
};

use super::{
    send_body::{Broken, first_frame, send_body, send_bytes},
    work::Place,
};
use crate::{
    config::HandlerError,
    dispatch::{internal_error, report_panic},
    served::{Outcome, StreamNote},
    stream_body::{Failure, First},
};

/// The rest of a reply, which may have to wait for the client or for its body.
pub(super) enum Rest {
    /// Send these bytes: the client gave no room for all of them.
    Bytes(StreamWriter, Bytes),
    /// Stream the body. Nothing is sent yet.
    Stream(Response, Body, StreamReply),
}

/// Sends a response, and frees the place of its handler. Steps that may wait are returned for [`finish_stream`]; the
/// usual reply has none.
#[inline]
pub(super) fn respond_stream<H>(
    place: &mut Place<H>,
    exchange: &mut Exchange,
    mut response: Response,
    reply: StreamReply,
) -> Option<Rest> {
    if response.is_unusual() || response.status() < StatusCode::OK {
        match unusual(place, response) {
            Some(usual) => response = usual,
            None => {
                place.fail(Outcome::Broken);
                reply.reset(ResetReason::InternalError); //              Go: http.ErrAbortHandler
                return None;
            }
        }
    }
    place.observe(|note| note.set_status(response.status()));
    let bytes = match response.take_body().try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return Some(Rest::Stream(response, body, reply)),
    };
    let (plan, fields) = plan(place, exchange, &mut response, Some(bytes.len() as u64), &bytes);
    if !plan.has_body() || bytes.is_empty() {
        place.leave();
        let sent = reply.send_empty(response.status(), fields); // refused only if the client has reset the request
        place.end(sent.is_ok(), 0);
        return None;
    }
    let Ok(mut writer) = reply.send_head(response.status(), fields) else {
        place.end(false, 0);
        return None;
    };
    let len = bytes.len();
    if writer.try_room(len) < len {
        place.observe(StreamNote::begin_body);
        return Some(Rest::Bytes(writer, bytes));
    }
    place.leave();
    let sent = writer.send_data(bytes, true);
    place.end(sent.is_ok(), len);
    None
}

/// Does the steps that [`respond_stream`] returned. A reply that cannot be sent as a whole ends with a reset of its
/// stream, so that the client does not take what it has for all of it.
///
/// # Cancel safety
/// Not cancel safe: the stream is reset.
pub(super) async fn finish_stream<H>(mut place: Place<H>, mut exchange: Exchange, rest: Rest) {
    // A loop and no recursion: a body that broke before its first byte is answered anew.
    let mut rest = Some(rest);
    while let Some(one) = rest {
        rest = match one {
            Rest::Bytes(mut writer, bytes) => {
                let sent = send_bytes(&mut writer, bytes, true).await;
                end(&mut place, sent.map_err(Broken::Stream), writer);
                None
            }
            Rest::Stream(response, body, reply) => match stream(&mut place, &mut exchange, response, body, reply).await
            {
                Some((instead, reply)) => respond_stream(&mut place, &mut exchange, instead, reply),
                None => None,
            },
        };
    }
}

/// The rare parts of a response: a field that cannot be sent and the cause of an error (they are reported), a takeover,
/// which HTTP/2 has not, and a status of 1xx. Returns the response to send; `None` for [`Response::abort`].
#[cold]
fn unusual<H>(place: &Place<H>, mut response: Response) -> Option<Response> {
    if let Some(error) = response.field_error() {
        place.work.server.observer.field_error(&place.work.connection, error);
    }
    if let Some(source) = response.error_source() {
        place.work.server.observer.handler_error(&HandlerError {
            connection: &place.work.connection,
            status: response.status(),
            source,
        });
    }
    if response.is_abort() {
        return None;
    }
    Some(if response.take_upgrade().is_some() {
        Response::text(StatusCode::NOT_IMPLEMENTED, "501 Not Implemented")
    } else if response.status() < StatusCode::OK {
        internal_error() // the client would wait for a final reply
    } else {
        response
    })
}

/// The head of a response.
fn head(response: &Response, length: Option<u64>) -> Head<'_> {
    Head { status: response.status(), headers: response.headers(), content_type: response.content_type(), length }
}

/// Plans the reply, and makes its fields. `first` is the beginning of its body. If the handler asked to close the
/// connection, it takes no new requests from now on.
fn plan<H>(
    place: &Place<H>,
    exchange: &mut Exchange,
    response: &mut Response,
    length: Option<u64>,
    first: &[u8],
) -> (Plan, HeaderMap) {
    let plan = exchange.begin_reply(&head(response, length));
    if plan.close().is_some() {
        place.work.ask_to_close();
    }
    let mut fields = response.take_headers();
    plan.finish_fields(&mut fields, response.content_type(), place.work.connection.unix(), first);
    (plan, fields)
}

/// Ends a reply: resets the stream if a part of it is missing.
fn end<H>(place: &mut Place<H>, sent: Result<(), Broken>, writer: StreamWriter) {
    place.observe(|note| note.set_bytes(&writer));
    match &sent {
        Ok(()) => place.whole(),
        Err(Broken::Stream(StreamError::Reset)) => place.fail(Outcome::Reset),
        Err(Broken::Stream(_)) => place.fail(Outcome::Cut),
        Err(Broken::Body(_)) => place.fail(Outcome::Broken),
    }
    match sent {
        Ok(()) | Err(Broken::Stream(StreamError::Reset)) => {}
        Err(Broken::Stream(_)) => writer.reset(ResetReason::Cancel),
        Err(Broken::Body(failure)) => {
            report(place, writer.active(), failure);
            writer.reset(ResetReason::InternalError);
        }
    }
}

/// Reports why a body broke, if it panicked.
fn report<H>(place: &Place<H>, active: Option<ActiveRequest>, failure: Failure) {
    if let Failure::Panic(payload) = failure {
        let note = active.and_then(|active| active.take_note());
        report_panic(&place.work.server, &place.work.connection, note.as_deref(), payload);
        place.panicked();
    }
}

/// Sends a response with a streamed body. If the body breaks before its first frame, the response to send instead is
/// returned.
async fn stream<H>(
    place: &mut Place<H>,
    exchange: &mut Exchange,
    mut response: Response,
    mut body: Body,
    mut reply: StreamReply,
) -> Option<(Response, StreamReply)> {
    if let Some(active) = reply.active() {
        body.set_active(&active);
    }
    let length = body.len();
    let mut first = First::Unasked;
    // Polled for HEAD too: its reply has the content type, or the error, that GET would get.
    if exchange.begin_reply(&head(&response, length)).has_content() {
        let is_sniffed = head(&response, length).is_sniffed();
        // `None`: the server aborted the connection, or the client is gone.
        first = match first_frame(&mut body, &mut reply, is_sniffed).await {
            None => {
                place.fail(if reply.is_gone() { Outcome::Reset } else { Outcome::Cut });
                return None;
            }
            Some(Ok(first)) => first,
            Some(Err(failure)) => {
                let instead = match &failure {
                    Failure::Error(error) => Response::text(error.status(), error),
                    Failure::Panic(_) | Failure::Length => internal_error(),
                };
                report(place, reply.active(), failure);
                return Some((instead, reply));
            }
        };
    }
    // A `Bytes` is cloned by counting: no data is copied.
    let look = first.data().cloned().unwrap_or_default();
    let (plan, fields) = plan(place, exchange, &mut response, length, &look);
    // A body that has ended already is the end of the head: to gRPC a status in the fields is one only there.
    let is_over = matches!(first, First::Asked(None)) && !matches!(plan.length(), Length::Exact(1..));
    if !plan.has_body() || is_over {
        let sent = reply.send_empty(response.status(), fields);
        place.end(sent.is_ok(), 0);
        return None;
    }
    let Ok(mut writer) = reply.send_head(response.status(), fields) else {
        place.end(false, 0);
        return None;
    };
    place.observe(StreamNote::begin_body);
    let sent = send_body(&mut writer, &mut body, first, plan.length()).await;
    end(place, sent, writer);
    None
}
