//! A borrowed head: its bytes and its index.

use std::fmt;

use super::headers::{Headers, HeadersNamed};
use crate::{BasicAuth, Framing, Index, Span, Target, Version};

/// A borrowed request head: its bytes and its index. It is [`Copy`], as it holds only references.
///
/// A value is found by comparing names in the order of arrival. For the few fields of a request this is faster than
/// building a map. `TryFrom` makes a [`http::HeaderMap`] on demand.
#[derive(Clone, Copy)]
pub struct HeadRef<'a> {
    bytes: &'a [u8],
    index: &'a Index,
    /// The target, if it was kept as text.
    target: Option<&'a str>,
}

impl<'a> HeadRef<'a> {
    /// Joins an index and the bytes it was made from. With other bytes the accessors return wrong values, but never
    /// panic.
    #[inline]
    pub fn new(bytes: &'a [u8], index: &'a Index) -> Self {
        Self { bytes, index, target: None }
    }

    /// The same with a copy of the target as text, which saves checking it for UTF-8.
    #[inline]
    pub(super) fn with_target(bytes: &'a [u8], index: &'a Index, target: &'a str) -> Self {
        Self { bytes, index, target: Some(target) }
    }

    /// The bytes of the head, with its empty line.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes.get(..self.index.len()).unwrap_or(self.bytes)
    }

    /// The offsets of everything in the head.
    pub fn index(self) -> &'a Index {
        self.index
    }

    /// The method as it was sent. Methods are case-sensitive (RFC 9110 §9.1).
    // Always: a router asks once for each request.
    #[inline(always)]
    pub fn method(self) -> &'a str {
        // Returning a literal for a usual method saves checking it for UTF-8.
        match self.index.method.of(self.bytes) {
            b"GET" => "GET",
            b"POST" => "POST",
            b"HEAD" => "HEAD",
            b"PUT" => "PUT",
            b"DELETE" => "DELETE",
            other => std::str::from_utf8(other).unwrap_or_default(),
        }
    }

    /// The bytes of the [method](Self::method): a token.
    #[inline]
    pub fn method_bytes(self) -> &'a [u8] {
        self.index.method.of(self.bytes)
    }

    /// Whether the target is `*`, the server as a whole (RFC 9112 §3.2.4).
    #[inline]
    pub fn is_asterisk(self) -> bool {
        self.index.layout.form == crate::TargetForm::Asterisk
    }

    /// The request target. Go: `Request.RequestURI`.
    #[inline]
    pub fn target(self) -> Target<'a> {
        match self.target {
            Some(target) => Target::of_text(target, self.index.layout),
            None => Target::new(self.index.target.of(self.bytes), self.index.layout),
        }
    }

    /// The path of the target with its escapes. It equals `target().path()` and costs less. The query is
    /// `target().query()`.
    #[inline]
    pub fn path(self) -> &'a str {
        let path = self.index.layout.path;
        if path.is_empty() && self.index.layout.form == crate::TargetForm::Absolute {
            return "/";
        }
        match self.target {
            Some(target) => path.str(target),
            None => {
                let start = self.index.target.start.wrapping_add(path.start);
                self.str(Span { start, ..path }).unwrap_or_default()
            }
        }
    }

    /// The bytes of the [target](Self::target) as it was sent, which are ASCII.
    #[inline]
    pub fn target_bytes(self) -> &'a [u8] {
        self.index.target.of(self.bytes)
    }

    /// HTTP/1.0, HTTP/1.1 or HTTP/2.
    #[inline]
    pub fn version(self) -> Version {
        self.index.version
    }

    /// The `host[:port]` of the request: the authority of an absolute or CONNECT target, else the value of `Host`. A
    /// `Host` that contradicts the target is refused by the parser. Empty if the client sent an empty one; `None` only
    /// in HTTP/1.0 without any. Go: `Request.Host`.
    pub fn host(self) -> Option<&'a str> {
        self.str(self.index.host?)
    }

    /// The bytes of the [host](Self::host).
    #[inline]
    pub fn host_bytes(self) -> Option<&'a [u8]> {
        Some(self.index.host?.of(self.bytes))
    }

    /// The first value of a field, by name in any case. `None` if the field is absent or its value is not UTF-8: a
    /// value may have bytes past ASCII in any encoding (RFC 9110 §5.5). Go: `Header.Get`.
    pub fn header(self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.header_bytes(name)?).ok()
    }

    /// The first value of a field as bytes, by name in any case.
    pub fn header_bytes(self, name: &str) -> Option<&'a [u8]> {
        let field = self.index.fields.iter().find(|field| field.is_named(self.bytes, name))?;
        Some(field.value.of(self.bytes))
    }

    /// Every value of a field, by name in any case, in order of arrival. Go: `Header.Values`.
    pub fn headers_named<'n>(self, name: &'n str) -> HeadersNamed<'a, 'n> {
        HeadersNamed::new(self.bytes, &self.index.fields, name)
    }

    /// Every field in order of arrival, with the names as they were sent.
    pub fn headers(self) -> Headers<'a> {
        Headers::new(self.bytes, &self.index.fields)
    }

    /// The length of the body.
    #[inline]
    pub fn framing(self) -> Framing {
        self.index.framing
    }

    /// Whether the client wants to use the connection again. See [`Index::keep_alive`].
    #[inline]
    pub fn keep_alive(self) -> bool {
        self.index.keep_alive()
    }

    /// Whether the client waits for `100 Continue`. See [`Index::expects_continue`].
    #[inline]
    pub fn expects_continue(self) -> bool {
        self.index.expects_continue()
    }

    /// Whether the client offers to change the protocol. See [`Index::wants_upgrade`].
    pub fn wants_upgrade(self) -> bool {
        self.index.wants_upgrade()
    }

    /// The media type of the body, with its parameters.
    pub fn content_type(self) -> Option<&'a str> {
        self.header("content-type")
    }

    /// The `User-Agent` field: the client's name for itself. Go: `Request.UserAgent`.
    pub fn user_agent(self) -> Option<&'a str> {
        self.header("user-agent")
    }

    /// The `Referer` field: the page that led to this request. Go: `Request.Referer`.
    pub fn referer(self) -> Option<&'a str> {
        self.header("referer")
    }

    /// The user and the password of `Authorization: Basic`. Go: `Request.BasicAuth`.
    pub fn basic_auth(self) -> Option<BasicAuth> {
        BasicAuth::parse(self.header_bytes("authorization")?)
    }

    #[inline]
    fn str(self, span: Span) -> Option<&'a str> {
        std::str::from_utf8(span.of(self.bytes)).ok()
    }
}

/// Iterates over the fields, as [`headers`](HeadRef::headers) does.
impl<'a> IntoIterator for HeadRef<'a> {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = Headers<'a>;

    fn into_iter(self) -> Headers<'a> {
        self.headers()
    }
}

/// Shows method, target, version and field names, but no values: they may be secret.
impl fmt::Debug for HeadRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("Head")
            .field("method", &self.method())
            .field("target", &self.target().raw())
            .field("version", &self.version())
            .field("fields", &names)
            .finish()
    }
}
