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
    /// The client sent the body too slowly.
    #[error("the body arrived too slowly")]
    TimedOut,
    /// The body has more bytes than the limit of its reader.
    #[error("the body is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The chunks of the body are malformed.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// The body was read after the reply had ended, when the connection may serve the next request. Go:
    /// `http.ErrBodyReadAfterClose`.
    #[error("the body was read after its reply")]
    AfterReply,
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[source] Arc<io::Error>),
    /// The source of this body failed.
    #[error("the body could not be made")]
    Source(#[source] Box<dyn Error + Send + Sync>),
}

impl BodyError {
    /// Wraps the error of a body's source.
    pub fn source(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Source(error.into())
    }

    /// Undoes a wrapping: a [`BodyError`] inside is returned as it was.
    pub(super) fn unwrap(error: Box<dyn Error + Send + Sync>) -> Self {
        match error.downcast::<Self>() {
            Ok(ours) => *ours,
            Err(other) => Self::Source(other),
        }
    }

    /// The status of the reply: 400 if the body is malformed or cut short, 408 if it came too slowly, 413 if it is too
    /// large, else 500.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::UnexpectedEof | Self::Io(_) => StatusCode::BAD_REQUEST,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Chunk(error) => error.status(),
            Self::AfterReply | Self::Source(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The state of the request's body after this error, for the exchange.
    pub(crate) fn lost(&self) -> RequestBody {
        RequestBody::Lost(match self {
            Self::TimedOut => CloseReason::RequestBodyTimeout,
            Self::Io(_) => CloseReason::Io,
            _ => CloseReason::RequestBodyBroken,
        })
    }

    /// A copy of the error, for the further reads of a body that failed.
    pub(crate) fn duplicate(&self) -> Self {
        match self {
            Self::UnexpectedEof => Self::UnexpectedEof,
            Self::TimedOut => Self::TimedOut,
            Self::TooLarge { limit } => Self::TooLarge { limit: *limit },
            Self::Chunk(error) => Self::Chunk(*error),
            Self::AfterReply => Self::AfterReply,
            Self::Io(error) => Self::Io(Arc::clone(error)),
            Self::Source(error) => Self::Source(error.to_string().into()),
        }
    }
}

impl From<WireError> for BodyError {
    fn from(error: WireError) -> Self {
        match error {
            WireError::TimedOut(_) => Self::TimedOut,
            WireError::Io(error) => Self::Io(Arc::new(error)),
            _ => Self::UnexpectedEof,
        }
    }
}
