//! JSON: the reader, compared with a recognizer of the grammar alone.

use std::collections::BTreeMap;

use quintet_request::{DataError, JsonError, parse_json};
use serde::de::IgnoredAny;
use serde_json::Value;

/// The depth up to which values are read. The recognizer needs none, as it does not recurse.
const MAX_LEVELS: usize = 127;

/// Bytes as JSON: a text is accepted by its grammar alone, written and read again it is the same, an error lies in it, and
/// no text of an error has the client's values.
pub fn json(data: &[u8]) {
    let levels = std::str::from_utf8(data).ok().and_then(|text| recognize(text.as_bytes()));
    assert_eq!(parse_json::<IgnoredAny>(data).is_ok(), levels.is_some(), "the grammar alone");
    match parse_json::<Value>(data) {
        Ok(value) => {
            assert!(levels.is_some_and(|levels| levels <= MAX_LEVELS));
            let written = value.to_string();
            assert_eq!(parse_json::<Value>(written.as_bytes()).expect("what was written can be read"), value);
            assert!(parse_json::<Value>(&[&*written, "x"].concat().into_bytes()).is_err());
        }
        Err(JsonError::Syntax { line, column, reason }) => {
            let lines: Vec<_> = data.split(|&byte| byte == b'\n').collect();
            assert!(line >= 1 && line <= lines.len() && column <= lines[line - 1].len().max(1), "{line}:{column}");
            assert!(reason.len() < 80 && reason.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{reason}");
        }
        Err(JsonError::Empty) => assert!(data.is_empty()),
        Err(other) => panic!("{other}: a value has any shape"),
    }
    if let Err(JsonError::Data(error)) = parse_json::<BTreeMap<String, Vec<u8>>>(data) {
        check_text(&error);
    }
}

/// The text of an error is one short line: plain names of fields, and what was expected.
pub(super) fn check_text(error: &DataError) {
    let text = error.to_string();
    assert!(error.path().len() <= 256 && text.len() < 400 && !text.contains(char::is_control), "{text}");
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '?' | '.' | '[' | ']');
    assert!(error.path().chars().all(plain), "{text}");
    assert!(error.message().len() <= 256);
}

/// Whether some bytes are one JSON text by the grammar of RFC 8259; then its levels of arrays and objects.
fn recognize(mut text: &[u8]) -> Option<usize> {
    // What is open, innermost last: `{` or `[`.
    let (mut open, mut levels) = (Vec::new(), 0);
    loop {
        // A value.
        text = blank(text);
        match *text.first()? {
            bracket @ (b'{' | b'[') => {
                text = blank(&text[1..]);
                if text.first()? == &(bracket + 2) {
                    levels = levels.max(open.len() + 1);
                    text = &text[1..];
                } else {
                    open.push(bracket);
                    levels = levels.max(open.len());
                    if bracket == b'{' {
                        text = name(text)?;
                    }
                    continue;
                }
            }
            b'"' => text = string(text)?,
            b'-' | b'0'..=b'9' => text = number(text)?,
            _ => {
                let word = [&b"true"[..], b"false", b"null"].into_iter().find(|word| text.starts_with(word))?;
                text = &text[word.len()..];
            }
        }
        // What follows a value.
        loop {
            text = blank(text);
            let Some(inner) = open.last() else { return text.is_empty().then_some(levels) };
            match *text.first()? {
                b',' => {
                    text = &text[1..];
                    if *inner == b'{' {
                        text = name(text)?;
                    }
                    break;
                }
                end if end == inner + 2 => {
                    text = &text[1..];
                    open.pop();
                }
                _ => return None,
            }
        }
    }
}

fn blank(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    &text[end.unwrap_or(text.len())..]
}

/// A name and its colon.
fn name(text: &[u8]) -> Option<&[u8]> {
    blank(string(blank(text))?).strip_prefix(b":")
}

fn string(text: &[u8]) -> Option<&[u8]> {
    let mut text = text.strip_prefix(b"\"")?;
    loop {
        text = match *text {
            [b'"', ref rest @ ..] => return Some(rest),
            [b'\\', b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ref rest @ ..] => rest,
            [b'\\', b'u', a, b, c, d, ref rest @ ..] if [a, b, c, d].iter().all(u8::is_ascii_hexdigit) => rest,
            [b'\\' | 0..=0x1f, ..] | [] => return None,
            [_, ref rest @ ..] => rest,
        };
    }
}

fn number(text: &[u8]) -> Option<&[u8]> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut text = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(text);
    if whole == 0 || (whole > 1 && text[0] == b'0') {
        return None;
    }
    text = &text[whole..];
    if let Some(fraction) = text.strip_prefix(b".") {
        let len = digits(fraction);
        text = fraction.get(len..).filter(|_| len > 0)?;
    }
    if let [b'e' | b'E', rest @ ..] = text {
        let rest = rest.strip_prefix(b"+").or_else(|| rest.strip_prefix(b"-")).unwrap_or(rest);
        let len = digits(rest);
        text = rest.get(len..).filter(|_| len > 0)?;
    }
    Some(text)
}
