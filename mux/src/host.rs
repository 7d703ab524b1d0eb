//! The canonical spelling of a host, in which patterns and requests are compared.
//!
//! Hosts are compared without case (RFC 9110 §4.2.3) and without the port. Go compares bytes (`stripHostPort`,
//! server.go:2687), so the pattern `example.com/` does not match `Host: Example.COM`. The table has the text that is
//! compared with patterns, here and in Go:
//!
//! | `Host` | here | Go |
//! |---|---|---|
//! | `Example.COM` | `example.com` | `Example.COM` |
//! | `example.com:80`, `example.com:` | `example.com` | `example.com` |
//! | `example.com.` (the DNS root written out) | `example.com` | `example.com.` |
//! | `[::1]` | `[::1]` | `[::1]` |
//! | `[::1]:80` | `[::1]` | `::1` |
//! | `[0:0::1]` | `[::1]` | `[0:0::1]` |
//!
//! Three spellings are not made canonical: percent escapes (a request with one is refused), IDNA, and other spellings
//! of an IPv4 address.

use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

use crate::pattern_error::PatternErrorKind;

/// The canonical spelling of the host in `host[:port]`: in lower case, without the port and without the dot at the end;
/// an IPv6 address in brackets and in the form of RFC 5952.
///
/// A text that is not a host is returned in lower case: no pattern has such a host.
///
/// # Spec
/// RFC 9110 §4.2.3, RFC 3986 §6.2.2.1. Go: `stripHostPort`, which removes the port alone.
#[must_use]
pub fn canonical_host(host: &str) -> Cow<'_, str> {
    canonical_name(split_port(host).0)
}

/// Whether [`canonical_host`] would return the text unchanged; always `false` for an IPv6 address.
pub(crate) fn is_canonical(host: &str) -> bool {
    !host.ends_with('.') && !host.bytes().any(|byte| byte == b':' || byte.is_ascii_uppercase())
}

/// The host of a request, and its port if it names one.
pub(crate) fn read(host: &str) -> (Cow<'_, str>, Option<u16>) {
    let (name, port) = split_port(host);
    (canonical_name(name), port.and_then(read_port))
}

fn read_port(digits: &str) -> Option<u16> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

/// The host and the port of a pattern; only a pattern of `CONNECT` may have a port. Both are empty if the pattern
/// matches any host.
pub(crate) fn of_pattern(host: &str, connect: bool) -> Result<(Cow<'_, str>, Option<u16>), PatternErrorKind> {
    if host.is_empty() {
        return Ok((Cow::Borrowed(""), None));
    }
    let (name, port) = split_port(host);
    if name.is_empty() || (ipv6(name).is_none() && !name.bytes().all(is_name_byte)) {
        return Err(PatternErrorKind::Host);
    }
    let read = port.and_then(read_port);
    if port.is_some() && (!connect || read.is_none()) {
        return Err(PatternErrorKind::Port);
    }
    Ok((canonical_name(name), read))
}

/// The host and port of an origin as a browser writes them: canonical and without the default port of the scheme, but
/// with the dot at the end, which browsers keep.
///
/// `None` if the text is not a host and port, or if a browser never writes it so. To browsers a name that ends in a
/// number is an IPv4 address, and `127.1` and `0x7f.1` are other spellings of `127.0.0.1` (URL Standard §3.5).
pub(crate) fn of_origin(scheme: &str, host: &str) -> Option<String> {
    let (name, port) = split_port(host);
    let port = match port {
        Some(digits) => Some(read_port(digits)?),
        None => None,
    };
    let special = ["http", "https", "ws", "wss", "ftp"].contains(&scheme);
    let name = match ipv6(name) {
        // The URL Standard writes the last 32 bits in hexadecimal too, where RFC 5952 writes an IPv4 address.
        Some(address) if name.starts_with('[') => match (address.to_ipv4_mapped(), address.segments()) {
            (Some(_), [.., high, low]) => format!("[::ffff:{high:x}:{low:x}]"),
            _ => format!("[{address}]"),
        },
        _ if special && ends_in_number(name) && name.parse::<Ipv4Addr>().is_err() => return None,
        _ if !name.is_empty() && name.bytes().all(is_name_byte) => name.to_ascii_lowercase(),
        _ => return None,
    };
    Some(match (scheme, port) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => name,
        (_, Some(port)) => format!("{name}:{port}"),
    })
}

/// Whether the last label of a name is a number: browsers read such a name as an IPv4 address, or refuse it.
fn ends_in_number(name: &str) -> bool {
    let last = name.strip_suffix('.').unwrap_or(name).rsplit('.').next().unwrap_or("");
    let hex = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
        || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The text before and after the last colon, unless that colon is part of an IPv6 address.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(['[', ']']) && (is_bracketed(name) || !name.contains([':', '[', ']'])) => {
            (name, Some(port))
        }
        _ => (host, None),
    }
}

fn is_bracketed(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    inner.is_some_and(|inner| !inner.contains(['[', ']']))
}

fn canonical_name(name: &str) -> Cow<'_, str> {
    if let Some(address) = ipv6(name) {
        return Cow::Owned(format!("[{address}]"));
    }
    // Only a name may have a dot at the end (the DNS root). `[::1].` is not a host and keeps its dot.
    let root = if name.contains([':', '[', ']']) { name } else { name.trim_end_matches('.') };
    let name = if root.is_empty() { name } else { root };
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}

/// Reads an IPv6 address, with its brackets or without.
fn ipv6(name: &str) -> Option<Ipv6Addr> {
    if !name.contains(':') {
        return None;
    }
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    inner.unwrap_or(name).parse().ok()
}

/// Whether a byte may be part of a host name: `unreserved / sub-delims` (RFC 3986 §3.2.2).
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_canonical_spelling() {
        for (host, name) in [
            ("", ""),
            ("h", "h"),
            ("h:80", "h"),
            ("h:", "h"),
            (":80", ""),
            ("Example.COM", "example.com"),
            ("EXAMPLE.com:8080", "example.com"),
            ("example.com.", "example.com"),
            ("Example.com.:80", "example.com"),
            ("example.com..", "example.com"),
            (".", "."),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("[::1]:80", "[::1]"),
            ("[0:0:0::1]:80", "[::1]"),
            ("[2001:DB8::A]", "[2001:db8::a]"),
            ("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]"),
            ("127.0.0.1:80", "127.0.0.1"),
            // These are not hosts.
            ("h:80:90", "h:80:90"),
            ("[::1]x:80", "[::1]x:80"),
            ("[H]:80", "[h]"),
            ("[h:80", "[h:80"),
            ("h]:80", "h]:80"),
            ("h:8]", "h:8]"),
            ("[[h]:80", "[[h]:80"),
            ("[h]]:80", "[h]]:80"),
            ("É", "É"),
            ("::.", "::."),
            ("::1.", "::1."),
            ("[::1].", "[::1]."),
            ("[::1].:80", "[::1].:80"),
        ] {
            assert_eq!(canonical_host(host), name, "{host:?}");
            assert_eq!(canonical_host(name), name, "{host:?}: twice is once");
            if is_canonical(host) {
                assert_eq!(host, name, "{host:?}");
            }
        }
    }

    #[test]
    fn the_port_of_a_connect_is_a_number() {
        for (host, name, port) in [
            ("h:443", "h", Some(443)),
            ("h:0443", "h", Some(443)),
            ("H.:1", "h", Some(1)),
            ("[::1]:443", "[::1]", Some(443)),
            ("h", "h", None),
            ("h:", "h", None),
            ("h:65536", "h", None),
            ("h:+1", "h", None),
        ] {
            assert_eq!(read(host), (name.into(), port), "{host}");
        }
    }
}
