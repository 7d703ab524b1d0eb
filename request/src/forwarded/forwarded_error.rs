//! The reasons why what a trusted proxy sent is not understood.

use http::StatusCode;

/// The reason why a field that a trusted proxy wrote is not understood. Offsets are bytes of the value of one field line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardedError {
    /// Not the grammar of RFC 7239 §4: a parameter without a value, a parameter twice, more than 32 in one element, or a
    /// quote without its end.
    #[error("forwarding field is malformed at byte {at}")]
    Syntax {
        /// Where the grammar is left.
        at: usize,
    },
    /// Not an IP address, `unknown`, or an obfuscated identifier (RFC 7239 §6).
    #[error("forwarding field names no node at byte {at}")]
    Node {
        /// Where the entry begins.
        at: usize,
    },
    /// The value of `X-Forwarded-Proto` is not a scheme.
    #[error("forwarding field names no scheme at byte {at}")]
    Scheme {
        /// Where the entry begins.
        at: usize,
    },
    /// The host is not `host [":" port]` (RFC 9110 §7.2).
    #[error("forwarding field names no host at byte {at}")]
    Host {
        /// Where the entry begins.
        at: usize,
    },
}

impl ForwardedError {
    /// The status of the reply: 400. A proxy that is set up right sends no such field, whatever its client sends: either
    /// it passes on what the client wrote, or the client wrote something that makes the proxy's own text ambiguous.
    pub const fn status(self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}
