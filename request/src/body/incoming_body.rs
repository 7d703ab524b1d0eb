//! A body that is still on the wire: the wire itself, shared with the [`Body`](super::Body) until the reply is
//! finished.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use quintet_conn::{Buffer, Filled, Phase, Wire, WireError};
use quintet_listener::Stream;

use super::{
    body_error::BodyError,
    received_trailers::ReceivedTrailers,
    revocable::{Borrowable, Revocable, RevocableGuard},
};
use crate::{Chunked, CloseReason, RequestBody};

/// How much a shared wire reads ahead, in bytes: while nobody reads the body, to notice that the client is gone.
pub(crate) const MAX_READ_AHEAD_BYTES: usize = 64 * 1024;
/// The most that one read of a body of known length asks for, in bytes.
const MAX_READ_BYTES: usize = 256 * 1024;
/// Below this, in bytes, a read goes through the wire's buffer.
const MIN_DIRECT_READ_BYTES: u64 = 8 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// An incoming body as its [`Body`](super::Body) sees it, whatever the stream.
pub(crate) trait RevocableBody: Borrowable + Send + Sync {
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>>;
    fn left(&self) -> Option<u64>;
    fn is_end(&self) -> bool;
    /// Whoever waited for a frame has given up: until the next poll the client is not waited for.
    fn give_up(&self);
}

/// What is left of a body.
#[derive(Debug)]
pub(crate) enum Left {
    Length(u64),
    Chunked(Box<Chunked>),
    Nothing,
}

/// The wire, with what is left of the body on it.
#[derive(Debug)]
pub(crate) struct IncomingBody<S> {
    pub(crate) wire: Wire<S>,
    pub(crate) left: Left,
    /// The client waits for `100 Continue`.
    pub(crate) expects: bool,
    pub(crate) failed: Option<BodyError>,
    /// Where the trailers of a chunked body go.
    trailers: Option<ReceivedTrailers>,
    /// How much of the body was thrown away, in bytes.
    discarded: u64,
    pub(crate) scratch: BytesMut,
}

impl<S: Stream> IncomingBody<S> {
    pub(crate) fn new(wire: Wire<S>, left: Left, expects: bool) -> Self {
        let trailers = matches!(left, Left::Chunked(_)).then(ReceivedTrailers::default);
        IncomingBody { wire, left, expects, failed: None, trailers, discarded: 0, scratch: BytesMut::new() }
    }

    /// Where the request finds its trailers. `None` if its body cannot have any.
    pub(crate) fn trailers(&self) -> Option<ReceivedTrailers> {
        self.trailers.clone()
    }

    /// Whether the next byte on the wire is the first of the next request.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.left, Left::Nothing) && self.failed.is_none()
    }

    /// The body is broken, and the connection ends with this reply: what else came of it is of no use to anybody, and a
    /// handler may still be at work for long.
    pub(crate) fn fail(&mut self, error: BodyError) {
        self.failed = Some(error);
        self.scratch = BytesMut::new();
        self.wire.input = Buffer::new();
    }

    /// Sends `100 Continue` if the client waits for it.
    pub(crate) fn say_continue(&mut self) {
        if std::mem::take(&mut self.expects) {
            self.wire.output.extend(CONTINUE);
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Some(Err(error.duplicate())));
        }
        loop {
            match self.decode() {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if matches!(self.left, Left::Nothing) => return Poll::Ready(None),
                Ok(None) => {}
                Err(error) => {
                    self.fail(error.duplicate());
                    return Poll::Ready(Some(Err(error)));
                }
            }
            match ready!(self.poll_more(cx)) {
                Ok(None) => {}
                Ok(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Err(error) => {
                    self.fail(error.duplicate());
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    /// What the bytes already here mean.
    fn decode(&mut self) -> Result<Option<Frame<Bytes>>, BodyError> {
        match &mut self.left {
            Left::Nothing => Ok(None),
            Left::Length(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(self.wire.input.len());
                if n == 0 {
                    return Ok(None);
                }
                let data = self.wire.input.split_to(n);
                *left -= n as u64;
                if *left == 0 {
                    self.left = Left::Nothing;
                }
                Ok(Some(Frame::data(data)))
            }
            Left::Chunked(chunked) => loop {
                let step = chunked.next(self.wire.input.filled())?;
                self.wire.input.consume(step.framing);
                let data = self.wire.input.split_to(step.data);
                if chunked.is_end() {
                    let trailers = chunked.take_trailers();
                    self.left = Left::Nothing;
                    if let (Some(trailers), Some(place)) = (&trailers, &self.trailers) {
                        place.set(trailers.clone());
                    }
                    return Ok(trailers.map(Frame::trailers));
                }
                if step.data > 0 || step.framing == 0 {
                    return Ok((!data.is_empty()).then(|| Frame::data(data)));
                }
            },
        }
    }

    /// More bytes from the client: into the wire's buffer or, when much is to come, returned as they are.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        self.say_continue();
        // What waits to be sent (a 100, replies to earlier requests) may be what the client waits for. If it does not
        // go now, the owner goes on with it.
        if let Poll::Ready(Err(error)) = self.wire.poll_flush(cx) {
            return Poll::Ready(Err(error.into()));
        }
        self.wire.enter(Phase::Body);
        let filled = match &mut self.left {
            Left::Length(left) if *left >= MIN_DIRECT_READ_BYTES && self.wire.input.is_empty() => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(MAX_READ_BYTES);
                self.scratch.reserve(most);
                let filled = self.wire.poll_fill_into(cx, &mut self.scratch, most);
                let filled = match filled {
                    Poll::Pending => {
                        self.scratch = BytesMut::new();
                        return Poll::Pending;
                    }
                    Poll::Ready(filled) => filled?,
                };
                if let Filled::Bytes(n) = filled {
                    *left -= n as u64;
                    if *left == 0 {
                        self.left = Left::Nothing;
                    }
                    // A piece that is small for its memory goes into its own: whoever collects pieces would otherwise
                    // keep much more than was sent, and a client could make many.
                    let piece = if n < MAX_READ_BYTES / 8 {
                        Bytes::copy_from_slice(&self.scratch)
                    } else {
                        std::mem::take(&mut self.scratch).freeze()
                    };
                    self.scratch.clear();
                    return Poll::Ready(Ok(Some(piece)));
                }
                filled
            }
            _ => ready!(self.wire.poll_fill(cx, MAX_READ_AHEAD_BYTES))?,
        };
        Poll::Ready(match filled {
            Filled::Bytes(_) => Ok(None),
            Filled::End | Filled::Full => Err(BodyError::UnexpectedEof),
        })
    }

    /// For the owner, while somebody waits for more of the body: sends what is to be sent, and reads ahead. Ready if
    /// something came, or nothing more will, or the wire failed.
    pub(crate) fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<Result<Filled, WireError>> {
        if let Poll::Ready(Err(error)) = self.wire.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        let filled = ready!(self.wire.poll_fill(cx, MAX_READ_AHEAD_BYTES))?;
        if filled == Filled::End {
            self.wire.cancel();
        }
        Poll::Ready(Ok(filled))
    }

    /// For the owner, after the reply: sends what is to be sent and throws away what is left of the body, but no more
    /// than `limit` bytes. What came of it: the body is read, or lost.
    pub(crate) fn poll_discard(&mut self, cx: &mut Context<'_>, limit: u64) -> Poll<Result<RequestBody, WireError>> {
        loop {
            let before = self.wire.input.len();
            if let Err(error) = self.skip() {
                return Poll::Ready(Ok(error.lost()));
            }
            self.discarded += (before - self.wire.input.len()) as u64;
            if self.discarded > limit {
                return Poll::Ready(Ok(RequestBody::Lost(CloseReason::RequestBodyUnread)));
            }
            if matches!(self.left, Left::Nothing) {
                return self.wire.poll_flush(cx).map_ok(|()| RequestBody::Read);
            }
            // Both at once: a client that sends its whole body before it reads would otherwise wait for us while we
            // wait for it (golang.org/issue/15527).
            if let Poll::Ready(Err(error)) = self.wire.poll_flush(cx) {
                return Poll::Ready(Err(error));
            }
            match ready!(self.wire.poll_fill(cx, MAX_READ_AHEAD_BYTES))? {
                Filled::Bytes(_) => {}
                Filled::End | Filled::Full => return Poll::Ready(Ok(BodyError::UnexpectedEof.lost())),
            }
        }
    }

    /// For the owner, while a reply is sent and nobody holds the body: sends everything, and throws the body away
    /// meanwhile, but no more than `limit` bytes. Nothing of it is waited for.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>, limit: u64) -> Poll<Result<(), WireError>> {
        let flushed = self.wire.poll_flush(cx);
        if flushed.is_pending() && !self.expects && self.failed.is_none() && self.discarded <= limit {
            self.wire.clear_phase();
            if let Poll::Ready(Err(error)) = self.poll_discard(cx, limit) {
                return Poll::Ready(Err(error));
            }
            // Discarding may have flushed on; whether that was all is asked once more.
            return self.wire.poll_flush(cx);
        }
        flushed
    }

    fn skip(&mut self) -> Result<(), BodyError> {
        while self.decode()?.is_some() {}
        Ok(())
    }
}

impl<S: Stream> RevocableGuard<'_, IncomingBody<S>> {
    /// For the owner, while a handler is at work: sends what is to be sent, and looks whether the client is still
    /// there. Ready only if the connection failed or was aborted.
    pub(crate) fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<WireError> {
        if let Err(error) = self.wire.check() {
            return self.fails(error);
        }
        self.scratch = BytesMut::new(); // the handler waits, if only for something else
        let before = self.wire.input.len();
        // A stream remembers one task that reads: while a borrower waits, both are that one.
        let watched = match self.wake_both(cx) {
            None => self.wire.poll_watch(cx, MAX_READ_AHEAD_BYTES),
            Some(both) => {
                self.wire.register_waker(cx);
                self.poll_ahead(&mut Context::from_waker(&both))
            }
        };
        match watched {
            Poll::Ready(Err(error)) => return self.fails(error),
            Poll::Ready(Ok(Filled::End)) => self.wake(),
            _ if self.wire.input.len() != before => {
                // The borrower may have given up by now: until it reads again, this task is the one to wake.
                self.wake();
                if let Poll::Ready(Err(error)) = self.wire.poll_watch(cx, MAX_READ_AHEAD_BYTES) {
                    return self.fails(error);
                }
            }
            _ => {}
        }
        Poll::Pending
    }

    /// The wire failed while a handler is at work. A client that is late breaks its body, and may still be answered;
    /// any other failure is the end.
    #[cold]
    fn fails(&mut self, error: WireError) -> Poll<WireError> {
        let told = match error {
            WireError::TimedOut(phase) if phase != Phase::Reply => {
                self.fail(BodyError::TimedOut);
                self.wire.pause();
                Poll::Pending
            }
            WireError::Io(error) => {
                let kind = error.kind();
                self.fail(BodyError::Io(Arc::new(error)));
                Poll::Ready(WireError::Io(kind.into()))
            }
            other => {
                self.fail(if let WireError::TimedOut(_) = other {
                    BodyError::TimedOut
                } else {
                    BodyError::UnexpectedEof
                });
                Poll::Ready(other)
            }
        };
        self.wake();
        told
    }
}

impl<S: Stream> Borrowable for Revocable<IncomingBody<S>> {
    fn add_borrower(&self) {
        Revocable::add_borrower(self);
    }

    fn remove_borrower(&self) {
        // The client is not late for readers that have left.
        Revocable::remove_borrower(self, |incoming| incoming.wire.pause());
    }
}

impl<S: Stream> RevocableBody for Revocable<IncomingBody<S>> {
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match ready!(self.poll(cx, |incoming, cx| incoming.poll_frame(cx))) {
            Some(frame) => Poll::Ready(frame),
            None => Poll::Ready(Some(Err(BodyError::AfterReply))),
        }
    }

    fn left(&self) -> Option<u64> {
        match self.get()?.left {
            Left::Length(left) => Some(left),
            Left::Nothing => Some(0),
            Left::Chunked(_) => None,
        }
    }

    fn is_end(&self) -> bool {
        self.get().is_some_and(|incoming| incoming.is_end())
    }

    fn give_up(&self) {
        if let Some(mut incoming) = self.get() {
            incoming.wire.pause();
            incoming.forget();
        }
    }
}

/// The owner's end: takes the wire back when it is dropped, so that no borrower keeps it.
#[derive(Debug)]
pub(crate) struct RevokeOnDrop<S: Stream>(pub(crate) Arc<Revocable<IncomingBody<S>>>);

impl<S: Stream> Drop for RevokeOnDrop<S> {
    fn drop(&mut self) {
        drop(self.0.take());
    }
}
