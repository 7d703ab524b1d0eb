//! A connection that was handed over to another protocol.

use std::{fmt, future::pending};

use quintet_listener::Stream;
use quintet_request::quintet_conn::ActiveRequest;

/// A connection that was handed over to another protocol: the stream, and the bytes of that protocol that were read
/// with the request.
///
/// Fields may be added: take it apart with `Upgraded { io, leftover, .. }`.
#[doc(alias = "websocket")]
#[doc(alias = "Hijacker")]
pub struct Upgraded {
    /// The stream to the client.
    pub io: Box<dyn Stream>,
    /// The bytes that were received after the request; they come before those of `io`.
    pub leftover: Vec<u8>,
    /// The request that asked for the upgrade.
    active: Option<ActiveRequest>,
}

impl Upgraded {
    /// The connection of the request `active`, if it came by one. For servers.
    #[must_use]
    pub fn new(io: Box<dyn Stream>, leftover: Vec<u8>, active: Option<ActiveRequest>) -> Self {
        Self { io, leftover, active }
    }

    /// The handle of the request that asked for the upgrade, if it came by a connection. It can be waited for beside the
    /// stream. The request ends when the other protocol does.
    pub fn active(&self) -> Option<&ActiveRequest> {
        self.active.as_ref()
    }

    /// Resolves when the client has disconnected, or the other protocol has ended. The server learns that a client has gone
    /// only from the one who uses [`io`](Self::io): by the end of what is read, or an error.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again.
    pub async fn disconnected(&self) {
        match &self.active {
            Some(active) => active.disconnected().await,
            None => pending().await,
        }
    }

    /// Resolves when the server stops. Its shutdown waits for the other protocol to end, and resets the connection at its
    /// deadline.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again.
    pub async fn stopping(&self) {
        match &self.active {
            Some(active) => active.connection().stopping().await,
            None => pending().await,
        }
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("leftover", &self.leftover.len()).finish_non_exhaustive()
    }
}
