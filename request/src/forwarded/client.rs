//! The client of a request, as trusted proxies describe it.

use std::{fmt, net::IpAddr};

use super::{ForwardedError, ForwardedHeader, ForwardedNode, forwarded_element::parse_elements};
use crate::{byte, head::authority::Authority};

/// The client of a request, as trusted proxies describe it: the address, and the scheme and host that it used.
///
/// Each proxy appends the address that it was called from, so the list is read from the right: the last entry is by the
/// peer itself. While an address is that of a trusted proxy, the entry before it was written by that proxy, and is read
/// too. The first address that is not trusted is the client; what stands before it was written by the client, and is
/// never read. If all addresses are trusted, the first one is the client.
///
/// | peer | believed field | client | scheme, host |
/// |---|---|---|---|
/// | not trusted | any | the peer | not told |
/// | trusted | none | the peer | `-Proto` and `-Host`, if they are believed |
/// | trusted | `9.9.9.9, 192.0.2.1` | `192.0.2.1` | of the same entry |
/// | trusted | `192.0.2.1, 10.0.0.1` (trusted) | `192.0.2.1` | of the same entry |
/// | trusted | `192.0.2.1, unknown` | `unknown` | of the same entry |
/// | trusted | `192.0.2.1, x y` | an error (400) | |
///
/// The values of `X-Forwarded-Proto` and `X-Forwarded-Host` are counted from the right in step with the addresses. A
/// single value is that of every entry: the last proxy passed it on, or replaced it.
///
/// # Example
/// ```
/// use quintet_request::{Client, ForwardedHeader, ForwardedNode};
///
/// let fields = [("X-Forwarded-For", &b"9.9.9.9, 192.0.2.1, 10.0.0.2"[..]), ("X-Forwarded-Proto", b"https")];
/// let peer = ForwardedNode::parse("10.0.0.1").unwrap();
/// let trusted = |node: &ForwardedNode| node.to_string().starts_with("10.");
/// let client = Client::read(ForwardedHeader::XForwardedForProto, fields, peer, trusted)?;
/// assert_eq!((client.to_string().as_str(), client.scheme()), ("192.0.2.1", Some("https")));
/// # Ok::<(), quintet_request::ForwardedError>(())
/// ```
///
/// # Spec
/// RFC 7239 §4, §8.1. In Go each program reads `X-Forwarded-For` by itself.
#[doc(alias = "remote address")]
#[doc(alias = "real IP")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    node: ForwardedNode,
    scheme: Option<&'static str>,
    host: Option<Box<str>>,
    hops: usize,
}

impl Client {
    /// Reads who the client is.
    ///
    /// `fields` are all fields of the request; those of other names are skipped. `peer` is the other end of the connection,
    /// and `trusted` says which nodes are proxies whose word counts.
    ///
    /// # Errors
    /// [`ForwardedError`] (400) if an entry that has to be read is malformed. An entry before the client's is not read,
    /// but for `Forwarded`, of which each line is read as a whole.
    pub fn read<'h>(
        header: ForwardedHeader,
        fields: impl IntoIterator<Item = (&'h str, &'h [u8])>,
        peer: ForwardedNode,
        trusted: impl Fn(&ForwardedNode) -> bool,
    ) -> Result<Self, ForwardedError> {
        let mut client = Self { node: peer, scheme: None, host: None, hops: 0 };
        if !trusted(&client.node) {
            return Ok(client);
        }
        let mut lines = [const { Vec::new() }; 3];
        for (name, value) in fields {
            let known = header.names().iter().position(|known| name.eq_ignore_ascii_case(known));
            if let Some(nth) = known {
                lines[nth].push(value);
            }
        }
        let [first, protos, hosts] = &lines;
        match header {
            ForwardedHeader::Forwarded => client.read_forwarded(first, trusted)?,
            _ => client.read_x_forwarded(first, protos, hosts, trusted)?,
        }
        Ok(client)
    }

    /// The lines of `Forwarded`.
    fn read_forwarded(
        &mut self,
        lines: &[&[u8]],
        trusted: impl Fn(&ForwardedNode) -> bool,
    ) -> Result<(), ForwardedError> {
        for line in lines.iter().rev() {
            for element in parse_elements(line)?.into_iter().rev() {
                self.hops += 1;
                self.node = match element.node {
                    Some((text, at)) => ForwardedNode::parse(&text).ok_or(ForwardedError::Node { at })?,
                    None => ForwardedNode::Unknown,
                };
                self.scheme = element.proto.and_then(|(text, _)| read_scheme(&text));
                self.host = match element.host {
                    Some((text, at)) => Some(read_host(&text).ok_or(ForwardedError::Host { at })?),
                    None => None,
                };
                if !trusted(&self.node) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The lines of `X-Forwarded-For`, `-Proto` and `-Host`.
    fn read_x_forwarded(
        &mut self,
        addrs: &[&[u8]],
        protos: &[&[u8]],
        hosts: &[&[u8]],
        trusted: impl Fn(&ForwardedNode) -> bool,
    ) -> Result<(), ForwardedError> {
        for entry in entries(addrs) {
            self.hops += 1;
            self.node = entry.text.and_then(ForwardedNode::parse).ok_or(ForwardedError::Node { at: entry.at })?;
            if !trusted(&self.node) {
                break;
            }
        }
        if let Some(entry) = in_step(protos, self.hops) {
            self.scheme = Some(entry.text.and_then(read_scheme).ok_or(ForwardedError::Scheme { at: entry.at })?);
        }
        if let Some(entry) = in_step(hosts, self.hops) {
            self.host = Some(entry.text.and_then(read_host).ok_or(ForwardedError::Host { at: entry.at })?);
        }
        Ok(())
    }

    /// The IP address; `None` if a proxy hides it, and for a peer of a Unix socket of which no proxy says more.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        self.node.ip()
    }

    /// The port that the client sent from, if it is known.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.node.port()
    }

    /// The client as the proxy names it, or the peer.
    #[must_use]
    pub const fn node(&self) -> &ForwardedNode {
        &self.node
    }

    /// The scheme that the client used, `http` or `https`, if a proxy says it.
    #[must_use]
    pub const fn scheme(&self) -> Option<&'static str> {
        self.scheme
    }

    /// The host that the client named, with the port if it named one, if a proxy says it.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// How many entries were believed; 0 if the client is the peer itself.
    #[must_use]
    pub const fn hops(&self) -> usize {
        self.hops
    }
}

/// The client as a proxy names it.
impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

/// An entry of a list.
#[derive(Clone, Copy)]
struct Entry<'a> {
    /// `None` if it is not ASCII.
    text: Option<&'a str>,
    /// Its offset in its line.
    at: usize,
}

/// The entries of lists that are separated by commas, from the last to the first, without the empty ones (RFC 9110
/// §5.6.1.2).
fn entries<'a>(lines: &[&'a [u8]]) -> impl Iterator<Item = Entry<'a>> {
    lines.iter().rev().flat_map(|line| {
        let mut end = line.len();
        line.rsplit(|&byte| byte == b',').filter_map(move |entry| {
            let begin = end - entry.len();
            end = begin.saturating_sub(1);
            let at = begin + entry.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let trimmed = byte::trim(entry);
            let text = std::str::from_utf8(trimmed).ok().filter(|text| text.is_ascii());
            (!trimmed.is_empty()).then_some(Entry { text, at })
        })
    })
}

/// The entry that belongs to the address of this number, counted from the right and from 1. A single entry belongs to
/// every address. `None` if there is none, or too few.
fn in_step<'a>(lines: &[&'a [u8]], hops: usize) -> Option<Entry<'a>> {
    let mut last = entries(lines);
    let first = last.next()?;
    match (last.next(), hops) {
        (None, _) | (Some(_), 0 | 1) => Some(first),
        (Some(second), 2) => Some(second),
        (Some(_), hops) => last.nth(hops - 3),
    }
}

/// `http` or `https`. Some proxies write `ws` and `wss` for the two in a request that asks for a WebSocket.
fn read_scheme(text: &str) -> Option<&'static str> {
    match () {
        () if text.eq_ignore_ascii_case("https") || text.eq_ignore_ascii_case("wss") => Some("https"),
        () if text.eq_ignore_ascii_case("http") || text.eq_ignore_ascii_case("ws") => Some("http"),
        () => None,
    }
}

fn read_host(text: &str) -> Option<Box<str>> {
    Authority::read(text.as_bytes()).filter(|host| !host.host.is_empty()).map(|_| text.into())
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
