//! The fields of a message that are for one connection alone, which a proxy does not pass on.

use crate::byte;

/// The fields that are never passed on, in lower case. `Proxy-Connection`, `Keep-Alive` and `HTTP2-Settings` belong to a
/// connection also if `Connection` does not name them.
const ALWAYS: [&str; 9] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
];
/// The fields that decide which message this is and where it ends. They are passed on also if `Connection` names them.
const NEVER: [&str; 2] = ["content-length", "host"];

/// The fields of a message that are for one connection alone (*hop-by-hop*): a proxy removes them, and adds its own.
///
/// These are `Connection`, the fields that it names, and those of a fixed list: `Keep-Alive`, `Proxy-Connection`,
/// `Proxy-Authenticate`, `Proxy-Authorization`, `TE`, `Transfer-Encoding`, `Upgrade` and `HTTP2-Settings`. `Trailer` is
/// passed on, because the trailers are.
///
/// A client can have any other field removed by naming it in `Connection`, a `Cookie` or a field of the proxy itself. So a
/// proxy adds its own fields, such as `X-Forwarded-For`, after it has removed these.
///
/// # Example
/// ```
/// use quintet_request::{HeadRef, HopByHop, Limits, parse};
///
/// let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x-own, close\r\nX-Own: 1\r\nTE: trailers\r\nAccept: */*\r\n\r\n";
/// let index = parse(bytes, &Limits::default()).unwrap().expect("a whole head");
/// let head = HeadRef::new(bytes, &index);
/// let hop = HopByHop::of(head.headers());
/// let passed: Vec<_> = head.headers().map(|(name, _)| name).filter(|name| !hop.contains(name)).collect();
/// assert_eq!(passed, ["Host", "Accept"]);
/// assert!(hop.accepts_trailers()); // a proxy that passes trailers on sends `TE: trailers` of its own
/// ```
///
/// # Spec
/// RFC 9110 §7.6.1, §10.1.4. Go: `httputil.ReverseProxy`, `removeHopByHopHeaders`, which also removes `Trailer` and any
/// named field.
#[doc(alias = "hop-by-hop")]
#[doc(alias = "reverse proxy")]
#[derive(Clone, Debug)]
pub struct HopByHop<'h> {
    /// The options of `Connection`.
    named: Vec<&'h [u8]>,
    accepts_trailers: bool,
    upgrade: Option<&'h [u8]>,
}

impl<'h> HopByHop<'h> {
    /// Reads all fields of a message.
    pub fn of(fields: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut hop = Self { named: Vec::new(), accepts_trailers: false, upgrade: None };
        for (name, value) in fields {
            match () {
                () if name.eq_ignore_ascii_case("connection") => hop.named.extend(list(value)),
                () if name.eq_ignore_ascii_case("te") => {
                    hop.accepts_trailers |= list(value).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
                }
                () if name.eq_ignore_ascii_case("upgrade") => hop.upgrade = hop.upgrade.or(Some(byte::trim(value))),
                () => {}
            }
        }
        // RFC 9110 §7.8: without the option, `Upgrade` is from another connection, passed on by mistake.
        if !hop.named.iter().any(|option| option.eq_ignore_ascii_case(b"upgrade")) {
            hop.upgrade = None;
        }
        hop
    }

    /// Whether the field of this name is for this connection alone.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        let is = |known: &&str| name.eq_ignore_ascii_case(known);
        let is_named = || self.named.iter().any(|option| option.eq_ignore_ascii_case(name.as_bytes()));
        ALWAYS.iter().any(is) || (is_named() && !NEVER.iter().any(is))
    }

    /// Whether the sender accepts trailers (`TE: trailers`).
    #[must_use]
    pub fn accepts_trailers(&self) -> bool {
        self.accepts_trailers
    }

    /// The protocols that the sender wants to change to, as `Upgrade` has them, if `Connection` has the option `upgrade`.
    #[must_use]
    pub fn upgrade(&self) -> Option<&'h [u8]> {
        self.upgrade
    }
}

/// The entries of a list, without blanks around them and without the empty ones.
fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(byte::trim).filter(|entry| !entry.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(fields: &[(&'static str, &str)]) -> Vec<&'static str> {
        let hop = HopByHop::of(fields.iter().map(|(name, value)| (*name, value.as_bytes())));
        fields.iter().map(|(name, _)| *name).filter(|name| !hop.contains(name)).collect()
    }

    #[test]
    fn hop_by_hop_fields_and_those_that_connection_names_are_not_passed_on() {
        for (fields, expected) in [
            (&[("Host", "a"), ("Accept", "*/*")][..], &["Host", "Accept"][..]),
            (&[("Keep-Alive", "5"), ("Proxy-Connection", "close"), ("Transfer-Encoding", "chunked")], &[]),
            (&[("Proxy-Authorization", "x"), ("PROXY-AUTHENTICATE", "x"), ("HTTP2-Settings", "x")], &[]),
            (&[("TE", "gzip"), ("Upgrade", "x"), ("Trailer", "etag")], &["Trailer"]),
            (&[("X-A", "1"), ("Connection", "X-a"), ("X-B", "1")], &["X-B"]),
            (&[("X-A", "1"), ("connection", ", x-b ,,\tX-A,"), ("Connection", "x-c"), ("X-C", "")], &[]),
            (&[("Connection", "x-a;q=1, x-bc, x"), ("X-A", "1"), ("X-B", "")], &["X-A", "X-B"]),
            // The message is still the same one.
            (
                &[("Connection", "host, content-length, close"), ("Host", "a"), ("Content-Length", "3")],
                &["Host", "Content-Length"],
            ),
            (&[("Connection", "transfer-encoding"), ("Transfer-Encoding", "chunked")], &[]),
            // The named field goes, whatever it is: what a proxy adds is added afterwards.
            (&[("Connection", "Cookie, X-Forwarded-For"), ("Cookie", "a=b"), ("X-Forwarded-For", "::1")], &[]),
            (&[("Connection", ""), ("X-A", "")], &["X-A"]),
        ] {
            assert_eq!(passed(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn te_trailers_and_upgrade_are_told() {
        for (fields, trailers, upgrade) in [
            (&[("TE", "trailers"), ("Connection", "TE")][..], true, None),
            (&[("te", "gzip, Trailers")], true, None),
            (&[("TE", "trailers;q=1")], false, None),
            (&[("Upgrade", "websocket"), ("Connection", "keep-alive, Upgrade")], false, Some("websocket")),
            (&[("Upgrade", "websocket"), ("Connection", "keep-alive")], false, None),
            (&[("Connection", "upgrade")], false, None),
        ] {
            let hop = HopByHop::of(fields.iter().map(|(name, value)| (*name, value.as_bytes())));
            assert_eq!(hop.accepts_trailers(), trailers, "{fields:?}");
            assert_eq!(hop.upgrade(), upgrade.map(str::as_bytes), "{fields:?}");
        }
    }
}
