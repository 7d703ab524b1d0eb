//! The reasons for refusing a change of a head.

use http::StatusCode;

use crate::HeadError;

/// The reason for refusing a change of a request's head. The request stays as it was.
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
    /// The field steers the connection or the length of the body: `Connection`, `Content-Length`, `Expect`, `Trailer`,
    /// `Transfer-Encoding` or `Upgrade`. Or it is `Host`, which [`set_host`](crate::Request::set_host) changes.
    #[error("field steers the connection")]
    Framing,
    /// The parser would refuse the changed head: the target has no form that the method allows (`CONNECT /`), or the
    /// host and the target of a `CONNECT` disagree. Offsets are in the changed head.
    #[error(transparent)]
    Head(#[from] HeadError),
}

impl ChangeError {
    /// The status of the reply: 500, because the handler asked for the change and not the client.
    pub const fn status(self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}
