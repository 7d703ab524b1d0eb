//! The error of a `Range` that asks for nothing that is there.

use http::{HeaderValue, StatusCode};

/// No range of the request has a byte of the representation: `416 Range Not Satisfiable`, with `Content-Range: bytes */size`,
/// which tells the client the size (RFC 9110 §15.5.17). Go: `errNoOverlap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no range overlaps the {size} bytes of the content")]
pub struct RangeNotSatisfiable {
    /// The size of the representation in bytes.
    pub size: u64,
}

impl RangeNotSatisfiable {
    /// 416.
    pub const fn status(self) -> StatusCode {
        StatusCode::RANGE_NOT_SATISFIABLE
    }

    /// The value of `Content-Range`: `bytes */11`.
    pub fn content_range(self) -> HeaderValue {
        HeaderValue::try_from(format!("bytes */{}", self.size)).expect("digits and ASCII words")
    }
}
