//! Classes of bytes: a table of 256 entries with one bit for each grammar, and searches by words of eight bytes.

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
/// A byte that any form of target may have: those of path, query and host, `%`, `?` and `*`.
pub(crate) const TARGET: u8 = 32;
/// A byte of a path, or `?`: a target of only these has no escape and no byte whose place matters.
pub(crate) const PLAIN: u8 = 128;
/// A byte of the value of a cookie: 0x20–0x7e without `"`, `;` and `\` (Go: `validCookieValueByte`).
pub(crate) const COOKIE: u8 = 64;

/// Whether `byte` belongs to `class`.
#[inline]
pub(crate) const fn is(byte: u8, class: u8) -> bool {
    CLASS[byte as usize] & class != 0
}

/// Whether every byte of `bytes` belongs to `class`.
#[inline]
pub(crate) fn all(bytes: &[u8], class: u8) -> bool {
    common(bytes) & class != 0
}

/// The classes that every byte of `bytes` belongs to. It costs one load and one `and` for each byte, without a branch.
/// Stopping at the first byte of no class would cost a branch for each byte, and valid input has no such byte.
#[inline]
pub(crate) fn common(bytes: &[u8]) -> u8 {
    bytes.iter().fold(u8::MAX, |seen, &byte| seen & CLASS[byte as usize])
}

/// The offset of the first `needle`, searched eight bytes at a time.
#[inline]
pub(crate) fn find(needle: u8, bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 0xff;
    let words = bytes.chunks_exact(8);
    let rest = bytes.len() - words.remainder().len();
    for (i, word) in words.enumerate() {
        let word = word.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte)) ^ (ONES * u64::from(needle));
        // After the XOR a byte that was the needle is zero. Subtracting one from each byte sets the top bit of zero
        // bytes and of bytes above 0x80; `!word` removes the latter. A borrow only runs upwards, so marks above the
        // lowest one may be wrong, but the lowest is that of the first zero byte, as the word is read little-endian.
        let zero = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zero != 0 {
            return Some(i * 8 + zero.trailing_zeros() as usize / 8);
        }
    }
    bytes[rest..].iter().position(|&byte| byte == needle).map(|at| rest + at)
}

/// Whether `text` equals `lower` in any case. `text` has no controls; `lower` has only small letters, digits and `-`.
#[inline]
pub(crate) fn is_word<const N: usize>(text: &[u8], lower: &[u8; N]) -> bool {
    // Setting bit 5 makes letters small and does not change digits and the dash, which have it (`0x2d`, `0x30..=0x39`).
    // A byte that becomes a digit or a dash by it was a control (`0x0d`, `0x10..=0x19`), which `text` does not have; a
    // byte that becomes a small letter was that letter or its capital. All bytes are compared without a branch: a
    // mismatch is rare once length and first letter are equal.
    let Ok(text) = <&[u8; N]>::try_from(text) else { return false };
    text.iter().zip(lower).fold(0, |different, (byte, lower)| different | (byte | 0x20) ^ lower) == 0
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

/// The value of a hexadecimal digit; `None` for another byte.
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
        | (if path || byte == b'?' { PLAIN } else { 0 })
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
    fn find_returns_the_first_needle_in_every_place() {
        for len in 0..40 {
            for at in 0..len {
                // Next to a needle, bytes that differ from it by one are marked wrongly by the borrow.
                for other in [b'a', b'?' + 1, b'?' - 1, 0, 0xff] {
                    let mut bytes = vec![other; len];
                    assert_eq!(find(b'?', &bytes), None);
                    bytes[at..].fill(b'?');
                    assert_eq!(find(b'?', &bytes), Some(at), "{at} of {len}");
                }
            }
        }
    }

    #[test]
    fn is_word_compares_in_any_case() {
        assert!(is_word(b"HOST", b"host") && is_word(b"host", b"host") && is_word(b"hOsT", b"host"));
        assert!(is_word(b"100-Continue", b"100-continue"));
        assert!(!is_word(b"hosts", b"host") && !is_word(b"hos", b"host") && !is_word(b"", b"host"));
        for (i, byte) in (0..4).flat_map(|i| (b' '..=u8::MAX).map(move |byte| (i, byte))) {
            let mut word = *b"a-1z";
            word[i] = byte;
            assert_eq!(is_word(&word, b"a-1z"), word.eq_ignore_ascii_case(b"a-1z"), "{word:?}");
        }
    }

    #[test]
    fn whitespace_is_trimmed_at_both_ends() {
        assert_eq!(trim(b" \ta b\t "), b"a b");
        assert_eq!(trim(b" \t"), b"");
    }
}
