//! The version of a request: HTTP/1.0, HTTP/1.1 or HTTP/2.

/// The version of a request. Other `HTTP/1.x` are served as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `HTTP/1.0`: no chunks, no `100 Continue`, closed unless the client asks to keep it.
    Http10,
    /// `HTTP/1.1` and any later 1.x.
    #[default]
    Http11,
    /// `HTTP/2`: a request on a stream, which ends with its stream. It has no chunks and no `Connection` field.
    Http2,
}

impl From<Version> for http::Version {
    fn from(version: Version) -> Self {
        match version {
            Version::Http10 => Self::HTTP_10,
            Version::Http11 => Self::HTTP_11,
            Version::Http2 => Self::HTTP_2,
        }
    }
}

impl From<http::Version> for Version {
    /// HTTP/0.9 becomes HTTP/1.0, and HTTP/3 becomes HTTP/2, whose requests have the same form.
    fn from(version: http::Version) -> Self {
        match version {
            http::Version::HTTP_09 | http::Version::HTTP_10 => Self::Http10,
            http::Version::HTTP_11 => Self::Http11,
            _ => Self::Http2,
        }
    }
}
