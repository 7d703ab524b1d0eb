//! Sending a body as it is made.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body as _, Frame};
use quintet_conn::{ConnGuard, Wire, WireError};
use quintet_listener::Stream;
use quintet_mux::Response;
use quintet_request::{
    Body, BodyError, CloseReason, Exchange, RequestBody, Requests,
    reply::{self, Head, Length},
};

use crate::{
    dispatch::panicked,
    fair::{PIECES, Turn, give_way},
    shared::Shared,
};

/// How much may wait to be sent, in bytes, before the client must read: 64 KiB with all their framing leave at once.
pub(crate) const MAX_OUTPUT_BYTES: usize = 96 * 1024;
/// How many empty pieces of a body are passed over in a row before other tasks have their turn.
const EMPTY: usize = 32;

/// Writes a response whose body is made as it is sent, and reports to the exchange whether it is whole or broke. What is
/// written is to be flushed.
///
/// If the body broke before anything of the reply was sent, nothing of it is left in the output, and what is returned is
/// to be answered instead. Later only the end of the connection tells the client: no last chunk, fewer bytes than
/// announced, or, where the end of the connection is that of the body, a reset.
pub(crate) async fn stream<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    head: &Head<'_>,
    mut body: Body,
) -> Result<Option<Response>, WireError> {
    let plan = exchange.begin_reply(head);
    let mut first = First::Unasked;
    // Asked for HEAD, too: what GET would say of its type, or of what is wrong with it, HEAD says.
    if plan.has_content() {
        first = match first_frame(requests, &mut body, head.is_sniffed()).await? {
            Ok(first) => first,
            Err(failure) => {
                let reason = reason(server, requests, exchange, &failure);
                exchange.close(reason);
                return Ok(Some(failed(server, connection, failure)));
            }
        };
    }
    let look = first.data().cloned().unwrap_or_default();
    let mut written = Appended(0);
    written.append(requests, |wire| plan.write_head(wire.output.tail(), head, connection.unix(), &look));
    if plan.has_body() {
        if let Sent::Broken(failure) = send(server, requests, &mut body, first, plan.length(), &mut written).await? {
            let reason = reason(server, requests, exchange, &failure);
            let instead = failed(server, connection, failure);
            if written.take_back(requests) {
                exchange.close(reason);
                return Ok(Some(instead));
            }
            exchange.break_reply(reason);
            return Ok(None);
        }
    }
    exchange.end_reply(&plan);
    Ok(None)
}

/// Why a body could not be made.
enum Failure {
    Error(BodyError),
    Panic(Box<dyn std::any::Any + Send>),
    /// It ended before, or went on after, the length that was announced.
    Length,
}

/// What is known of a body before its head is written.
enum First {
    /// Nothing was asked, or nothing is there yet.
    Unasked,
    /// The first frame, or the end.
    Asked(Option<Frame<Bytes>>),
}

impl First {
    fn data(&self) -> Option<&Bytes> {
        match self {
            First::Asked(Some(frame)) => frame.data_ref(),
            _ => None,
        }
    }
}

enum Sent {
    Whole,
    Broken(Failure),
    /// There is more, but the other connections come first.
    Enough,
}

/// Why the connection ends with a body that could not be made. A handler that sends back what it is sent breaks its reply
/// where the client breaks the request.
fn reason<H, S: Stream>(
    server: &Shared<H>,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    failure: &Failure,
) -> CloseReason {
    requests.report_body(exchange, server.config.max_drain_bytes);
    match (exchange.request_body(), failure) {
        (RequestBody::Lost(reason), _) => reason,
        (_, Failure::Panic(_)) => CloseReason::Panic,
        (_, Failure::Error(_) | Failure::Length) => CloseReason::ReplyBroken,
    }
}

/// The reply to a request whose response cannot be made, if nothing of it was sent.
fn failed<H>(server: &Shared<H>, connection: &ConnGuard, failure: Failure) -> Response {
    match failure {
        Failure::Panic(payload) => panicked(server, connection, payload),
        Failure::Error(error) => Response::text(error.status(), &error).with_header("connection", "close"),
        Failure::Length => Response::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error")
            .with_header("connection", "close"),
    }
}

/// The next frame of a body, as the handler's code makes it.
fn poll_frame(body: &mut Body, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Failure>> {
    match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
        Ok(polled) => Poll::Ready(ready!(polled).transpose().map_err(Failure::Error)),
        Err(payload) => Poll::Ready(Err(Failure::Panic(payload))),
    }
}

/// The first frame of a body that says anything, if it is there: a body that is broken from its beginning is then
/// answered as an error. If its type must be looked for in the first bytes, they are waited for, while the client is
/// watched.
async fn first_frame<S: Stream>(
    requests: &mut Requests<S>,
    body: &mut Body,
    sniffed: bool,
) -> Result<Result<First, Failure>, WireError> {
    poll_fn(|cx| {
        for _ in 0..EMPTY {
            match poll_frame(body, cx) {
                Poll::Ready(Ok(Some(frame))) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
                Poll::Ready(frame) => return Poll::Ready(Ok(frame.map(First::Asked))),
                Poll::Pending if sniffed => return poll_half_closed(requests, cx).map(Err),
                Poll::Pending => return Poll::Ready(Ok(Ok(First::Unasked))),
            }
        }
        cx.waker().wake_by_ref();
        poll_half_closed(requests, cx).map(Err)
    })
    .await
}

/// While a body is made: watches the client. A half-closed one (FIN) may still read, or be gone; it is
/// waited for as long as a reply may stand still.
fn poll_half_closed<S: Stream>(requests: &mut Requests<S>, cx: &mut Context<'_>) -> Poll<WireError> {
    if let Poll::Ready(error) = requests.poll_watch(cx) {
        return Poll::Ready(error);
    }
    match requests.wire().start_half_closed_timeout() {
        Ok(()) => Poll::Pending,
        Err(error) => Poll::Ready(error),
    }
}

/// Sends a body: everything that is ready is gathered, and flushed when it is much or when there is nothing more for
/// now. A client that does not read stops the body from being made.
async fn send<H, S: Stream>(
    server: &Shared<H>,
    requests: &mut Requests<S>,
    body: &mut Body,
    first: First,
    length: Length,
    written: &mut Appended,
) -> Result<Sent, WireError> {
    let left = match length {
        Length::Exact(length) => length,
        _ => u64::MAX,
    };
    let mut sending = Sending { first, length, left, written, trailers: None, turn: Turn::of(PIECES) };
    loop {
        match poll_fn(|cx| sending.poll(server, requests, body, cx)).await? {
            Sent::Enough => give_way(requests, &mut sending.turn).await?,
            sent => return Ok(sent),
        }
    }
}

/// A body under way to the client.
struct Sending<'a> {
    first: First,
    length: Length,
    /// How much may still come, in bytes.
    left: u64,
    written: &'a mut Appended,
    trailers: Option<HeaderMap>,
    turn: Turn,
}

impl Sending<'_> {
    fn poll<H, S: Stream>(
        &mut self,
        server: &Shared<H>,
        requests: &mut Requests<S>,
        body: &mut Body,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Sent, WireError>> {
        let mut waiting = requests.wire().output.len();
        loop {
            if waiting >= MAX_OUTPUT_BYTES && requests.poll_flush(cx, server.config.max_drain_bytes)?.is_pending() {
                self.turn.begin();
                return Poll::Pending;
            }
            let frame = match std::mem::replace(&mut self.first, First::Unasked) {
                First::Asked(frame) => frame,
                First::Unasked => match poll_frame(body, cx) {
                    Poll::Ready(Ok(frame)) => frame,
                    Poll::Ready(Err(failure)) => return Poll::Ready(Ok(Sent::Broken(failure))),
                    Poll::Pending => {
                        self.turn.begin();
                        return poll_half_closed(requests, cx).map(Err);
                    }
                },
            };
            let Some(frame) = frame else { return Poll::Ready(Ok(self.end(requests))) };
            match frame.into_data() {
                Ok(data) => {
                    let Some(rest) = self.left.checked_sub(data.len() as u64) else {
                        return Poll::Ready(Ok(Sent::Broken(Failure::Length)));
                    };
                    self.left = rest;
                    waiting = put(requests, data, self.length, self.written);
                }
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            }
            if self.turn.is_over() {
                return Poll::Ready(Ok(Sent::Enough));
            }
        }
    }

    /// The body has ended.
    fn end<S: Stream>(&self, requests: &mut Requests<S>) -> Sent {
        match self.length {
            Length::Exact(_) if self.left > 0 => return Sent::Broken(Failure::Length),
            Length::Chunked => reply::end_body(requests.wire().output.tail(), self.trailers.as_ref()),
            _ => {}
        }
        Sent::Whole
    }
}

/// Appends a piece of a body; how much waits to be sent then.
fn put<S: Stream>(requests: &mut Requests<S>, data: Bytes, length: Length, written: &mut Appended) -> usize {
    written.append(requests, |wire| {
        match length {
            _ if data.is_empty() => {}
            Length::Chunked => {
                reply::begin_chunk(wire.output.tail(), data.len());
                wire.output.push(data);
                reply::end_chunk(wire.output.tail());
            }
            _ => wire.output.push(data),
        }
        wire.clear_half_closed_timeout();
        wire.output.len()
    })
}

/// How much of a reply was appended to the wire's output, in bytes.
struct Appended(usize);

impl Appended {
    fn append<S: Stream, T>(&mut self, requests: &mut Requests<S>, put: impl FnOnce(&mut Wire<S>) -> T) -> T {
        let mut wire = requests.wire();
        let before = wire.output.len();
        let done = put(&mut wire);
        self.0 = self.0.saturating_add(wire.output.len() - before);
        done
    }

    /// Takes all of it back, if none of it was sent; whether that was so. Replies to earlier requests stay.
    fn take_back<S: Stream>(self, requests: &mut Requests<S>) -> bool {
        let mut wire = requests.wire();
        let unsent = wire.output.len();
        if self.0 > unsent {
            return false;
        }
        wire.output.truncate(unsent - self.0);
        true
    }
}
