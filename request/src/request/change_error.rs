//! Why a change of a head is refused.

use http::StatusCode;

use crate::HeadError;

/// Why the head of a request cannot be changed in this way. The request is then as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The method is not a token (RFC 9110 §9.1).
    #[error("method is not a token")]
    Method,
    /// The host is not `host [":" port]` (RFC 9110 §7.2).
    #[error("host is malformed")]
    Host,
    /// The field name is not a token (RFC 9110 §5.1).
    #[error("field name is not a token")]
    FieldName,
    /// The field value has a control character (RFC 9110 §5.5).
    #[error("field value has a control character")]
    FieldValue,
    /// The field decided where the body ends or how the connection goes on when the head arrived: `Connection`,
    /// `Content-Length`, `Expect`, `Trailer`, `Transfer-Encoding` and `Upgrade`; or it is `Host`, for which there is
    /// [`set_host`](crate::Request::set_host).
    #[error("field steers the connection")]
    Framing,
    /// The head as a whole would be refused on the wire: the method and the target have no form together (`CONNECT /`),
    /// or the host and the target of a `CONNECT` disagree. Offsets are in the head with the change.
    #[error(transparent)]
    Head(#[from] HeadError),
}

impl ChangeError {
    /// The status to answer: 500, as no client asks for a change.
    pub const fn status(self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}
