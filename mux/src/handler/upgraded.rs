//! A connection that speaks another protocol now.

use std::fmt;

use quintet_listener::Stream;

/// A connection after its last reply's head: the stream, and what the client has already sent of the new protocol.
#[doc(alias = "websocket")]
#[doc(alias = "Hijacker")]
pub struct Upgraded {
    /// The stream to the client.
    pub io: Box<dyn Stream>,
    /// Bytes that arrived behind the request.
    pub leftover: Vec<u8>,
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("leftover", &self.leftover.len()).finish_non_exhaustive()
    }
}
