//! Why a field of a reply cannot be sent as given.

use http::HeaderName;
use quintet_request::SetCookieError;

/// Why a field cannot be sent as given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The name is empty or not a token.
    #[error("field name is not a token")]
    Name,
    /// The value has a control other than a tab.
    #[error("value of {name} has a byte that cannot be sent")]
    Value {
        /// The field.
        name: HeaderName,
    },
    /// The cookie has a part that cannot be sent.
    #[error("cookie cannot be sent")]
    Cookie(#[source] SetCookieError),
    /// A reply has at most 24,576 fields.
    #[error("too many fields")]
    TooMany,
}
