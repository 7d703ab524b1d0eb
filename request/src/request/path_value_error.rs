//! The reasons why a wildcard's value could not be read as a type.

use http::StatusCode;

/// The reason why the value of a wildcard could not be read as a type. The text has the name of the wildcard, and no byte
/// of the path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathValueError {
    /// The path has no value of this name (404): the pattern has no such wildcard, and none was set.
    #[error("path has no value {name}")]
    Missing {
        /// The name.
        name: String,
    },
    /// The value is not one of the type (400).
    #[error("value {name} of the path is malformed")]
    Malformed {
        /// The name of the wildcard.
        name: String,
    },
}

impl PathValueError {
    /// The status of the reply: 404 if there is no such value, 400 if it is malformed.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing { .. } => StatusCode::NOT_FOUND,
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
        }
    }
}
