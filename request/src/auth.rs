//! The credentials of `Authorization`: a user and a password (`Basic`), or a token (`Bearer`).

use std::fmt;

/// The user and the password of `Authorization: Basic` (RFC 7617).
///
/// `Debug` does not show the password. Compare it in constant time, against a stored hash.
#[derive(Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// The text before the first colon.
    pub user: String,
    /// The text after the first colon; it may have colons.
    pub password: String,
}

impl BasicAuth {
    /// Reads the value of an `Authorization` field.
    ///
    /// Shape: `Basic` in any case, one space, and `user:password` in standard base64 with padding. `None` for anything
    /// else, and if the decoded bytes are not UTF-8. Go: `parseBasicAuth` (request.go:1000).
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

/// The token of `Authorization: Bearer` (RFC 6750), from the value of the field.
///
/// Shape: `Bearer` in any case, one or more spaces, and letters, digits and `- . _ ~ + /` with `=` at the end. `None` for
/// anything else. Compare it in constant time.
#[must_use]
pub fn bearer_token(value: &[u8]) -> Option<&str> {
    let (scheme, rest) = value.split_at_checked(b"Bearer ".len())?;
    if !scheme.eq_ignore_ascii_case(b"Bearer ") {
        return None;
    }
    let token = std::str::from_utf8(rest).ok()?.trim_start_matches(' ');
    let plain = token.trim_end_matches('=');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    (!plain.is_empty() && plain.bytes().all(is_plain)).then_some(token)
}

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BasicAuth").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Decodes standard base64 with padding, without line breaks, with the unused bits zero (RFC 4648 §4, §3.5), so that
/// each text has one accepted encoding.
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
    fn a_bearer_token_is_read_by_the_grammar_of_the_rfc() {
        for (value, token) in [
            ("Bearer mF_9.B5f-4.1JqM", Some("mF_9.B5f-4.1JqM")),
            ("bearer a~+/==", Some("a~+/==")),
            ("BEARER   a", Some("a")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearer =", None),
            ("Bearer a=b", None),
            ("Bearer a b", None),
            ("Bearer a,b", None),
            ("Bearer\ta", None),
            ("Bearera", None),
            ("Basic YTpi", None),
            ("Bearer \u{e9}", None),
            ("", None),
        ] {
            assert_eq!(bearer_token(value.as_bytes()), token, "{value}");
        }
    }

    #[test]
    fn basic_auth_reads_the_example_of_the_rfc() {
        let auth = BasicAuth::parse(b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").unwrap();
        assert_eq!((auth.user.as_str(), auth.password.as_str()), ("Aladdin", "open sesame"));
        assert_eq!(format!("{auth:?}"), "BasicAuth { user: \"Aladdin\", .. }");
    }

    #[test]
    fn basic_auth_scheme_has_any_case_and_one_space() {
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
    fn basic_auth_is_split_at_the_first_colon() {
        // "a:b:c", ":", "ab"
        assert_eq!(BasicAuth::parse(b"Basic YTpiOmM=").unwrap().password, "b:c");
        assert_eq!(BasicAuth::parse(b"Basic Og==").unwrap().user, "");
        assert_eq!(BasicAuth::parse(b"Basic YWI="), None);
    }

    #[test]
    fn basic_auth_takes_canonical_base64_only() {
        // No padding, too much of it, padding in the middle, unused bits set, line break, URL alphabet, not UTF-8.
        for encoded in [
            "YTp", "YQ", "YTpi====", "YT==YTpi", "Y===", "Og=a", "YTo/YQ", "Oh==", "OmF=", "YTpi\r\n", "OmE-_w==",
            "Ov8=",
        ] {
            assert_eq!(BasicAuth::parse(format!("Basic {encoded}").as_bytes()), None, "{encoded}");
        }
    }
}
