//! What the client said: the bytes of a head and where everything is in them.

use std::fmt;

use super::{head_cache::HitTracker, index::Field};
use crate::{BasicAuth, Cookies, Framing, HeadError, Index, Limits, Span, Target, Version};

/// A head, borrowed: a few references, so it is copied like one.
///
/// Values are looked up in the order of arrival by comparing names, which for the few fields of a request is faster
/// than making a map; [`http::HeaderMap`] is made on demand by `TryFrom`.
#[derive(Clone, Copy)]
pub struct HeadRef<'a> {
    bytes: &'a [u8],
    index: &'a Index,
    /// The target, if it was kept as text.
    target: Option<&'a str>,
}

impl<'a> HeadRef<'a> {
    /// Puts an index and the bytes it was made from together. With other bytes the accessors return nonsense, but
    /// stay within them.
    #[inline]
    pub fn new(bytes: &'a [u8], index: &'a Index) -> Self {
        Self { bytes, index, target: None }
    }

    /// The bytes of the head, with its empty line.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes.get(..self.index.len()).unwrap_or(self.bytes)
    }

    /// Where everything is.
    pub fn index(self) -> &'a Index {
        self.index
    }

    /// The method, as it was sent: methods are case-sensitive (RFC 9110 §9.1).
    #[inline]
    pub fn method(self) -> &'a str {
        // The usual ones are known to be text.
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

    /// Whether the target is `*`: the request is about the server (RFC 9112 §3.2.4).
    #[inline]
    pub fn is_asterisk(self) -> bool {
        self.index.layout.form == crate::TargetForm::Asterisk
    }

    /// What is asked for.
    #[inline]
    pub fn target(self) -> Target<'a> {
        match self.target {
            Some(target) => Target::of_text(target, self.index.layout),
            None => Target::new(self.index.target.of(self.bytes), self.index.layout),
        }
    }

    /// The path of the target, with its escapes. The same as `target().path()`, but does not look at the rest. The
    /// query is `target().query()`.
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

    /// HTTP/1.0 or HTTP/1.1.
    #[inline]
    pub fn version(self) -> Version {
        self.index.version
    }

    /// The `host[:port]` that the request is for: the authority of an absolute or CONNECT target, with which `Host`
    /// agrees if it is there, else the value of `Host`. Empty if the client sent an empty one; None in HTTP/1.0
    /// without any. Go: `Request.Host`.
    pub fn host(self) -> Option<&'a str> {
        self.str(self.index.host?)
    }

    /// The first value of a field, by name in any case. None if it is absent or not UTF-8.
    pub fn header(self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.header_bytes(name)?).ok()
    }

    /// The first value of a field, as bytes: values may have bytes past ASCII.
    pub fn header_bytes(self, name: &str) -> Option<&'a [u8]> {
        let field = self.index.fields.iter().find(|field| self.is_named(field, name))?;
        Some(field.value.of(self.bytes))
    }

    /// All values of a field, in order of arrival. Go: `Header.Values`.
    pub fn header_all<'n>(self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.index.fields.iter().filter(move |field| self.is_named(field, name)).map(move |f| f.value.of(self.bytes))
    }

    /// Every field in order of arrival, the names as they were written.
    pub fn headers(self) -> impl ExactSizeIterator<Item = (&'a str, &'a [u8])> + use<'a> {
        self.index.fields.iter().map(move |f| (self.str(f.name).unwrap_or_default(), f.value.of(self.bytes)))
    }

    /// How long the body is.
    #[inline]
    pub fn framing(self) -> Framing {
        self.index.framing
    }

    /// Whether the client wants to send another request. See [`Index::keep_alive`].
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

    /// What the client calls itself. Go: `Request.UserAgent`.
    pub fn user_agent(self) -> Option<&'a str> {
        self.header("user-agent")
    }

    /// Where the client comes from. Go: `Request.Referer`.
    pub fn referer(self) -> Option<&'a str> {
        self.header("referer")
    }

    /// The cookies of every `Cookie` field. Go: `Request.Cookies`.
    pub fn cookies(self) -> Cookies<'a> {
        Cookies::of(self)
    }

    /// User and password of `Authorization: Basic`. Go: `Request.BasicAuth`.
    pub fn basic_auth(self) -> Option<BasicAuth> {
        BasicAuth::parse(self.header_bytes("authorization")?)
    }

    /// A copy with memory of its own.
    pub fn to_owned(self) -> Head {
        let target = self.target().raw().to_owned();
        Head { bytes: self.as_bytes().to_vec(), index: self.index.clone(), target, hits: HitTracker::default() }
    }

    #[inline]
    fn str(self, span: Span) -> Option<&'a str> {
        std::str::from_utf8(span.of(self.bytes)).ok()
    }

    #[inline]
    fn is_named(self, field: &Field, name: &str) -> bool {
        field.name.len as usize == name.len() && field.name.of(self.bytes).eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Method, target and names: values may be secret.
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

/// A head with its own memory, which [`parse`](Head::parse) uses again: what is equal in the next head is not read
/// again.
#[derive(Clone, Default)]
pub struct Head {
    pub(crate) bytes: Vec<u8>,
    pub(crate) index: Index,
    pub(crate) target: String,
    pub(crate) hits: HitTracker,
}

impl Head {
    /// Reads one head at the start of `bytes` and copies it here: `Ok(Some(len))` if it was `bytes[..len]`. On
    /// `Ok(None)` and on an error this head is empty.
    ///
    /// # Errors
    /// As [`Index::parse`].
    pub fn parse(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, HeadError> {
        if self.hits.is_tried() {
            let again = self.parse_cached(bytes, limits);
            self.hits.note(again.is_some());
            if again.is_some() {
                return Ok(again);
            }
        }
        self.bytes.clear();
        self.target.clear();
        let parsed = self.index.parse_with(bytes, limits, |target| self.target.push_str(target));
        match parsed {
            Ok(Some(len)) => self.bytes.extend_from_slice(&bytes[..len]),
            _ => self.index.clear(),
        }
        parsed
    }

    /// This head, borrowed: all accessors are there.
    #[inline]
    pub fn as_ref(&self) -> HeadRef<'_> {
        HeadRef { bytes: &self.bytes, index: &self.index, target: Some(&self.target) }
    }

    /// Forgets the head and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.index.clear();
        self.target.clear();
    }

    /// Bytes of memory held, used or not: whoever keeps heads to use them again may want to let big ones go.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.target.capacity() + self.index.fields.capacity() * size_of::<Field>()
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &[u8] = b"POST /a?b=c HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/plain\r\nUser-Agent: x/1\r\n\
        Referer: http://b/\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nCookie: k=v\r\nContent-Length: 3\r\n\r\nabc";

    fn post() -> Head {
        let mut head = Head::default();
        assert_eq!(head.parse(POST, &Limits::default()), Ok(Some(POST.len() - 3)));
        head
    }

    #[test]
    fn everything_said_is_at_hand() {
        let head = post();
        let head = head.as_ref();
        assert_eq!((head.method(), head.path(), head.target().query()), ("POST", "/a", Some("b=c")));
        assert_eq!((head.version(), head.host()), (Version::Http11, Some("a.example")));
        assert_eq!((head.content_type(), head.user_agent()), (Some("text/plain"), Some("x/1")));
        assert_eq!((head.referer(), head.cookies().get("k")), (Some("http://b/"), Some("v")));
        assert_eq!(head.basic_auth().map(|auth| auth.user), Some("Aladdin".into()));
        assert_eq!((head.framing(), head.keep_alive()), (Framing::Length(3), true));
        assert_eq!(head.as_bytes(), &POST[..POST.len() - 3]);
        assert_eq!(head.headers().len(), 7);
    }

    #[test]
    fn its_memory_is_used_again() {
        let mut head = post();
        let (capacity, fields) = (head.capacity(), head.index.fields.as_ptr());
        for _ in 0..3 {
            head.clear();
            assert_eq!((head.as_ref().method(), head.as_ref().headers().len()), ("", 0));
            head.parse(POST, &Limits::default()).unwrap();
            assert_eq!((head.capacity(), head.index.fields.as_ptr()), (capacity, fields));
        }
    }

    #[test]
    fn it_is_empty_after_not_yet_and_after_an_error() {
        for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n"[..], b"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n"] {
            let mut head = post();
            assert!(!matches!(head.parse(bytes, &Limits::default()), Ok(Some(_))));
            assert_eq!((head.as_ref().as_bytes(), head.index.is_empty()), (&b""[..], true));
            assert_eq!((head.as_ref().host(), head.as_ref().headers().len()), (None, 0));
        }
    }

    #[test]
    fn other_bytes_than_its_own_give_nonsense_but_no_panic() {
        let head = post();
        for bytes in [&b""[..], b"GET", &[0xff; 500], POST] {
            let head = HeadRef::new(bytes, &head.index);
            let _ = (head.method(), head.path(), head.target().raw(), head.target().query(), head.target().path());
            let _ = (head.host(), head.headers().count(), head.header("host"), head.cookies().iter().count());
            let _ = (head.target().authority(), head.as_bytes().len(), head.to_owned().as_ref().referer());
        }
    }

    #[test]
    fn what_is_printed_for_people_has_no_values() {
        let text = format!("{:?}", post());
        assert!(text.contains("POST") && text.contains("Authorization") && !text.contains("QWxh"), "{text}");
    }
}
