//! One range of bytes of a representation.

use http::HeaderValue;

/// A range of bytes of a representation: an offset and a length, both in bytes. Go: `httpRange`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// The offset of the first byte.
    pub start: u64,
    /// The number of bytes; at least 1 if [`Ranges::parse`](crate::Ranges::parse) made it.
    pub length: u64,
}

impl ByteRange {
    /// The offset after the last byte.
    pub const fn end(self) -> u64 {
        self.start.saturating_add(self.length)
    }

    /// The value of `Content-Range` for a representation of `size` bytes: `bytes 0-4/11` (RFC 9110 §14.4). A range of
    /// length 0 has none, as the field names the last byte; here it is written as that of one byte.
    pub fn content_range(self, size: u64) -> HeaderValue {
        let last = self.start.saturating_add(self.length.max(1) - 1);
        HeaderValue::try_from(format!("bytes {}-{last}/{size}", self.start)).expect("digits and ASCII words")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_names_first_and_last_byte_and_size() {
        for (start, length, size, value) in [
            (0, 5, 11, "bytes 0-4/11"),
            (10, 1, 11, "bytes 10-10/11"),
            (0, u64::MAX, u64::MAX, "bytes 0-18446744073709551614/18446744073709551615"),
            (u64::MAX, 2, 3, "bytes 18446744073709551615-18446744073709551615/3"),
            (3, 0, 11, "bytes 3-3/11"),
        ] {
            assert_eq!(ByteRange { start, length }.content_range(size), value);
        }
        assert_eq!(ByteRange { start: 3, length: 4 }.end(), 7);
    }
}
