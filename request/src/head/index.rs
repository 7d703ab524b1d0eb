//! Where everything is in a head, and what it decides about the connection.

use super::target::Layout;
use crate::Framing;

/// A stretch of bytes, counted from the start of the head.
///
/// Thirty-two bits, since a limit may be set past 64 KiB: a field's two spans are then 16 bytes, written at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The offset of the first byte.
    pub start: u32,
    /// How many bytes.
    pub len: u32,
}

impl Span {
    /// Heads are cut to `u32::MAX` bytes before they are read, so no offset in one is lost.
    #[inline]
    pub(crate) const fn new(start: usize, len: usize) -> Self {
        Self { start: Self::offset(start), len: Self::offset(len) }
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a head has at most u32::MAX bytes, see Limits::head")]
    pub(crate) const fn offset(at: usize) -> u32 {
        at as u32
    }

    /// Whether it holds no byte.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// These bytes of `head`: empty if it is not the head that this span was made for and is too short.
    #[inline]
    pub fn of(self, head: &[u8]) -> &[u8] {
        let start = self.start as usize;
        head.get(start..start + self.len as usize).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn str(self, text: &str) -> &str {
        let start = self.start as usize;
        text.get(start..start + self.len as usize).unwrap_or_default()
    }
}

/// One field line: where its name and its value are, without whitespace around them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The name, as it was written.
    pub name: Span,
    /// The value.
    pub value: Span,
}

/// The version of a request. Other `HTTP/1.x` are served as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `HTTP/1.0`: no chunks, no `100 Continue`, closed unless the client asks to keep it.
    Http10,
    /// `HTTP/1.1` and any later 1.x.
    #[default]
    Http11,
}

impl From<Version> for http::Version {
    fn from(version: Version) -> Self {
        match version {
            Version::Http10 => Self::HTTP_10,
            Version::Http11 => Self::HTTP_11,
        }
    }
}

/// What [`parse`](crate::parse) found in a head: offsets, and the facts that steer the connection. It holds none of
/// the head's bytes; [`HeadRef`](crate::HeadRef) puts the two together.
///
/// An index is made to be used again: [`Index::parse`] keeps the memory of its fields. After anything but
/// `Ok(Some(_))` it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    pub(crate) fields: Vec<Field>,
    pub(crate) method: Span,
    pub(crate) target: Span,
    pub(crate) layout: Layout,
    pub(crate) host: Option<Span>,
    pub(crate) len: u32,
    pub(crate) version: Version,
    pub(crate) options: ConnectionOptions,
    pub(crate) framing: Framing,
}

/// What the client asks of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionOptions {
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
    pub(crate) upgrade: bool,
}

impl Index {
    /// The length of the head in bytes, with its empty line: the body starts there.
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether no head was found yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// HTTP/1.0 or HTTP/1.1.
    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    /// How long the body is.
    #[inline]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the client wants to send another request on this connection: `Connection: close` says no; without it
    /// HTTP/1.1 says yes, and HTTP/1.0 only with `Connection: keep-alive` (RFC 9112 §9.3).
    #[inline]
    pub fn keep_alive(&self) -> bool {
        self.options.keep_alive
    }

    /// Whether the client waits for `100 Continue` before it sends the body: it says so, speaks HTTP/1.1, and has
    /// a body to send (RFC 9110 §10.1.1).
    #[inline]
    pub fn expects_continue(&self) -> bool {
        self.options.expects_continue
    }

    /// Whether the client offers to speak another protocol from here on: an `Upgrade` field that `Connection`
    /// names, in HTTP/1.1 (RFC 9110 §7.8).
    pub fn wants_upgrade(&self) -> bool {
        self.options.upgrade
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        let fields = std::mem::take(&mut self.fields);
        *self = Self { fields, ..Self::default() };
        self.fields.clear();
    }

    /// The field lines, in order of arrival.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}
