//! The reasons why an interim reply cannot be sent.

use http::StatusCode;

/// The reason why an interim reply (1xx) cannot be sent. All but the last two are mistakes of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InformError {
    /// The status is not 1xx, or it is 101, which is a final reply in HTTP.
    #[error("the status of an interim reply is 1xx and not 101")]
    Status,
    /// The field name is not a token (RFC 9110 §5.1).
    #[error("field name of an interim reply is not a token")]
    FieldName,
    /// The field value has a control character (RFC 9110 §5.5).
    #[error("field value of an interim reply has a control character")]
    FieldValue,
    /// The field steers the connection or the length of a body (`Connection`, `Content-Length` and the like).
    #[error("field of an interim reply steers the connection")]
    Framing,
    /// There are more than 64 fields.
    #[error("an interim reply has more than 64 fields")]
    TooManyFields,
    /// More than 16 KiB of interim replies would be unsent: they are too large, or the client does not read.
    #[error("more than 16 KiB of interim replies would be unsent")]
    Full,
    /// The final reply has begun, or the request has ended.
    #[error("the final reply has begun")]
    Over,
}

impl InformError {
    /// The status of the reply if the handler gives up: 500, because the handler asked for it and not the client.
    pub const fn status(self) -> StatusCode {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}
