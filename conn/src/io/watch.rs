//! Watching for the client to disconnect while a handler is at work.

use std::task::{Context, Poll};

use quintet_listener::Stream;

use super::{
    wire::{Filled, Wire},
    wire_error::WireError,
};
use crate::Buffer;

impl<S: Stream> Wire<S> {
    /// While a handler is at work: sends what is to be sent, and looks whether the client is still there, reading
    /// ahead at most `limit` bytes. Ready only when something happened that ends the connection; a client that sends
    /// nothing more (FIN) may still wait for its reply.
    ///
    /// # Errors
    /// As [`poll_flush_and_fill`](Self::poll_flush_and_fill); nothing is late while a handler is at work, but the
    /// client may be gone. What it had sent ahead is then thrown away: it cannot be answered any more.
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
        loop {
            match self.poll_read(cx, limit) {
                Poll::Ready(Ok(Filled::Bytes(_))) => {}
                Poll::Ready(Ok(Filled::End)) => {
                    self.cancel();
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
