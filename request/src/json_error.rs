//! The reasons why a body could not be read as JSON.

use http::StatusCode;

use crate::{BodyError, DataError};

/// The reason why a body could not be read as JSON. The text has no byte of the body but plain names of fields, as
/// [`DataError`] says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The content type is absent, twice there, or neither `application/json` nor a type that ends in `+json` (415).
    #[error("content type is not application/json")]
    ContentType,
    /// The content type has a charset other than UTF-8, or malformed parameters (415).
    #[error("charset of the json is not utf-8")]
    Charset,
    /// The body has a content coding, such as gzip (415). It is not decoded, because a small body may become a large one.
    #[error("content coding is not identity")]
    ContentEncoding,
    /// The body could not be read; [`BodyError::TooLarge`] is 413.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The body is empty, or was taken before (400).
    #[error("body is empty, not json")]
    Empty,
    /// The body is not one JSON text in UTF-8, or is nested too deeply (400).
    #[error("json is malformed at line {line} column {column}: {reason}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The byte of the line, from 1; 0 if the line before has ended too early.
        column: usize,
        /// What the parser expected there.
        reason: String,
    },
    /// The JSON is well formed, but not a value of the type (422).
    #[error(transparent)]
    Data(#[from] DataError),
}

impl JsonError {
    /// The status of the reply: 415 for the type or the coding of the body, 413 and the others of [`BodyError`], 400 for
    /// what is not JSON, 422 for JSON of another shape.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::ContentType | Self::Charset | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(error) => error.status(),
            Self::Empty | Self::Syntax { .. } => StatusCode::BAD_REQUEST,
            Self::Data(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}
