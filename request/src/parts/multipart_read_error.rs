//! The reasons why a form with files could not be read.

use std::io;

use http::StatusCode;

use crate::{BodyError, MultipartError};

/// The reason why a `multipart/form-data` body could not be read or stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MultipartReadError {
    /// The body could not be read, or is larger than [`MultipartLimits::total`](crate::MultipartLimits::total) (413).
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body is not `multipart/form-data` of the grammar, or exceeds a limit.
    #[error(transparent)]
    Multipart(#[from] MultipartError),
    /// A part has more bytes than the caller's limit (413).
    #[error("a part is larger than {limit} bytes")]
    PartTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The values of the form have more bytes than [`MultipartLimits::values`](crate::MultipartLimits::values) (413). Go:
    /// `multipart.ErrMessageTooLarge`.
    #[error("the values of the form are larger than {limit} bytes")]
    ValuesTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A part could not be written: to the caller's writer, or to a temporary file.
    #[error("a part could not be stored")]
    Storage(#[source] io::Error),
    /// An earlier call took the body (400). Go: "http: multipart handled by MultipartReader".
    #[error("the form was begun before")]
    Begun,
}

impl MultipartReadError {
    /// The status of the reply: that of the cause; 413 past a limit; 507 if the disk is full, or the quota is used up; 500
    /// if a part cannot be stored for another reason.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Body(error) => error.status(),
            Self::Multipart(error) => error.status(),
            Self::PartTooLarge { .. } | Self::ValuesTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Storage(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StatusCode::INSUFFICIENT_STORAGE,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Begun => StatusCode::BAD_REQUEST,
        }
    }
}
