//! The reasons why a form could not be read.

use http::StatusCode;

#[cfg(feature = "json")]
use crate::DataError;
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
    /// The body is a form with a content coding, such as gzip (415). It is not decoded, because a small body may become a
    /// large one.
    #[error("content coding is not identity")]
    ContentEncoding,
    /// The request has no form in its body (415): another content type, or a method other than POST, PUT and PATCH.
    #[cfg(feature = "json")]
    #[error("body is not application/x-www-form-urlencoded")]
    NotForm,
    /// The form is well formed, but not a value of the type (422).
    #[cfg(feature = "json")]
    #[error("form: {0}")]
    Data(#[from] DataError),
    /// An earlier call failed, or was dropped before it ended, and the body is lost (400).
    #[error("the form was begun and not read")]
    Begun,
}

impl FormReadError {
    /// The status of the reply: that of the cause; 415 for a coded body and one that is no form, 422 for a form of another
    /// shape; else 400.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Body(error) => error.status(),
            Self::Form(error) => error.status(),
            Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            #[cfg(feature = "json")]
            Self::NotForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            #[cfg(feature = "json")]
            Self::Data(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Begun => StatusCode::BAD_REQUEST,
        }
    }
}
