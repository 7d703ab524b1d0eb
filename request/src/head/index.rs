//! The index of a head: where its parts are, and what they decide about the connection.

use super::layout::Layout;
use crate::{Framing, Span, Version};

/// One field line: the spans of its name and of its value, without whitespace around them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// The name as it was sent.
    pub name: Span,
    /// The value.
    pub value: Span,
}

impl Field {
    /// Whether the field has this name, in any case; `head` is the head that it is a field of.
    #[inline]
    pub(super) fn is_named(&self, head: &[u8], name: &str) -> bool {
        self.name.len as usize == name.len() && self.name.of(head).eq_ignore_ascii_case(name.as_bytes())
    }
}

/// What [`parse`](crate::parse) found in a head: the offsets of its parts, the length of its body, and what the client
/// asks of the connection. It holds none of the head's bytes; [`HeadRef`](crate::HeadRef) joins the two.
///
/// An index can be reused: [`Index::parse`] keeps the memory of its fields. Its content is meaningful only after
/// `Ok(Some(_))`.
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

/// The options of the connection that the client asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConnectionOptions {
    pub(crate) keep_alive: bool,
    pub(crate) expects_continue: bool,
    pub(crate) upgrade: bool,
}

impl Index {
    /// The length of the head in bytes, with its empty line. The body starts there.
    #[inline]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether the index is of no head.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The place of the method in the head.
    #[inline]
    pub fn method(&self) -> Span {
        self.method
    }

    /// The place of the target in the head.
    #[inline]
    pub fn target(&self) -> Span {
        self.target
    }

    /// The place of the host in the head; see [`HeadRef::host`](crate::HeadRef::host).
    #[inline]
    pub fn host(&self) -> Option<Span> {
        self.host
    }

    /// HTTP/1.0 or HTTP/1.1; HTTP/2 if [`Head::fill`](crate::Head::fill) made the head.
    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The length of the body.
    #[inline]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the client wants to use the connection again: not with `Connection: close`, otherwise always in
    /// HTTP/1.1, and in HTTP/1.0 only with `Connection: keep-alive` (RFC 9112 §9.3). Always in HTTP/2.
    #[inline]
    pub fn keep_alive(&self) -> bool {
        self.options.keep_alive
    }

    /// Whether the client waits for `100 Continue` before it sends the body: the request has `Expect: 100-continue`, is
    /// HTTP/1.1 or HTTP/2, and has a body (RFC 9110 §10.1.1).
    #[inline]
    pub fn expects_continue(&self) -> bool {
        self.options.expects_continue
    }

    /// Whether the client offers to change the protocol: an `Upgrade` field that `Connection` names, in HTTP/1.1 (RFC
    /// 9110 §7.8).
    pub fn wants_upgrade(&self) -> bool {
        self.options.upgrade
    }

    /// Makes this a copy of another index, in the memory that it has.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        let Self { fields, method, target, layout, host, len, version, options, framing } = other;
        self.fields.clear();
        self.fields.extend_from_slice(fields);
        (self.method, self.target, self.layout, self.host) = (*method, *target, *layout, *host);
        (self.len, self.version, self.options, self.framing) = (*len, *version, *options, *framing);
    }

    /// Removes the content and keeps the memory.
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
