//! A reply's head, and the chunks of its body, as bytes. RFC 9112 §4, §5, §7.1.

use std::{
    cell::RefCell,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use httpdate::fmt_http_date;
use quintet_conn::Output;
use quintet_mux::{ContentType, Response};
use quintet_request::{Version, is_forbidden_trailer, sniff};

use crate::exchange::{Exchange, Length, Plan};

/// The beginning of the usual reply, ready to be copied: made once a second.
struct Prefix {
    second: u64,
    /// `HTTP/1.1 200 OK CRLF Date: … CRLF`
    bytes: Vec<u8>,
}

/// Where the date field begins in the prefix.
const DATE: usize = b"HTTP/1.1 200 OK\r\n".len();

thread_local! {
    static PREFIX: RefCell<Prefix> = const { RefCell::new(Prefix { second: u64::MAX, bytes: Vec::new() }) };
}

/// Appends a reply's head. `unix` is the time in seconds, `body` the first bytes of the body if its type is to be
/// sniffed.
pub(crate) fn head(out: &mut Vec<u8>, response: &Response, exchange: &Exchange, plan: &Plan, unix: u64, body: &[u8]) {
    let headers = response.headers();
    let own_date = headers.is_some_and(|headers| headers.contains_key(header::DATE));
    start(out, response.status(), exchange.version, unix, own_date);
    content_type(out, response, plan, body);
    if let Some(headers) = headers {
        fields(out, headers, |name| {
            !matches!(*name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::CONNECTION)
        });
    }
    match plan.length {
        Length::Exact(length) => {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        Length::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        Length::Unsaid | Length::Close => {}
    }
    if let Some(connection) = exchange.connection(plan, response) {
        out.extend_from_slice(b"Connection: ");
        out.extend_from_slice(connection.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// The status line and the date.
#[inline]
fn start(out: &mut Vec<u8>, status: StatusCode, version: Version, unix: u64, own_date: bool) {
    PREFIX.with_borrow_mut(|prefix| {
        if prefix.second != unix {
            *prefix = Prefix::at(unix);
        }
        if status == StatusCode::OK && version == Version::Http11 && !own_date {
            return out.extend_from_slice(&prefix.bytes);
        }
        out.extend_from_slice(match version {
            Version::Http10 => b"HTTP/1.0 ",
            Version::Http11 => b"HTTP/1.1 ",
        });
        out.extend_from_slice(status.as_str().as_bytes());
        out.push(b' ');
        out.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
        out.extend_from_slice(b"\r\n");
        if !own_date && !status.is_informational() {
            out.extend_from_slice(&prefix.bytes[DATE..]);
        }
    });
}

impl Prefix {
    #[cold]
    fn at(second: u64) -> Self {
        let date = fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
        Prefix { second, bytes: format!("HTTP/1.1 200 OK\r\nDate: {date}\r\n").into_bytes() }
    }
}

#[inline]
fn content_type(out: &mut Vec<u8>, response: &Response, plan: &Plan, body: &[u8]) {
    if response.headers().is_some_and(|headers| headers.contains_key(header::CONTENT_TYPE)) {
        return;
    }
    let content_type = match response.content_type() {
        _ if !plan.described => return,
        ContentType::Known(known) => known,
        ContentType::Sniffed if !body.is_empty() && !is_encoded(response) => sniff(body),
        ContentType::Sniffed | ContentType::Unsaid => return,
    };
    out.extend_from_slice(b"Content-Type: ");
    out.extend_from_slice(content_type.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Whether the bytes of the body are not what it is: compressed, say.
fn is_encoded(response: &Response) -> bool {
    response.headers().is_some_and(|headers| headers.contains_key(header::CONTENT_ENCODING))
}

/// Whether the type of a body must be looked for in its bytes.
pub(crate) fn is_sniffed(response: &Response) -> bool {
    response.content_type() == ContentType::Sniffed
        && !is_encoded(response)
        && !response.headers().is_some_and(|headers| headers.contains_key(header::CONTENT_TYPE))
}

fn fields(out: &mut Vec<u8>, headers: &HeaderMap, take: impl Fn(&HeaderName) -> bool) {
    for (name, value) in headers {
        if take(name) {
            field(out, name, value);
        }
    }
}

fn field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Appends one chunk: `size-hex CRLF data CRLF`. The data must not be empty: that would be the end.
pub(crate) fn chunk(out: &mut Output, data: Bytes) {
    let mut line = *b"................\r\n";
    let mut at = 16;
    let mut rest = data.len();
    while rest > 0 {
        at -= 1;
        line[at] = b"0123456789abcdef"[rest % 16];
        rest /= 16;
    }
    out.extend(&line[at..]);
    out.push(data);
    out.extend(b"\r\n");
}

/// Appends the end of a chunked body: `0 CRLF [trailers] CRLF`. Fields that must not be trailers are left out
/// (RFC 9110 §6.5.1).
pub(crate) fn last_chunk(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    if let Some(trailers) = trailers {
        fields(out, trailers, |name| !is_forbidden_trailer(name.as_str()));
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use quintet_mux::IntoResponse;
    use quintet_request::{Request, Unread};

    fn encoded(request: &str, response: &Response, known: Option<u64>, body: &[u8]) -> String {
        let request = Request::parse(format!("{request}\r\n\r\n").as_bytes()).unwrap();
        let exchange = Exchange::begin(&request);
        let plan = exchange.plan(response, known, Unread::Nothing);
        let mut out = Vec::new();
        head(&mut out, response, &exchange, &plan, 784_111_777, body);
        String::from_utf8(out).unwrap()
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: a";
    const DATE: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

    #[test]
    fn the_usual_reply_is_a_prefix_a_type_and_a_length() {
        assert_eq!(
            encoded(GET, &"hello".into_response(), Some(5), b"hello"),
            format!("HTTP/1.1 200 OK\r\n{DATE}Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\n")
        );
    }

    #[test]
    fn the_type_of_bytes_is_what_they_look_like() {
        let seen = encoded(GET, &Response::new(()), Some(6), b"<html>");
        assert!(seen.contains("Content-Type: text/html; charset=utf-8\r\n"), "{seen}");
        let encoded_body = Response::new(()).with_header("content-encoding", "gzip");
        assert!(!encoded(GET, &encoded_body, Some(6), b"<html>").contains("Content-Type"));
    }

    #[test]
    fn a_field_of_the_handler_goes_before_ours() {
        let response = Response::new(()).with_header("date", "today").with_header("content-type", "a/b");
        let seen = encoded(GET, &response, Some(1), b"x");
        assert_eq!(seen, "HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: a/b\r\nContent-Length: 1\r\n\r\n");
    }

    #[test]
    fn framing_fields_of_the_handler_are_replaced() {
        let response = Response::new(())
            .with_header("transfer-encoding", "gzip")
            .with_header("content-length", "99")
            .with_header("connection", "close, x-hop");
        let seen = encoded(GET, &response, Some(1), b"");
        assert_eq!(seen, format!("HTTP/1.1 200 OK\r\n{DATE}Content-Length: 1\r\nConnection: close\r\n\r\n"));
    }

    #[test]
    fn an_upgrade_has_its_connection_field_and_no_date() {
        let response = Response::new(()).with_status(StatusCode::SWITCHING_PROTOCOLS).with_header("upgrade", "x");
        let seen = encoded(GET, &response, Some(0), b"");
        assert_eq!(seen, "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nConnection: upgrade\r\n\r\n");
    }

    #[test]
    fn an_unknown_status_and_an_old_client_are_served() {
        let response = "x".into_response().with_status(StatusCode::from_u16(599).unwrap());
        let seen = encoded("GET / HTTP/1.0\r\nConnection: keep-alive", &response, Some(1), b"x");
        let rest = "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n";
        assert_eq!(seen, format!("HTTP/1.0 599 \r\n{DATE}{rest}"));
    }

    #[test]
    fn chunks_and_their_end() {
        let mut out = Output::new();
        chunk(&mut out, Bytes::from(vec![b'x'; 26]));
        chunk(&mut out, Bytes::from_static(b"y"));
        let trailers = HeaderMap::from_iter([
            (header::ETAG, HeaderValue::from_static("e")),
            (header::CONTENT_LENGTH, HeaderValue::from_static("1")),
        ]);
        last_chunk(out.tail(), Some(&trailers));
        let x = "x".repeat(26);
        assert_eq!(out.first(), format!("1a\r\n{x}\r\n1\r\ny\r\n0\r\netag: e\r\n\r\n").as_bytes());
    }
}
