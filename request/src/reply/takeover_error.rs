//! The reasons for refusing to hand a connection over to another protocol.

use http::StatusCode;

/// The reason for refusing to hand a connection over to another protocol with this reply. RFC 9110 §7.8, §9.3.6, §15.2,
/// §15.5.22.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TakeoverError {
    /// No protocol may follow a reply with this status or to HEAD, or a 101 does not name the protocol. This is an
    /// error of the handler (500).
    #[error("nothing may follow this reply")]
    Reply,
    /// A 101 for a client that did not ask for an upgrade, as in HTTP/1.0 (426, with the reply's `Upgrade` field).
    #[error("the protocol is changed only for a client that asks for it")]
    Unasked,
    /// CONNECT with content, which some readers take for the start of the tunnel (400).
    #[error("content before a tunnel")]
    Content,
}

impl TakeoverError {
    /// The status of the reply to send instead.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Reply => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unasked => StatusCode::UPGRADE_REQUIRED,
            Self::Content => StatusCode::BAD_REQUEST,
        }
    }
}
