//! `Authorization: Basic`: a user and a password, barely wrapped.

use std::fmt;

/// The credentials of RFC 7617.
///
/// Compare a password in constant time, and only against a hash. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// What stands before the first colon.
    pub user: String,
    /// What follows the first colon; it may have others.
    pub password: String,
}

impl BasicAuth {
    /// Reads the value of an `Authorization` field.
    ///
    /// Shape: `Basic` in any case, one space, standard base64 with padding of `user:password`. None for anything
    /// else, also for text that is not UTF-8. Go: `parseBasicAuth` (request.go:1000).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (scheme, encoded) = value.split_at_checked(b"Basic ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Basic ") {
            return None;
        }
        let text = String::from_utf8(base64(encoded)?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.into(), password: password.into() })
    }
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Standard base64, padded, without line breaks and with its last unused bits zero (RFC 4648 §4, §3.5): one text
/// has one encoding.
fn base64(encoded: &[u8]) -> Option<Vec<u8>> {
    let quads = encoded.chunks_exact(4);
    if !quads.remainder().is_empty() {
        return None;
    }
    let mut decoded = Vec::with_capacity(quads.len() * 3);
    for (i, quad) in quads.clone().enumerate() {
        let pad = quad.iter().rev().take_while(|&&byte| byte == b'=').count();
        if pad > 2 || pad > 0 && i + 1 < quads.len() {
            return None;
        }
        let bits = quad[..4 - pad].iter().try_fold(0_u32, |bits, &byte| Some(bits << 6 | sextet(byte)?))? << (6 * pad);
        let [_, bytes @ ..] = bits.to_be_bytes();
        if bytes[3 - pad..].iter().any(|&byte| byte != 0) {
            return None;
        }
        decoded.extend_from_slice(&bytes[..3 - pad]);
    }
    Some(decoded)
}

fn sextet(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rfcs_example_is_aladdin() {
        let auth = BasicAuth::parse(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
        assert_eq!((auth.user.as_str(), auth.password.as_str()), ("Aladdin", "open sesame"));
        assert_eq!(format!("{auth:?}"), "BasicAuth { user: \"Aladdin\", .. }");
    }

    #[test]
    fn the_scheme_has_any_case_and_one_space() {
        for (value, accepted) in [
            ("basic YTpi", true),
            ("BASIC YTpi", true),
            ("Basic YTpi", true),
            ("BasicYTpi", false),
            ("Basic  YTpi", false),
            ("Bearer YTpi", false),
            ("Basic", false),
            ("", false),
        ] {
            assert_eq!(BasicAuth::parse(value.as_bytes()).is_some(), accepted, "{value}");
        }
    }

    #[test]
    fn the_first_colon_divides() {
        // "a:b:c", ":", "ab"
        assert_eq!(BasicAuth::parse(b"Basic YTpiOmM=").unwrap().password, "b:c");
        assert_eq!(BasicAuth::parse(b"Basic Og==").unwrap().user, "");
        assert_eq!(BasicAuth::parse(b"Basic YWI="), None);
    }

    #[test]
    fn only_the_one_encoding_of_a_text_is_taken() {
        // No padding, too much of it, padding in the middle, unused bits set, line break, URL alphabet, not UTF-8.
        for encoded in [
            "YTp", "YQ", "YTpi====", "YT==YTpi", "Y===", "Og=a", "YTo/YQ", "Oh==", "OmF=", "YTpi\r\n", "OmE-_w==",
            "Ov8=",
        ] {
            assert_eq!(BasicAuth::parse(format!("Basic {encoded}").as_bytes()), None, "{encoded}");
        }
    }
}
