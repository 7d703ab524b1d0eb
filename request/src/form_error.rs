//! The reasons for refusing a form.

use http::StatusCode;

/// The reason for refusing a form or one of its pairs. The status of each is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A `;` that is not escaped. Some readers take it for `&`, so they would see another pair after it.
    #[error("form has a semicolon at byte {at}")]
    Semicolon {
        /// Where it is.
        at: usize,
    },
    /// A `%` that is not followed by two hexadecimal digits.
    #[error("form has a malformed percent escape at byte {at}")]
    Escape {
        /// Where it is.
        at: usize,
    },
    /// A name or a value that is not UTF-8 once decoded.
    #[error("form has text that is not utf-8 in the pair at byte {at}")]
    Utf8 {
        /// Where its pair starts.
        at: usize,
    },
    /// More pairs than allowed.
    #[error("form has more than {most} pairs")]
    TooMany {
        /// How many are allowed.
        most: usize,
    },
}

impl FormError {
    /// The status of the reply: 400.
    pub const fn status(self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}
