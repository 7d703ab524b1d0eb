//! Interim replies: whatever a handler makes one of, a client reads that one and nothing else.

use http::{HeaderName, HeaderValue, StatusCode};
use quintet_request::reply::{InformError, write_interim};

/// A status in the first two bytes, then lines of `name: value`; a value may have any bytes but LF.
pub fn interim(data: &[u8]) {
    let Some((&[high, low], fields)) = data.split_first_chunk() else { return };
    let Ok(status) = StatusCode::from_u16(u16::from_be_bytes([high, low])) else { return };
    let fields: Vec<(&[u8], &[u8])> = fields
        .split(|byte| *byte == b'\n')
        .map(|line| {
            line.iter().position(|byte| *byte == b':').map_or((line, &b""[..]), |at| (&line[..at], &line[at + 1..]))
        })
        .collect();
    let mut out = b"before".to_vec();
    if let Err(error) = write_interim(&mut out, status, fields.iter().copied()) {
        assert_eq!(out, b"before", "{error}");
        let is_right = match error {
            InformError::Status => !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS,
            InformError::FieldName => fields.iter().any(|(name, _)| HeaderName::from_bytes(name).is_err()),
            InformError::FieldValue => fields.iter().any(|(_, value)| HeaderValue::from_bytes(value).is_err()),
            InformError::TooManyFields => fields.len() > 64,
            _ => true,
        };
        assert!(is_right, "{error}");
        return;
    }
    let mut headers = [httparse::EMPTY_HEADER; 65];
    let mut head = httparse::Response::new(&mut headers);
    let read = head.parse(&out["before".len()..]).expect("a head");
    assert_eq!(read, httparse::Status::Complete(out.len() - "before".len()), "one head and nothing behind it");
    assert_eq!((head.version, head.code), (Some(1), Some(status.as_u16())));
    assert_eq!(head.headers.len(), fields.len());
    for (seen, (name, value)) in head.headers.iter().zip(fields) {
        assert!(seen.name.as_bytes().eq_ignore_ascii_case(name));
        assert_eq!(seen.value, value.trim_ascii());
        assert!(!["content-length", "transfer-encoding", "connection"].contains(&&*seen.name.to_ascii_lowercase()));
    }
}
