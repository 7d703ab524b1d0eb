//! Request targets: the second word of a request line, in one of four forms.

use std::{
    borrow::Cow,
    iter::{FusedIterator, Skip},
    str::Split,
};

use super::{layout::Layout, target_error::TargetError, target_form::TargetForm};
use crate::{Span, byte, percent::decode_str};

/// A request target and its parts as they were sent, without decoding.
///
/// ```
/// use quintet_request::{Target, TargetForm};
///
/// let target = Target::parse("GET", b"/caf%C3%A9?milk=1").unwrap();
/// assert_eq!(target.path(), "/caf%C3%A9");
/// assert_eq!(target.query(), Some("milk=1"));
/// assert_eq!(target.form(), TargetForm::Origin);
/// assert!(Target::parse("GET", b"*").is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    raw: &'a str,
    layout: Layout,
}

impl<'a> Target<'a> {
    /// Reads all of `raw` as the target of a request with `method`.
    ///
    /// Shape: `/path?query`, `http://host/path?query`, `host:port` for CONNECT, `*` for OPTIONS. An escape in the path
    /// must be `%` and two hexadecimal digits; escapes in the query are not checked. Bytes that RFC 3986 wants escaped
    /// but browsers send bare are accepted where they have one reading: ``[ ] | ^`` anywhere, ``{ } \ ` `` in the
    /// query.
    ///
    /// # Errors
    /// [`TargetError`] (400).
    ///
    /// # Spec
    /// RFC 9112 §3.2, RFC 3986 §3.3–3.4. Go: `url.ParseRequestURI`, which accepts `#`, bytes past ASCII and any scheme.
    pub fn parse(method: &str, raw: &'a [u8]) -> Result<Self, TargetError> {
        if let Some(at) = raw.iter().position(|&byte| !byte::is(byte, byte::TARGET)) {
            return Err(TargetError::Byte { at: Span::offset(at) });
        }
        let layout = Layout::read(method.as_bytes(), raw)?;
        Ok(Self::new(raw, layout))
    }

    pub(crate) fn new(raw: &'a [u8], layout: Layout) -> Self {
        Self::of_text(std::str::from_utf8(raw).unwrap_or_default(), layout)
    }

    pub(crate) fn of_text(raw: &'a str, layout: Layout) -> Self {
        Self { raw, layout }
    }

    /// The target as it was sent. Go: `Request.RequestURI`.
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// The form of the target.
    pub fn form(&self) -> TargetForm {
        self.layout.form
    }

    /// The path with its escapes: `/` for an absolute form without a path, `*` for the asterisk form, empty for
    /// CONNECT.
    pub fn path(&self) -> &'a str {
        match self.layout.form {
            TargetForm::Absolute if self.layout.path.is_empty() => "/",
            _ => self.layout.path.str(self.raw),
        }
    }

    /// The query as it was sent: what follows the first `?`. `Some("")` for a `?` at the end. Its escapes were not
    /// checked; [`Form`](crate::Form) reads and checks them.
    pub fn query(&self) -> Option<&'a str> {
        self.layout.query.map(|query| query.str(self.raw))
    }

    /// The `host[:port]` of an absolute form or of CONNECT.
    pub fn authority(&self) -> Option<&'a str> {
        matches!(self.layout.form, TargetForm::Absolute | TargetForm::Authority)
            .then(|| self.layout.authority.str(self.raw))
    }

    /// The decoded path: `/a%20b` becomes `/a b`. `None` if the result is not UTF-8. A `%2F` becomes a `/`; to split
    /// the path, split [`path`](Self::path) first or use [`segments`](Self::segments). Go: `URL.Path`.
    pub fn decoded_path(&self) -> Option<Cow<'a, str>> {
        decode_str(self.path())
    }

    /// The segments of the path, each decoded by itself, so that `%2F` is data: `/a%2Fb/c` has the segments `a/b` and
    /// `c`. A segment that is not UTF-8 is `None`.
    ///
    /// ```
    /// let target = quintet_request::Target::parse("GET", b"/a%2Fb/c").unwrap();
    /// assert!(target.segments().eq([Some("a/b".into()), Some("c".into())]));
    /// ```
    pub fn segments(&self) -> Segments<'a> {
        Segments(self.path().split('/').skip(1))
    }
}

/// An iterator over the decoded segments of a path. Made by [`Target::segments`].
#[derive(Clone, Debug)]
pub struct Segments<'a>(Skip<Split<'a, char>>);

impl<'a> Iterator for Segments<'a> {
    type Item = Option<Cow<'a, str>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(decode_str)
    }
}

impl FusedIterator for Segments<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_alone_is_read_as_in_a_head() {
        let target = Target::parse("GET", b"/a/b%20c?d=e?f").unwrap();
        assert_eq!((target.raw(), target.path(), target.query()), ("/a/b%20c?d=e?f", "/a/b%20c", Some("d=e?f")));
        assert_eq!((target.form(), target.authority()), (TargetForm::Origin, None));
        let target = Target::parse("OPTIONS", b"http://a:80").unwrap();
        assert_eq!((target.path(), target.query(), target.authority()), ("/", None, Some("a:80")));
        let target = Target::parse("OPTIONS", b"*").unwrap();
        assert_eq!((target.path(), target.form()), ("*", TargetForm::Asterisk));
        let target = Target::parse("CONNECT", b"[::1]:1").unwrap();
        assert_eq!((target.path(), target.authority()), ("", Some("[::1]:1")));
    }

    #[test]
    fn target_errors_have_the_offset_of_the_wrong_byte() {
        for (method, target, error) in [
            ("GET", "", TargetError::Form { at: 0 }),
            ("GET", "/a b", TargetError::Byte { at: 2 }),
            ("GET", "/a\u{e9}", TargetError::Byte { at: 2 }),
            ("GET", "/a?b#", TargetError::Byte { at: 4 }),
            ("GET", "/{", TargetError::Byte { at: 1 }),
            ("GET", "/%", TargetError::Escape { at: 1 }),
            ("GET", "http://a/%g0", TargetError::Escape { at: 9 }),
            ("GET", "/%?%", TargetError::Escape { at: 1 }),
            ("GET", "/{?%", TargetError::Byte { at: 1 }),
            ("GET", "http://a b/", TargetError::Byte { at: 8 }),
            ("GET", "http://a:x/", TargetError::Authority { at: 7 }),
            ("CONNECT", "/", TargetError::Form { at: 0 }),
        ] {
            assert_eq!(Target::parse(method, target.as_bytes()), Err(error), "{method} {target}");
            assert_eq!(error.status(), 400);
        }
    }

    #[test]
    fn a_malformed_escape_in_the_query_is_left_as_it_is() {
        for (target, path, query) in [
            ("/?q=100%", "/", "q=100%"),
            ("/?%", "/", "%"),
            ("/a?%zz&b=%4", "/a", "%zz&b=%4"),
            ("/%20?{%}", "/%20", "{%}"),
            ("http://a?%", "/", "%"),
            ("/?a?%2", "/", "a?%2"),
        ] {
            let read = Target::parse("GET", target.as_bytes()).unwrap();
            assert_eq!((read.raw(), read.path(), read.query()), (target, path, Some(query)));
        }
    }

    #[test]
    fn a_lone_question_mark_is_an_empty_query() {
        assert_eq!(Target::parse("GET", b"/?").unwrap().query(), Some(""));
        assert_eq!(Target::parse("GET", b"/").unwrap().query(), None);
    }

    #[test]
    fn segments_are_decoded_each_by_itself() {
        let target = Target::parse("GET", b"/a%2Fb//c%20d/%ff/").unwrap();
        let segments: Vec<_> = target.segments().collect();
        let segments: Vec<_> = segments.iter().map(|segment| segment.as_deref()).collect();
        assert_eq!(segments, [Some("a/b"), Some(""), Some("c d"), None, Some("")]);
        assert_eq!(target.decoded_path(), None);
        assert_eq!(Target::parse("GET", b"/a%2Fb").unwrap().decoded_path().as_deref(), Some("/a/b"));
    }
}
