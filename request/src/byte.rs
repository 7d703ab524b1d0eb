//! What one byte may be part of: a table of 256 entries, one bit for each grammar.

/// `tchar`: methods, field names, extension names (RFC 9110 §5.6.2).
pub(crate) const TOKEN: u8 = 1;
/// `HTAB / SP / VCHAR / obs-text`: field values (RFC 9110 §5.5).
pub(crate) const VALUE: u8 = 2;
/// A byte that stands for itself in a path. RFC 3986's `pchar` and `/`, and `[ ] | ^`, which browsers leave bare.
pub(crate) const PATH: u8 = 4;
/// A byte that stands for itself in a query: those of a path, `?`, and ``{ } \ ` ``, which browsers leave bare.
pub(crate) const QUERY: u8 = 8;
/// A byte of a registered name: `unreserved / sub-delims` (RFC 3986 §3.2.2), without percent escapes.
pub(crate) const HOST: u8 = 16;
/// A byte that can stand in a target at all: those above, `%`, `?` and, before a form is known, `*`.
pub(crate) const TARGET: u8 = 32;
/// A byte of the value of a cookie: 0x20–0x7e without `"`, `;` and `\` (Go: `validCookieValueByte`).
pub(crate) const COOKIE: u8 = 64;

/// Whether `byte` belongs to `class`.
#[inline]
pub(crate) const fn is(byte: u8, class: u8) -> bool {
    CLASS[byte as usize] & class != 0
}

/// Whether every byte of `bytes` belongs to `class`. One load and one `and` a byte, without a branch.
#[inline]
pub(crate) fn all(bytes: &[u8], class: u8) -> bool {
    bytes.iter().fold(class, |seen, &byte| seen & CLASS[byte as usize]) == class
}

/// Whether `bytes` is a token (RFC 9110 §5.6.2): not empty, `tchar` only.
pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && all(bytes, TOKEN)
}

/// Removes optional whitespace (SP and HTAB) at both ends (RFC 9110 §5.6.3).
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// The value of a hexadecimal digit.
pub(crate) const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = class_of(byte);
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

const fn class_of(byte: u8) -> u8 {
    let unreserved = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let sub_delim = matches!(byte, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=');
    let path = unreserved || sub_delim || matches!(byte, b':' | b'@' | b'/' | b'[' | b']' | b'|' | b'^');
    let query = path || matches!(byte, b'?' | b'{' | b'}' | b'\\' | b'`');
    let token = byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`')
        || matches!(byte, b'|' | b'~');
    let value = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    let cookie = byte >= b' ' && byte < 0x7f && !matches!(byte, b'"' | b';' | b'\\');

    (if token { TOKEN } else { 0 })
        | (if value { VALUE } else { 0 })
        | (if path { PATH } else { 0 })
        | (if query { QUERY } else { 0 })
        | (if unreserved || sub_delim { HOST } else { 0 })
        | (if query || byte == b'%' { TARGET } else { 0 })
        | (if cookie { COOKIE } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(class: u8) -> Vec<u8> {
        (0..=u8::MAX).filter(|&byte| is(byte, class)).collect()
    }

    #[test]
    fn a_token_has_the_77_bytes_of_the_grammar() {
        assert_eq!(members(TOKEN).len(), 10 + 52 + 15);
        assert!(is_token(b"!#$%&'*+-.^_`|~09azAZ"));
        assert!(!is_token(b""));
        for delimiter in b"\"(),/:;<=>?@[\\]{} \t\r\n\0\x7f\x80\xff" {
            assert!(!is(*delimiter, TOKEN), "{delimiter:#x}");
        }
    }

    #[test]
    fn a_value_has_no_controls_but_tab() {
        assert_eq!(members(VALUE).len(), 1 + 95 + 128);
        assert!((0..b' ').chain([0x7f]).all(|byte| is(byte, VALUE) == (byte == b'\t')));
    }

    #[test]
    fn a_target_has_no_fragment_quote_angle_or_foreign_byte() {
        for byte in b"#\"<> \t\r\n\0\x7f\x80\xff" {
            assert!(!is(*byte, TARGET | PATH | QUERY | HOST), "{byte:#x}");
        }
        assert_eq!(members(PATH).iter().filter(|b| !is(**b, QUERY)).count(), 0);
        assert_eq!(members(QUERY).iter().filter(|b| !is(**b, TARGET)).count(), 0);
    }

    #[test]
    fn whitespace_is_trimmed_at_both_ends() {
        assert_eq!(trim(b" \ta b\t "), b"a b");
        assert_eq!(trim(b" \t"), b"");
    }
}
