//! Version 1 of the PROXY protocol: a line of text.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use super::ProxyHeaderError;
use crate::Addr;

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line, with its CRLF.
const MAX_LINE: usize = 107;

/// Where the client is and what it connected to, if that was said, and the length of the line with its CRLF.
type Line = (Option<(Addr, Addr)>, usize);

/// Reads a line that begins with [`SIGNATURE`], or with as much of it as there is.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<Line>, ProxyHeaderError> {
    let within = &bytes[..bytes.len().min(MAX_LINE - 1)];
    let Some(end) = within.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
        return if bytes.len() < MAX_LINE - 1 { Ok(None) } else { Err(ProxyHeaderError::TooLong { at: MAX_LINE - 1 }) };
    };
    if bytes[end] == b'\n' {
        return Err(ProxyHeaderError::LineEnd { at: end });
    }
    match bytes.get(end + 1) {
        None => Ok(None),
        Some(b'\n') => Ok(Some((addresses(&bytes[..end])?, end + 2))),
        Some(_) => Err(ProxyHeaderError::LineEnd { at: end + 1 }),
    }
}

/// The addresses in a whole line, which is given without its CRLF.
fn addresses(line: &[u8]) -> Result<Option<(Addr, Addr)>, ProxyHeaderError> {
    let mut fields = Fields { line, at: SIGNATURE.len() };
    let (protocol, at) = fields.next();
    match protocol {
        // What follows the blank is to be ignored.
        b"UNKNOWN" => Ok(None),
        b"TCP4" => fields.addresses::<Ipv4Addr>().map(Some),
        b"TCP6" => fields.addresses::<Ipv6Addr>().map(Some),
        _ => Err(ProxyHeaderError::Protocol { at }),
    }
}

/// What is left of a line, field by field, with one blank between two.
struct Fields<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// The bytes up to the next blank or the end, and where they begin. Empty when nothing is left.
    fn next(&mut self) -> (&'a [u8], usize) {
        let at = self.at.min(self.line.len());
        let rest = &self.line[at..];
        let len = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        self.at = at + len + 1;
        (&rest[..len], at)
    }

    fn addresses<A: FromStr + Into<IpAddr>>(mut self) -> Result<(Addr, Addr), ProxyHeaderError> {
        let source = self.address::<A>()?;
        let destination = self.address::<A>()?;
        let source_port = self.port()?;
        let destination_port = self.port()?;
        // A blank at the end is one field more, an empty one.
        if self.at <= self.line.len() {
            return Err(ProxyHeaderError::LineEnd { at: self.at - 1 });
        }
        Ok((SocketAddr::new(source, source_port).into(), SocketAddr::new(destination, destination_port).into()))
    }

    fn address<A: FromStr + Into<IpAddr>>(&mut self) -> Result<IpAddr, ProxyHeaderError> {
        let (field, at) = self.next();
        let address = std::str::from_utf8(field).ok().and_then(|text| text.parse::<A>().ok());
        address.map(Into::into).ok_or(ProxyHeaderError::Address { at })
    }

    fn port(&mut self) -> Result<u16, ProxyHeaderError> {
        let (field, at) = self.next();
        // Rust would read +80 and 080.
        let plain = field.iter().all(u8::is_ascii_digit) && (field == b"0" || !field.starts_with(b"0"));
        let port = std::str::from_utf8(field).ok().filter(|_| plain).and_then(|text| text.parse().ok());
        port.ok_or(ProxyHeaderError::Port { at })
    }
}
