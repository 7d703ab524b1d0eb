//! Making a head from its words: they are written as a client would send them, and parsed.

use crate::{Head, HeadError, Limits, Version};

/// No limits, for heads that are in memory already. The limits of bodies are not used here.
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
    /// Makes a head of these words. The parser reads it, so the same rules hold as on the wire, except for the limits.
    ///
    /// The caller has checked that no word has a line end: a method and a name are tokens, a value has no controls.
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
            // Without a line end in a word, the head ends exactly at its empty line; this is for a caller that did not
            // check.
            _ => Err(HeadError::BareLf { at: 0 }),
        }
    }
}
