//! Heads that are taken, and those that are refused.

use super::*;

fn read(text: &[u8]) -> Result<ReplyHead, ReplyError> {
    let bytes = [text, b"\r\n\r\nrest"].concat();
    for end in 0..text.len() + 4 {
        // A part of a head is not yet one. What is wrong in it may be seen only at its end.
        assert_eq!(ReplyHead::read(&bytes[..end]).map(|read| read.is_none()), Ok(true), "{}", text.escape_ascii());
    }
    let (head, len) = ReplyHead::read(&bytes)?.expect("the end is there");
    assert_eq!(len, text.len() + 4);
    Ok(head)
}

#[test]
fn a_reply_head_has_a_status_line_and_fields() {
    let head = read(b"HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a:  2 \r\nX-Empty: \r\nX-Name: J\xfcrgen").unwrap();
    assert_eq!((head.status.as_u16(), head.is_http10, head.is_last()), (201, false, false));
    assert_eq!(head.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!((head.field("X-EMPTY"), head.field("x-name"), head.field("x-none")), (Some(""), None, None));
    assert_eq!(head.headers["x-name"].as_bytes(), b"J\xfcrgen");
    assert!(head.text.starts_with("HTTP/1.1 201 Created\r\nX-A: 1\r\nx-a:  2 \r\n"));
    for (line, status, is_http10) in
        [(&b"HTTP/1.0 200 OK"[..], 200, true), (b"HTTP/1.1 299 ", 299, false), (b"HTTP/1.1 999 a\tb \xff", 999, false)]
    {
        let head = read(line).unwrap();
        assert_eq!((head.status.as_u16(), head.is_http10), (status, is_http10));
    }
}

#[test]
fn a_malformed_reply_head_is_refused() {
    let field = |at| ReplyError::Field { at: "HTTP/1.1 200 OK\r\n".len() + at };
    for (text, error) in [
        (&b""[..], ReplyError::StatusLine),
        (b"HTTP/1.1 200", ReplyError::StatusLine),
        (b"HTTP/2 200 OK", ReplyError::StatusLine),
        (b"HTTP/1.2 200 OK", ReplyError::StatusLine),
        (b"http/1.1 200 OK", ReplyError::StatusLine),
        (b"HTTP/1.1  200 OK", ReplyError::StatusLine),
        (b"HTTP/1.1 20 OK", ReplyError::StatusLine),
        (b"HTTP/1.1 099 OK", ReplyError::StatusLine),
        (b"HTTP/1.1 2000 OK", ReplyError::StatusLine),
        (b"HTTP/1.1 200 O\nK", ReplyError::StatusLine),
        (b"HTTP/1.1 200 OK\r\nX:y", field(0)),
        (b"HTTP/1.1 200 OK\r\nX : y", field(0)),
        (b"HTTP/1.1 200 OK\r\n: y", field(0)),
        (b"HTTP/1.1 200 OK\r\nX", field(0)),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n z", field(6)),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n\tz", field(6)),
        (b"HTTP/1.1 200 OK\r\nX: y\r\nY: a\nb", field(6)),
        (b"HTTP/1.1 200 OK\r\nX: y\r\nY: a\rb", field(6)),
        (b"HTTP/1.1 200 OK\r\nX: \0", field(0)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1", ReplyError::Length),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1", ReplyError::Length),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +1", ReplyError::Length),
        (b"HTTP/1.1 200 OK\r\nContent-Length: ", ReplyError::Length),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616", ReplyError::Length),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", ReplyError::Length),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", ReplyError::TransferEncoding),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked", ReplyError::TransferEncoding),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", ReplyError::TransferEncoding),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked", ReplyError::TransferEncoding),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked", ReplyError::TransferEncoding),
        (b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked", ReplyError::TransferEncoding),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0", ReplyError::Length),
        (b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5", ReplyError::Length),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nConnection: close", ReplyError::Connection),
    ] {
        assert_eq!(read(text).map(|head| head.text), Err(error), "{}", text.escape_ascii());
    }
    let long = vec![b'x'; MAX_HEAD_BYTES + 1];
    assert_eq!(ReplyHead::read(&long).map(|_| ()), Err(ReplyError::HeadTooLong { limit: MAX_HEAD_BYTES }));
}

#[test]
fn the_end_of_a_reply_body_follows_from_method_and_head() {
    for (text, method, end) in [
        ("200 OK\r\nContent-Length: 5", "GET", Ok(BodyEnd::Length(5))),
        ("200 OK\r\nContent-Length: 5", "HEAD", Ok(BodyEnd::NoBody)),
        ("200 OK\r\nContent-Length: 5", "CONNECT", Ok(BodyEnd::Close)),
        ("404 Not Found\r\nContent-Length: 5", "CONNECT", Ok(BodyEnd::Length(5))),
        ("200 OK\r\nTransfer-Encoding: chunked", "POST", Ok(BodyEnd::Chunked)),
        ("200 OK\r\nTransfer-Encoding: chunked", "HEAD", Ok(BodyEnd::NoBody)),
        ("204 No Content", "GET", Ok(BodyEnd::NoBody)),
        ("304 Not Modified\r\nContent-Length: 5", "GET", Ok(BodyEnd::NoBody)),
        ("101 Switching Protocols", "GET", Ok(BodyEnd::NoBody)),
        ("200 OK\r\nConnection: close", "GET", Ok(BodyEnd::Close)),
        ("200 OK\r\nConnection: x, Close", "GET", Ok(BodyEnd::Close)),
        ("200 OK", "GET", Err(ReplyError::NoEnd)),
    ] {
        let head = read(format!("HTTP/1.1 {text}").as_bytes()).unwrap();
        assert_eq!(head.body_end(method), end, "{method}: {text}");
    }
    assert_eq!(read(b"HTTP/1.0 200 OK").unwrap().body_end("GET"), Ok(BodyEnd::Close));
    assert_eq!(read(b"HTTP/1.0 200 OK\r\nConnection: keep-alive").unwrap().body_end("GET"), Err(ReplyError::NoEnd));
}

#[test]
fn a_reply_head_that_ends_in_bare_lf_is_refused_at_once() {
    for (bytes, at) in [
        (&b"HTTP/1.1 200 OK\nX: y\n\n"[..], 21),
        (b"HTTP/1.1 200 OK\r\nX: y\r\n\n", 23),
        (b"HTTP/1.1 200 OK\nX: y\n\r\n", 20),
        (b"HTTP/1.1 200 OK\n\nbody\r\n\r\n", 16),
    ] {
        assert_eq!(ReplyHead::read(bytes).map(|_| ()), Err(ReplyError::BareLf { at }), "{}", bytes.escape_ascii());
    }
    assert!(ReplyHead::read(b"HTTP/1.1 204 \r\n\r\nbody\n\n").unwrap().is_some(), "what follows is not the head's");
    assert!(ReplyHead::read(b"\r\n\r\n").is_err() && ReplyHead::read(b"\r\n").unwrap().is_none());
}
