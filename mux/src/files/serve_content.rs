//! A reply with content of one's own, with ranges and conditions.

use std::time::SystemTime;

use http::{HeaderValue, StatusCode};
use quintet_request::{BodyError, Request};

use super::{content::Content, representation::Representation};
use crate::Response;

/// Answers a request with `content`: whole, the ranges that are asked for (206, 416), or not at all, if the client's copy is
/// fresh (304) or a condition of the request fails (412). Go: `http.ServeContent`.
///
/// The content type follows from the ending of `name`, which need not be the name of any file; without a known one it is
/// guessed from the first 512 bytes. `modified` becomes `Last-Modified`, `etag` becomes `ETag` (`"…"` or `W/"…"`; a value of
/// another form is left out). While `modified` is younger than 2 seconds, the entity tag is sent as a weak one. A `modified`
/// of the first second of 1970 is none, as in Go.
///
/// A reply to `HEAD` has the same fields and no body. Any other method gets the content, as in Go.
///
/// # Errors
/// If the first bytes cannot be read, the reply is a 500. If later ones cannot, or there are fewer than were announced, the
/// connection is reset in the middle of the body.
///
/// # Cancel safety
/// Cancel safe: it changes nothing.
///
/// # Example
/// ```
/// use quintet_mux::{Content, Response, serve_content};
/// use quintet_request::Request;
///
/// async fn report(request: Request) -> Response {
///     let text = "line 1\nline 2\n"; // made by the program, kept by no file
///     serve_content(&request, "report.txt", None, None, Content::from(text)).await
/// }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let request = Request::parse(b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=-7\r\n\r\n").unwrap();
/// let mut reply = report(request).await;
/// assert_eq!(reply.status(), 206);
/// assert_eq!(reply.header("content-range").unwrap(), "bytes 7-13/14");
/// assert_eq!(reply.take_body().to_bytes(100).await.unwrap(), "line 2\n");
/// # });
/// ```
///
/// # Spec
/// RFC 9110 §13 (conditions), §14 (ranges).
#[doc(alias = "ServeContent")]
#[doc(alias = "range")]
#[doc(alias = "304")]
pub async fn serve_content(
    request: &Request,
    name: &str,
    modified: Option<SystemTime>,
    etag: Option<HeaderValue>,
    content: impl Into<Content>,
) -> Response {
    let name = name.as_bytes();
    let content = content.into();
    let representation = Representation {
        name,
        default_type: None,
        content,
        modified,
        etag,
        cache_control: None,
        coding: None,
        varies: false,
    };
    representation.reply(request).await.unwrap_or_else(|error| unreadable(&error))
}

/// The reply if the first bytes cannot be read.
pub(super) fn unreadable(_: &BodyError) -> Response {
    Response::text(StatusCode::INTERNAL_SERVER_ERROR, "500 Internal Server Error")
}
