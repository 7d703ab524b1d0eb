//! Escaping: what a client sent becomes text that cannot end a field or a line of a log.
//!
//! Only printable ASCII is copied. All else is escaped, so that a line of any client is one line in any terminal and any
//! encoding.

use std::char;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The bytes that are looked at together: the compiler makes one vector of them.
const BLOCK_BYTES: usize = 16;

/// Appends bytes as the content of a JSON string, without the quotes.
///
/// A character outside of ASCII is `\uXXXX`, above U+FFFF two of them; a sequence that is no UTF-8 is `\ufffd`, as of
/// [`String::from_utf8_lossy`]. Controls, DEL, the quote and the backslash are escaped.
///
/// # Spec
/// RFC 8259 §7.
#[inline]
pub(super) fn push_json(out: &mut Vec<u8>, bytes: &[u8]) {
    if !push_plain(out, bytes) {
        push_json_slowly(out, bytes);
    }
}

#[cold]
fn push_json_slowly(out: &mut Vec<u8>, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|char| push_json_char(out, char));
        if !chunk.invalid().is_empty() {
            push_json_char(out, char::REPLACEMENT_CHARACTER);
        }
    }
}

fn push_json_char(out: &mut Vec<u8>, char: char) {
    match char {
        '"' | '\\' => out.extend_from_slice(&[b'\\', char as u8]),
        ' '..='~' => out.push(char as u8),
        _ => {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let digit = |shift: u32| HEX[usize::from(*unit >> shift & 15)];
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
        }
    }
}

/// Appends bytes as the content of a quoted field of the Common and Combined formats: `\"`, `\\`, and `\xhh` for every
/// other byte that is not printable ASCII. So the bytes can be read back exactly.
///
/// Apache writes some of them as `\n` or `\t`, and nginx writes `\x22` and `\x5C`; what reads their logs reads these.
#[inline]
pub(super) fn push_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    if !push_plain(out, bytes) {
        push_quoted_slowly(out, bytes);
    }
}

#[cold]
fn push_quoted_slowly(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => out.push(byte),
            _ => out.extend_from_slice(&[b'\\', b'x', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]),
        }
    }
}

/// Appends bytes and returns `true`, if nothing of them is to be escaped; else appends nothing.
///
/// They are copied as they are looked at, in pieces of a fixed length of which the last two overlap: a copy of any length
/// would be a call.
#[inline]
fn push_plain(out: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let (before, len) = (out.len(), bytes.len());
    let is_plain = if let Some(last) = bytes.last_chunk::<BLOCK_BYTES>() {
        let mut is_plain = true;
        for block in bytes.chunks_exact(BLOCK_BYTES) {
            let block: &[u8; BLOCK_BYTES] = block.try_into().expect("a block");
            is_plain &= is_plain_block(block);
            out.extend_from_slice(block);
        }
        out.truncate(before + len - BLOCK_BYTES);
        out.extend_from_slice(last);
        is_plain & is_plain_block(last)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        out.extend_from_slice(first);
        out.truncate(before + len - 8);
        out.extend_from_slice(last);
        is_plain_word(*first) & is_plain_word(*last)
    } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        out.extend_from_slice(first);
        out.truncate(before + len - 4);
        out.extend_from_slice(last);
        let ([a, b, c, d], [e, f, g, h]) = (*first, *last);
        is_plain_word([a, b, c, d, e, f, g, h])
    } else if let ([first, ..], [.., last]) = (bytes, bytes) {
        let (first, middle, last) = (*first, bytes[len / 2], *last);
        out.extend_from_slice(&[first, middle, last]);
        out.truncate(before + len);
        is_plain_word([first, middle, last, b' ', b' ', b' ', b' ', b' '])
    } else {
        true
    };
    if !is_plain {
        out.truncate(before);
    }
    is_plain
}

/// Whether none of eight bytes is to be escaped.
#[inline]
fn is_plain_word(bytes: [u8; 8]) -> bool {
    const fn each(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; 8])
    }
    let word = u64::from_ne_bytes(bytes);
    // Each of these has the highest bit of a byte set, if that byte is below a blank, DEL, or the mark. A carry or a borrow
    // comes only from a byte that is special itself.
    let below = word.wrapping_sub(each(b' '));
    let del = word.wrapping_add(each(1));
    let [quote, backslash] = [b'"', b'\\'].map(|mark| (word ^ each(mark)).wrapping_sub(each(1)));
    (word | below | del | quote | backslash) & each(0x80) == 0
}

#[inline]
fn is_plain_block(block: &[u8; BLOCK_BYTES]) -> bool {
    // No early return: the block is one step of a vector machine.
    !block
        .iter()
        .fold(false, |special, &byte| special | !matches!(byte, b' '..=b'~') | (byte == b'"') | (byte == b'\\'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(push: fn(&mut Vec<u8>, &[u8]), bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push(&mut out, bytes);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn json_escapes_controls_quotes_and_invalid_utf8() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"GET /a?b=c", "GET /a?b=c"),
            (b"a\"b\\c", "a\\\"b\\\\c"),
            (b"a\nb\rc\td\0", "a\\u000ab\\u000dc\\u0009d\\u0000"),
            (b"\x1b[2J\x7f", "\\u001b[2J\\u007f"),
            ("é\u{85}\u{9b}\u{2028}\u{202e}".as_bytes(), "\\u00e9\\u0085\\u009b\\u2028\\u202e"),
            ("😀".as_bytes(), "\\ud83d\\ude00"),
            (b"a\xffb\xe2\x82", "a\\ufffdb\\ufffd"),
            (b"~ }", "~ }"),
        ] {
            assert_eq!(written(push_json, bytes), text, "{bytes:?}");
        }
    }

    #[test]
    fn a_quoted_field_escapes_controls_quotes_and_bytes_above_ascii() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"curl/8.5.0", "curl/8.5.0"),
            (b"a\"b\\c", "a\\\"b\\\\c"),
            (b"a\nb\rc\td\0", "a\\x0ab\\x0dc\\x09d\\x00"),
            (b"\x1b[2J\x7f", "\\x1b[2J\\x7f"),
            ("é".as_bytes(), "\\xc3\\xa9"),
            (b"\xff", "\\xff"),
        ] {
            assert_eq!(written(push_quoted, bytes), text, "{bytes:?}");
        }
    }

    #[test]
    fn a_special_byte_is_found_at_every_place_of_every_length() {
        for len in 0..70 {
            let mut bytes: Vec<u8> = (b'A'..=b'Z').cycle().take(len).collect();
            for (at, usual) in bytes.clone().into_iter().enumerate() {
                for byte in 0..=u8::MAX {
                    bytes[at] = byte;
                    let mut out = b"before".to_vec();
                    let is_plain = matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
                    assert_eq!(push_plain(&mut out, &bytes), is_plain, "{byte} at {at} of {len}");
                    assert_eq!(out, if is_plain { [b"before", &*bytes].concat() } else { b"before".to_vec() });
                }
                bytes[at] = usual;
            }
            let mut out = Vec::new();
            assert!(push_plain(&mut out, &bytes));
            assert_eq!(out, bytes);
        }
    }

    /// Reads a quoted field back.
    fn unquoted(text: &str) -> Vec<u8> {
        let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match (byte, rest) {
                (b'\\', [b'x', after @ ..]) => {
                    let (hex, after) = after.split_at(2);
                    bytes.push(u8::from_str_radix(std::str::from_utf8(hex).expect("digits"), 16).expect("digits"));
                    rest = after;
                }
                (b'\\', [plain, after @ ..]) => {
                    bytes.push(*plain);
                    rest = after;
                }
                (b'"' | b'\\', _) => panic!("the field ends in {text:?}"),
                _ => bytes.push(byte),
            }
        }
        bytes
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_back(bytes: Vec<u8>) {
            let quoted = written(push_quoted, &bytes);
            prop_assert!(quoted.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{quoted:?}");
            prop_assert_eq!(&unquoted(&quoted), &bytes);
            let json = written(push_json, &bytes);
            prop_assert!(json.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{json:?}");
            let read: String = serde_json::from_str(&format!("\"{json}\"")).expect("JSON");
            prop_assert_eq!(read, String::from_utf8_lossy(&bytes));
        }
    }
}
