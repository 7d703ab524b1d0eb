//! The reply on a stream of HTTP/2, after its head.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::SendStream;
use http::HeaderMap;
use quintet_conn::{ActiveRequest, WireError};

use super::{
    serving::Serving,
    stream_error::{ResetReason, StreamError},
};

/// The reply on a stream of HTTP/2, after its head. Dropping it before the [end](Self::send_data) resets the stream.
///
/// Data is sent as far as the client gave [room](Self::poll_room), and no more is queued: a client that opens no window
/// holds one piece of the reply, and not all of it.
#[derive(Debug)]
pub struct StreamWriter {
    stream: SendStream<Bytes>,
    serving: Serving,
    /// The bytes for which room was asked last.
    asked: usize,
    /// The bytes of the body that were handed over.
    sent: u64,
}

impl StreamWriter {
    pub(super) fn new(stream: SendStream<Bytes>, serving: Serving) -> Self {
        Self { stream, serving, asked: 0, sent: 0 }
    }

    /// The handle of the request, if the connection has an entry.
    pub fn active(&self) -> Option<ActiveRequest> {
        self.serving.active()
    }

    /// How many bytes of the reply's body were handed to the connection.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// How many bytes of the request's body a handler has taken, unless it was in memory from the beginning.
    pub fn received(&self) -> u64 {
        self.serving.received()
    }

    /// How many of `wanted` bytes the client takes now, if there is room for any: for a piece that need not wait.
    pub fn try_room(&mut self, wanted: usize) -> usize {
        if self.asked != wanted {
            self.asked = wanted;
            self.stream.reserve_capacity(wanted);
        }
        let room = self.stream.capacity().min(wanted);
        if room > 0 {
            self.serving.taken(room);
        }
        room
    }

    /// Waits until the client takes some of `wanted` bytes, and returns how many, at least one.
    ///
    /// # Errors
    /// [`StreamError`]: the client has reset the request or is too slow, or the server aborted the connection. After
    /// [`StreamError::TimedOut`] [reset](Self::reset) the stream.
    pub fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, StreamError>> {
        loop {
            let room = self.try_room(wanted);
            if room > 0 {
                return Poll::Ready(Ok(room));
            }
            match self.stream.poll_capacity(cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Err(self.count_reset())),
                Poll::Pending => break,
            }
        }
        self.serving.register_waker(cx);
        self.serving.wait_for_room();
        match self.serving.wait(cx) {
            Ok(()) => Poll::Pending,
            Err(WireError::TimedOut(_)) => Poll::Ready(Err(StreamError::TimedOut)),
            Err(_) => Poll::Ready(Err(StreamError::Aborted)),
        }
    }

    /// Watches the client while more of the reply is being made. Ready only if it cannot be sent any more.
    pub fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<StreamError> {
        self.serving.register_waker(cx);
        let reset = self.stream.poll_reset(cx);
        if self.serving.note_reset(reset) {
            return Poll::Ready(StreamError::Reset);
        }
        match self.serving.wait(cx) {
            Ok(()) => Poll::Pending,
            Err(WireError::TimedOut(_)) => Poll::Ready(StreamError::TimedOut),
            Err(_) => Poll::Ready(StreamError::Aborted),
        }
    }

    /// Sends a piece of the body, for which there must be [room](Self::poll_room); with `end` it is the last, and may be
    /// empty.
    ///
    /// # Errors
    /// [`StreamError::Reset`] if the client has reset the request.
    pub fn send_data(&mut self, data: Bytes, end: bool) -> Result<(), StreamError> {
        self.asked = 0;
        self.sent += data.len() as u64;
        self.stream.send_data(data, end).map_err(|_| self.count_reset())
    }

    /// Sends the trailers, and ends the reply.
    ///
    /// # Errors
    /// [`StreamError::Reset`] if the client has reset the request.
    pub fn send_trailers(&mut self, trailers: HeaderMap) -> Result<(), StreamError> {
        self.stream.send_trailers(trailers).map_err(|_| self.count_reset())
    }

    /// Counts a reset that no poll has found.
    #[cold]
    fn count_reset(&mut self) -> StreamError {
        let reset = self.stream.poll_reset(&mut Context::from_waker(Waker::noop()));
        self.serving.note_reset(reset);
        StreamError::Reset
    }

    /// Resets the stream: the client must not take what it has for the whole reply.
    pub fn reset(mut self, reason: ResetReason) {
        self.stream.send_reset(reason.code());
    }
}
