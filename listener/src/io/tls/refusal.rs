//! The last words to a client whose handshake failed.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

/// Writes an answer, shuts down, and reads what still comes.
///
/// A socket that is closed while bytes lie in it is reset, and a reset makes the other side throw away what it has not
/// read: the answer. A client has usually sent more by then, its whole request, say.
#[derive(Debug)]
pub(super) struct Refusal<S> {
    stream: S,
    answer: Vec<u8>,
    written: usize,
    is_shut_down: bool,
    drained: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Refusal<S> {
    /// How much is read: more than a client sends before it has read anything.
    const MAX_DRAIN_BYTES: usize = 64 << 10;

    pub(super) fn new(stream: S, answer: impl Into<Vec<u8>>) -> Self {
        Self { stream, answer: answer.into(), written: 0, is_shut_down: false, drained: 0 }
    }

    pub(super) fn get_ref(&self) -> &S {
        &self.stream
    }

    pub(super) fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Is done when the client has closed, has sent too much, or `limit` is over. That it fails is not told: the client
    /// is lost anyway.
    pub(super) fn poll(&mut self, limit: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
        if limit.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while self.written < self.answer.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.answer[self.written..])) {
                Ok(n @ 1..) => self.written += n,
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        if !self.is_shut_down {
            if ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).is_err() {
                return Poll::Ready(());
            }
            self.is_shut_down = true;
        }
        let mut discarded = [0; 2048];
        loop {
            let mut buffer = ReadBuf::new(&mut discarded);
            let read = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
            self.drained += buffer.filled().len();
            if read.is_err() || buffer.filled().is_empty() || self.drained > Self::MAX_DRAIN_BYTES {
                return Poll::Ready(());
            }
        }
    }
}
