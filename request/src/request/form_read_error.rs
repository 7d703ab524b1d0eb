//! The reasons why a form could not be read.

use http::StatusCode;

use crate::{BodyError, FormError};

/// The reason why a form could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormReadError {
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The query or the body is not a form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// An earlier call failed, or was dropped before it ended, and the body is lost (400).
    #[error("the form was begun and not read")]
    Begun,
}

impl FormReadError {
    /// The status of the reply: that of the cause, else 400.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Body(error) => error.status(),
            Self::Form(error) => error.status(),
            Self::Begun => StatusCode::BAD_REQUEST,
        }
    }
}
