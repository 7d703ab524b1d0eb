//! Watching for the client to disconnect while a handler is at work.

use std::task::{Context, Poll};

use quintet_listener::Stream;

use super::{
    wire::{Filled, Wire},
    wire_error::WireError,
};
use crate::Buffer;

impl<S: Stream> Wire<S> {
    /// Watches for the client to disconnect while a handler is at work: sends what is in [`output`](Self::output), and
    /// reads ahead at most `limit` bytes (pipelined requests).
    ///
    /// Ready only with an error. A FIN tells the request's handles that the client
    /// [disconnected](crate::ActiveRequest::disconnected), but the watch goes on: a half-closed client may still read
    /// its reply.
    ///
    /// # Errors
    /// As [`poll_flush_and_fill`](Self::poll_flush_and_fill), except that no read is late while a handler is at work.
    /// On a broken wire pipelined requests are discarded: they cannot be answered.
    pub fn poll_watch(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
        let watched = self.poll_watch_inner(cx, limit);
        if watched.is_ready() && self.broken {
            self.input = Buffer::new();
        }
        watched
    }

    fn poll_watch_inner(&mut self, cx: &mut Context<'_>, limit: usize) -> Poll<Result<Filled, WireError>> {
        self.register_waker(cx);
        if let Poll::Ready(Err(error)) = self.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        // Until the stream is pending: only a pending read registers the task for the next bytes or a FIN. At the limit
        // the loop ends without that, and a client that sends more is not read from.
        loop {
            match self.poll_read(cx, limit) {
                Poll::Ready(Ok(Filled::Bytes(_))) => {}
                Poll::Ready(Ok(Filled::End)) => {
                    self.set_disconnected();
                    break;
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(Filled::Full)) | Poll::Pending => break,
            }
        }
        self.pause();
        self.release_memory();
        match self.waits.wait() {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(self.fail(error))),
        }
    }
}
