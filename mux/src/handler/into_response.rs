//! The types that a handler may return.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use quintet_request::{Body, ContentType};

use super::{
    into_headers::IntoHeaders,
    response::{Response, TEXT},
};

/// A type whose values a handler may return.
///
/// Text has the type `text/plain; charset=utf-8`, and [`Html`](super::Html) has `text/html; charset=utf-8`. The type of
/// bytes is sniffed: it is guessed from the first of them. A tuple `(status, reply)` replaces the status of the reply,
/// `(fields, reply)` adds fields to it, and `(status, fields, reply)` does both.
///
/// # Example
/// ```
/// use http::StatusCode;
/// use quintet_mux::IntoResponse;
///
/// let reply = (StatusCode::NOT_FOUND, [("x-why", "no idea")], "nothing here\n").into_response();
/// assert_eq!(reply.status(), 404);
/// assert_eq!(reply.header("content-type").unwrap(), "text/plain; charset=utf-8");
/// ```
#[doc(alias = "json")]
#[doc(alias = "responder")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a response",
    label = "a handler cannot return this type",
    note = "text, bytes, `Html`, a `Body`, a `StatusCode`, a `Response` and an `http::Response` are responses; so are a tuple that has a `StatusCode` or fields before one of them, and a `Result` of two of them",
    note = "an error type that `?` makes of any error is `HttpError`; a type that is serialized is `Json(value)`, with the feature `json`"
)]
pub trait IntoResponse {
    /// Turns the value into a reply.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    #[inline]
    fn into_response(self) -> Response {
        self
    }
}

macro_rules! text {
    ($($type:ty),*) => {$(
        impl IntoResponse for $type {
            #[inline]
            fn into_response(self) -> Response {
                let ContentType::Known(text) = TEXT else { return Response::new(self) };
                Response::new(self).with_known_type(text)
            }
        }
    )*};
}
text!(&'static str, String);

macro_rules! bytes {
    ($($type:ty),*) => {$(
        impl IntoResponse for $type {
            #[inline]
            fn into_response(self) -> Response {
                Response::new(self)
            }
        }
    )*};
}
bytes!(Bytes, Vec<u8>, &'static [u8], Body, ());

/// A reply with this status and an empty body.
impl IntoResponse for StatusCode {
    fn into_response(self) -> Response {
        Response::new(()).with_status(self)
    }
}

impl<T: IntoResponse> IntoResponse for (StatusCode, T) {
    #[inline]
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<T: IntoResponse> IntoResponse for (HeaderMap, T) {
    fn into_response(self) -> Response {
        with_headers(self.0, self.1)
    }
}

impl<T: IntoResponse, K, V, const N: usize> IntoResponse for ([(K, V); N], T)
where
    [(K, V); N]: IntoHeaders,
{
    fn into_response(self) -> Response {
        with_headers(self.0, self.1)
    }
}

impl<H: IntoHeaders, T: IntoResponse> IntoResponse for (StatusCode, H, T) {
    fn into_response(self) -> Response {
        with_headers(self.1, self.2).with_status(self.0)
    }
}

fn with_headers(headers: impl IntoHeaders, reply: impl IntoResponse) -> Response {
    let mut response = reply.into_response();
    headers.add_to(&mut response);
    response
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(reply) => reply.into_response(),
            Err(reply) => reply.into_response(),
        }
    }
}

impl<B> IntoResponse for http::Response<B>
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn into_response(self) -> Response {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use quintet_request::BodyError;
    #[cfg(feature = "multipart")]
    use quintet_request::{MultipartError, MultipartReadError};

    use super::*;
    use crate::{FieldError, Html};

    fn seen(reply: impl IntoResponse) -> (u16, Option<String>, Option<Bytes>) {
        let mut response = reply.into_response();
        let content_type = response.header("content-type").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), content_type, response.take_body().try_into_bytes().ok())
    }

    #[test]
    fn text_bytes_statuses_tuples_and_results_are_responses() {
        let text = Some("text/plain; charset=utf-8".to_owned());
        let html = Some("text/html; charset=utf-8".to_owned());
        let body = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
        assert_eq!(seen("a"), (200, text.clone(), body("a")));
        assert_eq!(seen(String::from("a")), (200, text.clone(), body("a")));
        assert_eq!(seen(Bytes::from("a")), (200, None, body("a")));
        assert_eq!(seen(vec![b'a']), (200, None, body("a")));
        assert_eq!(seen(&b"a"[..]), (200, None, body("a")));
        assert_eq!(seen(Html("a")), (200, html, body("a")));
        assert_eq!(seen(StatusCode::NO_CONTENT), (204, None, body("")));
        assert_eq!(seen(()), (200, None, body("")));
        assert_eq!(seen((StatusCode::CREATED, "a")), (201, text.clone(), body("a")));
        assert_eq!(seen(Err::<(), _>((StatusCode::GONE, "a"))), (410, text.clone(), body("a")));
        assert_eq!(seen(Ok::<_, ()>("a")), (200, text, body("a")));
        assert_eq!(seen(BodyError::TooLarge { limit: 1 }).0, 413);
    }

    #[test]
    fn fields_before_a_body_are_added_to_the_response() {
        let reply = (StatusCode::OK, [("x-a", "1"), ("x-a", "2"), ("content-type", "image/png")], "a").into_response();
        let values: Vec<_> = reply.headers().unwrap().get_all("x-a").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert_eq!(reply.header("content-type").unwrap(), "image/png");
        let map = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("e"))]);
        assert_eq!((map, "a").into_response().header("etag").unwrap(), "e");
    }

    /// `HeaderMap::extend` would replace fields, and would panic if the map is full.
    #[test]
    fn a_header_map_before_a_body_is_added_and_never_panics() {
        let reply = || Response::new("a").with_header("set-cookie", "a=1").with_header("x-a", "1");
        let map = HeaderMap::from_iter([
            (http::header::SET_COOKIE, HeaderValue::from_static("b=2")),
            (http::header::SET_COOKIE, HeaderValue::from_static("c=3")),
            (HeaderName::from_static("x-a"), HeaderValue::from_static("2")),
        ]);
        let pairs = [("set-cookie", "b=2"), ("set-cookie", "c=3"), ("x-a", "2")];
        for mut seen in [(map.clone(), reply()).into_response(), (pairs, reply()).into_response()] {
            let cookies: Vec<_> = seen.headers_mut().get_all("set-cookie").iter().collect();
            assert_eq!(cookies, ["a=1", "b=2", "c=3"]);
            assert_eq!(seen.headers_mut().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        }

        let many = |letter| {
            let name = |n| HeaderName::from_bytes(format!("{letter}-{n}").as_bytes()).unwrap();
            HeaderMap::from_iter((0..20_000).map(|n| (name(n), HeaderValue::from_static("v"))))
        };
        let reply = (StatusCode::OK, many('x'), (many('y'), "a")).into_response();
        assert_eq!((reply.status().as_u16(), reply.field_error()), (500, Some(&FieldError::TooMany)));
    }

    /// With two types, two readers could choose differently (RFC 9110 §5.3, §8.3). The type of text is replaced, too.
    #[test]
    fn a_response_has_one_content_type_the_last_one_set() {
        let theirs = || http::Response::builder().header("content-type", "a/b").body(Body::from("a")).unwrap();
        let map = HeaderMap::from_iter([(http::header::CONTENT_TYPE, HeaderValue::from_static("c/d"))]);
        for reply in [
            (map.clone(), theirs()).into_response(),
            ([("content-type", "c/d")], theirs()).into_response(),
            (map, "a").into_response(),
            Response::new("a").with_header("content-type", "a/b").with_header("Content-Type", "c/d"),
            Response::new("a").try_with_header("content-type", "a/b").unwrap().with_header("content-type", "c/d"),
        ] {
            let types: Vec<_> = reply.headers().unwrap().get_all("content-type").iter().collect();
            assert_eq!(types, ["c/d"]);
        }
    }

    #[test]
    fn an_http_response_converts_in_both_directions() {
        let reply = http::Response::builder().status(202).header("x-a", "1").body(Body::from("a")).unwrap();
        let back = http::Response::<Body>::from(reply.into_response());
        assert_eq!((back.status().as_u16(), back.headers()["x-a"].to_str().unwrap()), (202, "1"));
        let full = (0..24_576).fold("a".into_response(), |reply, n| reply.with_header(format!("x-{n}"), "v"));
        assert_eq!(full.field_error(), None);
        assert_eq!(http::Response::<Body>::from(full).headers().len(), 24_576);
        let text = http::Response::<Body>::from("a".into_response());
        assert_eq!(text.headers()["content-type"], "text/plain; charset=utf-8");
    }

    #[cfg(feature = "multipart")]
    #[test]
    fn errors_of_a_multipart_form_are_replies() {
        let (status, kind, body) = seen(MultipartReadError::from(MultipartError::Delimiter { at: 7 }));
        assert_eq!((status, kind.as_deref()), (400, Some("text/plain; charset=utf-8")));
        assert_eq!(body.as_deref(), Some(&b"the boundary line is malformed at byte 7\n"[..]));
        for (error, accept) in [
            (MultipartReadError::from(MultipartError::ContentEncoding), Some("identity")),
            (MultipartError::ContentType.into(), None),
        ] {
            let reply = error.into_response();
            let field = reply.header("accept-encoding");
            assert_eq!((reply.status().as_u16(), field.as_ref().map(|value| value.to_str().unwrap())), (415, accept));
        }
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(seen(MultipartReadError::Storage(full)).0, 507);
    }
}
