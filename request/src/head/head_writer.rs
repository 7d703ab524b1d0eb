//! The writer of a head: it writes words as a client would send them, and records where each is.
//!
//! A head that arrives as words (from HTTP/2, from an `http::Request`, from a handler that changes a field) becomes
//! bytes and an index like any other head. The spans are known while the bytes are written, so the bytes are not
//! searched again; the target and the deciding fields are read by the functions that read them on the wire. A head that
//! is not certainly valid is left to the reference parser, which reads the bytes that were written: so its error is
//! that of the wire.
//!
//! HTTP/2 has rules of its own, which are checked here (RFC 9113):
//!
//! | given | RFC 9113 | Quintet |
//! |---|---|---|
//! | `connection`, `keep-alive`, `proxy-connection`, `transfer-encoding`, `upgrade` | §8.2.2: malformed | 400 |
//! | `te` with anything but `trailers` | ″ | 400 |
//! | whitespace at an end of a value | §8.2.1: malformed | 400 |
//! | `cookie` more than once | §8.2.3: joined with `; ` | joined (Go too); each piece counts as a field |
//! | `:authority` and a `host` for the same host and port | §8.3.1: one of them | `:authority` |
//! | `:authority` and a `host` for another | ″: may be malformed | 400 |
//! | neither | ″ | 400, as on HTTP/1.1 |
//! | userinfo in `:authority` | ″: must not be sent | 400 |
//! | `content-length` above zero, and no content | §8.1.1: malformed | 400 |
//! | a fragment in `:path` | §8.3.1: not a part of it | `http::Uri` has cut it off |

use super::{
    authority::Authority,
    content::Content,
    index::{Field, Index},
    layout::{Layout, default_port},
    parse::most,
    semantics::Semantics,
};
use crate::{Head, HeadError, Limits, Span, Version, byte};

/// A request line: the target stands in the head already.
pub(super) struct Line<'w> {
    pub(super) method: &'w str,
    pub(super) version: Version,
    /// The authority of an HTTP/2 request, which a `host` field must agree with, and its scheme.
    pub(super) authority: Option<(&'w str, &'w str)>,
}

/// Writes the words of one head into the memory of a [`Head`].
pub(super) struct HeadWriter<'w> {
    bytes: &'w mut Vec<u8>,
    index: &'w mut Index,
    limits: &'w Limits,
    version: Version,
    authority: Option<(&'w str, &'w str)>,
    /// The `host` fields of an HTTP/2 request that were dropped, as its authority is written.
    dropped_hosts: usize,
    /// The cookies that were joined to the one before.
    joined: usize,
    /// Whether the last field is `cookie`.
    after_cookie: bool,
    /// Whether a value has whitespace at an end, so that its span is not that of the value.
    padded: bool,
    /// The first break of a rule that HTTP/1 does not have.
    fault: Option<HeadError>,
}

impl<'w> HeadWriter<'w> {
    /// Writes the request line, with the target that the head has, and the authority as `host`.
    ///
    /// The caller has checked that no word has a line end: a method and a name are tokens, a value has no controls.
    pub(super) fn begin(head: &'w mut Head, line: &Line<'w>, limits: &'w Limits) -> Self {
        let Head { bytes, index, target, hits } = head;
        hits.skip_next();
        bytes.clear();
        index.fields.clear();
        bytes.extend_from_slice(line.method.as_bytes());
        bytes.push(b' ');
        bytes.extend_from_slice(target.as_bytes());
        // HTTP/2 is written at the end: the reference parser reads HTTP/1 only.
        bytes.extend_from_slice(if line.version == Version::Http10 { b" HTTP/1.0\r\n" } else { b" HTTP/1.1\r\n" });
        index.method = Span::new(0, line.method.len());
        index.target = Span::new(line.method.len() + 1, target.len());
        index.version = line.version;
        let mut writer = Self {
            bytes,
            index,
            limits,
            version: line.version,
            authority: line.authority,
            dropped_hosts: 0,
            joined: 0,
            after_cookie: false,
            padded: false,
            fault: None,
        };
        if let Some((authority, _)) = line.authority {
            writer.write(b"host", authority.as_bytes());
        }
        writer
    }

    /// Writes one field.
    // Always, as `write`: a call for each field costs a fifth of writing it.
    #[inline(always)]
    pub(super) fn field(&mut self, name: &[u8], value: &[u8]) {
        if is_padded(value) {
            self.note_padded();
        }
        if self.version != Version::Http2 || !self.is_special(name, value) {
            self.write(name, value);
        }
    }

    #[inline(always)]
    fn write(&mut self, name: &[u8], value: &[u8]) {
        let at = self.bytes.len();
        for word in [name, b": ", value, b"\r\n"] {
            self.bytes.extend_from_slice(word);
        }
        let value = Span::new(at + name.len() + 2, value.len());
        self.index.fields.push(Field { name: Span::new(at, name.len()), value });
        if self.joined > 0 {
            self.count_given();
        }
    }

    /// Counts the fields that were given, as joined pieces are no lines of the head any more.
    fn count_given(&mut self) {
        if self.index.fields.len() + self.joined > self.limits.fields {
            self.refuse(HeadError::TooManyFields { at: self.next() });
        }
    }

    /// Notes whitespace at an end of a value: HTTP/2 refuses it, and HTTP/1 leaves it out of the value.
    #[cold]
    fn note_padded(&mut self) {
        self.padded = true;
        if self.version == Version::Http2 {
            self.refuse(HeadError::SpaceAroundValue { at: self.next() });
        }
    }

    /// Applies the rules of HTTP/2 to a field. `true` if it is not written as a line of its own.
    #[inline(always)]
    fn is_special(&mut self, name: &[u8], value: &[u8]) -> bool {
        let after_cookie = std::mem::take(&mut self.after_cookie);
        match (name.len(), name.first().map(|first| first | 0x20)) {
            (4, Some(b'h')) if self.authority.is_some() && byte::is_word(name, b"host") => {
                self.drop_host(value);
                true
            }
            (6, Some(b'c')) if byte::is_word(name, b"cookie") => {
                self.after_cookie = true;
                if after_cookie {
                    self.join_cookie(value);
                }
                after_cookie
            }
            (2, Some(b't')) | (7, Some(b'u')) | (10, Some(b'c' | b'k')) | (16, Some(b'p')) | (17, Some(b't'))
                if is_of_connection(name, value) =>
            {
                self.refuse(HeadError::ConnectionField { at: self.next() });
                false
            }
            _ => false,
        }
    }

    /// Adds a piece of a cookie to the line before (RFC 9113 §8.2.3). An empty piece adds nothing.
    fn join_cookie(&mut self, value: &[u8]) {
        self.joined += 1;
        self.count_given();
        let Some(field) = self.index.fields.last_mut() else { return };
        if value.is_empty() {
            return;
        }
        self.bytes.truncate(self.bytes.len() - b"\r\n".len());
        let separator: &[u8] = if field.value.is_empty() { b"" } else { b"; " };
        for word in [separator, value, b"\r\n"] {
            self.bytes.extend_from_slice(word);
        }
        field.value.len += Span::offset(separator.len() + value.len());
    }

    /// Checks a `host` field beside `:authority`, which is written in its place (RFC 9113 §8.3.1).
    #[cold]
    fn drop_host(&mut self, value: &[u8]) {
        let at = self.next();
        self.dropped_hosts += 1;
        if self.dropped_hosts > 1 {
            return self.refuse(HeadError::DuplicateHost { at });
        }
        let Some((authority, scheme)) = self.authority else { return };
        let Some(host) = Authority::read(value) else { return self.refuse(HeadError::Host { at }) };
        // A malformed authority is refused where it stands.
        let named = Authority::read(authority.as_bytes());
        let default = default_port(scheme.as_bytes());
        // The authority of a CONNECT has a port and no scheme. A `host` without a port does not contradict it.
        if named.is_some_and(|named| !host.same(&named, default.or(named.port))) {
            self.refuse(HeadError::HostDisagrees { at });
        }
    }

    /// The offset of the next line.
    fn next(&self) -> u32 {
        Span::offset(self.bytes.len())
    }

    #[cold]
    fn refuse(&mut self, fault: HeadError) {
        self.fault.get_or_insert(fault);
    }

    /// Writes the empty line, and reads what was written.
    ///
    /// # Errors
    /// [`HeadError`], the first one in the order of the written bytes.
    pub(super) fn end(mut self, content: Content) -> Result<(), HeadError> {
        self.bytes.extend_from_slice(b"\r\n");
        if self.fault.is_some() || self.padded || !self.is_within_limits() || !self.read(content) {
            return self.judge();
        }
        if self.version == Version::Http2 {
            let at = self.index.method.len as usize + self.index.target.len as usize + 2;
            if let Some(version) = self.bytes.get_mut(at..at + 8) {
                version.copy_from_slice(b"HTTP/2.0");
            }
        }
        Ok(())
    }

    /// Whether the head is within its limits.
    fn is_within_limits(&self) -> bool {
        let (index, limits, len) = (&self.index, self.limits, self.bytes.len());
        index.method.len as usize <= limits.method
            && index.target.len as usize <= limits.target
            && index.fields.len() <= limits.fields
            && len <= most(limits)
            && (len <= limits.field || !index.has_long_field(len, limits.field))
    }

    /// Reads the target and the deciding fields from what was written. `false` if the head is not valid.
    fn read(&mut self, content: Content) -> bool {
        let (head, index) = (&**self.bytes, &mut *self.index);
        // A byte that no target may have is an error of the layout too.
        let Ok(layout) = Layout::read(index.method.of(head), index.target.of(head)) else { return false };
        index.layout = layout;
        let mut semantics = Semantics::default();
        for field in &index.fields {
            let first = head.get(field.name.start as usize).copied().unwrap_or_default();
            if Semantics::may_decide(field.name.len, first) && semantics.note(head, *field).is_err() {
                return false;
            }
        }
        let decided = match self.version {
            Version::Http2 => semantics.decide_on_stream(head, index, content),
            _ => semantics.decide(head, index),
        };
        // An error that the reference parser does not know is kept.
        self.fault = decided.err();
        self.fault.is_none()
    }

    /// Judges a head that is not certainly valid: the reference parser reads the bytes that were written.
    #[cold]
    fn judge(self) -> Result<(), HeadError> {
        let parsed = self.index.parse_reference(self.bytes, self.limits);
        match (parsed, self.fault) {
            (Err(error), Some(fault)) if fault.at() < error.at() => Err(fault),
            (Err(error), _) => Err(error),
            (Ok(_), Some(fault)) => Err(fault),
            // HTTP/1 with whitespace around a value.
            (Ok(Some(len)), None) if len == self.bytes.len() && self.version != Version::Http2 => Ok(()),
            // Without a line end in a word, the head ends exactly at its empty line; this is for a caller that did not
            // check.
            (Ok(_), None) => Err(HeadError::BareLf { at: 0 }),
        }
    }
}

/// Whether a field belongs to one connection of HTTP/1, which has no meaning on a stream (RFC 9113 §8.2.2).
fn is_of_connection(name: &[u8], value: &[u8]) -> bool {
    match name.len() {
        2 => byte::is_word(name, b"te") && !byte::is_word(value, b"trailers"),
        7 => byte::is_word(name, b"upgrade"),
        10 => byte::is_word(name, b"connection") || byte::is_word(name, b"keep-alive"),
        16 => byte::is_word(name, b"proxy-connection"),
        17 => byte::is_word(name, b"transfer-encoding"),
        _ => false,
    }
}

/// Whether a value has whitespace at an end. It has no controls but tabs.
#[inline]
fn is_padded(value: &[u8]) -> bool {
    matches!(value, [first, .., last] if *first.min(last) <= b' ') || matches!(value, [..=b' '])
}
