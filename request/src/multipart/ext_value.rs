//! The value of an extended parameter, `filename*=utf-8''caf%C3%A9.txt`.

use super::parameters::Value;
use crate::percent::{malformed_escape, percent_decode};

/// The text of an extended value; `None` if it is not one.
///
/// Shape: `charset ' [language] ' value`, not quoted. Only UTF-8 is known as charset: it is the one that readers must
/// know. The value has letters, digits, some other characters and percent escapes, of which each is whole.
///
/// # Spec
/// RFC 8187 §3.2.1 (`ext-value`), §3.2 (charset). Go: `mime.decode2231Enc`.
pub(super) fn decode(value: Value<'_>) -> Option<String> {
    let Value::Token(raw) = value else { return None };
    let mut pieces = raw.split(|&byte| byte == b'\'');
    let (charset, _language, escaped) = (pieces.next()?, pieces.next()?, pieces.next()?);
    // `'` and `*` are letters of a token, and none of a value.
    let is_whole = pieces.next().is_none() && !escaped.contains(&b'*') && malformed_escape(escaped).is_none();
    if !charset.eq_ignore_ascii_case(b"utf-8") || !is_whole {
        return None;
    }
    String::from_utf8(percent_decode(escaped).into_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ext_value_is_a_charset_a_language_and_escapes() {
        for (raw, text) in [
            ("utf-8''x.txt", Some("x.txt")),
            ("UTF-8''caf%C3%A9%20a+b.txt", Some("caf\u{e9} a+b.txt")),
            ("utf-8'en'x", Some("x")),
            ("utf-8''", Some("")),
            ("utf-8''%2522", Some("%22")),
            ("utf-8''%2e%2E%2f", Some("../")),
            ("iso-8859-1''%E9", None),
            ("utf-8''%E9", None),
            ("utf-8''%C3%", None),
            ("utf-8''%zz", None),
            ("utf-8''a*b", None),
            ("utf-8''it's", None),
            ("utf-8'x", None),
            ("utf8''x", None),
            ("x.txt", None),
        ] {
            assert_eq!(decode(Value::Token(raw.as_bytes())).as_deref(), text, "{raw}");
        }
        assert_eq!(decode(Value::Quoted(b"utf-8''x")), None);
    }
}
