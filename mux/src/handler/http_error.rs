//! An error of a handler: what the client is told, and the cause for the log.

use std::{borrow::Cow, error::Error, fmt, sync::Arc};

use http::{HeaderName, HeaderValue, StatusCode};

use super::{into_response::IntoResponse, known_error, response::Response};

/// An error of a handler: a status and a message for the client, and a cause, which is for the log alone.
///
/// `?` makes one of any error: of each [`std::error::Error`], of `anyhow::Error`, and of text. It is a 500 whose message is
/// that of the status; the error itself is the [source](Self::source), and the client is never told of it. The errors of
/// this workspace, such as [`BodyError`](quintet_request::BodyError), keep their status and their text, which has no bytes
/// of the client; so a body that is too large is a 413. Only the error itself counts, and none of its causes.
///
/// For any other status there is [`OrStatus::or_status`](super::OrStatus::or_status), or [`HttpError::new`]. The reply is
/// one line of plain text, as of [`error`](crate::error); [`problem_details`](crate::problem_details) and
/// [`error_pages`](crate::error_pages) make other pages of it.
///
/// # Example
/// ```
/// use http::StatusCode;
/// use quintet_mux::{Handler, HttpError, OrStatus};
/// use quintet_request::Request;
///
/// async fn half(mut request: Request) -> Result<String, HttpError> {
///     let body = request.to_bytes(10).await?; // 413, if it is longer
///     let text = String::from_utf8(body.to_vec()).or_status(StatusCode::BAD_REQUEST, "not utf-8")?;
///     let number: u64 = text.trim().parse().or_status(StatusCode::UNPROCESSABLE_ENTITY, "not a number")?;
///     if number % 2 == 1 {
///         return Err(HttpError::new(StatusCode::CONFLICT, format!("{number} is odd")));
///     }
///     let template = std::fs::read_to_string("/no/such/file")?; // 500, and the client is not told of what
///     Ok(template.replace("{}", &(number / 2).to_string()))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// for (body, status, text) in [
///     ("12345678901", 413, "the body is larger than 10 bytes\n"),
///     ("x", 422, "not a number\n"),
///     ("7", 409, "7 is odd\n"),
///     ("8", 500, "500 Internal Server Error\n"),
/// ] {
///     let request = http::Request::post("/").body(body).unwrap().try_into().unwrap();
///     let mut reply = half.call(request).await;
///     assert_eq!(reply.status(), status);
///     assert_eq!(reply.take_body().as_bytes(), Some(text.as_bytes()));
/// }
/// # }
/// ```
///
/// It is no [`std::error::Error`] itself, or `?` could not make one of any other.
#[doc(alias = "anyhow")]
#[doc(alias = "AppError")]
#[derive(Debug)]
#[must_use]
pub struct HttpError(Box<Inner>);

/// In a box, as a `Result` is as large as its larger side.
#[derive(Debug)]
struct Inner {
    status: StatusCode,
    message: Cow<'static, str>,
    fields: Vec<(HeaderName, HeaderValue)>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl HttpError {
    /// An error with a status, and a message for the client. The reply has it as a line of plain text, so it should not
    /// have line ends.
    pub fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner { status, message: message.into(), fields: Vec::new(), source: None }))
    }

    /// Sets the cause, which is for the log.
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// Adds a field to the reply, such as `Retry-After`. One that cannot be sent makes the reply a 500, as in
    /// [`Response::with_header`].
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.fields.push((name, value));
        self
    }

    /// The status of the reply.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The message for the client.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The cause, which the client is not told of.
    pub fn source(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for HttpError {
    fn from(error: E) -> Self {
        let error = error.into();
        let Some((status, field)) = known_error::reply_to(&*error) else {
            return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error").with_source(error);
        };
        let mut known = Self::new(status, error.to_string());
        known.0.fields.extend(field.map(|(name, value)| (name, HeaderValue::from_static(value))));
        // A 5xx is ours to repair, and its cause may be behind the text.
        if status.is_server_error() { known.with_source(error) } else { known }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        let Inner { status, message, fields, source } = *self.0;
        let reply = Response::text(status, message);
        let reply = fields.into_iter().fold(reply, |reply, (name, value)| reply.with_header(name, value));
        match source {
            Some(source) => reply.with_shared_source(source),
            None => reply,
        }
    }
}

/// The message for the client.
impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

#[cfg(test)]
#[path = "http_error_tests.rs"]
mod tests;
