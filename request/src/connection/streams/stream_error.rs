//! Why a reply on a stream of HTTP/2 cannot go on, and why a stream is reset.

use h2::Reason;

/// Why a reply on a stream of HTTP/2 cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// The client reset the stream, or its connection has ended.
    #[error("the client reset the request")]
    Reset,
    /// The client gave no room for more of the reply in time.
    #[error("the client was too slow to read its reply")]
    TimedOut,
    /// The server aborted the connection.
    #[error("the connection was aborted")]
    Aborted,
}

/// The reason with which a stream is reset. RFC 9113 §7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetReason {
    /// The request was not processed at all, and may be sent again: `REFUSED_STREAM`.
    Refused,
    /// The reply is not wanted any more, or comes too slowly: `CANCEL`.
    Cancel,
    /// The handler failed: `INTERNAL_ERROR`.
    InternalError,
}

impl ResetReason {
    /// The code of the library.
    pub(super) fn code(self) -> Reason {
        match self {
            Self::Refused => Reason::REFUSED_STREAM,
            Self::Cancel => Reason::CANCEL,
            Self::InternalError => Reason::INTERNAL_ERROR,
        }
    }
}
