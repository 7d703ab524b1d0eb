//! A request's body that is still on the wire. The wire is shared with the [`Body`](super::Body) until the reply has
//! ended.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use quintet_conn::{Buffer, Filled, Phase, Wire, WireError};
use quintet_listener::Stream;

use super::{
    body_error::BodyError, received_bytes::ReceivedBytes, received_trailers::ReceivedTrailers,
    revocable::RevocableGuard,
};
use crate::{Chunked, CloseReason, RequestBody};

/// The most bytes that a shared wire reads ahead. It reads ahead while no task reads the body, to notice that the
/// client is gone.
pub(crate) const MAX_READ_AHEAD_BYTES: usize = 64 * 1024;
/// The most that one read of a body of known length asks for, in bytes.
const MAX_READ_BYTES: usize = 256 * 1024;
/// A read of fewer bytes than this goes through the wire's buffer.
const MIN_DIRECT_READ_BYTES: u64 = 8 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The part of a body that was not read yet.
#[derive(Debug)]
pub(crate) enum Left {
    Length(u64),
    Chunked(Box<Chunked>),
    Nothing,
}

/// The wire and the rest of the body on it.
#[derive(Debug)]
pub(crate) struct IncomingBody<S> {
    pub(crate) wire: Wire<S>,
    pub(crate) left: Left,
    /// The client waits for `100 Continue`.
    pub(crate) expects: bool,
    pub(crate) failed: Option<BodyError>,
    /// The place for the trailers of a chunked body.
    trailers: Option<ReceivedTrailers>,
    /// The bytes of the body that were received so far, without their framing.
    received: u64,
    /// The bytes of the body that were discarded so far.
    discarded: u64,
    pub(crate) scratch: BytesMut,
}

impl<S: Stream> IncomingBody<S> {
    pub(crate) fn new(wire: Wire<S>, left: Left, expects: bool) -> Self {
        let trailers = matches!(left, Left::Chunked(_)).then(ReceivedTrailers::default);
        Self { wire, left, expects, failed: None, trailers, received: 0, discarded: 0, scratch: BytesMut::new() }
    }

    /// The place where the request finds its trailers. `None` if its body cannot have trailers.
    pub(crate) fn trailers(&self) -> Option<ReceivedTrailers> {
        self.trailers.clone()
    }

    /// The wire, which is shared no longer. Tells the observers of the request how much of its body was received.
    pub(crate) fn into_wire(self) -> Wire<S> {
        self.wire.leave_value(|| Arc::new(ReceivedBytes(self.received)));
        self.wire
    }

    /// Whether the next byte on the wire is the first byte of the next request.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self.left, Left::Nothing) && self.failed.is_none()
    }

    /// Marks the body as failed and frees its buffers. The connection ends with this reply, so the unread bytes are
    /// useless, and the handler may still run for a long time.
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

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
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

    /// The next frame in the bytes that have arrived. `None` if more bytes are needed.
    fn decode(&mut self) -> Result<Option<Frame<Bytes>>, BodyError> {
        match &mut self.left {
            Left::Nothing => Ok(None),
            Left::Length(left) => {
                let n = usize::try_from(*left).unwrap_or(usize::MAX).min(self.wire.input.len());
                if n == 0 {
                    return Ok(None);
                }
                let data = self.wire.input.split_to(n);
                self.received += n as u64;
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
                self.received += step.data as u64;
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

    /// Reads more bytes from the client: into the wire's buffer, or, when much is left of the body, into memory that is
    /// returned.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        self.say_continue();
        // Flush before you wait: the client may wait for the unsent bytes (a 100, replies to earlier requests). If they
        // cannot be sent now, the owner goes on sending them.
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
                    self.received += n as u64;
                    *left -= n as u64;
                    if *left == 0 {
                        self.left = Left::Nothing;
                    }
                    // A piece that is small for its memory is copied. A handler that collects pieces would otherwise
                    // hold far more memory than the client sent, and a client could send many small pieces.
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

    /// For the owner, while a borrower waits for more of the body: sends the unsent bytes and reads ahead. Ready when
    /// bytes have arrived, when no more will come, or when the wire failed.
    pub(crate) fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<Result<Filled, WireError>> {
        if let Poll::Ready(Err(error)) = self.wire.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        let filled = ready!(self.wire.poll_fill(cx, MAX_READ_AHEAD_BYTES))?;
        if filled == Filled::End {
            self.wire.set_disconnected();
        }
        Poll::Ready(Ok(filled))
    }

    /// For the owner, after the reply: sends the unsent bytes and discards the rest of the body, at most `limit` bytes.
    /// The result says whether the body was read to its end or is lost.
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
            // Sending and discarding run at the same time: a client that sends its whole body before it reads would
            // otherwise wait for the server while the server waits for it (golang.org/issue/15527).
            if let Poll::Ready(Err(error)) = self.wire.poll_flush(cx) {
                return Poll::Ready(Err(error));
            }
            match ready!(self.wire.poll_fill(cx, MAX_READ_AHEAD_BYTES))? {
                Filled::Bytes(_) => {}
                Filled::End | Filled::Full => return Poll::Ready(Ok(BodyError::UnexpectedEof.lost())),
            }
        }
    }

    /// For the owner, while a reply is sent and no task holds the body: sends all unsent bytes, and meanwhile discards
    /// at most `limit` bytes of the body. It waits only for the sending.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>, limit: u64) -> Poll<Result<(), WireError>> {
        let flushed = self.wire.poll_flush(cx);
        if flushed.is_pending() && !self.expects && self.failed.is_none() && self.discarded <= limit {
            self.wire.clear_phase();
            if let Poll::Ready(Err(error)) = self.poll_discard(cx, limit) {
                return Poll::Ready(Err(error));
            }
            // Discarding flushes too, so it is asked again whether unsent bytes are left.
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
    /// For the owner, while a handler runs: sends the unsent bytes and watches whether the client is still connected.
    /// Ready only if the connection failed or was aborted.
    pub(crate) fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<WireError> {
        if let Err(error) = self.wire.check() {
            return self.fails(error);
        }
        self.scratch = BytesMut::new(); // the handler waits, if only for something else
        let before = self.wire.input.len();
        // A stream holds one waker for reads. While a borrower waits, it is polled with a waker that wakes both tasks.
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
                // The borrower may have dropped its wait. Until it reads again, the waker of this task has to be the
                // registered one.
                self.wake();
                if let Poll::Ready(Err(error)) = self.wire.poll_watch(cx, MAX_READ_AHEAD_BYTES) {
                    return self.fails(error);
                }
            }
            _ => {}
        }
        Poll::Pending
    }

    /// The wire failed while a handler runs. After a timeout the body fails and the client can still get a reply; any
    /// other failure ends the connection.
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
