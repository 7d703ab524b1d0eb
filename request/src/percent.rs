//! Percent escapes: decoding and encoding.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

#[cfg(feature = "io")]
use crate::byte;

/// Decodes percent escapes: `%` and two hexadecimal digits become one byte. A malformed escape stays as it is; the
/// parser refuses one in a path, but not in a query.
///
/// Text without an escape is borrowed. Go: `url.PathUnescape`, which refuses a malformed escape.
///
/// ```
/// assert_eq!(quintet_request::percent_decode(b"caf%C3%A9 100%"), "café 100%".as_bytes());
/// ```
pub fn percent_decode(escaped: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(escaped).into()
}

/// The same as text; `None` if it is not UTF-8.
pub(crate) fn decode_str(escaped: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(escaped).decode_utf8().ok()
}

/// The same as text; bytes that are not UTF-8 become U+FFFD.
#[cfg(feature = "io")]
pub(crate) fn decode_lossy(escaped: &str) -> Cow<'_, str> {
    percent_decode_str(escaped).decode_utf8_lossy()
}

/// The offset of the first malformed escape: a `%` that two hexadecimal digits do not follow.
pub(crate) fn malformed_escape(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find(|&at| bytes[at] == b'%' && !is_escape(&bytes[at..]))
}

/// Whether `bytes` starts with an escape.
fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Makes the path of a target from a text. It gets a slash in front unless it has one or is `*`, and bytes that a path
/// may not have are escaped, also a `%` that begins no escape. So no part of it can be read as a scheme, an authority,
/// a query or a fragment.
#[cfg(feature = "io")]
pub(crate) fn path_of(text: Box<str>) -> Box<str> {
    if (text.starts_with('/') && byte::all(text.as_bytes(), byte::PATH)) || *text == *"*" {
        return text;
    }
    let slash = if text.starts_with('/') { "" } else { "/" };
    encode(slash, &text, byte::PATH, is_escape)
}

/// Makes the query of a target from a text: bytes that a query may not have are escaped. A `%` stays as it is.
#[cfg(feature = "io")]
pub(crate) fn query_of(text: &str) -> Box<str> {
    encode("", text, byte::QUERY, |_| true)
}

#[cfg(feature = "io")]
fn encode(start: &str, text: &str, class: u8, keeps_percent: impl Fn(&[u8]) -> bool) -> Box<str> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(start.len() + text.len());
    out.push_str(start);
    for (at, byte) in text.bytes().enumerate() {
        if byte::is(byte, class) || (byte == b'%' && keeps_percent(&text.as_bytes()[at..])) {
            out.push(char::from(byte));
        } else {
            out.extend(['%', char::from(HEX[usize::from(byte >> 4)]), char::from(HEX[usize::from(byte & 15)])]);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_escapes_are_decoded_once() {
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
    fn the_first_malformed_escape_is_found() {
        for (text, at) in [
            ("", None),
            ("a%41%zZ", Some(4)),
            ("%4a%AF", None),
            ("%", Some(0)),
            ("%4", Some(0)),
            ("a%%41", Some(1)),
            ("%4g", Some(0)),
            ("%+1", Some(0)),
        ] {
            assert_eq!(malformed_escape(text.as_bytes()), at, "{text}");
        }
    }

    #[cfg(feature = "io")]
    #[test]
    fn bytes_that_are_not_utf_8_are_replaced() {
        assert_eq!(decode_lossy("/a%ffb%C3%A9%"), "/a\u{fffd}b\u{e9}%");
        assert!(matches!(decode_lossy("/plain"), Cow::Borrowed("/plain")));
    }

    #[cfg(feature = "io")]
    #[test]
    fn path_of_adds_a_slash_and_escapes_other_bytes() {
        for (text, path) in [
            ("/a/b", "/a/b"),
            ("/%41%2f", "/%41%2f"),
            ("*", "*"),
            ("", "/"),
            ("app.js", "/app.js"),
            ("localhost:6379", "/localhost:6379"),
            ("http://h/a", "/http://h/a"),
            ("//h/a", "//h/a"),
            ("/a?b#c d", "/a%3Fb%23c%20d"),
            ("/100%/%4", "/100%25/%254"),
            ("/\\h\r\n", "/%5Ch%0D%0A"),
            ("é", "/%C3%A9"),
        ] {
            assert_eq!(*path_of(text.into()), *path, "{text:?}");
        }
        assert_eq!(*query_of("a=1&b=%zz \\ #é\n"), *"a=1&b=%zz%20\\%20%23%C3%A9%0A");
    }

    #[test]
    fn text_without_percent_escapes_is_borrowed() {
        assert!(matches!(percent_decode(b"plain"), Cow::Borrowed(_)));
        assert!(matches!(decode_str("plain"), Some(Cow::Borrowed(_))));
    }
}
