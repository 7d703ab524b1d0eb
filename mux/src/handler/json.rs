//! JSON replies.

use serde::Serialize;

use super::{http_error::HttpError, into_response::IntoResponse, response::Response};

/// A reply of JSON, with the content type `application/json`. Go: `json.NewEncoder(w).Encode(value)`.
///
/// The text is compact, and without a line feed at its end. A value that cannot be written (a map whose keys are no text,
/// a `Serialize` that fails) makes the reply a 500, and the error is its
/// [source](Response::error_source), which the server reports.
///
/// # Example
/// ```
/// use http::StatusCode;
/// use quintet_mux::{IntoResponse, Json};
///
/// #[derive(serde::Serialize)]
/// struct Note {
///     id: u64,
///     text: &'static str,
/// }
///
/// let mut reply = (StatusCode::CREATED, Json(Note { id: 7, text: "milk" })).into_response();
/// assert_eq!(reply.header("content-type").unwrap(), "application/json");
/// assert_eq!(reply.take_body().as_bytes(), Some(&br#"{"id":7,"text":"milk"}"#[..]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(json) => Response::new(json).with_known_type("application/json"),
            Err(error) => HttpError::from(error).into_response(),
        }
    }
}
