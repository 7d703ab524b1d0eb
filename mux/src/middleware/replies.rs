//! Replies of plain text: errors, and 404.

use std::fmt;

use http::StatusCode;
use quintet_request::Request;

use crate::Response;

/// A reply of one line of plain text. Go: `http.Error`.
#[must_use]
pub fn error(message: impl fmt::Display, status: StatusCode) -> Response {
    Response::text(status, message)
}

/// A handler that answers every request with 404. Go: `http.NotFound`, `http.NotFoundHandler`.
///
/// # Cancel safety
/// Cancel safe: it never waits.
pub async fn not_found(_: Request) -> Response {
    error("404 page not found", StatusCode::NOT_FOUND)
}
