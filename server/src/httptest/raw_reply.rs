//! A reply of HTTP/1.1 as it was on the wire.

use quintet_mux::httptest::ReplyHead;

/// A reply of HTTP/1.1 as it was on the wire: with the order and the case of its fields. Read by a
/// [`RawClient`](super::RawClient).
#[derive(Debug)]
#[non_exhaustive]
pub struct RawReply {
    /// The status.
    pub status: u16,
    /// Everything before the empty line.
    pub head: String,
    /// The whole body, without chunks.
    pub body: Vec<u8>,
    /// The fields after the body, a line each.
    pub trailers: String,
    parsed: ReplyHead,
}

impl RawReply {
    pub(super) fn new(parsed: ReplyHead, body: Vec<u8>, trailers: String) -> Self {
        Self { status: parsed.status.as_u16(), head: parsed.text.clone(), body, trailers, parsed }
    }

    /// The first value of a field, by name in any case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.parsed.field(name)
    }

    /// The body as text.
    ///
    /// # Panics
    /// If it is not UTF-8.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body that is text")
    }

    /// Whether the reply says that it is the last on its connection.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.parsed.is_last()
    }
}
