//! An authority: `host [":" port]`, as in a `Host` field, an absolute target or a `CONNECT`.

use std::net::Ipv6Addr;

use crate::byte;

/// An authority whose grammar was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Authority<'a> {
    /// A registered name, an IPv4 address, or an IPv6 address with its brackets; never with escapes. May be empty.
    pub(crate) host: &'a [u8],
    /// The port, if digits follow the colon.
    pub(crate) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads all of `bytes` as one authority; `None` if it is malformed.
    ///
    /// Stricter than RFC 3986 §3.2: no userinfo (RFC 9110 §4.2.4), no percent escape (some readers take `%2e` and `.`
    /// for one host, others for two), no zone, no `IPvFuture`, at most five digits up to 65535.
    #[inline]
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (host, port) = split_port(bytes);
        let port = match port {
            None | Some([]) => None,
            Some(digits) => Some(
                digits
                    .iter()
                    .try_fold(0_u16, |port, digit| port.checked_mul(10)?.checked_add(u16::from(digit - b'0')))?,
            ),
        };
        match host {
            [b'[', address @ .., b']'] => {
                std::str::from_utf8(address).ok()?.parse::<Ipv6Addr>().ok()?;
            }
            // A port without a host names no server.
            [] if !bytes.is_empty() => return None,
            name if !byte::all(name, byte::HOST) => return None,
            _ => {}
        }
        Some(Self { host, port })
    }

    /// Whether both name the same host and the same port; a missing port is `default`.
    pub(crate) fn same(&self, other: &Self, default: Option<u16>) -> bool {
        self.host.eq_ignore_ascii_case(other.host) && self.port.or(default) == other.port.or(default)
    }
}

/// Splits `host:port` at the last colon, if at most five digits follow it; else all of it is the host.
#[inline]
fn split_port(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let digits = bytes.iter().rev().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let (before, digits) = bytes.split_at(bytes.len() - digits);
    match before {
        [host @ .., b':'] => (host, Some(digits)),
        _ => (bytes, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_by_the_grammar_are_accepted() {
        for (input, host, port) in [
            ("", "", None),
            ("h", "h", None),
            ("example.com:80", "example.com", Some(80)),
            ("example.com:", "example.com", None),
            ("127.0.0.1:65535", "127.0.0.1", Some(65535)),
            ("[::1]", "[::1]", None),
            ("[2001:db8::1]:8080", "[2001:db8::1]", Some(8080)),
            ("[::ffff:1.2.3.4]:0", "[::ffff:1.2.3.4]", Some(0)),
            ("a_b-c~!$&'()*+,;=", "a_b-c~!$&'()*+,;=", None),
        ] {
            let authority = Authority::read(input.as_bytes()).expect(input);
            assert_eq!((authority.host, authority.port), (host.as_bytes(), port), "{input}");
        }
    }

    #[test]
    fn malformed_authorities_are_refused() {
        for input in [
            ":80",
            ":",
            "h:65536",
            "h:000080",
            "h:8a",
            "h:-1",
            "h:80:80",
            "a b",
            "a/b",
            "a@b",
            "u:p@h",
            "a?b",
            "a#b",
            "a\\b",
            "%41",
            "[",
            "[]",
            "[::1",
            "::1",
            "[::1]x",
            "[::1]:x",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "[1.2.3.4]",
            "h]",
            "h\t",
            "é",
            "a\"b",
            "a<b",
            "[::1]80",
            "h:٣",
        ] {
            assert_eq!(Authority::read(input.as_bytes()), None, "{input}");
        }
    }

    #[test]
    fn a_port_left_out_is_the_default_port() {
        let read = |text: &'static str| Authority::read(text.as_bytes()).unwrap();
        assert!(read("H").same(&read("h:80"), Some(80)));
        assert!(read("h:").same(&read("h"), Some(80)));
        assert!(!read("h:81").same(&read("h"), Some(80)));
        assert!(!read("h").same(&read("h."), Some(80)));
    }
}
