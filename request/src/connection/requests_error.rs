//! The reasons why reading the next request of a connection fails.

use http::StatusCode;
use quintet_conn::WireError;

use crate::{CloseReason, HeadError};

/// The reason why reading the next request failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestsError {
    /// The parser refused the head. Reply with its status and close.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The head did not arrive in time. Reply with 408 and close.
    #[error("the head arrived too slowly")]
    TimedOut,
    /// The client closed the connection in the middle of a head. Reply with 400 and close.
    #[error("the head ended early")]
    UnexpectedEof,
    /// The connection failed or was aborted. No reply can be sent.
    #[error(transparent)]
    Wire(WireError),
}

impl RequestsError {
    /// The status of the reply. `None` if no reply can be sent.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            RequestsError::Head(error) => Some(error.status()),
            RequestsError::TimedOut => Some(StatusCode::REQUEST_TIMEOUT),
            RequestsError::UnexpectedEof => Some(StatusCode::BAD_REQUEST),
            RequestsError::Wire(_) => None,
        }
    }

    /// The reason for the end of the connection.
    pub fn close_reason(&self) -> CloseReason {
        match self {
            RequestsError::Head(_) => CloseReason::HeadRefused,
            RequestsError::TimedOut => CloseReason::HeadTimeout,
            RequestsError::UnexpectedEof => CloseReason::UnexpectedEof,
            RequestsError::Wire(error) => error.into(),
        }
    }
}
