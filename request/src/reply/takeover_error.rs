//! Why a connection cannot be handed over to another protocol.

use http::StatusCode;

/// Why a connection cannot be handed over to another protocol with this reply. RFC 9110 §7.8, §9.3.6, §15.2, §15.5.22.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TakeoverError {
    /// Nothing may follow a reply with this status or to HEAD, or a 101 does not name the protocol: a mistake of the
    /// handler. 500.
    #[error("nothing may follow this reply")]
    Reply,
    /// A 101, and the client asked for no upgrade; HTTP/1.0 has none. 426, with the reply's `Upgrade` field.
    #[error("the protocol is changed only for a client that asks for it")]
    Unasked,
    /// CONNECT with content: one reader takes it for that, another for the beginning of the tunnel. 400.
    #[error("content before a tunnel")]
    Content,
}

impl TakeoverError {
    /// The status to answer instead.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Reply => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unasked => StatusCode::UPGRADE_REQUIRED,
            Self::Content => StatusCode::BAD_REQUEST,
        }
    }
}
