//! HTML bodies.

use quintet_request::Body;

use super::{into_response::IntoResponse, response::Response};

/// A body with the content type `text/html; charset=utf-8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Html<T>(pub T);

impl<T: Into<Body>> IntoResponse for Html<T> {
    fn into_response(self) -> Response {
        Response::new(self.0).with_known_type("text/html; charset=utf-8")
    }
}
