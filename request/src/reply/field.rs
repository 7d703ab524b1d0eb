//! Writing a field line of a reply.

use http::{HeaderName, HeaderValue};

/// Appends a field line: `Name: value CRLF`.
pub(super) fn write(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let start = out.len();
    out.extend_from_slice(name.as_str().as_bytes());
    capitalize(&mut out[start..]);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Makes the first letter and each letter after a dash a capital, as Go does (`textproto.CanonicalMIMEHeaderKey`).
/// `HeaderName` holds names in small letters, and `Date` and `Content-Length` are written in this style.
fn capitalize(name: &mut [u8]) {
    let mut first = true;
    for byte in name {
        if first {
            byte.make_ascii_uppercase();
        }
        first = *byte == b'-';
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_name_is_written_in_title_case_as_go_does() {
        for (name, expected) in [
            ("x-request-id", "X-Request-Id"),
            ("etag", "Etag"),
            ("www-authenticate", "Www-Authenticate"),
            ("-a--b-", "-A--B-"),
            ("1a-2b", "1a-2b"),
            ("x_y-z!q", "X_y-Z!q"),
            ("x", "X"),
        ] {
            let mut out = b"before-".to_vec();
            write(&mut out, &HeaderName::from_static(name), &HeaderValue::from_static("a-b"));
            assert_eq!(String::from_utf8(out).unwrap(), format!("before-{expected}: a-b\r\n"));
        }
    }
}
