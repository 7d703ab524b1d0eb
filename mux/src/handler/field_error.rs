//! The error of a reply's field that cannot be sent.

use http::HeaderName;
use quintet_request::SetCookieError;

/// The reason why a field of a reply cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is empty or not a token.
    #[error("field name is not a token")]
    Name,
    /// The value has a control character other than a tab.
    #[error("value of {name} has a byte that cannot be sent")]
    Value {
        /// The field.
        name: HeaderName,
    },
    /// A part of the cookie cannot be sent.
    #[error("cookie cannot be sent")]
    Cookie(#[source] SetCookieError),
    /// The reply has more than 24,576 fields.
    #[error("too many fields")]
    TooMany,
}
