//! The parser of request heads, on httparse, with the table of what is accepted and refused.
//!
//! Where RFC 9112 and Go agree, Quintet does the same. Where RFC 9112 lets a server refuse, Quintet refuses. The length
//! of a body has a table of its own in `framing.rs`, chunks have one in `chunked.rs`. Each row has a test in
//! `tests/head.rs`. The column about Go is compared with recorded replies of a Go server (`go_tables.rs` in the
//! server's tests).
//!
//! | input | RFC | Go 1.27 | Quintet |
//! |---|---|---|---|
//! | an empty line before the request line | 9112 §2.2: should be ignored | 400 | skipped |
//! | two empty lines before it | ″ | 400 | 400 |
//! | an empty line after the body of a POST | ″ | skipped | skipped |
//! | two empty lines after the body of a POST | ″ | skipped | 400 |
//! | a line that ends in LF alone | 9112 §2.2: may be taken | taken | 400 |
//! | a CR that no LF follows | 9112 §2.2: invalid | 400 | 400 |
//! | two spaces, a tab, a space at the end of the request line | 9112 §3: single SP | 400 | 400 |
//! | a method that is empty or not a token | 9110 §9.1 | 400 | 400 |
//! | `get`, `BREW`: any token, in its case | 9110 §9.1 | taken | taken |
//! | a method of 33 bytes | 9112 §3: should be 501 | taken | 501 |
//! | a target of more than 8 KiB | 9112 §3: must be 414 | taken | 414 |
//! | `HTTP/1.2` | 9110 §2.5: as the highest known minor | as 1.1 | as 1.1 |
//! | `HTTP/2.0`, `HTTP/0.9` | 9110 §15.6.6 | 505 | 505 |
//! | `HTTP/1.10`, `http/1.1`, no version | 9112 §2.3 | 400 | 400 |
//! | `foo`, no target | 9112 §3.2 | 400 | 400 |
//! | `/a#b` | 9112 §3.2: no fragment | taken as path | 400 |
//! | a control in a target | 3986 §2 | 400 | 400 |
//! | `"`, `<`, `>` or a byte past ASCII in a target, also in a query | 3986 §2 | taken | 400 |
//! | ``[ ] | ^`` in a target, ``{ } \ ` `` in a query | 3986 §2: escaped; browsers send them bare | taken | taken |
//! | `/%zz` | 3986 §2.1 | 400 | 400 |
//! | `/?q=%zz`, `/?q=100%` | 3986 §2.1 | taken, raw; the form says so | taken, raw; the form says so |
//! | `http://a/b` and `Host: a`, `Host: A:80` | 9112 §3.2.2 | taken | taken |
//! | `http://a/b` and `Host: b` | 9112 §3.2.2: Host is ignored | taken | 400 |
//! | `http://a` | 9110 §4.2.3: as `/` | path is empty | path is `/` |
//! | `http://u@a/` | 9110 §4.2.4: an error | userinfo dropped | 400 |
//! | `ftp://a/`, `a:b` | 9112 §3.2.2 | taken | 400 |
//! | `CONNECT a:443` | 9112 §3.2.3 | taken | taken |
//! | `CONNECT a`, `CONNECT /a` | 9112 §3.2.3: host and port | taken | 400 |
//! | `CONNECT a:443` and `Host: b` | 9112 §3.2: identical | taken | 400 |
//! | `OPTIONS *` | 9112 §3.2.4 | taken | taken |
//! | `GET *` | 9112 §3.2.4: OPTIONS only | 400 by the mux | 400 |
//! | no `Host` in HTTP/1.1 | 9112 §3.2: must be 400 | 400 | 400 |
//! | no `Host` with CONNECT | ″ | taken | 400 |
//! | no `Host` in HTTP/1.0 | – | taken | taken |
//! | `Host:` with nothing | 9112 §3.2 | taken | taken |
//! | `Host` twice, equal or not, in any version | 9112 §3.2: must be 400 | 400 | 400 |
//! | `Host: a b`, `a/b`, `u@a` | 9112 §3.2: must be 400 | 400 | 400 |
//! | `Host: a%41` | ″ | taken | 400 |
//! | `Host: a:99999`, `a:b`, `::1`, `[x]` | 3986 §3.2 | taken | 400 |
//! | `X : 1` | 9112 §5.1: must be 400 | 400 | 400 |
//! | a folded line | 9112 §5.2: 400 or a blank | a blank | 400 |
//! | a blank before the first field | 9112 §2.2: must not be taken | 400 | 400 |
//! | a line without colon, an empty name, a name that is no token | 9112 §5 | 400 | 400 |
//! | whitespace around a value, an empty value | 9110 §5.5 | trimmed, taken | trimmed, taken |
//! | NUL, another control or DEL in a value | 9110 §5.5 | 400 | 400 |
//! | a byte past ASCII in a value | 9110 §5.5: obs-text | taken | taken |
//! | 101 fields | 9110 §5.4: 4xx | taken | 431 |
//! | 501 fields | ″ | 431 | 431 |
//! | a field of more than 32 KiB | ″ | taken | 431 |
//! | a head of more than 64 KiB | ″ | taken | 431 |
//! | a head of more than 1 MiB | ″ | 431 | 431 |
//! | `Expect: 100-continue`, in any case | 9110 §10.1.1 | waits | waits |
//! | the same in HTTP/1.0, or without a body | ″: must, may be ignored | ignored | ignored |
//! | `Expect: other` | ″: may be 417 | 417 | 417 |
//! | `Connection: close`, `foo, Close` | 9112 §9.3 | closes | closes |
//! | `Trailer: Content-Length`, chunked | 9110 §6.5.1: must not be sent | 400 | 400 |

use std::mem::MaybeUninit;

use super::{
    index::{Field, Index},
    layout::Layout,
    reference,
    semantics::Semantics,
};
use crate::{HeadError, Limits, Span, Version};

/// The most fields that the parser on httparse reads. The reference parser reads heads with more, if the limit allows
/// them.
const MOST_FIELDS: usize = 100;

/// Parses one request head at the start of `bytes`. `Ok(Some(index))`: a head of [`Index::len`] bytes. `Ok(None)`: more
/// bytes are needed. `Err`: the bytes are refused, and more bytes do not change that.
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
/// [`HeadError`], which has the status of the reply.
///
/// # Spec
/// See [`Index::parse`].
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Option<Index>, HeadError> {
    let mut index = Index::default();
    Ok(index.parse(bytes, limits)?.map(|_| index))
}

impl Index {
    /// Parses one request head at the start of `bytes` into this index and reuses its memory. `Ok(Some(len))`: the head
    /// is `bytes[..len]`. `Ok(None)`: more bytes are needed.
    ///
    /// # Errors
    /// [`HeadError`]: no head that is served starts with these bytes. More bytes change neither that nor the error.
    ///
    /// # Spec
    /// RFC 9112 §2–5, RFC 9110 §5. Go: `readRequest` (request.go:1068, server.go:1030).
    pub fn parse(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, HeadError> {
        self.parse_with(bytes, limits, |_| {})
    }

    /// The same; `keep` is called with the target as text, so that the caller need not check it for UTF-8 again.
    #[inline]
    pub(crate) fn parse_with(
        &mut self,
        bytes: &[u8],
        limits: &Limits,
        keep: impl FnOnce(&str),
    ) -> Result<Option<usize>, HeadError> {
        if let Some((len, target)) = self.parse_fast(window(bytes, limits), limits) {
            keep(target);
            return Ok(Some(len));
        }
        let parsed = self.parse_reference(bytes, limits);
        if let Ok(Some(_)) = parsed {
            keep(std::str::from_utf8(self.target.of(bytes)).unwrap_or_default());
        }
        parsed
    }

    /// Parses with the reference parser: without httparse, byte by byte. It is ten times slower; [`parse`](Self::parse)
    /// uses it for every head that the fast parser does not accept. It is public so that the two can be compared.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_reference(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, HeadError> {
        let window = window(bytes, limits);
        match reference::read(window, limits, self)? {
            None if window.len() >= most(limits) => Err(HeadError::TooLong { at: Span::offset(window.len()) }),
            parsed => Ok(parsed),
        }
    }

    /// The length and the target of a head that is certainly valid. `None`: undecided; the reference parser decides.
    ///
    /// httparse finds the words of the request line and of each field, and checks their bytes. It accepts bare LF, any
    /// number of empty lines, any target, no `Host` and two of them. Those are checked here, with a cost per field and
    /// not per byte.
    fn parse_fast<'a>(&mut self, bytes: &'a [u8], limits: &Limits) -> Option<(usize, &'a str)> {
        // httparse skips any number of empty lines, but only one is allowed. Any other control at the start goes to the
        // reference parser, which refuses it.
        let start = match bytes {
            [first, ..] if *first > b'\r' => 0,
            [b'\r', b'\n', first, ..] if *first > b'\r' => 2,
            _ => return None,
        };
        // Not initialised: it would cost zeroing 100 fields of 32 bytes for each head, and a browser's head has twelve.
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

        // httparse returns slices of `bytes`, so the offset of a slice is the difference of the addresses.
        let base = head.as_ptr() as usize;
        self.fields.clear();
        self.fields.extend(request.headers.iter().map(|field| Field {
            name: Span::new(field.name.as_ptr() as usize - base, field.name.len()),
            value: Span::new(field.value.as_ptr() as usize - base, field.value.len()),
        }));

        // Every line must end with CRLF. httparse accepts no CR inside a value, so a line has CRLF exactly if a CR is
        // two bytes before the name of the next field. For the last field and the empty line, all four bytes are
        // compared.
        let mut fine = head.ends_with(b"\r\n\r\n");
        let mut semantics = Semantics::default();
        for field in &self.fields {
            let [before, _, first] = *head.get((field.name.start as usize).wrapping_sub(2)..)?.first_chunk()?;
            fine &= before == b'\r';
            if Semantics::may_decide(field.name.len, first) {
                semantics.note(head, *field).ok()?;
            }
        }
        if !fine || head.len() > limits.field && self.has_long_field(head.len(), limits.field) {
            return None;
        }
        semantics.decide(head, self).ok().map(|()| (head.len(), target))
    }

    /// Whether a field line is longer than `limit` bytes, with the whitespace at its end and without CRLF.
    #[cold]
    pub(super) fn has_long_field(&self, len: usize, limit: usize) -> bool {
        let starts = self.fields.iter().map(|field| field.name.start as usize);
        let ends = starts.clone().skip(1).map(|start| start - 2).chain([len - 4]);
        starts.zip(ends).any(|(start, end)| end - start > limit)
    }
}

/// The part of `bytes` that a head may take up under these limits.
#[inline]
fn window<'a>(bytes: &'a [u8], limits: &Limits) -> &'a [u8] {
    bytes.get(..most(limits)).unwrap_or(bytes)
}

/// The limit of a head in bytes, at most `u32::MAX`, as offsets have 32 bits.
#[inline]
pub(super) fn most(limits: &Limits) -> usize {
    limits.head.min(u32::MAX as usize)
}
