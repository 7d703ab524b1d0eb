//! The rule by which a request was refused before its handler was called.

use http::StatusCode;
use quintet_request::{HeadError, RequestsError};

/// The rule by which a request was refused before its handler was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The parser refused the head: 400, 414, 417, 431, 501 or 505.
    Head(HeadError),
    /// The head did not arrive in time: 408.
    HeadTimeout,
    /// The client ended its side of the connection in the middle of the head: 400.
    UnexpectedEof,
    /// The request is for a host that its TLS connection is not for: 421.
    Misdirected,
    /// HTTP/2: no handler of the connection ended in the time of a head, while as many as may be were at work. The stream is
    /// reset (`REFUSED_STREAM`), and the client may send the request again.
    NoPlace,
}

impl Refusal {
    /// The refusal of a head that could not be read; `None` if the connection failed, and nothing was refused.
    pub(crate) fn of(error: &RequestsError) -> Option<Self> {
        match error {
            RequestsError::Head(error) => Some(Self::Head(*error)),
            RequestsError::TimedOut => Some(Self::HeadTimeout),
            RequestsError::UnexpectedEof => Some(Self::UnexpectedEof),
            _ => None,
        }
    }

    /// The name of the rule, for logs and labels: small letters and `_`. Of a head it is [`HeadError::as_str`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head(error) => error.as_str(),
            Self::HeadTimeout => "head_timeout",
            Self::UnexpectedEof => "unexpected_eof",
            Self::Misdirected => "misdirected",
            Self::NoPlace => "no_place",
        }
    }

    /// The status of the plain reply; `None` if there is no reply.
    #[must_use]
    pub const fn status(self) -> Option<StatusCode> {
        match self {
            Self::Head(error) => Some(error.status()),
            Self::HeadTimeout => Some(StatusCode::REQUEST_TIMEOUT),
            Self::UnexpectedEof => Some(StatusCode::BAD_REQUEST),
            Self::Misdirected => Some(StatusCode::MISDIRECTED_REQUEST),
            Self::NoPlace => None,
        }
    }
}
