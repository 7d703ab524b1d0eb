//! Percent escapes (RFC 3986 §2.1) of single path segments: `%2F` is data, not a separator.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Decodes the percent escapes of a path value.
///
/// A text with a malformed escape is returned unchanged, as by Go's `pathUnescape`. Bytes that are not UTF-8 become
/// U+FFFD.
#[must_use]
pub fn decode(text: &str) -> Cow<'_, str> {
    if !has_escapes(text) || !is_escaped_well(text) {
        return Cow::Borrowed(text);
    }
    percent_decode_str(text).decode_utf8_lossy()
}

/// The canonical form of a segment: the spelling under which it is stored and looked up.
///
/// The canonical form is the decoded text in which `/`, `%`, braces and bytes that are not UTF-8 are written as `%XX`.
/// So two segments are equal after decoding if and only if their canonical forms are the same text. A canonical form
/// has no separator, and no brace that matchit could read as a wildcard. Most segments are their own canonical form.
pub(crate) fn canonical(segment: &str) -> Cow<'_, str> {
    if !needs_canonical(segment.as_bytes()) {
        return Cow::Borrowed(segment);
    }
    // A segment with a malformed escape is taken as literal text, as `decode` does; its `%` is then escaped below.
    let bytes: Cow<'_, [u8]> =
        if is_escaped_well(segment) { percent_decode_str(segment).into() } else { segment.as_bytes().into() };
    let mut out = String::with_capacity(segment.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match u8::try_from(c) {
                Ok(byte @ (b'/' | b'%' | b'{' | b'}')) => push_escape(&mut out, byte),
                _ => out.push(c),
            }
        }
        for &byte in chunk.invalid() {
            push_escape(&mut out, byte);
        }
    }
    Cow::Owned(out)
}

/// A path in which each segment has its canonical form.
pub(crate) fn canonical_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for (i, segment) in path.split('/').enumerate() {
        if i > 0 {
            out.push('/');
        }
        out.push_str(&canonical(segment));
    }
    out
}

/// Whether a text has a byte that may keep it from being its own canonical form.
pub(crate) fn needs_canonical(text: &[u8]) -> bool {
    text.iter().any(|byte| matches!(byte, b'%' | b'{' | b'}'))
}

/// A path as it is sent in `Location`: bytes that a path may not have are escaped, and escapes stay. The result has the
/// same segments as the path.
pub(crate) fn location(path: &str) -> String {
    let escape = |segment| {
        let set = if is_escaped_well(segment) { NOT_IN_A_PATH } else { NOR_PERCENT };
        utf8_percent_encode(segment, set).to_string()
    };
    path.split('/').map(escape).collect::<Vec<_>>().join("/")
}

fn has_escapes(text: &str) -> bool {
    text.as_bytes().contains(&b'%')
}

/// Whether every `%` is followed by two hexadecimal digits.
pub(crate) fn is_escaped_well(text: &str) -> bool {
    let digits = |at: usize| text.as_bytes().get(at..at + 2).is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit));
    text.bytes().enumerate().all(|(i, byte)| byte != b'%' || digits(i + 1))
}

fn push_escape(out: &mut String, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

/// The bytes that a path may not have (RFC 3986 §3.3), without `%`: in a well-formed segment `%` begins an escape.
const NOT_IN_A_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

const NOR_PERCENT: &AsciiSet = &NOT_IN_A_PATH.add(b'%');
