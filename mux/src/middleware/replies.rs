//! The plain replies.

use std::fmt;

use http::StatusCode;
use quintet_request::Request;

use crate::Response;

/// A reply of one line of plain text. Go: `http.Error`.
#[must_use]
pub fn error(message: impl fmt::Display, status: StatusCode) -> Response {
    Response::text(status, message)
}

/// The handler that answers 404. Go: `http.NotFound`, `http.NotFoundHandler`.
///
/// # Cancel safety
/// It never waits.
pub async fn not_found(_: Request) -> Response {
    error("404 page not found", StatusCode::NOT_FOUND)
}
