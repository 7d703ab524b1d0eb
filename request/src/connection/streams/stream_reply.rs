//! The reply on a stream of HTTP/2, before its head.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::server::SendResponse;
use http::{HeaderMap, Response, StatusCode};
use quintet_conn::{ActiveRequest, RequestValues};

use super::{
    interim::parse_interim,
    serving::Serving,
    stream_error::{ResetReason, StreamError},
    stream_writer::StreamWriter,
};

/// The reply on a stream of HTTP/2, before its head. Dropping it without a reply resets the stream.
#[derive(Debug)]
pub struct StreamReply {
    send: SendResponse<Bytes>,
    serving: Serving,
}

impl StreamReply {
    pub(super) fn new(send: SendResponse<Bytes>, serving: Serving) -> Self {
        Self { send, serving }
    }

    /// The handle of the request, if the connection has an entry.
    pub fn active(&self) -> Option<ActiveRequest> {
        self.serving.active()
    }

    /// Moves what handlers left for the observers of the request into these.
    pub fn take_values(&self, into: &mut RequestValues) {
        self.serving.take_values(into);
    }

    /// How many bytes of the request's body a handler has taken, unless it was in memory from the beginning.
    pub fn received(&self) -> u64 {
        self.serving.received()
    }

    /// Whether the client has reset the request, or its connection has ended.
    pub fn is_gone(&self) -> bool {
        self.serving.is_gone()
    }

    /// Watches the client while a handler works: sends the interim replies that it pushed, tells it that the client has
    /// reset the request ([`Request::disconnected`](crate::Request::disconnected)), and times its body. Ready only if the
    /// server aborted the connection.
    pub fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.serving.register_waker(cx);
        if !self.serving.is_gone() {
            let interim = self.serving.guard().and_then(|guard| guard.take_interim());
            self.send_interim(interim.as_deref());
            let reset = self.send.poll_reset(cx);
            self.serving.note_reset(reset);
        }
        match self.serving.wait(cx) {
            Ok(()) => Poll::Pending,
            Err(_) => Poll::Ready(()),
        }
    }

    /// Waits while the request has no place among those in progress. Ready when the client has reset it, or the time of a
    /// head is over: [reset](Self::reset) it then.
    pub fn poll_place(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.serving.register_waker(cx);
        let reset = self.send.poll_reset(cx);
        if self.serving.note_reset(reset) || self.serving.wait_for_place().is_err() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn send_interim(&mut self, bytes: Option<&[u8]>) {
        for reply in bytes.into_iter().flat_map(parse_interim) {
            // Refused only if the stream is gone, which the next call finds.
            let _ = self.send.send_informational(reply);
        }
    }

    /// Sends the head of the reply, and before it the interim replies that are not sent yet. A body or trailers follow.
    ///
    /// # Errors
    /// [`StreamError::Reset`] if the client has reset the request.
    pub fn send_head(self, status: StatusCode, fields: HeaderMap) -> Result<StreamWriter, StreamError> {
        self.send(status, fields, false)
    }

    /// Sends a reply without a body and without trailers.
    ///
    /// # Errors
    /// [`StreamError::Reset`] if the client has reset the request.
    pub fn send_empty(self, status: StatusCode, fields: HeaderMap) -> Result<(), StreamError> {
        self.send(status, fields, true).map(drop)
    }

    fn send(mut self, status: StatusCode, fields: HeaderMap, end: bool) -> Result<StreamWriter, StreamError> {
        let interim = self.serving.guard().and_then(|guard| guard.end_interim());
        self.send_interim(interim.as_deref());
        let mut head = Response::new(());
        *head.status_mut() = status;
        *head.headers_mut() = fields;
        match self.send.send_response(head, end) {
            Ok(stream) => Ok(StreamWriter::new(stream, self.serving)),
            Err(_) => {
                self.count_reset();
                Err(StreamError::Reset)
            }
        }
    }

    /// Counts a reset that no poll has found: the handler was done before its task was polled again, or the request never
    /// had a place.
    #[cold]
    fn count_reset(&mut self) {
        let reset = self.send.poll_reset(&mut Context::from_waker(Waker::noop()));
        self.serving.note_reset(reset);
    }

    /// Resets the stream: no reply is sent.
    pub fn reset(mut self, reason: ResetReason) {
        self.count_reset();
        self.send.send_reset(reason.code());
    }
}
