//! The head of a reply as the handler gives it.

use http::{HeaderMap, StatusCode, header};

use super::content_type::ContentType;

/// The head of a reply as the handler gives it: status, fields, content type, length. [`Plan`](super::Plan) decides
/// what is sent.
///
/// Neither a status, a name nor a value of `http`'s types can hold a CR or LF, so no field can split a reply.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The status.
    pub status: StatusCode,
    /// The fields. `Content-Length`, `Transfer-Encoding` and `Connection` are not sent as they are; the plan decides
    /// them.
    pub headers: Option<&'a HeaderMap>,
    /// The content type, unless a field has it.
    pub content_type: ContentType,
    /// The length of the body in bytes, if it is known.
    pub length: Option<u64>,
}

impl Head<'_> {
    /// Makes a head with this status, no fields, an unknown length and a content type to be guessed.
    pub fn new(status: StatusCode) -> Self {
        Self { status, headers: None, content_type: ContentType::Sniffed, length: None }
    }

    /// Whether the content type is guessed from the first bytes: no field has it, and the bytes are not compressed.
    pub fn is_sniffed(&self) -> bool {
        self.content_type == ContentType::Sniffed && !self.is_encoded() && !self.has(&header::CONTENT_TYPE)
    }

    /// Whether the status is 200 and there are no fields.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.status == StatusCode::OK && self.headers.is_none()
    }

    /// Whether a field says that the bytes of the body are an encoded form of the content, such as compressed.
    pub(super) fn is_encoded(&self) -> bool {
        self.has(&header::CONTENT_ENCODING)
    }

    /// Whether there is a field of this name.
    #[inline]
    pub(super) fn has(&self, name: &header::HeaderName) -> bool {
        self.headers.is_some_and(|headers| headers.contains_key(name))
    }
}
