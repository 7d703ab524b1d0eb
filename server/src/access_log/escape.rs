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
    if is_plain(bytes) { out.extend_from_slice(bytes) } else { push_json_slowly(out, bytes) }
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
    if is_plain(bytes) { out.extend_from_slice(bytes) } else { push_quoted_slowly(out, bytes) }
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

/// Whether nothing is to be escaped.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let Some(last) = bytes.last_chunk::<BLOCK_BYTES>() else {
        // Padded to a block: a loop over single bytes would cost more than the whole rest of a line.
        let mut block = [b' '; BLOCK_BYTES];
        block[..bytes.len()].copy_from_slice(bytes);
        return is_plain_block(&block);
    };
    // The last block overlaps the one before, if they are not even.
    bytes.chunks_exact(BLOCK_BYTES).all(|block| is_plain_block(block.try_into().expect("a block")))
        && is_plain_block(last)
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
        for len in 1..70 {
            for at in 0..len {
                let mut bytes = vec![b'a'; len];
                assert!(is_plain(&bytes));
                for special in [b'"', b'\\', 0, b'\n', 0x1f, 0x7f, 0x80, 0xff] {
                    bytes[at] = special;
                    assert!(!is_plain(&bytes), "{special} at {at} of {len}");
                }
            }
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
