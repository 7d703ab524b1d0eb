//! Whether a body is coded, such as by gzip.

use super::head_ref::HeadRef;
use crate::byte;

/// Whether `Content-Encoding` names a coding other than `identity` (RFC 9110 §8.4). Readers of forms and of JSON refuse
/// such a body with 415: decoded, a body of a few bytes may have any size.
pub(crate) fn has_content_coding(head: HeadRef<'_>) -> bool {
    let mut codings = head.headers_named("content-encoding").flat_map(|value| value.split(|&byte| byte == b','));
    codings.any(|coding| !matches!(byte::trim(coding), b"") && !byte::trim(coding).eq_ignore_ascii_case(b"identity"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Head;

    #[test]
    fn a_content_coding_other_than_identity_is_seen() {
        for (fields, coded) in [
            ("", false),
            ("Content-Encoding:\r\n", false),
            ("Content-Encoding: identity\r\n", false),
            ("Content-Encoding: Identity, ,identity\r\n", false),
            ("Content-Encoding: gzip\r\n", true),
            ("Content-Encoding: identity\r\nContent-Encoding: br\r\n", true),
            ("content-encoding: identity, gzip\r\n", true),
            ("Content-Encoding: x-unknown\r\n", true),
            ("Content-Encoding: identity;q=1\r\n", true),
            ("Content-Encoding: \u{ff}\r\n", true),
        ] {
            let mut bytes = b"POST / HTTP/1.1\r\nHost: a\r\n".to_vec();
            bytes.extend(fields.chars().map(|c| c as u8)); // Latin-1
            bytes.extend_from_slice(b"\r\n");
            let mut head = Head::default();
            head.parse(&bytes, &crate::Limits::default()).unwrap().unwrap();
            assert_eq!(has_content_coding(head.as_ref()), coded, "{fields:?}");
        }
    }
}
