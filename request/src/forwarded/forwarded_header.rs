//! The header fields in which proxies say who the client is.

/// The fields that say who the client is, beside those that begin with `X-Forwarded-`.
const OTHERS: [&str; 2] = ["forwarded", "x-real-ip"];
/// The endings of the `X-Forwarded-*` fields that are about the client's connection. Others, such as `X-Forwarded-User`,
/// are about other things, and a trusted proxy may send them.
const ENDINGS: [&str; 8] = ["for", "proto", "host", "port", "server", "scheme", "ssl", "by"];
const PREFIX: &str = "x-forwarded-";

/// The header fields that trusted proxies write. All others of the kind are not believed.
///
/// Name only fields that **every** trusted proxy writes or overwrites. A field that a proxy passes on as it came was
/// written by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedHeader {
    /// `Forwarded` (RFC 7239): the address, the scheme and the host.
    Forwarded,
    /// `X-Forwarded-For`: the address.
    XForwardedFor,
    /// `X-Forwarded-For` and `X-Forwarded-Proto`: the address and the scheme.
    XForwardedForProto,
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`: the address, the scheme and the host.
    XForwardedForProtoHost,
}

impl ForwardedHeader {
    /// The names of the fields, in lower case.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        const NAMES: [&str; 3] = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
        match self {
            Self::Forwarded => &["forwarded"],
            Self::XForwardedFor => NAMES.split_at(1).0,
            Self::XForwardedForProto => NAMES.split_at(2).0,
            Self::XForwardedForProtoHost => &NAMES,
        }
    }

    /// Whether a field of this name is removed from a request, because a handler could believe it by mistake.
    ///
    /// From a peer that is not `trusted`, every field is removed that says who the client is: `Forwarded`,
    /// `X-Forwarded-` with any ending, and `X-Real-IP`. From a trusted peer the believed ones stay, and so do the
    /// `X-Forwarded-*` fields that are not about the client's connection (`X-Forwarded-User`). A name with `_` in place
    /// of `-` is the same name, as in CGI and WSGI.
    #[must_use]
    pub fn removes(self, name: &str, trusted: bool) -> bool {
        if trusted && self.names().iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return false;
        }
        if OTHERS.iter().any(|known| is_same(name, known)) {
            return true;
        }
        let Some((prefix, ending)) = name.split_at_checked(PREFIX.len()) else { return false };
        is_same(prefix, PREFIX) && (!trusted || ENDINGS.iter().any(|known| is_same(ending, known)))
    }
}

/// Whether a field's name equals `known`, in any case and with `_` for `-`.
fn is_same(name: &str, known: &str) -> bool {
    let folded = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.len() == known.len() && name.bytes().map(folded).eq(known.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_fields_that_are_not_named_are_removed() {
        use ForwardedHeader::{Forwarded, XForwardedFor, XForwardedForProto, XForwardedForProtoHost};
        for (header, name, from_trusted, from_stranger) in [
            (Forwarded, "Forwarded", false, true),
            (Forwarded, "X-Forwarded-For", true, true),
            (Forwarded, "X-Forwarded-Proto", true, true),
            (Forwarded, "X-FORWARDED-HOST", true, true),
            (Forwarded, "X-Real-IP", true, true),
            (XForwardedFor, "Forwarded", true, true),
            (XForwardedFor, "x-forwarded-for", false, true),
            (XForwardedFor, "X-Forwarded-Proto", true, true),
            (XForwardedForProto, "X-Forwarded-Proto", false, true),
            (XForwardedForProto, "X-Forwarded-Host", true, true),
            (XForwardedForProtoHost, "X-Forwarded-Host", false, true),
            (XForwardedForProtoHost, "X-Forwarded-Port", true, true),
            (XForwardedForProtoHost, "X-Forwarded-User", false, true),
            (XForwardedFor, "X_Forwarded_For", true, true),
            (XForwardedFor, "X-Forwarded_For", true, true),
            (XForwardedFor, "X-Forwarded-", false, true),
            (XForwardedFor, "X-Forwarded", false, false),
            (XForwardedFor, "X-Forward", false, false),
            (XForwardedFor, "Host", false, false),
            (XForwardedFor, "Via", false, false),
        ] {
            let removed = [true, false].map(|trusted| header.removes(name, trusted));
            assert_eq!(removed, [from_trusted, from_stranger], "{header:?} {name}");
        }
    }
}
