//! Tests of the fields, the cookies, the content type and the abort of a response.

use quintet_request::{SetCookie, SetCookieError};

use super::*;
use crate::{Html, IntoResponse};

/// In debug and release builds, a field that cannot be sent makes the reply a 500, and nothing changes that later.
#[test]
fn a_field_that_cannot_be_sent_makes_the_reply_a_500() {
    let value = |name: &'static str| FieldError::Value { name: HeaderName::from_static(name) };
    let ok = || Response::new("a body").with_header("x-before", "1");
    for (reply, error) in [
        (ok().with_header("bad name", "v"), FieldError::Name),
        (ok().with_header("", "v"), FieldError::Name),
        (ok().with_header("x-a\r\nset-cookie", "v"), FieldError::Name),
        (ok().with_header("x-a", "v\r\nset-cookie: a=b"), value("x-a")),
        (ok().with_header("X-A", "v\0"), value("x-a")),
        (ok().with_header("x-a", b"\x7f".as_slice()), value("x-a")),
        (ok().with_cookie(&SetCookie::new("bad name", "v")), FieldError::Cookie(SetCookieError::Name)),
        (ok().with_cookie(&SetCookie::new("n", "a\"b;c")), FieldError::Cookie(SetCookieError::Value)),
        (ok().with_content_type("text/html\r\nx: y"), value("content-type")),
        (ok().with_content_type("t\u{e9}xt/html"), value("content-type")),
        ([("x-a", "\n")].into_reply(), value("x-a")),
        ([("x-a", String::from("\n"))].into_reply(), value("x-a")),
        ([(String::from(" "), "a")].into_reply(), FieldError::Name),
        (ok().with_header("x-a", "\n").with_header(" ", "second"), value("x-a")),
    ] {
        let seen = |reply: &Response| {
            assert_eq!(reply.field_error(), Some(&error));
            assert_eq!(reply.status(), 500, "{error}");
            assert_eq!(reply.header("content-type").unwrap(), "text/plain; charset=utf-8");
            let headers = reply.headers().unwrap();
            assert!(headers.len() == 1 && headers.contains_key("x-content-type-options"), "{headers:?}");
        };
        seen(&reply);
        // What is added to the 500 later has no effect.
        let mut reply = (StatusCode::OK, [("x-after", "1")], reply).into_response();
        reply = reply.with_status(StatusCode::CREATED).with_content_type("text/html").with_header("x-b", "1");
        reply = reply.with_cookie(&SetCookie::new("n", "v"));
        seen(&reply);
        assert_eq!(reply.take_body().try_into_bytes().unwrap(), "500 Internal Server Error\n");
    }
}

trait IntoReply {
    fn into_reply(self) -> Response;
}

impl<K, V> IntoReply for [(K, V); 1]
where
    [(K, V); 1]: crate::IntoHeaders,
{
    fn into_reply(self) -> Response {
        (StatusCode::OK, self, Html("x")).into_response()
    }
}

#[test]
fn a_header_may_be_typed_text_bytes_or_a_number() {
    let reply = Response::new(())
        .with_header(header::ETAG, HeaderValue::from_static("e"))
        .with_header("x-text", "a\tb")
        .with_header(String::from("X-String"), String::from("c"))
        .with_header("x-latin", b"caf\xe9".as_slice())
        .with_header("x-empty", "")
        .with_header("x-number", 7_u64);
    assert_eq!(reply.field_error(), None);
    for (name, value) in [
        ("etag", &b"e"[..]),
        ("x-text", b"a\tb"),
        ("x-string", b"c"),
        ("x-latin", b"caf\xe9"),
        ("x-empty", b""),
        ("x-number", b"7"),
    ] {
        assert_eq!(reply.header(name).unwrap().as_bytes(), value, "{name}");
    }
}

#[test]
fn try_with_header_returns_the_field_error() {
    let reply = Response::new("x").try_with_header("x-a", "1").unwrap();
    assert_eq!(reply.header("x-a").unwrap(), "1");
    assert_eq!(
        reply.try_with_header("x-b", "\n").unwrap_err().to_string(),
        "value of x-b has a byte that cannot be sent"
    );
    let failed = Response::new("x").with_header("", "");
    assert_eq!(failed.try_with_header("x-a", "1").unwrap_err(), FieldError::Name);
}

#[test]
fn more_headers_than_a_map_holds_make_a_500_without_a_panic() {
    let reply = (0..40_000).fold(Response::new(()), |reply, n| reply.with_header(format!("x-{n}"), "v"));
    assert_eq!((reply.status().as_u16(), reply.field_error()), (500, Some(&FieldError::TooMany)));
}

#[test]
fn an_abort_stays_an_abort_whatever_is_added_to_it() {
    let built = || {
        let reply = Response::abort().with_status(StatusCode::OK).with_header("x-a", "1").with_content_type("a/b");
        (StatusCode::CREATED, [("x-b", "2")], reply.without_content_type()).into_response()
    };
    assert!(Response::abort().is_abort() && built().is_abort() && !Response::new("a").is_abort());
    assert!(built().with_header("", "").is_abort(), "a field that cannot be sent is not sent");
    // As an `http::Response` it is a plain 500, and it converts back to an abort.
    let theirs = http::Response::<Body>::from(built());
    assert_eq!((theirs.status().as_u16(), &theirs.headers()["connection"]), (500, &HeaderValue::from_static("close")));
    assert!(!theirs.headers().contains_key("x-a"));
    assert!(Response::from(theirs).is_abort());
}

#[test]
fn without_content_type_removes_every_content_type() {
    for reply in [
        Response::new("a"),
        "a".into_response(),
        Response::new("a").with_content_type("text/html"),
        Response::new("a").with_header("content-type", "text/html"),
    ] {
        let reply = reply.without_content_type();
        assert_eq!((reply.content_type(), reply.header("content-type")), (ContentType::Unsaid, None));
        assert!(!http::Response::<Body>::from(reply).headers().contains_key("content-type"));
    }
    let later = Response::new("a").without_content_type().with_content_type("text/html");
    assert_eq!(later.header("content-type").unwrap(), "text/html");
}

#[test]
fn each_cookie_is_a_set_cookie_field_of_its_own() {
    let reply = Response::new(())
        .with_cookie(&SetCookie::new("a", "1").path("/").http_only())
        .with_cookie(&SetCookie::new("a", "2"));
    let cookies: Vec<_> = reply.headers().unwrap().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1; Path=/; HttpOnly", "a=2"]);
}

#[test]
fn taken_headers_are_those_beside_the_content_type() {
    assert!(Response::new("a").take_headers().is_empty());
    let mut reply = Response::new("a").with_content_type("a/b").with_header("x-a", "1").with_header("x-a", "2");
    let taken = reply.take_headers();
    assert_eq!(taken.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((taken.len(), reply.content_type(), reply.header("x-a")), (2, ContentType::Known("a/b"), None));
}
