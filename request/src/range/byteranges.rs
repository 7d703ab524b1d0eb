//! The body of a reply with several ranges: `multipart/byteranges`.

use std::iter::FusedIterator;

use http::HeaderValue;

use super::{byte_range::ByteRange, ranges::Ranges};

/// The framing of a body with several ranges: what is sent before, between and after them.
///
/// ```text
/// --boundary CRLF  Content-Range: bytes 0-4/11 CRLF  Content-Type: text/plain CRLF CRLF  data
/// CRLF --boundary CRLF  Content-Range: bytes 9-10/11 CRLF  … CRLF CRLF  data
/// CRLF --boundary-- CRLF
/// ```
///
/// A request for one range, or for several that were joined to one, is not answered like this (RFC 9110 §15.3.7.2).
///
/// ```
/// use http::HeaderValue;
/// use quintet_request::{Byteranges, Ranges};
///
/// let content = b"hello world";
/// let ranges = Ranges::parse(b"bytes=0-4,-2", 11).unwrap().unwrap();
/// let text = HeaderValue::from_static("text/plain");
/// let framing = Byteranges::new(&ranges, 11, Some(&text), 0x5eed);
/// let mut body = Vec::new();
/// for (before, range) in framing.parts() {
///     body.extend_from_slice(&before);
///     body.extend_from_slice(&content[range.start as usize..range.end() as usize]);
/// }
/// body.extend_from_slice(&framing.end());
/// assert_eq!(body.len() as u64, framing.content_length());
/// ```
///
/// # Spec
/// RFC 9110 §14.6. Go: `rangesMIMESize` (fs.go:1139), whose bytes these are.
#[derive(Clone, Debug)]
pub struct Byteranges<'a> {
    ranges: &'a [ByteRange],
    size: u64,
    content_type: Option<&'a HeaderValue>,
    /// 32 hexadecimal digits.
    boundary: String,
}

impl<'a> Byteranges<'a> {
    /// The framing of these ranges of a representation of `size` bytes with this media type. The boundary is the number
    /// in hexadecimal digits. It must be unpredictable: an author of content who knows it can end a part early.
    pub fn new(ranges: &'a Ranges, size: u64, content_type: Option<&'a HeaderValue>, boundary: u128) -> Self {
        Self { ranges: ranges.as_slice(), size, content_type, boundary: format!("{boundary:032x}") }
    }

    /// The `Content-Type` of the reply: `multipart/byteranges; boundary=…`. The one of the content is in each part.
    pub fn content_type(&self) -> HeaderValue {
        let value = format!("multipart/byteranges; boundary={}", self.boundary);
        HeaderValue::try_from(value).expect("digits and ASCII words")
    }

    /// The bytes of the whole body, with the ranges. Saturates at 2⁶⁴ − 1.
    pub fn content_length(&self) -> u64 {
        let parts = self.parts().map(|(before, range)| (before.len() as u64).saturating_add(range.length));
        parts.fold(self.end().len() as u64, u64::saturating_add)
    }

    /// Each part: the bytes before its data, and the range that is its data.
    pub fn parts(&self) -> ByterangesParts<'_> {
        ByterangesParts { byteranges: self, at: 0 }
    }

    /// The bytes after the data of the last part.
    pub fn end(&self) -> Vec<u8> {
        format!("\r\n--{}--\r\n", self.boundary).into_bytes()
    }

    fn before(&self, at: usize, range: ByteRange) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend_from_slice(if at == 0 { b"--" } else { b"\r\n--" });
        bytes.extend_from_slice(self.boundary.as_bytes());
        bytes.extend_from_slice(b"\r\nContent-Range: ");
        bytes.extend_from_slice(range.content_range(self.size).as_bytes());
        if let Some(content_type) = self.content_type {
            bytes.extend_from_slice(b"\r\nContent-Type: ");
            bytes.extend_from_slice(content_type.as_bytes());
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes
    }
}

/// An iterator over the parts of a body with several ranges. Made by [`Byteranges::parts`].
#[derive(Clone, Debug)]
pub struct ByterangesParts<'a> {
    byteranges: &'a Byteranges<'a>,
    at: usize,
}

impl Iterator for ByterangesParts<'_> {
    type Item = (Vec<u8>, ByteRange);

    fn next(&mut self) -> Option<Self::Item> {
        let range = *self.byteranges.ranges.get(self.at)?;
        let before = self.byteranges.before(self.at, range);
        self.at += 1;
        Some((before, range))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.byteranges.ranges.len() - self.at;
        (left, Some(left))
    }
}

impl ExactSizeIterator for ByterangesParts<'_> {}
impl FusedIterator for ByterangesParts<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(range: &str, content: &[u8], content_type: Option<&HeaderValue>) -> (String, u64) {
        let ranges = Ranges::parse(range.as_bytes(), content.len() as u64).unwrap().unwrap();
        let framing = Byteranges::new(&ranges, content.len() as u64, content_type, 0xb0);
        let mut body = Vec::new();
        for (before, range) in framing.parts() {
            body.extend_from_slice(&before);
            body.extend_from_slice(
                &content[usize::try_from(range.start).unwrap()..usize::try_from(range.end()).unwrap()],
            );
        }
        body.extend_from_slice(&framing.end());
        (String::from_utf8(body).unwrap(), framing.content_length())
    }

    #[test]
    fn byteranges_are_written_as_go_writes_them() {
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        let (written, len) = body("bytes=0-0,-2", b"0123456789\n", Some(&text));
        let boundary = "000000000000000000000000000000b0";
        let expected = format!(
            "--{boundary}\r\nContent-Range: bytes 0-0/11\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n0\
             \r\n--{boundary}\r\nContent-Range: bytes 9-10/11\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n9\n\
             \r\n--{boundary}--\r\n"
        );
        assert_eq!((written.as_str(), len), (expected.as_str(), expected.len() as u64));
    }

    #[test]
    fn byteranges_of_unknown_type_have_no_content_type_field() {
        let (written, len) = body("bytes=0-0,5-5", b"0123456789\n", None);
        assert!(!written.contains("Content-Type") && written.contains("\r\n\r\n5\r\n--"), "{written}");
        assert_eq!(written.len() as u64, len);
    }

    #[test]
    fn content_length_of_byteranges_saturates() {
        let ranges = Ranges::parse(b"bytes=0-0,2-", u64::MAX).unwrap().unwrap();
        assert_eq!(Byteranges::new(&ranges, u64::MAX, None, 1).content_length(), u64::MAX);
        assert_eq!(Byteranges::new(&ranges, u64::MAX, None, 1).parts().len(), 2);
    }
}
