//! A connection seen as a sequence of requests.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use quintet_conn::{BLOCK, Filled, Phase, Retirement, State, Wire, WireError};
use quintet_listener::Stream;

use super::{
    requests_error::RequestsError,
    wire_guard::{Guard, WireGuard},
};
use crate::{
    Body, Chunked, CloseReason, Exchange, Framing, HeadError, Index, Limits, Request, RequestBody, Scan,
    body::{
        incoming_body::{IncomingBody, Left, MAX_READ_AHEAD_BYTES},
        revocable::{Revocable, RevocableGuard},
        revocable_body::RevokeOnDrop,
    },
};

/// A connection as a sequence of requests. It returns one request at a time, and the next one after the last was
/// [settled](Self::settle).
///
/// ```text
///            ┌───────────── try_next / next ◀──────────────┐
///            ▼                                             │
///    Ok(Some(request)) ─▶ handler ─▶ reply into wire() ─▶ settle
///            │                                             │
///            ╰─▶ Exchange::new            finish ◀─────────╯
/// ```
///
/// The state of the request's body is reported to the [`Exchange`], which decides whether there is a next request.
///
/// ```
/// use http::StatusCode;
/// use quintet_request::{Exchange, Next, Requests, quintet_conn::Wire, reply::Head};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// # let (stream, mut client) = tokio::io::duplex(1024);
/// # client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await?;
/// // In a server the wire is that of an admitted connection, which has timeouts.
/// let mut requests = Requests::new(Wire::new(stream), Default::default());
/// while let Some(request) = requests.next().await? {
///     let mut exchange = Exchange::new(request.head());
///     let head = Head::new(StatusCode::NO_CONTENT);
///     let plan = exchange.begin_reply(&head);
///     plan.write_head(requests.wire().output.tail(), &head, 784_111_777, b"");
///     exchange.end_reply(&plan);
///     drop(request);
///     # client.shutdown().await?;
///     requests.settle(&mut exchange, 0).await?;
///     if exchange.finish() != Next::Continue {
///         break;
///     }
/// }
/// requests.into_wire().flush().await?;
/// # let mut seen = String::new();
/// # client.read_to_string(&mut seen).await?;
/// # assert!(seen.starts_with("HTTP/1.1 204"));
/// # Ok(()) }
/// ```
///
/// A body that has arrived completely is given to its request as bytes. Otherwise the wire is shared with the [`Body`]
/// until [`settle`](Self::settle) takes it back; [`wire`](Self::wire) gives access in both cases.
#[derive(Debug)]
pub struct Requests<S: Stream> {
    slot: Option<WireSlot<S>>,
    limits: Arc<Limits>,
    scan: Scan,
    /// The reason why there was no next request; see [`close_reason`](Self::close_reason).
    ended: Option<CloseReason>,
    /// Whether this task waited for the client; see [`take_waited`](Self::take_waited).
    waited: bool,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one")]
enum WireSlot<S: Stream> {
    Owned(Wire<S>),
    Shared(RevokeOnDrop<S>),
}

impl<S: Stream> Requests<S> {
    /// Makes the sequence of requests that arrive on this wire.
    pub fn new(wire: Wire<S>, limits: Arc<Limits>) -> Self {
        Self { slot: Some(WireSlot::Owned(wire)), scan: Scan::new(&limits), limits, ended: None, waited: false }
    }

    /// Access to the wire, also while a body shares it: to append a reply and to flush it.
    #[inline]
    pub fn wire(&mut self) -> WireGuard<'_, S> {
        match self.slot.as_mut().expect(HAS_WIRE) {
            WireSlot::Owned(wire) => WireGuard(Guard::Owned(wire)),
            WireSlot::Shared(owner) => WireGuard(Guard::Shared(owner.0.get().expect(OWNED))),
        }
    }

    /// The wire, unless a body shares it: [`wire`](Self::wire) without a lock.
    // Always: what observes requests asks several times for each.
    #[inline(always)]
    pub fn owned_wire(&mut self) -> Option<&mut Wire<S>> {
        match &mut self.slot {
            Some(WireSlot::Owned(wire)) => Some(wire),
            _ => None,
        }
    }

    /// Takes the wire, for a change of the protocol. A body that still shares it fails from now on.
    pub fn into_wire(mut self) -> Wire<S> {
        self.leave()
    }

    /// Takes the wire back, to close it. A body that still shares it fails from now on.
    pub fn reclaim(&mut self) -> &mut Wire<S> {
        if !matches!(self.slot, Some(WireSlot::Owned(_))) {
            self.slot = Some(WireSlot::Owned(self.leave()));
        }
        match &mut self.slot {
            Some(WireSlot::Owned(wire)) => wire,
            _ => unreachable!("it was taken back above"),
        }
    }

    fn leave(&mut self) -> Wire<S> {
        match self.slot.take().expect(HAS_WIRE) {
            WireSlot::Owned(wire) => wire,
            WireSlot::Shared(owner) => owner.0.take().expect(OWNED).into_wire(),
        }
    }

    /// The next request in the bytes that have arrived; `None` if its head is incomplete. Never waits.
    ///
    /// # Errors
    /// [`HeadError`]: reply with its status and close the connection.
    ///
    /// # Panics
    /// If the last request was not [settled](Self::settle).
    #[inline]
    pub fn try_next(&mut self) -> Result<Option<Request>, HeadError> {
        let WireSlot::Owned(wire) = self.slot.as_mut().expect(HAS_WIRE) else {
            panic!("settle before the next request")
        };
        let bytes = wire.input.filled();
        // Before the request is taken from the pool: an incomplete head costs neither a box nor a parse.
        if bytes.is_empty() || !self.scan.look(bytes) {
            return Ok(None);
        }
        let mut request = Request::blank(wire.connection().map_or(0, |connection| connection.slot()));
        let Some(len) = request.head_mut().parse(bytes, &self.limits)? else { return Ok(None) };
        wire.input.consume(len);
        wire.clear_phase();
        self.scan.reset();
        request.set_active(wire.active());
        match request.head().framing() {
            Framing::None | Framing::Length(0) => {}
            framing => self.attach(&mut request, framing),
        }
        Ok(Some(request))
    }

    /// Gives the request its body: the bytes, if all have arrived, else the shared wire.
    fn attach(&mut self, request: &mut Request, framing: Framing) {
        let Some(WireSlot::Owned(wire)) = self.slot.as_mut() else { return };
        if let Framing::Length(length) = framing {
            let whole = usize::try_from(length).ok().filter(|length| *length <= wire.input.len());
            if let Some(length) = whole {
                *request.body_mut() = wire.input.split_to(length).into();
                return;
            }
        }
        let left = match framing {
            Framing::Length(length) => Left::Length(length),
            _ => Left::Chunked(Box::new(Chunked::new(&self.limits))),
        };
        let Some(WireSlot::Owned(wire)) = self.slot.take() else { return };
        let incoming = IncomingBody::new(wire, left, request.head().expects_continue());
        request.set_trailers(incoming.trailers());
        let revocable = Arc::new(Revocable::new(incoming));
        *request.body_mut() = Body::incoming(Arc::clone(&revocable) as _);
        self.slot = Some(WireSlot::Shared(RevokeOnDrop(revocable)));
    }

    /// Whether bytes after the last request have arrived: the client pipelines.
    #[inline]
    pub fn is_ahead(&self) -> bool {
        matches!(&self.slot, Some(WireSlot::Owned(wire)) if !is_silent(wire))
    }

    /// The next request. If it has not arrived, all unsent bytes are flushed before the wait. `None` if the client
    /// closed the connection or was idle for too long; [`close_reason`](Self::close_reason) says which.
    ///
    /// # Errors
    /// [`RequestsError`]: reply with [`RequestsError::status`], if it has one, and close the connection.
    ///
    /// # Cancel safety
    /// Cancel safe: unread bytes stay in the wire's buffer.
    #[inline]
    pub async fn next(&mut self) -> Result<Option<Request>, RequestsError> {
        loop {
            if let Some(request) = self.try_next()? {
                return Ok(Some(request));
            }
            if !self.readable().await? {
                return Ok(None);
            }
        }
    }

    /// Flushes all unsent bytes, then waits until more of the next head has arrived. `false` if the client closed the
    /// connection or was idle for too long.
    ///
    /// # Errors
    /// [`RequestsError`].
    ///
    /// # Cancel safety
    /// Cancel safe: unread bytes stay in the wire's buffer.
    #[inline]
    pub async fn readable(&mut self) -> Result<bool, RequestsError> {
        poll_fn(|cx| self.poll_readable(cx)).await
    }

    /// The reason why [`next`](Self::next) returned `None` or [`readable`](Self::readable) `false`: the client closed
    /// the connection or was idle for too long, the server closes it to make room for others, or the server stops.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.ended
    }

    /// Whether this task has waited for the client since the last call. If not, no other task of this thread ran
    /// meanwhile, and the server may have to yield so that a client that pipelines does not starve others.
    #[inline]
    pub fn take_waited(&mut self) -> bool {
        std::mem::take(&mut self.waited)
    }

    /// [`readable`](Self::readable), for a caller with a loop of its own.
    ///
    /// # Errors
    /// [`RequestsError`].
    #[inline]
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, RequestsError>> {
        // One byte more than a head may have, so that the parser sees a head that is too long and refuses it with 431.
        let limit = self.limits.head.saturating_add(1).max(BLOCK);
        let WireSlot::Owned(wire) = self.slot.as_mut().expect(HAS_WIRE) else {
            panic!("settle before the next request")
        };
        let silent = is_silent(wire);
        await_head(wire, silent);
        let Poll::Ready(turn) = wire.poll_flush_and_fill(cx, limit) else {
            self.waited = true;
            return Poll::Pending;
        };
        match turn {
            Ok(Filled::Bytes(_)) => {
                wire.set_state(State::Active);
                Poll::Ready(Ok(true))
            }
            // Without a byte of a head, a FIN or a timeout is an orderly end; with one, the head is judged.
            Ok(Filled::End | Filled::Full) if silent => self.end(CloseReason::ClientClosed),
            Ok(Filled::End | Filled::Full) => Poll::Ready(self.judge_last(RequestsError::UnexpectedEof)),
            Err(WireError::TimedOut(phase @ (Phase::Idle | Phase::Head | Phase::Drain))) if silent => {
                let retirement = wire.connection().and_then(|connection| connection.retirement());
                let retires = retirement == Some(Retirement::Connection);
                self.end(if retires { CloseReason::Retired } else { (&WireError::TimedOut(phase)).into() })
            }
            Err(WireError::TimedOut(Phase::Head)) => Poll::Ready(self.judge_last(RequestsError::TimedOut)),
            Err(error) => Poll::Ready(Err(RequestsError::Wire(error))),
        }
    }

    /// Ends the sequence for this reason.
    #[cold]
    fn end(&mut self, reason: CloseReason) -> Poll<Result<bool, RequestsError>> {
        self.ended = Some(reason);
        Poll::Ready(Ok(false))
    }

    /// Judges a head of which no more bytes will come. A malformed one has the same error as if it had arrived at once;
    /// otherwise the error is `unfinished`.
    #[cold]
    fn judge_last(&mut self, unfinished: RequestsError) -> Result<bool, RequestsError> {
        let Some(WireSlot::Owned(wire)) = &self.slot else { return Err(unfinished) };
        let bytes = wire.input.filled();
        if !self.scan.look_last(bytes) {
            return Err(unfinished);
        }
        match Index::default().parse(bytes, &self.limits)? {
            None => Err(unfinished),
            // A caller can wait twice without a `try_next` in between; the head is then complete, and there is a
            // request.
            Some(_) => {
                self.scan.reset();
                Ok(true)
            }
        }
    }

    /// Watches the client while a handler runs, and sends unsent bytes. Ready only if the connection failed or was
    /// aborted.
    pub fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<WireError> {
        match self.slot.as_mut().expect(HAS_WIRE) {
            WireSlot::Owned(wire) => match wire.poll_watch(cx, MAX_READ_AHEAD_BYTES) {
                Poll::Ready(Err(error)) => Poll::Ready(error),
                _ => Poll::Pending,
            },
            WireSlot::Shared(owner) => owner.0.get().expect(OWNED).poll_watch(cx),
        }
    }

    /// Sends all unsent bytes. A body that no task holds is discarded meanwhile, up to `limit` bytes: a client that
    /// sends all of it before it reads would otherwise wait for the server while the server waits for it.
    ///
    /// # Errors
    /// [`WireError`] if the connection failed.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, limit: u64) -> Poll<Result<(), WireError>> {
        match self.slot.as_mut().expect(HAS_WIRE) {
            WireSlot::Owned(wire) => wire.poll_flush(cx),
            WireSlot::Shared(owner) => {
                let mut incoming = owner.0.get().expect(OWNED);
                // A stream holds one waker for writes, and a borrower that waits flushes too, so the waker passed wakes
                // both. The drop of the last borrower wakes this task, which then discards the body.
                match incoming.wake_both(cx) {
                    _ if !incoming.is_borrowed() => incoming.poll_flush(cx, limit),
                    None => incoming.wire.poll_flush(cx),
                    Some(both) => incoming.wire.poll_flush(&mut Context::from_waker(&both)),
                }
            }
        }
    }

    /// Reports to the exchange, when the reply begins, what is left of the request's body. More than `limit` bytes left
    /// are not discarded; the connection then ends.
    ///
    /// If the client waits for `100 Continue` and a handler holds the body, the 100 is sent now, as it cannot follow
    /// the reply's head. If no handler holds the body, the 100 is not sent and the connection ends, because the client
    /// may send the body or not.
    ///
    /// # Spec
    /// RFC 9110 §10.1.1. Go: `(*chunkWriter).writeHeader`, which drains before the reply and without a deadline.
    #[inline]
    pub fn report_body(&mut self, exchange: &mut Exchange, limit: u64) {
        exchange.set_request_body(match &self.slot {
            Some(WireSlot::Shared(owner)) => left_of(&mut owner.0.get().expect(OWNED), limit),
            _ => RequestBody::Read,
        });
    }

    /// Ends a request after its reply: takes the wire back, and discards the rest of the body if it has at most `limit`
    /// bytes and arrives within the timeout of [`Phase::Linger`]. The result is reported to the exchange. A task that
    /// still reads the body gets [`BodyError::AfterReply`](crate::BodyError::AfterReply).
    ///
    /// # Errors
    /// [`WireError`] if the connection failed.
    ///
    /// # Cancel safety
    /// Not cancel safe: the connection is closed, and no further request can be read.
    pub async fn settle(&mut self, exchange: &mut Exchange, limit: u64) -> Result<(), WireError> {
        if self.try_settle(exchange) {
            return Ok(());
        }
        Box::pin(self.settle_shared(exchange, limit)).await
    }

    /// Discards the rest of the request's body before a reply that changes the protocol, so that the next byte on the
    /// wire is the first one of the new protocol. A client that waits for `100 Continue` gets it first.
    /// [`RequestBody::Lost`] is reported if the body does not end within `limit` bytes and the timeout of
    /// [`Phase::Linger`]. Otherwise as [`settle`](Self::settle).
    ///
    /// # Errors
    /// [`WireError`] if the connection failed.
    ///
    /// # Cancel safety
    /// Not cancel safe, as [`settle`](Self::settle).
    ///
    /// # Spec
    /// RFC 9110 §7.8: the client sends its whole request before it uses the other protocol, and a 100 goes before a
    /// 101.
    pub async fn pass_body(&mut self, exchange: &mut Exchange, limit: u64) -> Result<(), WireError> {
        if let Some(WireSlot::Shared(owner)) = &self.slot {
            owner.0.get().expect(OWNED).say_continue();
        }
        self.settle(exchange, limit).await
    }

    /// Ends a request as [`settle`](Self::settle) does, without waiting. `false` if a part of the body is left.
    #[inline]
    pub fn try_settle(&mut self, exchange: &mut Exchange) -> bool {
        if let Some(WireSlot::Shared(_)) = &self.slot {
            if !self.take_back() {
                return false;
            }
        }
        exchange.set_request_body(RequestBody::Read);
        true
    }

    /// Takes the wire back if the body was read to its end, and returns whether it was.
    fn take_back(&mut self) -> bool {
        let Some(WireSlot::Shared(owner)) = &self.slot else { return false };
        if !owner.0.get().expect(OWNED).is_end() {
            return false;
        }
        let mut wire = owner.0.take().expect(OWNED).into_wire();
        wire.clear_phase();
        self.slot = Some(WireSlot::Owned(wire));
        true
    }

    async fn settle_shared(&mut self, exchange: &mut Exchange, limit: u64) -> Result<(), WireError> {
        // The slot stays empty during the wait. If this future is dropped, the wire is closed with it, and no later
        // call can take the rest of the body for a request.
        let Some(WireSlot::Shared(owner)) = self.slot.take() else { return Ok(()) };
        let mut incoming = owner.0.take().expect(OWNED);
        let left = match left_of_settled(&incoming, limit) {
            RequestBody::Unread => {
                incoming.wire.clear_phase();
                incoming.wire.enter(Phase::Linger);
                match poll_fn(|cx| incoming.poll_discard(cx, limit)).await {
                    Err(WireError::TimedOut(Phase::Linger)) => Ok(RequestBody::Lost(CloseReason::RequestBodyUnread)),
                    left => left,
                }
            }
            left => Ok(left),
        };
        incoming.wire.clear_phase();
        // Before `left?`: after an error the caller still needs the wire, to close it.
        self.slot = Some(WireSlot::Owned(incoming.into_wire()));
        exchange.set_request_body(left?);
        Ok(())
    }
}

/// The rest of a shared body, for the exchange.
#[cold]
fn left_of<S: Stream>(incoming: &mut RevocableGuard<'_, IncomingBody<S>>, limit: u64) -> RequestBody {
    if incoming.failed.is_none() && !incoming.is_end() && incoming.is_borrowed() {
        incoming.say_continue();
        return RequestBody::Held;
    }
    left_of_settled(incoming, limit)
}

/// The rest of a body that no task will read any more.
fn left_of_settled<S: Stream>(incoming: &IncomingBody<S>, limit: u64) -> RequestBody {
    if let Some(error) = &incoming.failed {
        return error.lost();
    }
    match incoming.left {
        Left::Nothing => RequestBody::Read,
        _ if incoming.expects => RequestBody::Lost(CloseReason::RequestBodyUnread),
        Left::Length(left) if left > limit => RequestBody::Lost(CloseReason::RequestBodyUnread),
        _ => RequestBody::Unread,
    }
}

const HAS_WIRE: &str = "the wire leaves only with the requests, or for the time of a settlement";
const OWNED: &str = "only the owner takes the wire back, and then it is not shared";

/// Sets the phase of the wait for the next head. The head timeout starts with its first byte, or on a new connection
/// with the accept; a connection that was used before is idle until then.
#[inline]
fn await_head<S: Stream>(wire: &mut Wire<S>, silent: bool) {
    let phase = match wire.connection() {
        _ if !silent => Phase::Head,
        Some(connection) => {
            if wire.input.is_empty() {
                wire.set_state(State::Idle); // Active since its first byte; New stays New
            }
            match connection.state() {
                _ if connection.is_stopping() => Phase::Drain,
                State::New => Phase::Head,
                _ => Phase::Idle,
            }
        }
        None => Phase::Idle,
    };
    wire.enter(phase);
}

/// Whether no byte of a head has arrived. An empty line before the head (RFC 9112 §2.2) does not count.
#[inline]
fn is_silent<S>(wire: &Wire<S>) -> bool {
    matches!(wire.input.filled(), b"" | b"\r" | b"\r\n")
}
