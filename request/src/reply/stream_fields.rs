//! The fields of a reply on a stream of HTTP/2.

use std::cell::RefCell;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{content_type::ContentType, date::date, length::Length, plan::Plan, sniff::sniff};
use crate::trailers::is_forbidden_trailer;

/// The fields that belong to a connection of HTTP/1.1 and make a message of HTTP/2 malformed (RFC 9113 §8.2.2), and the
/// length, which the plan decides.
const REPLACED: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
];

impl Plan {
    /// Makes the fields of a handler those of a reply on a stream: with `Date`, `Content-Type` and `Content-Length` by the
    /// rules of [`write_head`](Self::write_head), and without the fields that belong to a connection of HTTP/1.1. Blanks
    /// around a value are removed, as HTTP/2 does not allow them.
    ///
    /// `content_type` is that of the [head](super::Head) that the plan was made for, and `fields` are its fields. `unix` is
    /// the Unix time in seconds. `first` is the start of the body, for a content type that is guessed.
    ///
    /// # Spec
    /// RFC 9113 §8.2, §8.3.2. Go: `(*responseWriterState).writeChunk` in `http2`.
    pub fn finish_fields(&self, fields: &mut HeaderMap, content_type: ContentType, unix: u64, first: &[u8]) {
        let was_empty = fields.is_empty();
        if was_empty {
            // One allocation, and none later for the three below. It fails only for a huge number.
            let _ = fields.try_reserve(4);
        } else {
            remove_replaced(fields);
            trim(fields);
        }
        // `insert` panics if the map is full. The reply is then sent without the field.
        if self.has_content() && (was_empty || !fields.contains_key(header::CONTENT_TYPE)) {
            if let Some(content_type) = value_of(fields, content_type, first) {
                let _ = fields.try_insert(header::CONTENT_TYPE, content_type);
            }
        }
        if was_empty || !fields.contains_key(header::DATE) {
            let _ = fields.try_insert(header::DATE, date(unix));
        }
        if let Length::Exact(length) = self.length() {
            let _ = fields.try_insert(header::CONTENT_LENGTH, length.into());
        }
    }
}

/// The value of a content type; `None` if there is none, or if it cannot be sent.
fn value_of(fields: &HeaderMap, content_type: ContentType, first: &[u8]) -> Option<HeaderValue> {
    match content_type {
        ContentType::Known(known) => known_value(known),
        ContentType::Sniffed if !first.is_empty() && !fields.contains_key(header::CONTENT_ENCODING) => {
            known_value(sniff(first))
        }
        ContentType::Sniffed | ContentType::Unsaid => None,
    }
}

thread_local! {
    /// The content type of the last reply: most replies of a server have the same few, and checking each byte of one
    /// costs as much as the rest of its field.
    static LAST: RefCell<(&'static str, Option<HeaderValue>)> = const { RefCell::new(("", None)) };
}

/// The value of a known content type; `None` if it cannot be sent.
fn known_value(known: &'static str) -> Option<HeaderValue> {
    let make = || {
        // `from_static` panics at bytes that cannot be sent.
        let is_sendable = known.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        is_sendable.then(|| HeaderValue::from_static(known))
    };
    // While a thread exits, the last one may be gone already.
    LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        if !std::ptr::eq(last.0, known) {
            *last = (known, make());
        }
        last.1.clone()
    })
    .unwrap_or_else(|_| make())
}

/// Makes trailers those of a stream: without the [forbidden](is_forbidden_trailer) ones, which HTTP/1.1 does not send
/// either, and without blanks around a value.
///
/// # Spec
/// RFC 9110 §6.5.1, RFC 9113 §8.1.
pub fn finish_trailers(trailers: &mut HeaderMap) {
    let forbidden: Vec<HeaderName> =
        trailers.keys().filter(|name| is_forbidden_trailer(name.as_str())).cloned().collect();
    for name in forbidden {
        trailers.remove(name);
    }
    trim(trailers);
}

/// Removes the fields that are [`REPLACED`]. To find that there is none costs less than to remove each.
fn remove_replaced(fields: &mut HeaderMap) {
    let is_replaced = |name: &HeaderName| {
        const CONNECTION: HeaderName = header::CONNECTION;
        matches!(*name, CONNECTION | header::TE | header::TRANSFER_ENCODING | header::UPGRADE | header::CONTENT_LENGTH)
            || matches!(name.as_str(), "keep-alive" | "proxy-connection")
    };
    if fields.keys().any(is_replaced) {
        for name in REPLACED {
            fields.remove(name);
        }
    }
}

/// Removes blanks around values, which RFC 9113 §8.2.1 does not allow, and which mean nothing (RFC 9110 §5.5).
fn trim(fields: &mut HeaderMap) {
    for value in fields.values_mut() {
        let bytes = value.as_bytes();
        let trimmed = bytes.trim_ascii();
        if trimmed.len() < bytes.len() {
            // A part of a value is one.
            let Ok(trimmed) = HeaderValue::from_bytes(trimmed) else { continue };
            *value = trimmed;
        }
    }
}

#[cfg(test)]
#[path = "stream_fields_tests.rs"]
mod tests;
