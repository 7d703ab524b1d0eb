//! A strict reader of the chunks and the trailers of a reply.

use http::HeaderMap;

use super::{
    reply_error::ReplyError,
    reply_head::{empty_line, read_fields},
};

/// The most digits of a size: 2³² − 1 bytes.
const MAX_DIGITS: usize = 8;
/// The most bytes of the trailers.
const MAX_TRAILER_BYTES: usize = 1 << 20;

/// One chunk of a body, the last one (of no bytes) included. The servers that are tested send no extensions: one is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplyChunk<'a> {
    /// The bytes of the body; empty for the last chunk.
    pub data: &'a [u8],
    /// The bytes of the chunk on the wire, framing included. That of the last chunk ends with its line:
    /// [`ReplyTrailers`] follow it.
    pub len: usize,
}

/// The trailers of a body: the fields after its last chunk.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReplyTrailers {
    /// The fields.
    pub headers: HeaderMap,
    /// The same as they were sent, with a line feed after each; a byte that is not UTF-8 is U+FFFD.
    pub text: String,
    /// Their bytes on the wire, with the empty line.
    pub len: usize,
}

impl<'a> ReplyChunk<'a> {
    /// Reads the chunk at the start of these bytes; `None` if its end is missing.
    ///
    /// ```
    /// use quintet_mux::httptest::ReplyChunk;
    ///
    /// let chunk = ReplyChunk::read(b"5\r\nhello\r\n0\r\n\r\n")?.unwrap();
    /// assert_eq!((chunk.data, chunk.len), (&b"hello"[..], 10));
    /// assert_eq!(ReplyChunk::read(b"5\r\nhel")?, None);
    /// # Ok::<(), quintet_mux::httptest::ReplyError>(())
    /// ```
    ///
    /// # Errors
    /// [`ReplyError::Chunk`].
    ///
    /// # Spec
    /// RFC 9112 §7.1.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Self>, ReplyError> {
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        if digits > MAX_DIGITS {
            return Err(ReplyError::Chunk { at: MAX_DIGITS });
        }
        if !follows(bytes, digits, b"\r\n")? {
            return Ok(None);
        }
        let text = std::str::from_utf8(&bytes[..digits]).unwrap_or_default();
        let size = usize::from_str_radix(text, 16).map_err(|_| ReplyError::Chunk { at: 0 })?;
        let start = digits + 2;
        if size == 0 {
            return Ok(Some(Self { data: &[], len: start }));
        }
        let Some(data) = bytes.get(start..start + size) else { return Ok(None) };
        if !follows(bytes, start + size, b"\r\n")? {
            return Ok(None);
        }
        Ok(Some(Self { data, len: start + size + 2 }))
    }
}

impl ReplyTrailers {
    /// Reads the trailers at the start of these bytes, with the empty line after them; `None` if its end is missing.
    ///
    /// # Errors
    /// [`ReplyError::Trailer`] and [`ReplyError::BareLf`].
    ///
    /// # Spec
    /// RFC 9112 §7.1.2.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, ReplyError> {
        if bytes.starts_with(b"\r\n") {
            return Ok(Some(Self { len: 2, ..Self::default() }));
        }
        let Some(end) = empty_line(bytes)? else {
            let is_long = bytes.len() > MAX_TRAILER_BYTES;
            return if is_long { Err(ReplyError::Trailer { at: MAX_TRAILER_BYTES }) } else { Ok(None) };
        };
        let headers = read_fields(&bytes[..end]).map_err(|at| ReplyError::Trailer { at })?;
        let text = String::from_utf8_lossy(&bytes[..end]).replace("\r\n", "\n") + "\n";
        Ok(Some(Self { headers, text, len: end + 4 }))
    }
}

/// Whether these bytes stand at an offset: `false` if they may still come.
fn follows(bytes: &[u8], at: usize, expected: &[u8; 2]) -> Result<bool, ReplyError> {
    for (i, byte) in expected.iter().enumerate() {
        match bytes.get(at + i) {
            Some(found) if found == byte => {}
            Some(_) => return Err(ReplyError::Chunk { at: at + i }),
            None => return Ok(false),
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_its_size_and_its_data() {
        for (bytes, data, len) in [
            (&b"0\r\n"[..], &b""[..], 3),
            (b"000\r\nX: y", b"", 5),
            (b"3\r\nabc\r\n", b"abc", 8),
            (b"A\r\n0123456789\r\n0\r\n", b"0123456789", 15),
            (b"a\r\n0123456789\r\n", b"0123456789", 15),
        ] {
            assert_eq!(ReplyChunk::read(bytes), Ok(Some(ReplyChunk { data, len })), "{}", bytes.escape_ascii());
            for end in 0..len {
                assert_eq!(ReplyChunk::read(&bytes[..end]), Ok(None), "{}", bytes[..end].escape_ascii());
            }
        }
    }

    #[test]
    fn a_malformed_chunk_is_refused_where_it_is() {
        for (bytes, at) in [
            (&b"\r\n"[..], 0),
            (b"x\r\n", 0),
            (b" 3\r\nabc\r\n", 0),
            (b"3;a=b\r\nabc\r\n", 1),
            (b"3 \r\nabc\r\n", 1),
            (b"3\nabc\r\n", 1),
            (b"3\rabc", 2),
            (b"3\r\nabcd\r\n", 6),
            (b"3\r\nabc\n", 6),
            (b"3\r\nabc\rx", 7),
            (b"-1\r\n", 0),
            (b"123456789\r\n", 8),
        ] {
            assert_eq!(ReplyChunk::read(bytes), Err(ReplyError::Chunk { at }), "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn trailers_are_fields_and_an_empty_line() {
        let bytes = b"X-Sum: 7\r\nx-name: J\xfcrgen\r\n\r\nHTTP/1.1 200 OK";
        let len = bytes.len() - 15;
        let trailers = ReplyTrailers::read(bytes).unwrap().unwrap();
        assert_eq!((trailers.len, &*trailers.text), (len, "X-Sum: 7\nx-name: J\u{fffd}rgen\n"));
        assert_eq!((&trailers.headers["x-sum"], trailers.headers.len()), (&http::HeaderValue::from_static("7"), 2));
        assert!((0..len).all(|end| ReplyTrailers::read(&bytes[..end]).unwrap().is_none()));
        assert_eq!(ReplyTrailers::read(b"\r\nX").unwrap().unwrap().len, 2);
        for (bytes, at) in [(&b"X-Sum\r\n\r\n"[..], 0), (b"X: 1\r\n Y: 2\r\n\r\n", 6), (b"X: 1\r\nY: \x01\r\n\r\n", 6)]
        {
            let error = ReplyTrailers::read(bytes).unwrap_err();
            assert_eq!(error, ReplyError::Trailer { at }, "{}", bytes.escape_ascii());
        }
        assert_eq!(ReplyTrailers::read(b"X: 1\n\n").unwrap_err(), ReplyError::BareLf { at: 5 });
    }
}
