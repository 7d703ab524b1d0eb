//! A head that owns its bytes.

use std::fmt;

use super::{headers::Headers, hit_tracker::HitTracker, index::Field};
use crate::{HeadError, HeadRef, Index, Limits};

/// A request head that owns its bytes and its index. [`parse`](Head::parse) reuses the memory for the next head, and
/// does not read again what is equal in both.
#[derive(Clone, Default)]
pub struct Head {
    pub(crate) bytes: Vec<u8>,
    pub(crate) index: Index,
    pub(crate) target: String,
    pub(crate) hits: HitTracker,
}

impl Head {
    /// Reads one head at the start of `bytes` and copies it: `Ok(Some(len))` if the head is `bytes[..len]`. After
    /// `Ok(None)` (more bytes are needed) and after an error this head is empty.
    ///
    /// # Errors
    /// As [`Index::parse`].
    // Always: a program that serves two kinds of streams has two connection loops, and a call for each costs more.
    #[inline(always)]
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

    /// This head as a [`HeadRef`], which has the accessors.
    #[inline]
    pub fn as_ref(&self) -> HeadRef<'_> {
        HeadRef::with_target(&self.bytes, &self.index, &self.target)
    }

    /// Removes the head and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.index.clear();
        self.target.clear();
    }

    /// Bytes of memory held, used or not. A pool of heads can drop the large ones by it.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.target.capacity() + self.index.fields.capacity() * size_of::<Field>()
    }
}

impl HeadRef<'_> {
    /// A copy that owns its bytes.
    pub fn to_owned(self) -> Head {
        let target = self.target().raw().to_owned();
        let mut hits = HitTracker::default();
        hits.skip_next(); // the bytes may be those of HTTP/2, which are no head on a wire
        Head { bytes: self.as_bytes().to_vec(), index: self.index().clone(), target, hits }
    }

    /// Copies the bytes and the index of this head into memory that is used again. [`HeadRef::new`] joins them.
    pub fn copy_into(self, bytes: &mut Vec<u8>, index: &mut Index) {
        bytes.clear();
        bytes.extend_from_slice(self.as_bytes());
        index.copy_from(self.index());
    }
}

/// Iterates over the fields, as [`HeadRef::headers`] does.
impl<'a> IntoIterator for &'a Head {
    type Item = (&'a str, &'a [u8]);
    type IntoIter = Headers<'a>;

    fn into_iter(self) -> Headers<'a> {
        self.as_ref().headers()
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
    use crate::{Framing, Version};

    const POST: &[u8] = b"POST /a?b=c HTTP/1.1\r\nHost: a.example\r\nContent-Type: text/plain\r\nUser-Agent: x/1\r\n\
        Referer: http://b/\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nCookie: k=v\r\nContent-Length: 3\r\n\r\nabc";

    fn post() -> Head {
        let mut head = Head::default();
        assert_eq!(head.parse(POST, &Limits::default()), Ok(Some(POST.len() - 3)));
        head
    }

    #[test]
    fn a_head_gives_access_to_all_its_parts() {
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
    fn the_fields_of_a_head_iterate_from_both_ends() {
        let mut head = Head::default();
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a:\r\nX-B: \xff\r\n\r\n";
        assert_eq!(head.parse(bytes, &Limits::default()), Ok(Some(bytes.len())));
        let fields: [(&str, &[u8]); 4] = [("Host", b"a"), ("X-A", b"1"), ("x-a", b""), ("X-B", b"\xff")];
        let mut seen = Vec::new();
        for field in &head {
            seen.push(field);
        }
        assert_eq!(seen, fields);
        assert!(head.as_ref().into_iter().rev().eq(fields.into_iter().rev()));
        assert_eq!(head.as_ref().headers().len(), 4);
        for (name, values) in [("x-a", &[&b"1"[..], b""][..]), ("HOST", &[b"a"]), ("X", &[]), ("", &[])] {
            assert_eq!(head.as_ref().headers_named(name).collect::<Vec<_>>(), values, "{name}");
        }
    }

    #[test]
    fn a_head_is_copied_into_memory_that_is_used_again() {
        let mut short = Head::default();
        short.parse(b"GET / HTTP/1.0\r\n\r\n", &Limits::default()).unwrap().unwrap();
        let (mut bytes, mut index) = (Vec::new(), Index::default());
        post().as_ref().copy_into(&mut bytes, &mut index);
        let memory = (bytes.as_ptr(), index.fields.as_ptr());
        short.as_ref().copy_into(&mut bytes, &mut index);
        let copy = HeadRef::new(&bytes, &index);
        assert_eq!((copy.method(), copy.path(), copy.headers().len()), ("GET", "/", 0));
        assert_eq!((copy.version(), copy.host(), copy.as_bytes()), (Version::Http10, None, short.as_ref().as_bytes()));
        post().as_ref().copy_into(&mut bytes, &mut index);
        assert_eq!((bytes.as_ptr(), index.fields.as_ptr()), memory);
        assert_eq!((&bytes, &index), (&post().bytes, &post().index));
        assert_eq!(HeadRef::new(&bytes, &index).target().raw(), "/a?b=c");
    }

    #[test]
    fn a_head_reuses_its_memory() {
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
    fn a_head_is_empty_after_none_and_after_an_error() {
        for bytes in [&b"GET / HTTP/1.1\r\nHost: a\r\n"[..], b"GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\n\r\n"] {
            let mut head = post();
            assert!(!matches!(head.parse(bytes, &Limits::default()), Ok(Some(_))));
            assert_eq!((head.as_ref().as_bytes(), head.index.is_empty()), (&b""[..], true));
            assert_eq!((head.as_ref().host(), head.as_ref().headers().len()), (None, 0));
        }
    }

    #[test]
    fn an_index_of_other_bytes_does_not_panic() {
        let head = post();
        for bytes in [&b""[..], b"GET", &[0xff; 500], POST] {
            let head = HeadRef::new(bytes, &head.index);
            let _ = (head.method(), head.path(), head.target().raw(), head.target().query(), head.target().path());
            let _ = (head.host(), head.headers().count(), head.header("host"), head.cookies().iter().count());
            let _ = (head.target().authority(), head.as_bytes().len(), head.to_owned().as_ref().referer());
        }
    }

    #[test]
    fn debug_of_a_head_has_no_field_values() {
        let text = format!("{:?}", post());
        assert!(text.contains("POST") && text.contains("Authorization") && !text.contains("QWxh"), "{text}");
    }
}
