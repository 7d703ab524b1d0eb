//! Why there is no next request on a connection.

use http::StatusCode;
use quintet_conn::WireError;

use crate::{CloseReason, HeadError};

/// Why there is no next request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestsError {
    /// The bytes are no head. Answer with its status and close.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The head did not arrive in time. Answer 408 and close.
    #[error("the head arrived too slowly")]
    TimedOut,
    /// The client closed the connection in the middle of a head. Answer 400 and close.
    #[error("the head ended early")]
    UnexpectedEof,
    /// The connection failed, or was aborted: there is nobody to answer.
    #[error(transparent)]
    Wire(WireError),
}

impl RequestsError {
    /// The status to answer, if there is anybody to answer to.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            RequestsError::Head(error) => Some(error.status()),
            RequestsError::TimedOut => Some(StatusCode::REQUEST_TIMEOUT),
            RequestsError::UnexpectedEof => Some(StatusCode::BAD_REQUEST),
            RequestsError::Wire(_) => None,
        }
    }

    /// Why the connection ends.
    pub fn close_reason(&self) -> CloseReason {
        match self {
            RequestsError::Head(_) => CloseReason::HeadRefused,
            RequestsError::TimedOut => CloseReason::HeadTimeout,
            RequestsError::UnexpectedEof => CloseReason::UnexpectedEof,
            RequestsError::Wire(error) => error.into(),
        }
    }
}
