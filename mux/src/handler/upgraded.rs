//! A connection that was handed over to another protocol.

use std::fmt;

use quintet_listener::Stream;

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
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("leftover", &self.leftover.len()).finish_non_exhaustive()
    }
}
