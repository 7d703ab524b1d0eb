//! Half-closed connections: a client that sent FIN and may still read, and our own half-close with the linger after it.

use std::{future::poll_fn, pin::Pin, task::Poll};

use quintet_listener::Stream;

use super::{
    wire::{Filled, Wire},
    wire_error::WireError,
};
use crate::Phase;

impl<S: Stream> Wire<S> {
    /// Limits how long a handler may work for a half-closed client (it sent FIN and may still read) without sending
    /// anything: such a client may also be gone, and only sending would tell.
    ///
    /// The limit is [`Timeouts::stall`](crate::Timeouts::stall), or the handler's
    /// [write deadline](crate::ActiveRequest::set_write_deadline). It ends with
    /// [`clear_half_closed_timeout`](Self::clear_half_closed_timeout). A client that did not send FIN has no such limit.
    ///
    /// # Errors
    /// [`WireError::TimedOut`] after that time, [`WireError::Aborted`] if the server aborted the connection.
    pub fn start_half_closed_timeout(&mut self) -> Result<(), WireError> {
        if !self.ended {
            return Ok(());
        }
        match self.waits.start_half_closed_timeout() {
            Ok(()) => Ok(()),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Ends the [half-closed timeout](Self::start_half_closed_timeout): there is something to send.
    #[inline]
    pub fn clear_half_closed_timeout(&mut self) {
        self.waits.clear_half_closed_timeout();
    }

    /// Half-closes: sends everything, then FIN. The client may still send.
    ///
    /// # Errors
    /// See [`poll_flush`](Self::poll_flush).
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again.
    pub async fn half_close(&mut self) -> Result<(), WireError> {
        self.flush().await?;
        poll_fn(|cx| {
            // Shutting down a socket does not wait. A stream that does (TLS) has the time limit of a reply.
            match Pin::new(&mut self.io).poll_shutdown(cx) {
                // An error here does not break the wire: everything was sent, and the call can be repeated.
                Poll::Ready(done) => {
                    self.waits.taken(0);
                    self.release_memory();
                    Poll::Ready(done.map_err(WireError::from))
                }
                Poll::Pending => self.wait_for_room(),
            }
        })
        .await
    }

    /// Lingers: half-closes, then reads and discards what the client still sends, until the client closes too, for at
    /// most `limit` bytes and at most the time of [`Phase::Linger`].
    ///
    /// Closing a socket with unread bytes makes the kernel send a reset, and a reset makes the client's kernel discard
    /// the reply that the client has not read yet. RFC 9112 §9.6. Go: `closeWriteAndWait`, which sleeps without reading.
    ///
    /// # Errors
    /// Those of [`half_close`](Self::half_close). An error while lingering is an end of the linger and no error.
    ///
    /// # Cancel safety
    /// Cancel safe: received bytes are discarded in any case.
    pub async fn linger(&mut self, mut limit: u64) -> Result<(), WireError> {
        self.half_close().await?;
        if let Some(connection) = self.connection() {
            connection.set_lingering();
        }
        self.clear_phase();
        self.enter(Phase::Linger);
        loop {
            limit = limit.saturating_sub(self.input.len() as u64);
            self.input.consume(self.input.len());
            if limit == 0 {
                return Ok(());
            }
            match self.flush_and_fill(usize::MAX).await {
                Ok(Filled::Bytes(_)) => {}
                Ok(Filled::End | Filled::Full) | Err(_) => return Ok(()),
            }
        }
    }
}
