//! Where everything is in a head, and what it decides about the connection.

use super::target::Layout;
use crate::{Framing, Span, Version};

/// One field line: where its name and its value are, without whitespace around them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The name, as it was written.
    pub name: Span,
    /// The value.
    pub value: Span,
}

impl Field {
    /// Whether its name is this one in any case; `head` is what it was read from.
    #[inline]
    pub(super) fn is_named(&self, head: &[u8], name: &str) -> bool {
        self.name.len as usize == name.len() && self.name.of(head).eq_ignore_ascii_case(name.as_bytes())
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
