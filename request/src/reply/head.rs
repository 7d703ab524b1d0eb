//! What a reply's head is made of.

use http::{HeaderMap, StatusCode, header};

use super::content_type::ContentType;

/// What a handler says in the head of its reply. [`Plan`](super::Plan) is what of it goes on the wire.
///
/// Neither a status, a name nor a value of `http`'s types can hold a CR or LF, so no field can split a reply.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The status.
    pub status: StatusCode,
    /// The fields. `Content-Length`, `Transfer-Encoding` and `Connection` among them are wishes.
    pub headers: Option<&'a HeaderMap>,
    /// What the content is, unless a field says it.
    pub content_type: ContentType,
    /// How long the body is, in bytes, if that is known.
    pub length: Option<u64>,
}

impl Head<'_> {
    /// A head with this status, no fields, and a body of unknown length whose type is sniffed.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: None, content_type: ContentType::Sniffed, length: None }
    }

    /// Whether the type of the content is to be found in its first bytes: no field says it, and they are not compressed.
    pub fn is_sniffed(&self) -> bool {
        self.content_type == ContentType::Sniffed && !self.is_encoded() && !self.has(&header::CONTENT_TYPE)
    }

    /// Whether it is 200 and has no fields.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.status == StatusCode::OK && self.headers.is_none()
    }

    /// Whether a field says that the bytes of the body are not the content itself: compressed, say.
    pub(super) fn is_encoded(&self) -> bool {
        self.has(&header::CONTENT_ENCODING)
    }

    /// Whether there is such a field.
    #[inline]
    pub(super) fn has(&self, name: &header::HeaderName) -> bool {
        self.headers.is_some_and(|headers| headers.contains_key(name))
    }
}
