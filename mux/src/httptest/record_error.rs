//! Why a handler has no reply that could be recorded.

use http::StatusCode;
use quintet_request::BodyError;

use crate::FieldError;

/// Why a handler has no reply that could be recorded. Where a server would send a 500 or close the connection, a test is
/// told the reason.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The handler, or the body while it was made, panicked with this text.
    #[error("the handler panicked: {message}")]
    Panicked {
        /// The text of the panic; `not text` if its value is none.
        message: String,
    },
    /// The handler closes the connection without a reply ([`Response::abort`](crate::Response::abort)).
    #[error("the handler aborted the connection")]
    Aborted,
    /// The reply has a field that cannot be sent: a server sends a 500 in its place.
    #[error("the reply has a field that cannot be sent")]
    Field(#[source] FieldError),
    /// The reply hands the connection over to another protocol: only a server can.
    #[error("the reply is an upgrade, which needs a server: TestServer has one")]
    Upgrade,
    /// The final reply has a status of 1xx, which is never final.
    #[error("the status of the final reply is {0}")]
    Informational(StatusCode),
    /// The body ended early, or has more than 64 MiB.
    #[error("the body of the reply ended early")]
    Body(#[source] BodyError),
}
