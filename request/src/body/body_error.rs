//! Why a body ended early.

use std::{error::Error, io, sync::Arc};

use http::StatusCode;
use quintet_conn::WireError;

use crate::{ChunkError, CloseReason, RequestBody};

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The client closed the connection in the middle of the body.
    #[error("the body ended early")]
    UnexpectedEof,
    /// The client sent it too slowly.
    #[error("the body arrived too slowly")]
    TimedOut,
    /// More than the caller was willing to take.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// How much the caller was willing to take, in bytes.
        limit: u64,
    },
    /// Its chunks are malformed.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// It was read after the reply was finished; by then the connection serves the next request. Go:
    /// `http.ErrBodyReadAfterClose`.
    #[error("the body was read after its reply")]
    AfterReply,
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[source] Arc<io::Error>),
    /// What makes this body failed.
    #[error("the body could not be made")]
    Source(#[source] Box<dyn Error + Send + Sync>),
}

impl BodyError {
    /// Wraps the error of whatever makes a body.
    pub fn source(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        BodyError::Source(error.into())
    }

    /// An error that was ours before it was wrapped is ours again.
    pub(super) fn unwrap(error: Box<dyn Error + Send + Sync>) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => *ours,
            Err(other) => Self::Source(other),
        }
    }

    /// The status to answer: 400 if the client broke it, 408 if it was slow, 413 if it is too large, else 500.
    pub fn status(&self) -> StatusCode {
        match self {
            BodyError::UnexpectedEof | BodyError::Io(_) => StatusCode::BAD_REQUEST,
            BodyError::TimedOut => StatusCode::REQUEST_TIMEOUT,
            BodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::Chunk(error) => error.status(),
            BodyError::AfterReply | BodyError::Source(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What this means for the connection whose request has the body.
    pub(crate) fn lost(&self) -> RequestBody {
        RequestBody::Lost(match self {
            BodyError::TimedOut => CloseReason::RequestBodyTimeout,
            BodyError::Io(_) => CloseReason::Io,
            _ => CloseReason::RequestBodyBroken,
        })
    }

    /// The same error once more: a body that failed keeps failing.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            BodyError::UnexpectedEof => BodyError::UnexpectedEof,
            BodyError::TimedOut => BodyError::TimedOut,
            BodyError::TooLarge { limit } => BodyError::TooLarge { limit: *limit },
            BodyError::Chunk(error) => BodyError::Chunk(*error),
            BodyError::AfterReply => BodyError::AfterReply,
            BodyError::Io(error) => BodyError::Io(Arc::clone(error)),
            BodyError::Source(error) => BodyError::Source(error.to_string().into()),
        }
    }
}

impl From<WireError> for BodyError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::TimedOut(_) => BodyError::TimedOut,
            WireError::Io(error) => BodyError::Io(Arc::new(error)),
            _ => BodyError::UnexpectedEof,
        }
    }
}
