//! Opening the stream of a wire: what stands before the protocol's first byte.

use std::{
    future::poll_fn,
    task::{Context, Poll},
};

use quintet_listener::Stream;

use super::{wire::Wire, wire_error::WireError};
use crate::Phase;

impl<S: Stream> Wire<S> {
    /// Opens the stream: does what stands before the protocol's first byte, a PROXY header or a TLS handshake, within the
    /// time of the first head. Then that time begins anew. What it tells is at the [`Connection`](crate::Connection) from then on. A bare
    /// socket is open already, and this does nothing.
    ///
    /// # Errors
    /// [`WireError::Io`] if the client does not say what it must, or the stream's own time for it is over;
    /// [`WireError::TimedOut`] of [`Phase::Head`] or, while the server stops, [`Phase::Drain`]. Nothing can be said to the
    /// client then, and nothing needs to be.
    ///
    /// # Cancel safety
    /// Nothing is lost: it can be called again.
    ///
    /// # Spec
    /// Go: `(*tls.Conn).HandshakeContext` in `(*conn).serve`.
    pub async fn open(&mut self) -> Result<(), WireError> {
        poll_fn(|cx| self.poll_open(cx)).await
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        match self.io.poll_open(cx) {
            Poll::Pending => {
                self.register_waker(cx);
                self.wait_for_bytes()
            }
            Poll::Ready(Ok(opened)) => {
                if let Some(connection) = self.connection() {
                    connection.set_opened(opened);
                }
                self.clear_phase();
                self.enter(Phase::Head);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(self.fail(error))),
        }
    }
}
