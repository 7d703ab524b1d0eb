//! A node: one end of a connection as a proxy names it.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// One end of a connection as a proxy names it.
///
/// # Spec
/// RFC 7239 §6. `unix:` is what nginx and others write for a peer of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForwardedNode {
    /// An IP address. An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is the IPv4 address.
    Ip {
        /// The address.
        ip: IpAddr,
        /// The port, if the proxy says it.
        port: Option<u16>,
    },
    /// A Unix socket.
    Unix,
    /// `unknown`: the proxy does not know it, or does not say it.
    Unknown,
    /// An identifier that the proxy made up, with the `_` it begins with.
    Obfuscated(Box<str>),
}

impl ForwardedNode {
    /// Reads a node.
    ///
    /// Shape: `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, `unknown` in any case, or `_name`, each with `:port` after it if
    /// it likes (an IPv6 address then has its brackets); or `unix:`. A port may be obfuscated too (`:_port`); it is left
    /// out then. `None` for anything else.
    ///
    /// RFC 7239 asks for the brackets. `X-Forwarded-For` has addresses without them.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "unix:" {
            return Some(Self::Unix);
        }
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Some(Self::ip_addr(ip, None));
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, read_port(port)?),
            _ => (text, None),
        };
        if let Some(inner) = name.strip_prefix('[') {
            let ip = inner.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok()?;
            return Some(Self::ip_addr(ip.into(), port));
        }
        if name.eq_ignore_ascii_case("unknown") {
            return Some(Self::Unknown);
        }
        if is_obfuscated(name) {
            return Some(Self::Obfuscated(name.into()));
        }
        Some(Self::ip_addr(name.parse::<std::net::Ipv4Addr>().ok()?.into(), port))
    }

    fn ip_addr(ip: IpAddr, port: Option<u16>) -> Self {
        Self::Ip { ip: ip.to_canonical(), port }
    }

    /// The IP address; `None` for any other node.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip { ip, .. } => Some(*ip),
            Self::Unix | Self::Unknown | Self::Obfuscated(_) => None,
        }
    }

    /// The port of an IP address, if it is known.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        match self {
            Self::Ip { port, .. } => *port,
            Self::Unix | Self::Unknown | Self::Obfuscated(_) => None,
        }
    }
}

impl From<SocketAddr> for ForwardedNode {
    fn from(addr: SocketAddr) -> Self {
        Self::ip_addr(addr.ip(), Some(addr.port()))
    }
}

/// As [`parse`](Self::parse) reads it: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`, `unix:`, `unknown`,
/// `_name`. As the value of a parameter of `Forwarded`, anything with a colon has to be quoted, and an IPv6 address
/// without a port needs brackets.
impl fmt::Display for ForwardedNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip { ip, port: None } => ip.fmt(f),
            Self::Ip { ip, port: Some(port) } => SocketAddr::new(*ip, *port).fmt(f),
            Self::Unix => f.write_str("unix:"),
            Self::Unknown => f.write_str("unknown"),
            Self::Obfuscated(name) => f.write_str(name),
        }
    }
}

/// One to five digits up to 65535, or an obfuscated port, which is no number. The outer `None` is neither.
fn read_port(text: &str) -> Option<Option<u16>> {
    if is_obfuscated(text) {
        return Some(None);
    }
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().map(Some) } else { None }
}

/// `"_" 1*( ALPHA / DIGIT / "." / "_" / "-" )` (RFC 7239 §6.3).
fn is_obfuscated(text: &str) -> bool {
    let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.strip_prefix('_').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_forwarded_node_is_read_in_every_form() {
        let ip = |ip: &str, port| Some(ForwardedNode::Ip { ip: ip.parse().unwrap(), port });
        for (text, node) in [
            ("192.0.2.1", ip("192.0.2.1", None)),
            ("192.0.2.1:80", ip("192.0.2.1", Some(80))),
            ("192.0.2.1:00080", ip("192.0.2.1", Some(80))),
            ("192.0.2.1:_port", ip("192.0.2.1", None)),
            ("2001:db8::17", ip("2001:db8::17", None)),
            ("[2001:db8::17]", ip("2001:db8::17", None)),
            ("[2001:DB8:0::17]:4711", ip("2001:db8::17", Some(4711))),
            ("::ffff:192.0.2.1", ip("192.0.2.1", None)),
            ("[::ffff:192.0.2.1]:8", ip("192.0.2.1", Some(8))),
            ("unknown", Some(ForwardedNode::Unknown)),
            ("Unknown", Some(ForwardedNode::Unknown)),
            ("unknown:_x", Some(ForwardedNode::Unknown)),
            ("_hidden", Some(ForwardedNode::Obfuscated("_hidden".into()))),
            ("_SEVKISEK.a-b_c:80", Some(ForwardedNode::Obfuscated("_SEVKISEK.a-b_c".into()))),
            ("unix:", Some(ForwardedNode::Unix)),
        ] {
            assert_eq!(ForwardedNode::parse(text), node, "{text}");
        }
    }

    #[test]
    fn what_is_no_forwarded_node_is_refused() {
        for text in [
            "",
            " ",
            "-",
            "localhost",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.01",
            "192.0.2.1 ",
            "192.0.2.1:",
            "192.0.2.1:65536",
            "192.0.2.1:+80",
            "192.0.2.1:000080",
            "192.0.2.1:80:80",
            "[192.0.2.1]",
            "[::1",
            "::1]",
            "[::1]80",
            "[::1]:",
            "[fe80::1%eth0]",
            "fe80::1%1",
            "[[::1]]",
            "_",
            "_a b",
            "_a\u{e9}",
            "hidden",
            "unknown:",
            "unknown:x",
            "unix",
            "unix:/a",
            "\"192.0.2.1\"",
            "0x7f.1",
            "2130706433",
        ] {
            assert_eq!(ForwardedNode::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn printing_then_parsing_a_node_is_the_identity(ip: IpAddr, port: Option<u16>, name in "_[a-zA-Z0-9._-]{1,9}") {
            let ip = ForwardedNode::ip_addr(ip, port);
            for node in [ip, ForwardedNode::Unix, ForwardedNode::Unknown, ForwardedNode::Obfuscated(name.into())] {
                prop_assert_eq!(ForwardedNode::parse(&node.to_string()), Some(node));
            }
        }
    }
}
