//! The fields of a reply that compression looks at and changes.

use http::{HeaderMap, HeaderName, HeaderValue, header};
use quintet_request::ETag;

use crate::Response;

/// Fields that a content coding would make wrong: a coding is there already, or a digest of the bytes that are sent.
const FIXED: [HeaderName; 5] = [
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
];

/// Whether the fields allow a coding: none that is there would become wrong, and `Cache-Control` has no `no-transform`.
pub(super) fn is_free(headers: &HeaderMap) -> bool {
    !FIXED.iter().any(|name| headers.contains_key(name)) && !has_token(headers, &header::CACHE_CONTROL, "no-transform")
}

/// Whether a field that is a list has this element, in any case.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|element| element.trim_matches([' ', '\t']).eq_ignore_ascii_case(token))
}

/// Adds `Accept-Encoding` to `Vary`: a cache must not give this reply to a client that accepts other codings. `false`
/// if the map of fields is full.
#[must_use]
pub(super) fn vary(response: &mut Response) -> bool {
    let headers = response.headers_mut();
    if has_token(headers, &header::VARY, "accept-encoding") || has_token(headers, &header::VARY, "*") {
        return true;
    }
    headers.try_append(header::VARY, HeaderValue::from_static("Accept-Encoding")).is_ok()
}

/// Makes a strong entity tag weak: the bytes of the compressed content depend on the encoder, its level, and on when it
/// was flushed (RFC 9110 §8.8.3.3).
pub(super) fn weaken_etag(headers: &mut HeaderMap) {
    let Some(etag) = headers.get_mut(header::ETAG) else { return };
    if let Some(weak) = weak(etag) {
        *etag = weak;
    }
}

/// The weak form of a strong entity tag.
pub(super) fn weak(etag: &HeaderValue) -> Option<HeaderValue> {
    let strong = ETag::parse(etag.as_bytes()).filter(|etag| !etag.is_weak())?;
    HeaderValue::from_bytes(&[b"W/", strong.as_bytes()].concat()).ok()
}

/// Writes the fields of a compressed reply.
pub(super) fn encode(response: &mut Response, coding: &str) -> bool {
    let Ok(coding) = HeaderValue::from_str(coding) else { return false };
    let headers = response.headers_mut();
    if headers.try_insert(header::CONTENT_ENCODING, coding).is_err() {
        return false;
    }
    headers.remove(header::CONTENT_LENGTH);
    // Ranges are of the content as it is sent, and its bytes are not the same each time.
    headers.remove(header::ACCEPT_RANGES);
    weaken_etag(headers);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vary_names_accept_encoding_once() {
        for (before, after) in [
            (&[][..], "Accept-Encoding"),
            (&["Origin"], "Origin|Accept-Encoding"),
            (&["Origin, accept-encoding"], "Origin, accept-encoding"),
            (&["Origin", "Accept-Encoding"], "Origin|Accept-Encoding"),
            (&["*"], "*"),
        ] {
            let mut response = Response::new("");
            for value in before {
                response = response.with_header("vary", *value);
            }
            assert!(vary(&mut response));
            let values: Vec<_> =
                response.headers().unwrap().get_all("vary").iter().map(|v| v.to_str().unwrap()).collect();
            assert_eq!(values.join("|"), after);
        }
    }

    #[test]
    fn a_strong_etag_becomes_weak_and_others_stay() {
        for (before, after) in [("\"a\"", "W/\"a\""), ("W/\"a\"", "W/\"a\""), ("a", "a"), ("\"a", "\"a")] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ETAG, HeaderValue::from_static(before));
            weaken_etag(&mut headers);
            assert_eq!(headers[header::ETAG], after);
        }
    }

    #[test]
    fn coded_partial_digested_and_no_transform_replies_are_not_free() {
        for (name, value, free) in [
            ("content-type", "text/plain", true),
            ("cache-control", "max-age=60, public", true),
            ("cache-control", "max-age=60, No-Transform", false),
            ("content-encoding", "br", false),
            ("content-range", "bytes 0-1/2", false),
            ("content-digest", "sha-256=:x:", false),
            ("repr-digest", "sha-256=:x:", false),
        ] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(is_free(&headers), free, "{name}: {value}");
        }
    }
}
