//! A strict reader of the head of a reply.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::reply_error::ReplyError;

/// The most bytes of a head. Go: `Transport.MaxResponseHeaderBytes`, 10 MiB.
const MAX_HEAD_BYTES: usize = 1 << 20;

/// The head of one reply of HTTP/1.1, or of HTTP/1.0.
///
/// What a server may not send, or need not and would not, is refused: the reader is for tests of servers.
///
/// | head | taken | reason |
/// |---|---|---|
/// | `HTTP/1.1 200 OK`, `HTTP/1.0 200 OK`, `HTTP/1.1 299 ` | yes | RFC 9112 §4: the reason may be empty |
/// | `HTTP/1.1 200`, `HTTP/2 200 OK`, `http/1.1 200 OK`, `HTTP/1.1 20 OK`, `HTTP/1.1 099 OK` | no | not its grammar |
/// | `Name: value`, `Name: ` | yes | RFC 9112 §5 |
/// | `Name:value`, `Name : value`, `: value`, a folded line | no | not its grammar, or not what a sender should write |
/// | CR, LF or NUL or another control in a value | no | RFC 9110 §5.5 |
/// | bytes past ASCII in a value | yes | RFC 9110 §5.5, `obs-text` |
/// | an empty line that ends in LF alone | no | RFC 9112 §2.2 |
/// | `Content-Length` twice, signed, empty, or beside `Transfer-Encoding` | no | RFC 9112 §6.2, §6.3 |
/// | `Content-Length` with 1xx or 204 | no | RFC 9110 §8.6 |
/// | `Transfer-Encoding` other than `chunked`, or in HTTP/1.0, 1xx or 204 | no | RFC 9112 §6.1 |
/// | neither a length nor chunks, and not the last reply of its connection | no | RFC 9112 §6.3: who reads on would wait |
///
/// # Example
/// ```
/// use quintet_mux::httptest::{BodyEnd, ReplyHead};
///
/// let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
/// let (head, len) = ReplyHead::read(bytes)?.unwrap();
/// assert_eq!((head.status.as_u16(), head.body_end("GET")?, &bytes[len..]), (200, BodyEnd::Length(5), &b"hello"[..]));
/// assert_eq!(head.body_end("HEAD")?, BodyEnd::NoBody);
/// assert!(ReplyHead::read(&bytes[..20])?.is_none());
/// assert!(ReplyHead::read(b"HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\n").is_err());
/// # Ok::<(), quintet_mux::httptest::ReplyError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReplyHead {
    /// The status, from 100 to 999.
    pub status: StatusCode,
    /// Whether the version is HTTP/1.0; else it is HTTP/1.1.
    pub is_http10: bool,
    /// The fields. Names have lost their case here, and values the whitespace around them.
    pub headers: HeaderMap,
    /// Everything before the empty line, as it was sent; a byte that is not UTF-8 is U+FFFD.
    pub text: String,
}

/// How the body of a reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// There is no body.
    NoBody,
    /// After so many bytes.
    Length(u64),
    /// After the last chunk and the trailers.
    Chunked,
    /// At the end of the connection.
    Close,
}

impl ReplyHead {
    /// Reads the head at the start of these bytes: the head, and its length with the empty line. `None` if its end is
    /// missing.
    ///
    /// # Errors
    /// [`ReplyError`].
    pub fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, ReplyError> {
        let Some(end) = empty_line(bytes)? else {
            let is_long = bytes.len() > MAX_HEAD_BYTES;
            return if is_long { Err(ReplyError::HeadTooLong { limit: MAX_HEAD_BYTES }) } else { Ok(None) };
        };
        if end > MAX_HEAD_BYTES {
            return Err(ReplyError::HeadTooLong { limit: MAX_HEAD_BYTES });
        }
        let line_end = crlf(&bytes[..end]).unwrap_or(end);
        let (is_http10, status) = status_line(&bytes[..line_end]).ok_or(ReplyError::StatusLine)?;
        let headers = match bytes[..end].get(line_end + 2..) {
            Some(fields) => read_fields(fields).map_err(|at| ReplyError::Field { at: line_end + 2 + at })?,
            None => HeaderMap::new(),
        };
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let head = Self { status, is_http10, headers, text };
        if head.length()?.is_some() && !head.may_have_body() {
            return Err(ReplyError::Length);
        }
        head.check_coding()?;
        if head.headers.get_all(header::CONNECTION).iter().count() > 1 {
            return Err(ReplyError::Connection);
        }
        Ok(Some((head, end + 4)))
    }

    /// The first value of a field, by name in any case; `None` if it is not text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
    }

    /// Whether the reply says that it is the last on its connection.
    #[must_use]
    pub fn is_last(&self) -> bool {
        let says = |token: &str| {
            let value = self.field("connection").unwrap_or_default();
            value.split(',').any(|known| known.trim().eq_ignore_ascii_case(token))
        };
        says("close") || (self.is_http10 && !says("keep-alive"))
    }

    /// How the body of this reply to a request of this method ends.
    ///
    /// # Errors
    /// [`ReplyError::NoEnd`].
    ///
    /// # Spec
    /// RFC 9112 §6.3.
    pub fn body_end(&self, method: &str) -> Result<BodyEnd, ReplyError> {
        if method == "HEAD" || matches!(self.status.as_u16(), 100..200 | 204 | 304) {
            return Ok(BodyEnd::NoBody);
        }
        if method == "CONNECT" && self.status.is_success() {
            return Ok(BodyEnd::Close);
        }
        if self.headers.contains_key(header::TRANSFER_ENCODING) {
            return Ok(BodyEnd::Chunked);
        }
        match self.length()? {
            Some(length) => Ok(BodyEnd::Length(length)),
            None if self.is_last() => Ok(BodyEnd::Close),
            None => Err(ReplyError::NoEnd),
        }
    }

    /// The value of `Content-Length`.
    fn length(&self) -> Result<Option<u64>, ReplyError> {
        let mut lengths = self.headers.get_all(header::CONTENT_LENGTH).iter();
        let Some(value) = lengths.next() else { return Ok(None) };
        // `parse` alone would take a plus sign.
        let digits = std::str::from_utf8(value.as_bytes()).ok().filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
        match digits.and_then(|digits| digits.parse().ok()) {
            Some(length) if lengths.next().is_none() => Ok(Some(length)),
            _ => Err(ReplyError::Length),
        }
    }

    /// RFC 9112 §6.1.
    fn check_coding(&self) -> Result<(), ReplyError> {
        let mut codings = self.headers.get_all(header::TRANSFER_ENCODING).iter();
        let Some(coding) = codings.next() else { return Ok(()) };
        if self.headers.contains_key(header::CONTENT_LENGTH) {
            return Err(ReplyError::Length);
        }
        if coding == "chunked" && codings.next().is_none() && self.may_have_body() && !self.is_http10 {
            Ok(())
        } else {
            Err(ReplyError::TransferEncoding)
        }
    }

    /// Whether a reply of this status may tell of a body, as one to HEAD does that has none.
    fn may_have_body(&self) -> bool {
        !matches!(self.status.as_u16(), 100..200 | 204)
    }
}

/// Whether the version is HTTP/1.0, and the status. RFC 9112 §4.
fn status_line(line: &[u8]) -> Option<(bool, StatusCode)> {
    let (version, rest) = line.split_at_checked(9)?;
    let is_http10 = match version {
        b"HTTP/1.1 " => false,
        b"HTTP/1.0 " => true,
        _ => return None,
    };
    let (digits, reason) = rest.split_at_checked(3)?;
    let reason = reason.strip_prefix(b" ")?;
    let status = StatusCode::from_bytes(digits).ok()?;
    reason.iter().all(|&byte| is_value(byte)).then_some((is_http10, status))
}

/// Reads the lines of fields, separated by CRLF. The error is the offset of the malformed line.
pub(super) fn read_fields(bytes: &[u8]) -> Result<HeaderMap, usize> {
    let (mut headers, mut at) = (HeaderMap::new(), 0);
    loop {
        let rest = &bytes[at..];
        let end = crlf(rest).unwrap_or(rest.len());
        let (name, value) = read_field(&rest[..end]).ok_or(at)?;
        headers.try_append(name, value).map_err(|_| at)?;
        if end == rest.len() {
            return Ok(headers);
        }
        at += end + 2;
    }
}

/// Reads `Name: value`.
fn read_field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let value = line[colon + 1..].strip_prefix(b" ")?;
    if !value.iter().all(|&byte| is_value(byte)) {
        return None;
    }
    // A name of `http` is a token.
    Some((HeaderName::from_bytes(&line[..colon]).ok()?, HeaderValue::from_bytes(value.trim_ascii()).ok()?))
}

/// RFC 9110 §5.5: `HTAB / SP / VCHAR / obs-text`.
fn is_value(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// The offset of the CRLF before the first empty line; `None` if there is no empty line yet.
///
/// # Errors
/// [`ReplyError::BareLf`]: the first empty line, or the line before it, ends in LF alone. A reader that went on to wait for CRLF
/// would wait until its timeout, and tell of that.
pub(super) fn empty_line(bytes: &[u8]) -> Result<Option<usize>, ReplyError> {
    for at in (1..bytes.len()).filter(|&at| bytes[at] == b'\n') {
        match (bytes[at - 1], &bytes[..at]) {
            (b'\n', _) => return Err(ReplyError::BareLf { at }),
            (_, [.., b'\r', b'\n', b'\r']) => return Ok(Some(at - 3)),
            (_, [.., b'\n', b'\r']) => return Err(ReplyError::BareLf { at: at - 2 }),
            _ => {}
        }
    }
    Ok(None)
}

/// The offset of the first CRLF.
pub(super) fn crlf(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|window| window == b"\r\n")
}

#[cfg(test)]
#[path = "reply_head_tests.rs"]
mod tests;
