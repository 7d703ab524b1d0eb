//! The two half-closes of a connection: of a client that sent FIN and may still read, and ours, after the final reply.

use std::{future::poll_fn, pin::Pin, task::Poll};

use quintet_listener::Stream;

use super::{
    wire::{Filled, Wire},
    wire_error::WireError,
};
use crate::Phase;

impl<S: Stream> Wire<S> {
    /// While a reply is made and nothing is to be sent: a half-closed client (FIN) may still be reading or
    /// be gone altogether, which only sending would tell. It is waited for during
    /// [`Timeouts::stall`](crate::Timeouts::stall), or as long as the handler
    /// [said](crate::ActiveRequest::set_write_deadline),
    /// until [`clear_half_closed_timeout`](Self::clear_half_closed_timeout).
    ///
    /// # Errors
    /// [`WireError::TimedOut`] after that time, [`WireError::Aborted`].
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

    /// Sends everything and says that nothing more comes (FIN); the client may still send.
    ///
    /// # Errors
    /// See [`poll_flush`](Self::poll_flush).
    ///
    /// # Cancel safety
    /// Nothing is lost: it can be called again.
    pub async fn half_close(&mut self) -> Result<(), WireError> {
        self.flush().await?;
        poll_fn(|cx| {
            // Shutting down a socket does not wait; a stream that does (TLS) has the time of a reply.
            match Pin::new(&mut self.io).poll_shutdown(cx) {
                // If it fails, nothing is lost by it (everything was sent), and it can be tried again.
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

    /// Half-closes, then reads and discards what the client still sends: until it closes too, for `limit` bytes, or
    /// for the time of [`Phase::Linger`].
    ///
    /// Closing a socket with unread bytes makes the kernel send a reset, and a reset makes the client's kernel throw
    /// away the reply it has not read yet. RFC 9112 §9.6. Go: `closeWriteAndWait`, which sleeps without reading.
    ///
    /// # Errors
    /// Those of the half-close; whatever happens while lingering is an end like any other.
    ///
    /// # Cancel safety
    /// What the client has still sent is thrown away in any case.
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
