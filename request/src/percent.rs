//! Percent escapes undone.

use std::borrow::Cow;

use crate::byte;

/// Replaces every `%` and two hexadecimal digits by the byte they write. A `%` without them stays as it is: the
/// head's reader has refused it already, and here it can only come from elsewhere.
///
/// Borrows what has no escape. Go: `url.PathUnescape`, which refuses the stray `%`.
pub fn percent_decode(escaped: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = escaped.iter().position(|&byte| byte == b'%') else { return Cow::Borrowed(escaped) };
    let mut decoded = Vec::with_capacity(escaped.len());
    decoded.extend_from_slice(&escaped[..first]);
    let mut rest = &escaped[first..];
    while let [byte, tail @ ..] = rest {
        let (byte, after) = escape(rest).map_or((*byte, tail), |byte| (byte, &rest[3..]));
        decoded.push(byte);
        rest = after;
    }
    Cow::Owned(decoded)
}

/// The byte that the escape at the start of `bytes` writes.
pub(crate) fn escape(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [b'%', high, low, ..] => Some(byte::hex(*high)? << 4 | byte::hex(*low)?),
        _ => None,
    }
}

/// The same as text; None if it is not UTF-8.
pub(crate) fn decode_str(escaped: &str) -> Option<Cow<'_, str>> {
    match percent_decode(escaped.as_bytes()) {
        Cow::Borrowed(_) => Some(Cow::Borrowed(escaped)),
        Cow::Owned(decoded) => String::from_utf8(decoded).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_once() {
        for (escaped, decoded) in [
            ("", ""),
            ("plain", "plain"),
            ("%41%62", "Ab"),
            ("a%2Fb%2fc", "a/b/c"),
            ("%2541", "%41"),
            ("%", "%"),
            ("%4", "%4"),
            ("%zz%41", "%zzA"),
            ("100%", "100%"),
            ("%%41", "%A"),
            ("caf%C3%A9", "café"),
            ("%00", "\0"),
        ] {
            assert_eq!(percent_decode(escaped.as_bytes()), decoded.as_bytes(), "{escaped}");
            assert_eq!(decode_str(escaped).as_deref(), Some(decoded), "{escaped}");
        }
        assert_eq!(percent_decode(b"%ff"), &b"\xff"[..]);
        assert_eq!(decode_str("%ff"), None);
    }

    #[test]
    fn what_has_no_escape_is_borrowed() {
        assert!(matches!(percent_decode(b"plain"), Cow::Borrowed(_)));
        assert!(matches!(decode_str("plain"), Some(Cow::Borrowed(_))));
    }
}
