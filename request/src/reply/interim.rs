//! The bytes of an interim reply (1xx).

use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{field, inform_error::InformError};

/// The most fields of an interim reply.
pub(crate) const MAX_FIELDS: usize = 64;

/// Appends an interim reply: status line, fields, and an empty line. After an error nothing was appended.
///
/// Shape: `HTTP/1.1 103 Early Hints CRLF  Name: value CRLF …  CRLF`
///
/// # Errors
/// [`InformError::Status`], [`InformError::FieldName`], [`InformError::FieldValue`], [`InformError::Framing`] and
/// [`InformError::TooManyFields`].
///
/// # Spec
/// RFC 9110 §15.2, RFC 8297 (103). Go: `(*response).WriteHeader` of 1xx.
pub fn write_interim<N, V>(
    out: &mut Vec<u8>,
    status: StatusCode,
    fields: impl IntoIterator<Item = (N, V)>,
) -> Result<(), InformError>
where
    N: TryInto<HeaderName>,
    V: TryInto<HeaderValue>,
{
    // 101 ends HTTP on this connection: it is a final reply, and `Response::upgrade` sends it.
    if !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(InformError::Status);
    }
    let start = out.len();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    let written = write_fields(out, fields);
    if written.is_err() {
        out.truncate(start);
    }
    out.extend_from_slice(if written.is_ok() { b"\r\n" } else { b"" });
    written
}

fn write_fields<N, V>(out: &mut Vec<u8>, fields: impl IntoIterator<Item = (N, V)>) -> Result<(), InformError>
where
    N: TryInto<HeaderName>,
    V: TryInto<HeaderValue>,
{
    for (count, (name, value)) in fields.into_iter().enumerate() {
        if count == MAX_FIELDS {
            return Err(InformError::TooManyFields);
        }
        let name = name.try_into().map_err(|_| InformError::FieldName)?;
        let value = value.try_into().map_err(|_| InformError::FieldValue)?;
        if is_framing(&name) {
            return Err(InformError::Framing);
        }
        field::write(out, &name, &value);
    }
    Ok(())
}

/// Whether a field steers the connection or the length of a body, which an interim reply has none of (RFC 9110 §8.6, RFC
/// 9112 §6.1, RFC 9113 §8.2.2).
fn is_framing(name: &HeaderName) -> bool {
    const OTHERS: [&str; 2] = ["keep-alive", "proxy-connection"];
    matches!(
        *name,
        header::CONNECTION
            | header::CONTENT_LENGTH
            | header::TE
            | header::TRAILER
            | header::TRANSFER_ENCODING
            | header::UPGRADE
    ) || OTHERS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(status: u16, fields: &[(&str, &str)]) -> Result<String, InformError> {
        let mut out = b"before".to_vec();
        let done = write_interim(&mut out, StatusCode::from_u16(status).unwrap(), fields.iter().copied());
        let text = String::from_utf8(out).unwrap();
        let text = text.strip_prefix("before").expect("it is appended").to_owned();
        if done.is_err() {
            assert_eq!(text, "", "of an error nothing is written");
        }
        done.map(|()| text)
    }

    #[test]
    fn an_interim_reply_has_its_status_line_and_its_fields() {
        for (status, fields, text) in [
            (103, &[][..], "HTTP/1.1 103 Early Hints\r\n\r\n"),
            (100, &[], "HTTP/1.1 100 Continue\r\n\r\n"),
            (102, &[("x-done", "7")], "HTTP/1.1 102 Processing\r\nX-Done: 7\r\n\r\n"),
            (199, &[("LINK", "</a>"), ("link", "")], "HTTP/1.1 199 \r\nLink: </a>\r\nLink: \r\n\r\n"),
        ] {
            assert_eq!(written(status, fields).as_deref(), Ok(text));
        }
    }

    #[test]
    fn an_interim_reply_of_another_status_or_with_a_wrong_field_is_refused() {
        for status in [101, 200, 204, 304, 404, 500, 999] {
            assert_eq!(written(status, &[]), Err(InformError::Status), "{status}");
        }
        for (name, value, error) in [
            ("", "x", InformError::FieldName),
            ("a b", "x", InformError::FieldName),
            ("link\r\nx", "x", InformError::FieldName),
            ("link", "a\r\nSet-Cookie: x", InformError::FieldValue),
            ("link", "a\nb", InformError::FieldValue),
            ("link", "a\0", InformError::FieldValue),
            ("Content-Length", "0", InformError::Framing),
            ("transfer-encoding", "chunked", InformError::Framing),
            ("connection", "close", InformError::Framing),
            ("keep-alive", "x", InformError::Framing),
            ("proxy-connection", "x", InformError::Framing),
            ("upgrade", "h2c", InformError::Framing),
            ("te", "trailers", InformError::Framing),
            ("trailer", "x", InformError::Framing),
        ] {
            assert_eq!(written(103, &[("link", "</a>"), (name, value)]), Err(error), "{name:?}: {value:?}");
        }
    }

    #[test]
    fn an_interim_reply_has_at_most_64_fields() {
        assert!(written(103, &[("link", "x"); MAX_FIELDS]).is_ok());
        assert_eq!(written(103, &[("link", "x"); MAX_FIELDS + 1]), Err(InformError::TooManyFields));
    }
}
