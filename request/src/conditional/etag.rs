//! An entity tag: `"abc"`, or `W/"abc"` if it is weak.

use std::fmt;

use crate::byte;

/// An entity tag: a name of one version of a representation, chosen by the server.
///
/// Shape: `"…"` with visible characters other than `"`, and bytes past ASCII; `W/` before it if it is weak. A strong tag
/// changes with each byte of the content; a weak one may stay while the meaning does (RFC 9110 §8.8.1). `==` compares
/// the texts; what HTTP compares is [`strong_match`](Self::strong_match) and [`weak_match`](Self::weak_match).
///
/// | value | RFC 9110 §8.8.3 | Go | Quintet |
/// |---|---|---|---|
/// | `"etag-1"`, `""`, `"a\b"`, `"é"` | a tag; `\` is a character | a tag | a tag |
/// | `W/"etag-1"` | a weak tag | a weak tag | a weak tag |
/// | `w/"case-sensitive"`, `W/`, `W/ "a"` | no tag | no tag | no tag |
/// | `"spaced etag"`, `"truc`, `etag`, *empty* | no tag | no tag | no tag |
///
/// ```
/// use quintet_request::ETag;
///
/// let tag = ETag::parse(br#"W/"a1b2""#).unwrap();
/// assert!(tag.is_weak());
/// let strong = ETag::parse(br#""a1b2""#).unwrap();
/// assert!(tag.weak_match(strong) && !tag.strong_match(strong));
/// assert_eq!(ETag::parse(b"a1b2"), None);
/// ```
///
/// # Spec
/// RFC 9110 §8.8.3. Go: `scanETag` (fs.go:451).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "EntityTag")]
pub struct ETag<'a>(&'a [u8]);

impl<'a> ETag<'a> {
    /// Reads a value that is one entity tag, without whitespace around it. `None` for anything else.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        match Self::scan(value) {
            Some((tag, [])) => Some(tag),
            _ => None,
        }
    }

    /// Reads the entity tag at the start of a list: the tag, and the bytes after it. Go: `scanETag`.
    pub fn scan(list: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let prefix = if list.starts_with(b"W/") { 2 } else { 0 };
        let text = list[prefix..].strip_prefix(b"\"")?;
        let len = byte::find(b'"', text)?;
        let is_tag_byte = |&byte: &u8| byte > b' ' && byte != 0x7f;
        if !text[..len].iter().all(is_tag_byte) {
            return None;
        }
        let (tag, rest) = list.split_at(prefix + 1 + len + 1);
        Some((Self(tag), rest))
    }

    /// The whole text, as a field's value has it: `W/` if it is weak, and the quotes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// Whether it starts with `W/`: the content may differ in bytes while the tag stays.
    pub fn is_weak(self) -> bool {
        self.0.starts_with(b"W/")
    }

    /// Whether both are strong and equal, so that the contents are equal byte for byte (RFC 9110 §8.8.3.2). Go:
    /// `etagStrongMatch`.
    pub fn strong_match(self, other: ETag<'_>) -> bool {
        !self.is_weak() && self.0 == other.0
    }

    /// Whether both are equal, weak or not (RFC 9110 §8.8.3.2). Go: `etagWeakMatch`.
    pub fn weak_match(self, other: ETag<'_>) -> bool {
        self.opaque() == other.opaque()
    }

    /// The tag with its quotes, without `W/`.
    fn opaque(self) -> &'a [u8] {
        self.0.strip_prefix(b"W/").unwrap_or(self.0)
    }
}

/// The text of the tag; bytes that are not UTF-8 are replaced.
impl fmt::Display for ETag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's TestScanETag, and the other rows of the table.
    #[test]
    fn an_etag_is_scanned_as_go_scans_it() {
        for (list, tag, rest) in [
            ("W/\"etag-1\"", "W/\"etag-1\"", ""),
            ("\"etag-2\"", "\"etag-2\"", ""),
            ("\"etag-1\", \"etag-2\"", "\"etag-1\"", ", \"etag-2\""),
            ("", "", ""),
            ("W/", "", ""),
            ("W/\"truc", "", ""),
            ("w/\"case-sensitive\"", "", ""),
            ("\"spaced etag\"", "", ""),
            ("\"\"", "\"\"", ""),
            ("\"a\\b\"", "\"a\\b\"", ""),
            ("\"\u{e9}\"x", "\"\u{e9}\"", "x"),
            ("\"a\tb\"", "", ""),
            ("\"a\x7f\"", "", ""),
            ("W/ \"a\"", "", ""),
            ("W/W/\"a\"", "", ""),
            ("etag", "", ""),
            ("\"", "", ""),
        ] {
            let scanned = ETag::scan(list.as_bytes()).map(|(tag, rest)| (tag.as_bytes(), rest));
            let expected = (!tag.is_empty()).then_some((tag.as_bytes(), rest.as_bytes()));
            assert_eq!(scanned, expected, "{list}");
            assert_eq!(ETag::parse(list.as_bytes()).is_some(), !tag.is_empty() && rest.is_empty(), "{list}");
        }
        assert_eq!(ETag::parse(b"\"\xff\x80\"").unwrap().to_string(), "\"\u{fffd}\u{fffd}\"");
    }

    /// The table of RFC 9110 §8.8.3.2.
    #[test]
    fn etags_are_compared_strongly_and_weakly_as_in_the_rfc() {
        for (a, b, strong, weak) in [
            ("W/\"1\"", "W/\"1\"", false, true),
            ("W/\"1\"", "W/\"2\"", false, false),
            ("W/\"1\"", "\"1\"", false, true),
            ("\"1\"", "\"1\"", true, true),
        ] {
            let (a, b) = (ETag::parse(a.as_bytes()).unwrap(), ETag::parse(b.as_bytes()).unwrap());
            assert_eq!((a.strong_match(b), b.strong_match(a)), (strong, strong), "{a} {b}");
            assert_eq!((a.weak_match(b), b.weak_match(a)), (weak, weak), "{a} {b}");
        }
    }
}
