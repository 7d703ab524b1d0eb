//! Writing the chunks of a reply's body. RFC 9112 §7.1.

use http::HeaderMap;

use super::field;
use crate::is_forbidden_trailer;

/// The most bytes that [`begin_chunk`] and [`end_chunk`] add to a chunk's data.
#[cfg(test)]
const MAX_CHUNK_FRAMING_BYTES: usize = 16 + 2 + 2;

/// Appends the framing before a chunk's data: `size-hex CRLF`. `len` is the size of the data in bytes. If it is zero,
/// nothing is appended, because an empty chunk would end the body; leave out [`end_chunk`] too.
#[inline]
pub fn begin_chunk(out: &mut Vec<u8>, len: usize) {
    let mut line = *b"................\r\n";
    let mut at = 16;
    let mut rest = len;
    while rest > 0 {
        at -= 1;
        line[at] = b"0123456789abcdef"[rest % 16];
        rest /= 16;
    }
    if len > 0 {
        out.extend_from_slice(&line[at..]);
    }
}

/// Appends the framing after a chunk's data: CRLF.
#[inline]
pub fn end_chunk(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Appends the end of a chunked body: `0 CRLF [trailers] CRLF`. Fields that must not be trailers are left out
/// (RFC 9110 §6.5.1).
pub fn end_body(out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flatten() {
        if !is_forbidden_trailer(name.as_str()) {
            field::write(out, name, value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, header};

    #[test]
    fn a_written_chunk_has_a_hexadecimal_size_and_a_crlf() {
        let mut out = Vec::new();
        for data in [&[b'x'; 26][..], b"", b"y"] {
            begin_chunk(&mut out, data.len());
            out.extend_from_slice(data);
            if !data.is_empty() {
                end_chunk(&mut out);
            }
        }
        let trailers = HeaderMap::from_iter([
            (header::ETAG, HeaderValue::from_static("e")),
            (header::CONTENT_LENGTH, HeaderValue::from_static("1")),
        ]);
        end_body(&mut out, Some(&trailers));
        let x = "x".repeat(26);
        assert_eq!(String::from_utf8(out).unwrap(), format!("1a\r\n{x}\r\n1\r\ny\r\n0\r\nEtag: e\r\n\r\n"));
    }

    #[test]
    fn the_framing_of_the_largest_chunk_is_twenty_bytes() {
        for (len, expected) in
            [(1, "1\r\n"), (16, "10\r\n"), (255, "ff\r\n"), (usize::MAX >> 1, "7fffffffffffffff\r\n")]
        {
            let mut out = Vec::new();
            begin_chunk(&mut out, len);
            assert_eq!(String::from_utf8(out.clone()).unwrap(), expected);
            end_chunk(&mut out);
            assert!(out.len() <= MAX_CHUNK_FRAMING_BYTES);
        }
    }

    #[test]
    fn a_body_without_trailers_ends_with_five_bytes() {
        let mut out = Vec::new();
        end_body(&mut out, None);
        assert_eq!(out, b"0\r\n\r\n");
    }
}
