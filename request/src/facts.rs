//! What the fields of a head decide, gathered while they are read.

use crate::{
    Declared, FramingError, HeadError, Span, Version,
    authority::Authority,
    byte, framing,
    index::{Index, Wishes},
    target::{TargetForm, default_port},
};

/// What has been said so far.
#[derive(Default)]
pub(crate) struct Facts<'a> {
    host: Option<(Authority<'a>, Span)>,
    length: Declared<'a>,
    coding: Declared<'a>,
    framing_at: u32,
    close: bool,
    keep_alive: bool,
    upgrade_named: bool,
    upgrade_sent: bool,
    expects: bool,
    trailer_framing: Option<u32>,
}

impl<'a> Facts<'a> {
    /// Takes note of a field. Most fields decide nothing: they are told by length and first letter.
    #[inline]
    pub(crate) fn note(&mut self, name: &[u8], value: &'a [u8], name_at: u32, value_at: u32) -> Result<(), HeadError> {
        let Some(first) = name.first() else { return Ok(()) };
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        match (name.len(), first | 0x20) {
            (4, b'h') if is(b"host") => self.note_host(value, name_at, value_at),
            (6, b'e') if is(b"expect") => self.note_expect(value, value_at),
            (7, b'u') if is(b"upgrade") => {
                self.upgrade_sent = true;
                Ok(())
            }
            (7, b't') if is(b"trailer") => {
                self.note_trailer(value, value_at);
                Ok(())
            }
            (10, b'c') if is(b"connection") => {
                self.note_connection(value);
                Ok(())
            }
            (14, b'c') if is(b"content-length") => {
                self.length = if self.length == Declared::Never { Declared::Once(value) } else { Declared::Again };
                self.framing_at = value_at;
                Ok(())
            }
            (17, b't') if is(b"transfer-encoding") => {
                self.coding = if self.coding == Declared::Never { Declared::Once(value) } else { Declared::Again };
                self.framing_at = value_at;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    #[inline]
    fn note_host(&mut self, value: &'a [u8], name_at: u32, value_at: u32) -> Result<(), HeadError> {
        if self.host.is_some() {
            return Err(HeadError::HostAgain { at: name_at });
        }
        let authority = Authority::read(value).ok_or(HeadError::Host { at: value_at })?;
        self.host = Some((authority, Span { start: value_at, len: Span::offset(value.len()) }));
        Ok(())
    }

    /// A list of expectations of which only one is known; an empty one expects nothing.
    fn note_expect(&mut self, value: &[u8], at: u32) -> Result<(), HeadError> {
        if value.is_empty() {
            return Ok(());
        }
        self.expects = true;
        if value.eq_ignore_ascii_case(b"100-continue") { Ok(()) } else { Err(HeadError::Expect { at }) }
    }

    fn note_connection(&mut self, value: &[u8]) {
        // The usual values are one word.
        for option in value.split(|&byte| byte == b',').map(byte::trim) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade_named |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }

    fn note_trailer(&mut self, value: &[u8], at: u32) {
        for name in value.split(|&byte| byte == b',').map(byte::trim) {
            let framing = [&b"content-length"[..], b"transfer-encoding", b"trailer"];
            if framing.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                self.trailer_framing.get_or_insert(at);
            }
        }
    }

    /// Decides at the end of the head, whose request line is already in `index`, and writes the rest into it.
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
        if let (Some(at), crate::Framing::Chunked) = (self.trailer_framing, index.framing) {
            return Err(HeadError::Trailer { at });
        }
        let modern = index.version == Version::Http11;
        index.wishes = Wishes {
            keep_alive: !self.close && (modern || self.keep_alive),
            expects_continue: self.expects && modern && !index.framing.is_empty(),
            upgrade: self.upgrade_named && self.upgrade_sent && modern,
        };
        index.len = end;
        Ok(())
    }

    /// The authority of the target, if `Host` does not contradict it.
    #[cold]
    fn agreed_host(&self, head: &[u8], index: &Index) -> Result<Span, HeadError> {
        let target = index.target.of(head);
        let span = Span { start: index.target.start + index.layout.authority.start, ..index.layout.authority };
        let Some((host, at)) = self.host else { return Ok(span) };
        let named = Authority::read(span.of(head)).ok_or(HeadError::Host { at: span.start })?;
        let agree = match index.layout.form {
            // CONNECT names its port; a Host that names none does not contradict it.
            TargetForm::Authority => host.same(&named, named.port),
            _ => {
                let scheme = target.split(|&byte| byte == b':').next().unwrap_or_default();
                host.same(&named, default_port(scheme))
            }
        };
        if agree { Ok(span) } else { Err(HeadError::HostDisagrees { at: at.start }) }
    }
}
