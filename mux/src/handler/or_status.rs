//! A status for what went wrong, in place of 500.

use std::{borrow::Cow, error::Error};

use http::StatusCode;

use super::http_error::HttpError;

/// Gives the error of a `Result`, or the `None` of an `Option`, a status and a message for the client.
///
/// # Example
/// ```
/// use http::StatusCode;
/// use quintet_mux::{HttpError, OrStatus};
///
/// fn note(notes: &[String], n: &str) -> Result<String, HttpError> {
///     let n: usize = n.parse().or_status(StatusCode::BAD_REQUEST, "the number of a note is a number")?;
///     let note = notes.get(n).or_status(StatusCode::NOT_FOUND, format!("no note {n}"))?;
///     Ok(note.clone())
/// }
/// let error = note(&[], "7").unwrap_err();
/// assert_eq!((error.status(), error.message()), (StatusCode::NOT_FOUND, "no note 7"));
/// let error = note(&[], "seven").unwrap_err();
/// assert_eq!(error.source().unwrap().to_string(), "invalid digit found in string"); // for the log
/// ```
pub trait OrStatus<T> {
    /// The value, or an error with this status and this message. An error is the [source](HttpError::source) of it.
    ///
    /// # Errors
    /// [`HttpError`] in place of the error or of `None`.
    fn or_status(self, status: StatusCode, message: impl Into<Cow<'static, str>>) -> Result<T, HttpError>;
}

impl<T> OrStatus<T> for Option<T> {
    fn or_status(self, status: StatusCode, message: impl Into<Cow<'static, str>>) -> Result<T, HttpError> {
        self.ok_or_else(|| HttpError::new(status, message))
    }
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrStatus<T> for Result<T, E> {
    fn or_status(self, status: StatusCode, message: impl Into<Cow<'static, str>>) -> Result<T, HttpError> {
        self.map_err(|error| HttpError::new(status, message).with_source(error))
    }
}
