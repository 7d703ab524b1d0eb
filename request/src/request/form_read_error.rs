//! Why a form could not be had.

use http::StatusCode;

use crate::{BodyError, FormError};

/// Why a form could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormReadError {
    /// The body could not be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The query or the body is no form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// It was asked for before and could not be had, or was not waited for; the body is gone. Answered 400.
    #[error("the form was begun and not read")]
    Begun,
}

impl FormReadError {
    /// The status to answer.
    pub fn status(&self) -> StatusCode {
        match self {
            FormReadError::Body(error) => error.status(),
            FormReadError::Form(error) => error.status(),
            FormReadError::Begun => StatusCode::BAD_REQUEST,
        }
    }
}
