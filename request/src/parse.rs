//! One request head at the start of some bytes, or not yet, or never.

use std::mem::MaybeUninit;

use crate::{
    HeadError, Limits, Span, Version, book,
    facts::Facts,
    index::{Field, Index},
    target::Layout,
};

/// Heads with more fields than this, if the limit allows them, are read without httparse.
const MOST_FIELDS: usize = 100;

/// Parses one request head at the start of `bytes`: `Ok(Some(index))` is a head of [`Index::len`] bytes, `Ok(None)`
/// is not yet, `Err` is never.
///
/// ```
/// use quintet_request::{HeadRef, Limits, parse};
///
/// let bytes = b"GET /hello?who=you HTTP/1.1\r\nHost: a.example\r\n\r\nwhat follows";
/// let index = parse(bytes, &Limits::default()).unwrap().unwrap();
/// let head = HeadRef::new(bytes, &index);
/// assert_eq!((head.method(), head.target().path(), head.host()), ("GET", "/hello", Some("a.example")));
/// assert_eq!(&bytes[index.len()..], b"what follows");
/// ```
///
/// # Errors
/// [`HeadError`], with the status to answer.
///
/// # Spec
/// See [`Index::parse`].
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Option<Index>, HeadError> {
    let mut index = Index::default();
    Ok(index.parse(bytes, limits)?.map(|_| index))
}

impl Index {
    /// Parses one request head at the start of `bytes` into this index, whose memory is used again: `Ok(Some(len))`
    /// if the head is `bytes[..len]`, `Ok(None)` if it is not all there yet.
    ///
    /// # Errors
    /// [`HeadError`]: these bytes are not the start of a head that we serve. More bytes change neither that nor the
    /// error.
    ///
    /// # Spec
    /// RFC 9112 §2–5, RFC 9110 §5. Go: `readRequest` (request.go:1068, server.go:1030).
    pub fn parse(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, HeadError> {
        match self.parse_fast(window(bytes, limits), limits) {
            Some(len) => Ok(Some(len)),
            None => self.parse_by_the_book(bytes, limits),
        }
    }

    /// The same without httparse: every byte is looked at by itself, in order. Ten times slower, and what
    /// [`parse`](Self::parse) falls back on for everything that is not certainly fine. It is here for those who
    /// want to compare the two.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_by_the_book(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, HeadError> {
        let window = window(bytes, limits);
        match book::read(window, limits, self)? {
            None if window.len() >= most(limits) => Err(HeadError::TooLong { at: Span::offset(window.len()) }),
            parsed => Ok(parsed),
        }
    }

    /// The length of a head that is certainly fine. None says nothing: the book decides.
    ///
    /// httparse finds the words of the request line and of each field and knows their bytes. It is content with bare
    /// LF, any number of empty lines, any target, no Host or two; all that is looked at here, in steps per field
    /// rather than per byte.
    fn parse_fast(&mut self, bytes: &[u8], limits: &Limits) -> Option<usize> {
        let start = match bytes {
            [first, ..] if *first > b'\r' => 0,
            [b'\r', b'\n', first, ..] if *first > b'\r' => 2,
            _ => return None,
        };
        let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut []);
        let fields = &mut fields[..limits.fields.min(MOST_FIELDS)];
        let Ok(httparse::Status::Complete(len)) = request.parse_with_uninit_headers(&bytes[start..], fields) else {
            return None;
        };
        let head = &bytes[..start + len];
        let (method, target) = (request.method?, request.path?);
        if method.len() > limits.method || target.len() > limits.target {
            return None;
        }
        self.method = Span::new(start, method.len());
        self.target = Span::new(start + method.len() + 1, target.len());
        self.version = if request.version? == 0 { Version::Http10 } else { Version::Http11 };
        self.layout = Layout::read(method.as_bytes(), target.as_bytes()).ok()?;

        let base = head.as_ptr() as usize;
        self.fields.clear();
        self.fields.extend(request.headers.iter().map(|field| Field {
            name: Span::new(field.name.as_ptr() as usize - base, field.name.len()),
            value: Span::new(field.value.as_ptr() as usize - base, field.value.len()),
        }));

        // A line that ends with CRLF: no value has a CR in it, so the byte before the LF before a name tells. The
        // same for the empty line, which the last line's end precedes.
        let mut fine = head.ends_with(b"\r\n\r\n");
        let mut facts = Facts::default();
        for (sent, field) in request.headers.iter().zip(&self.fields) {
            fine &= head.get((field.name.start as usize).wrapping_sub(2)) == Some(&b'\r');
            facts.note(sent.name.as_bytes(), sent.value, field.name.start, field.value.start).ok()?;
        }
        if !fine || head.len() > limits.field && self.has_long_field(head.len(), limits.field) {
            return None;
        }
        facts.decide(head, self).ok().map(|()| head.len())
    }

    /// Whether a field line, with the whitespace at its end, is longer than `limit` bytes.
    #[cold]
    fn has_long_field(&self, len: usize, limit: usize) -> bool {
        let starts = self.fields.iter().map(|field| field.name.start as usize);
        let ends = starts.clone().skip(1).map(|start| start - 2).chain([len - 4]);
        starts.zip(ends).any(|(start, end)| end - start > limit)
    }
}

/// What of `bytes` may be looked at.
#[inline]
fn window<'a>(bytes: &'a [u8], limits: &Limits) -> &'a [u8] {
    bytes.get(..most(limits)).unwrap_or(bytes)
}

/// The longest head: offsets have 32 bits.
#[inline]
fn most(limits: &Limits) -> usize {
    limits.head.min(u32::MAX as usize)
}
