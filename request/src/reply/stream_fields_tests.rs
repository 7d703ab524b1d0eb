//! Tests of the replies on a stream of HTTP/2: the same content as on HTTP/1.1, and only fields that a stream may have.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::finish_trailers;
use crate::{
    CloseReason, ContentType, Exchange, Head as RequestHead, HeadRef, Index, Limits, Next,
    reply::{Constraints, Head, Length, Plan},
};

const NOW: u64 = 784_111_777;
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const HTML: &[u8] = b"<html>";
/// Of each class, with those that have rules of their own.
const STATUSES: [u16; 14] = [200, 201, 204, 205, 206, 299, 300, 304, 400, 404, 407, 431, 500, 599];

/// The constraints of a request on HTTP/1.1.
fn on_http1(method: &str) -> Constraints {
    let target = if method == "CONNECT" { "a:1" } else { "/" };
    let bytes = format!("{method} {target} HTTP/1.1\r\nHost: a:1\r\n\r\n");
    let mut index = Index::default();
    index.parse(bytes.as_bytes(), &Limits::default()).unwrap().unwrap();
    Constraints::of(HeadRef::new(bytes.as_bytes(), &index))
}

/// The head of the same request on a stream.
fn head_on_stream(method: &str) -> RequestHead {
    let uri = if method == "CONNECT" { "a:1" } else { "http://a:1/" };
    let request = http::Request::builder().method(method).uri(uri).version(http::Version::HTTP_2);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let mut head = RequestHead::default();
    head.fill(&parts, true, &Limits::default()).unwrap();
    head
}

fn on_stream(method: &str) -> Constraints {
    Constraints::of(head_on_stream(method).as_ref())
}

fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
}

fn head<'a>(status: u16, headers: &'a HeaderMap, content_type: ContentType, length: Option<u64>) -> Head<'a> {
    Head { status: StatusCode::from_u16(status).unwrap(), headers: Some(headers), content_type, length }
}

/// The fields that HTTP/1.1 sends, but for those that only it has.
fn read_http1(plan: &Plan, head: &Head<'_>, first: &[u8]) -> HeaderMap {
    let mut out = Vec::new();
    plan.write_head(&mut out, head, NOW, first);
    let text = String::from_utf8(out).unwrap();
    let mut fields = HeaderMap::new();
    for line in text.lines().skip(1).take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        fields.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value.trim()).unwrap());
    }
    for name in ["connection", "transfer-encoding", "upgrade", "keep-alive", "proxy-connection", "te"] {
        fields.remove(name);
    }
    fields
}

/// What is asked of both protocols: every kind of method, status, fields, type and length.
fn for_each_reply(mut check: impl FnMut(&'static str, &Head<'_>)) {
    let said = [
        &[][..],
        &[("content-length", "7")],
        &[("content-length", "x")],
        &[("content-type", "a/b")],
        &[("content-encoding", "gzip")],
        &[("date", "today"), ("x-a", "1"), ("x-a", "2")],
        &[("connection", "close"), ("keep-alive", "timeout=5"), ("upgrade", "x"), ("te", "trailers")],
        &[("proxy-connection", "close"), ("transfer-encoding", "gzip"), ("etag", "\"x\"")],
    ];
    let types = [ContentType::Sniffed, ContentType::Known("text/plain"), ContentType::Unsaid];
    for method in ["GET", "HEAD", "POST", "CONNECT"] {
        for status in STATUSES {
            for fields in said.map(fields) {
                for content_type in types {
                    for length in [None, Some(0), Some(6)] {
                        check(method, &head(status, &fields, content_type, length));
                    }
                }
            }
        }
    }
}

/// Whether there is content, whether a body follows, its length and every field of the content.
#[test]
fn a_reply_on_a_stream_has_the_content_of_one_on_http1() {
    let methods = ["GET", "HEAD", "POST", "CONNECT"];
    let constraints = methods.map(|method| (on_http1(method), on_stream(method)));
    let mut checked = 0;
    for_each_reply(|method, head| {
        let at = methods.iter().position(|other| *other == method).unwrap();
        let (http1, stream) = &constraints[at];
        let (one, other) = (Plan::new(http1, head, None), Plan::new(stream, head, None));
        assert_eq!((one.has_content(), one.has_body()), (other.has_content(), other.has_body()), "{method} {head:?}");
        let length = match one.length() {
            Length::Chunked | Length::UntilClose => Length::Stream,
            said => said,
        };
        assert_eq!(other.length(), length, "{method} {head:?}");
        for first in [HTML, b""] {
            let mut fields = head.headers.unwrap().clone();
            other.finish_fields(&mut fields, head.content_type, NOW, first);
            assert_eq!(fields, read_http1(&one, head, first), "{method} {head:?}");
        }
        checked += 1;
    });
    assert_eq!(checked, 4 * STATUSES.len() * 8 * 3 * 3);
}

#[test]
fn the_fields_of_a_reply_on_a_stream() {
    use ContentType::{Known, Sniffed, Unsaid};
    type Said = &'static [(&'static str, &'static str)];
    type Row = (&'static str, u16, Said, ContentType, Option<u64>, Said);
    let rows: [Row; 13] = [
        ("GET", 200, &[], Known("a/b"), Some(6), &[("content-type", "a/b"), ("content-length", "6")]),
        ("GET", 200, &[], Sniffed, Some(6), &[("content-type", "text/html; charset=utf-8"), ("content-length", "6")]),
        ("GET", 200, &[], Unsaid, Some(0), &[("content-length", "0")]),
        // A type that cannot be sent is not.
        ("GET", 200, &[], Known("a\n"), Some(0), &[("content-length", "0")]),
        // The end of the stream tells the end of the body.
        ("GET", 200, &[], Unsaid, None, &[]),
        ("GET", 200, &[("content-length", "9")], Unsaid, None, &[("content-length", "9")]),
        ("HEAD", 200, &[], Unsaid, Some(6), &[("content-length", "6")]),
        ("HEAD", 200, &[], Unsaid, None, &[]),
        ("GET", 204, &[("content-length", "9")], Known("a/b"), Some(6), &[]),
        ("GET", 205, &[], Known("a/b"), Some(6), &[("content-length", "0")]),
        ("GET", 304, &[("etag", "\"x\"")], Known("a/b"), Some(6), &[("etag", "\"x\"")]),
        ("CONNECT", 200, &[("content-length", "9")], Unsaid, Some(0), &[]),
        ("GET", 200, &[("x-blank", " a b\t"), ("x-none", " ")], Unsaid, None, &[("x-blank", "a b"), ("x-none", "")]),
    ];
    for (method, status, said, content_type, length, expected) in rows {
        let mut seen = fields(said);
        let plan = Plan::new(&on_stream(method), &head(status, &seen.clone(), content_type, length), None);
        plan.finish_fields(&mut seen, content_type, NOW, HTML);
        assert_eq!(seen.remove("date").unwrap(), DATE, "{method} {status} {said:?}");
        assert_eq!(seen, fields(expected), "{method} {status} {said:?}");
    }
}

/// On HTTP/1.1 each of these ends the connection. A stream ends by itself.
#[test]
fn only_a_handler_that_asks_closes_the_connection_of_a_stream() {
    let (none, close) = (fields(&[]), fields(&[("connection", "x, Close")]));
    let unsaid = ContentType::Unsaid;
    for (method, head, given, expected) in [
        ("GET", head(200, &none, unsaid, Some(1)), None, None),
        ("GET", head(200, &none, unsaid, None), None, None),
        ("GET", head(200, &close, unsaid, None), None, Some(CloseReason::HandlerAsked)),
        ("GET", head(200, &close, unsaid, None), Some(CloseReason::MaxAge), Some(CloseReason::MaxAge)),
        ("CONNECT", head(200, &none, unsaid, Some(0)), None, None),
        ("CONNECT", head(403, &none, unsaid, Some(0)), None, None),
    ] {
        assert_eq!(Plan::new(&on_stream(method), &head, given).close(), expected, "{method} {head:?}");
    }
}

#[test]
fn an_exchange_on_a_stream_goes_on_after_a_refusal() {
    for (method, has_body) in [(Method::GET, true), (Method::HEAD, false), (Method::CONNECT, true)] {
        let mut exchange = Exchange::refused_stream(&method);
        let none = fields(&[]);
        let plan = exchange.begin_reply(&head(431, &none, ContentType::Unsaid, Some(6)));
        assert_eq!((plan.has_body(), plan.length()), (has_body, Length::Exact(6)), "{method}");
        exchange.end_reply(&plan);
        assert_eq!((exchange.finish(), exchange.close_reason()), (Next::Continue, None), "{method}");
    }
    let mut exchange = Exchange::new(head_on_stream("GET").as_ref());
    let close = fields(&[("connection", "close")]);
    let plan = exchange.begin_reply(&head(200, &close, ContentType::Unsaid, None));
    exchange.end_reply(&plan);
    assert_eq!(exchange.close_reason(), Some(CloseReason::HandlerAsked));
}

/// A map that is full takes no field more, and the reply is sent.
#[test]
fn a_full_map_of_fields_is_no_panic() {
    let mut full = HeaderMap::new();
    for i in 0.. {
        if full.try_append(HeaderName::try_from(format!("x-{i}")).unwrap(), HeaderValue::from_static("")).is_err() {
            break;
        }
    }
    let fields = full.len();
    let plan = Plan::new(&on_stream("GET"), &Head { length: Some(6), ..Head::new(StatusCode::OK) }, None);
    plan.finish_fields(&mut full, ContentType::Known("a/b"), NOW, b"");
    assert_eq!(full.len(), fields);
}

#[test]
fn trailers_on_a_stream_are_those_of_http1() {
    let mut trailers = fields(&[
        ("grpc-status", "0"),
        ("x-sum", " 7 "),
        ("content-length", "5"),
        ("connection", "close"),
        ("keep-alive", "x"),
        ("proxy-connection", "x"),
        ("transfer-encoding", "chunked"),
        ("te", "trailers"),
        ("upgrade", "x"),
        ("host", "a"),
    ]);
    finish_trailers(&mut trailers);
    assert_eq!(trailers, fields(&[("grpc-status", "0"), ("x-sum", "7")]));
}
