//! The reasons why a query could not be read as a type.

use http::StatusCode;

use crate::{DataError, FormError};

/// The reason why a query could not be read as a value of a type. The status of each is 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The query has a malformed pair.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The pairs are well formed, but not a value of the type.
    #[error("query: {0}")]
    Data(#[from] DataError),
}

impl QueryError {
    /// The status of the reply: 400.
    pub const fn status(&self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }
}
