//! The semantics of a head: what its fields decide, collected while they are read.

use super::{
    authority::Authority,
    connection_tokens::ConnectionTokens,
    content::Content,
    index::{ConnectionOptions, Field, Index},
    layout::default_port,
    target_form::TargetForm,
};
use crate::{Declared, Framing, FramingError, HeadError, Span, Version, byte, framing};

/// The deciding fields that were read so far.
#[derive(Default)]
pub(crate) struct Semantics<'a> {
    host: Option<(Authority<'a>, Span)>,
    length: Declared<'a>,
    coding: Declared<'a>,
    framing_at: u32,
    connection: ConnectionTokens,
    upgrade_sent: bool,
    expects: bool,
    trailer_framing: Option<u32>,
}

/// The bits set before two first letters are compared. 0x20 makes letters lower-case. 0x01 makes `t` and `u` equal,
/// because `trailer` and `upgrade` both have seven letters and the table has one entry for each length. It also makes
/// other pairs equal, which does no harm: `note` compares the whole name.
const CASE: u8 = 0x21;

/// For each length of a name, the first letter of the field that decides something. Zero matches no letter.
static FIRST: [u8; 18] = {
    let mut first = [0; 18];
    first[b"host".len()] = b'h' | CASE;
    first[b"expect".len()] = b'e' | CASE;
    first[b"upgrade".len()] = b'u' | CASE;
    first[b"trailer".len()] = b't' | CASE;
    first[b"connection".len()] = b'c' | CASE;
    first[b"content-length".len()] = b'c' | CASE;
    first[b"transfer-encoding".len()] = b't' | CASE;
    first
};

impl<'a> Semantics<'a> {
    /// Whether a field may decide anything, by the length and the first byte of its name. Most fields end here, with
    /// one load and one comparison.
    #[inline]
    pub(crate) fn may_decide(len: u32, first: u8) -> bool {
        FIRST.get(len as usize).is_some_and(|known| first | CASE == *known)
    }

    /// Records a field of `head` if it decides anything.
    #[inline(never)]
    pub(crate) fn note(&mut self, head: &'a [u8], Field { name, value }: Field) -> Result<(), HeadError> {
        let (name_at, value_at) = (name.start, value.start);
        let (name, value) = (name.of(head), value.of(head));
        match name.len() {
            4 if byte::is_word(name, b"host") => return self.note_host(value, name_at, value_at),
            6 if byte::is_word(name, b"expect") => return self.note_expect(value, value_at),
            7 if byte::is_word(name, b"upgrade") => self.upgrade_sent = true,
            7 if byte::is_word(name, b"trailer") => self.note_trailer(value, value_at),
            10 if byte::is_word(name, b"connection") => self.connection.note(value),
            14 if byte::is_word(name, b"content-length") => {
                self.length = self.length.and(value);
                self.framing_at = value_at;
            }
            17 if byte::is_word(name, b"transfer-encoding") => {
                self.coding = self.coding.and(value);
                self.framing_at = value_at;
            }
            _ => {}
        }
        Ok(())
    }

    #[inline]
    fn note_host(&mut self, value: &'a [u8], name_at: u32, value_at: u32) -> Result<(), HeadError> {
        if self.host.is_some() {
            return Err(HeadError::DuplicateHost { at: name_at });
        }
        let authority = Authority::read(value).ok_or(HeadError::Host { at: value_at })?;
        self.host = Some((authority, Span { start: value_at, len: Span::offset(value.len()) }));
        Ok(())
    }

    /// Records `Expect`. Only `100-continue` is known; an empty value expects nothing.
    fn note_expect(&mut self, value: &[u8], at: u32) -> Result<(), HeadError> {
        if value.is_empty() {
            return Ok(());
        }
        self.expects = true;
        if byte::is_word(value, b"100-continue") { Ok(()) } else { Err(HeadError::Expect { at }) }
    }

    fn note_trailer(&mut self, value: &[u8], at: u32) {
        for name in value.split(|&byte| byte == b',').map(byte::trim) {
            let framing = [&b"content-length"[..], b"transfer-encoding", b"trailer"];
            if framing.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                self.trailer_framing.get_or_insert(at);
            }
        }
    }

    /// Decides at the end of the head and writes the result into `index`, which has the request line already.
    #[inline]
    pub(crate) fn decide(self, head: &[u8], index: &mut Index) -> Result<(), HeadError> {
        let end = Span::offset(head.len());
        index.host = match index.layout.form {
            TargetForm::Origin | TargetForm::Asterisk => self.host.map(|(_, span)| span),
            TargetForm::Absolute | TargetForm::Authority => Some(self.agreed_host(head, index)?),
        };
        if self.host.is_none() && index.version == Version::Http11 {
            return Err(HeadError::HostMissing { at: end });
        }
        let framing = framing(index.version, self.length, self.coding);
        index.framing = framing.map_err(|why: FramingError| HeadError::Framing { at: self.framing_at, why })?;
        if let (Some(at), Framing::Chunked) = (self.trailer_framing, index.framing) {
            return Err(HeadError::Trailer { at });
        }
        let modern = index.version == Version::Http11;
        index.options = ConnectionOptions {
            keep_alive: !self.connection.close && (modern || self.connection.keep_alive),
            expects_continue: self.expects && modern && !index.framing.is_empty(),
            upgrade: self.connection.upgrade && self.upgrade_sent && modern,
        };
        index.len = end;
        Ok(())
    }

    /// Decides as [`decide`](Self::decide) about a head of HTTP/2, which needs no field that says whether there is
    /// content. In all else the rules are those of HTTP/1.1.
    pub(crate) fn decide_on_stream(self, head: &[u8], index: &mut Index, content: Content) -> Result<(), HeadError> {
        let (expects, trailer_framing) = (self.expects, self.trailer_framing);
        index.version = Version::Http11;
        self.decide(head, index)?;
        index.version = Version::Http2;
        if content == Content::Ended {
            return Ok(());
        }
        if index.framing == Framing::None {
            index.framing = Framing::Stream;
            index.options.expects_continue = expects;
        }
        // A stream may end with trailers, whatever length is declared.
        trailer_framing.map_or(Ok(()), |at| Err(HeadError::Trailer { at }))
    }

    /// The span of the target's authority, if `Host` does not contradict it.
    #[cold]
    fn agreed_host(&self, head: &[u8], index: &Index) -> Result<Span, HeadError> {
        let target = index.target.of(head);
        let span = Span { start: index.target.start + index.layout.authority.start, ..index.layout.authority };
        let Some((host, at)) = self.host else { return Ok(span) };
        let named = Authority::read(span.of(head)).ok_or(HeadError::Host { at: span.start })?;
        let agree = match index.layout.form {
            // The target of CONNECT has a port. A `Host` without a port does not contradict it.
            TargetForm::Authority => host.same(&named, named.port),
            _ => {
                let scheme = target.split(|&byte| byte == b':').next().unwrap_or_default();
                host.same(&named, default_port(scheme))
            }
        };
        if agree { Ok(span) } else { Err(HeadError::HostDisagrees { at: at.start }) }
    }
}

/// Whether a field of this name may decide anything.
#[cfg(all(test, feature = "io"))]
pub(crate) fn may_decide(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| Semantics::may_decide(Span::offset(name.len()), first))
}
