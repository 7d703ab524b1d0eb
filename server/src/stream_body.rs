//! Streaming a reply: its body is sent while it is made.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame};
use quintet_conn::{ConnGuard, Wire, WireError};
use quintet_listener::Stream;
use quintet_mux::Response;
use quintet_request::{
    Body, BodyError, CloseReason, Exchange, RequestBody, Requests,
    reply::{self, Head, Length},
};

use crate::{
    dispatch::{internal_error, panicked},
    fair::{PIECES, Turn, give_way},
    served::{observe, observe_wire},
    shared::Shared,
};

/// The most unsent bytes before the body is no longer polled. A body of 64 KiB with its framing fits, so it leaves in one
/// write.
pub(crate) const MAX_OUTPUT_BYTES: usize = 96 * 1024;
/// The most empty pieces that are skipped in a row before the task yields.
pub(crate) const EMPTY: usize = 32;

/// Writes a response with a streamed body, and tells the exchange whether it is whole or broke. The caller flushes the
/// rest of the output.
///
/// If the body broke before a byte of the reply was sent, the reply is removed from the output, and the returned response
/// is sent instead. If it broke later, the client learns of it by the end of the connection: without a last chunk, with
/// fewer bytes than announced, or, for a close-delimited body, with a reset.
///
/// # Errors
/// [`WireError`] if the connection failed.
///
/// # Cancel safety
/// Not cancel safe: the rest of the reply is lost.
pub(crate) async fn stream<H, S: Stream>(
    server: &Shared<H>,
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    exchange: &mut Exchange,
    head: &Head<'_>,
    mut body: Body,
) -> Result<Option<Response>, WireError> {
    if let Some(active) = requests.wire().active() {
        body.set_active(&active);
    }
    let plan = exchange.begin_reply(head);
    let mut first = First::Unasked;
    // Polled for HEAD too: its reply has the content type, or the error, that GET would get.
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
    // A `Bytes` is cloned by counting: no data is copied.
    let look = first.data().cloned().unwrap_or_default();
    let mut written = Appended(0);
    written.append(requests, |wire| {
        observe_wire(wire, |notes, unsent| notes.begin_reply(head.status, unsent));
        plan.write_head(wire.output.tail(), head, connection.unix(), &look);
        if let (true, Length::Exact(left)) = (plan.has_body(), plan.length()) {
            observe_wire(wire, |notes, unsent| notes.will_end(left, unsent));
        }
    });
    if plan.has_body() {
        if let Sent::Broken(failure) = send(server, requests, &mut body, first, plan.length(), &mut written).await? {
            let reason = reason(server, requests, exchange, &failure);
            let instead = failed(server, connection, failure);
            // A flush may have sent a part of the reply while the body was pending.
            if written.take_back(requests) {
                exchange.close(reason);
                return Ok(Some(instead));
            }
            exchange.break_reply(reason);
            return Ok(None);
        }
    }
    observe(requests, |notes, unsent| notes.end_reply(unsent));
    exchange.end_reply(&plan);
    Ok(None)
}

/// Why a body broke.
pub(crate) enum Failure {
    Error(BodyError),
    Panic(Box<dyn std::any::Any + Send>),
    /// The body is shorter or longer than announced.
    Length,
}

/// What is known of a body when its head is written.
pub(crate) enum First {
    /// The body was not polled, or had nothing ready.
    Unasked,
    /// The first frame, or the end of the body.
    Asked(Option<Frame<Bytes>>),
}

impl First {
    pub(crate) fn data(&self) -> Option<&Bytes> {
        match self {
            Self::Asked(Some(frame)) => frame.data_ref(),
            _ => None,
        }
    }
}

/// How far sending a body came.
enum Sent {
    /// The body is in the output, with its end.
    Whole,
    /// The body broke.
    Broken(Failure),
    /// The body has more that is ready, but the turn is over: the task must yield.
    Enough,
}

/// The close reason of a reply whose body broke. If the request's body broke too, that is the reason: in an echo it breaks
/// the reply.
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

/// The response in place of one whose body broke before a byte was sent.
fn failed<H>(server: &Shared<H>, connection: &ConnGuard, failure: Failure) -> Response {
    match failure {
        Failure::Panic(payload) => panicked(server, connection, payload),
        Failure::Error(error) => Response::text(error.status(), &error).with_header("connection", "close"),
        Failure::Length => internal_error().with_header("connection", "close"),
    }
}

/// Polls the next frame of a body. The body is code of the handler, so its panics are caught.
pub(crate) fn poll_frame(body: &mut Body, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Failure>> {
    match catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) {
        Ok(polled) => Poll::Ready(ready!(polled).transpose().map_err(Failure::Error)),
        Err(payload) => Poll::Ready(Err(Failure::Panic(payload))),
    }
}

/// The first frame of a body that is not empty, if it is ready. So a body that breaks at once is answered with an error.
/// If the content type is sniffed from the first bytes, they are waited for, while the client is watched.
///
/// # Errors
/// [`WireError`] if the client disconnected while the first bytes were waited for.
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
        // A body of ready empty frames without end must not keep the thread: yield, and poll on.
        cx.waker().wake_by_ref();
        poll_half_closed(requests, cx).map(Err)
    })
    .await
}

/// Watches the client while the body is pending. A half-closed client (it sent FIN) may still read, or may be gone: the
/// body may then be pending for `Timeouts::stall` only.
fn poll_half_closed<S: Stream>(requests: &mut Requests<S>, cx: &mut Context<'_>) -> Poll<WireError> {
    if let Poll::Ready(error) = requests.poll_watch(cx) {
        return Poll::Ready(error);
    }
    match requests.wire().start_half_closed_timeout() {
        Ok(()) => Poll::Pending,
        Err(error) => Poll::Ready(error),
    }
}

/// Sends a body: frames are gathered in the output, and flushed when it is full or when no frame is ready. While the
/// client does not read a full output, the body is not polled (back-pressure).
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

/// A body that is being sent.
struct Sending<'a> {
    first: First,
    length: Length,
    /// Bytes that may still follow; `u64::MAX` if the length is not known.
    left: u64,
    written: &'a mut Appended,
    trailers: Option<HeaderMap>,
    turn: Turn,
}

impl Sending<'_> {
    /// Moves ready frames to the output, until the body ends, breaks, is pending, or the turn is over.
    fn poll<H, S: Stream>(
        &mut self,
        server: &Shared<H>,
        requests: &mut Requests<S>,
        body: &mut Body,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Sent, WireError>> {
        let mut waiting = requests.wire().output.len();
        loop {
            // Only a full output is flushed here: a flush for each frame would be a system call for each. `poll_flush`
            // drains the request's body meanwhile, for a client that sends all of it before it reads.
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
                        // The task waits, so other tasks run: a new turn. Watching the client flushes the output.
                        self.turn.begin();
                        return poll_half_closed(requests, cx).map(Err);
                    }
                },
            };
            let Some(frame) = frame else { return Poll::Ready(Ok(self.end(requests))) };
            match frame.into_data() {
                Ok(data) => {
                    // Checked before a byte of the frame is written: the client would take what is too much for the
                    // beginning of the next reply.
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

    /// Ends the body: checks its length, or writes the last chunk and the trailers.
    fn end<S: Stream>(&self, requests: &mut Requests<S>) -> Sent {
        match self.length {
            Length::Exact(_) if self.left > 0 => return Sent::Broken(Failure::Length),
            Length::Chunked => reply::end_body(requests.wire().output.tail(), self.trailers.as_ref()),
            _ => {}
        }
        Sent::Whole
    }
}

/// Appends a piece of a body; returns the unsent bytes of the output.
fn put<S: Stream>(requests: &mut Requests<S>, data: Bytes, length: Length, written: &mut Appended) -> usize {
    written.append(requests, |wire| {
        let len = data.len();
        match length {
            // Not written: a chunk of no bytes would be the last chunk, and end the body.
            _ if data.is_empty() => {}
            Length::Chunked => {
                reply::begin_chunk(wire.output.tail(), data.len());
                wire.output.push(data);
                reply::end_chunk(wire.output.tail());
            }
            _ => wire.output.push(data),
        }
        observe_wire(wire, |notes, unsent| notes.put_body(len, unsent));
        // The body made progress: a half-closed client gets the whole time again.
        wire.clear_half_closed_timeout();
        wire.output.len()
    })
}

/// The bytes of a reply that were appended to the wire's output so far, sent or not.
struct Appended(usize);

impl Appended {
    fn append<S: Stream, T>(&mut self, requests: &mut Requests<S>, put: impl FnOnce(&mut Wire<S>) -> T) -> T {
        let mut wire = requests.wire();
        let before = wire.output.len();
        let done = put(&mut wire);
        self.0 = self.0.saturating_add(wire.output.len() - before);
        done
    }

    /// Removes the reply from the output if none of it was sent; `true` if so. Replies to earlier requests stay.
    ///
    /// The output is a queue: the reply is at its end. If at least as many bytes are unsent as were appended, the first
    /// byte of the reply is unsent.
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
