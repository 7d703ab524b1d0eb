//! A head that is made here: written as a client would send it, and read like any other.

use crate::{Head, HeadError, Limits, Version};

/// For heads that are in memory already. Those of a body do not matter here.
const UNLIMITED: Limits = Limits {
    head: usize::MAX,
    fields: usize::MAX,
    field: usize::MAX,
    target: usize::MAX,
    method: usize::MAX,
    chunk_extension: 0,
    chunk_overhead: 0,
    trailers: 0,
    trailer_fields: 0,
};

impl Head {
    /// The head that these words make. It obeys the same rules as one from the wire, for it is read by the same parser;
    /// but for its size, as what it is made of was let in before.
    ///
    /// No word may have a line end, which would end its line: a method and a name are tokens, values have no controls.
    pub(crate) fn written<'f>(
        method: &str,
        target: &str,
        version: Version,
        fields: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> Result<Self, HeadError> {
        let version = if version == Version::Http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let mut bytes = Vec::with_capacity(256);
        for word in [method, " ", target, " ", version, "\r\n"] {
            bytes.extend_from_slice(word.as_bytes());
        }
        for (name, value) in fields {
            for word in [name.as_bytes(), b": ", value, b"\r\n"] {
                bytes.extend_from_slice(word);
            }
        }
        bytes.extend_from_slice(b"\r\n");
        let mut head = Self::default();
        match head.parse(&bytes, &UNLIMITED)? {
            Some(len) if len == bytes.len() => Ok(head),
            // A word cannot hold a line end, so the head cannot end early, nor fail to end.
            _ => Err(HeadError::BareLf { at: 0 }),
        }
    }
}
