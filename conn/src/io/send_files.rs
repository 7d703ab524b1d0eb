//! Sending the files of an output: from the kernel if the stream can, else in pieces that are read.

use std::{
    future::Future,
    io,
    pin::pin,
    task::{Context, Poll, ready},
};

use quintet_listener::Stream;
use tokio::task::yield_now;

use super::{wire::Wire, wire_error::WireError};

/// The most bytes that one poll sends before the task yields: a client that reads as fast as we send would otherwise keep
/// the thread to itself for the length of a file.
const MAX_TURN_BYTES: usize = 256 * 1024;
/// The size of the pieces that are read for a stream that cannot send files, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

impl<S: Stream> Wire<S> {
    /// Sends everything up to the last file in [`output`](Self::output), the file included.
    ///
    /// Pending also if the task only yields, or waits for a disk: the client is not waited for then, and cannot be late.
    #[cold]
    pub(super) fn poll_send_files(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        let mut turn = MAX_TURN_BYTES;
        while self.output.has_file() {
            if turn == 0 {
                // Not a plain wake-up: tokio polls its sockets before a task that yielded runs again.
                let _ = pin!(yield_now()).poll(cx);
                return self.wait_for_file();
            }
            let sent = ready!(self.poll_send_piece(cx, turn))?;
            self.output.advance(sent);
            turn = turn.saturating_sub(sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Sends a part of the next piece; returns how many bytes were sent.
    fn poll_send_piece(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<Result<usize, WireError>> {
        let before = self.io.bytes_sent();
        let Some(file) = self.output.file() else {
            let written = if self.output.is_before_file() {
                self.io.poll_write_more(cx, self.output.first())
            } else {
                self.poll_write_pieces(cx)
            };
            return match written {
                Poll::Ready(Ok(0)) => Poll::Ready(Err(self.fail(io::Error::from(io::ErrorKind::WriteZero)))),
                written => self.sent(written, before),
            };
        };
        // Asked before the file is looked at: a stream of TLS needs no look.
        let (handle, offset) = file.position();
        match self.io.poll_send_file(cx, handle, offset, 0) {
            Poll::Ready(Ok(None)) => return self.poll_read_piece(cx),
            Poll::Ready(Ok(Some(_))) => {}
            other => return self.sent(other.map_ok(|_| 0), before),
        }
        let len = match file.cached(most) {
            Ok(0) => return self.poll_read_piece(cx),
            Ok(len) => len,
            Err(error) => return Poll::Ready(Err(self.fail(WireError::File(error)))),
        };
        let (handle, offset) = file.position();
        match self.io.poll_send_file(cx, handle, offset, len) {
            Poll::Ready(Ok(None)) => self.poll_read_piece(cx),
            Poll::Ready(Ok(Some(0))) => {
                Poll::Ready(Err(self.fail(WireError::File(io::ErrorKind::UnexpectedEof.into()))))
            }
            other => self.sent(other.map_ok(|sent| sent.unwrap_or(0)), before),
        }
    }

    /// The result of a call of the stream, which had passed on `before` bytes if it keeps some. Counts what the client
    /// took, and waits for room if the call is pending.
    fn sent(&mut self, sent: Poll<io::Result<usize>>, before: Option<usize>) -> Poll<Result<usize, WireError>> {
        match (before, &sent) {
            (Some(before), _) => self.sent_since(before),
            (None, Poll::Ready(Ok(n))) => self.waits.taken(*n),
            (None, _) => {}
        }
        match sent {
            Poll::Ready(Ok(n)) => Poll::Ready(Ok(n)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.fail(error))),
            Poll::Pending => self.wait_for_room(),
        }
    }

    /// Reads a piece of the file, which then lies in the output before the rest of the file. Nothing is sent.
    fn poll_read_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, WireError>> {
        let Some(file) = self.output.file() else { return Poll::Ready(Ok(0)) };
        match file.poll_read(cx, PIECE_BYTES) {
            Poll::Ready(Ok(bytes)) => {
                self.output.put_before_file(bytes);
                Poll::Ready(Ok(0))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.fail(WireError::File(error)))),
            Poll::Pending => self.wait_for_file(),
        }
    }

    /// Pending, for a reason that is not the client's. Fails if the server aborts.
    fn wait_for_file<T>(&mut self) -> Poll<Result<T, WireError>> {
        self.release_memory();
        match self.check() {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
