//! The version of a request: HTTP/1.0 or HTTP/1.1.

/// The version of a request. Other `HTTP/1.x` are served as 1.1 (RFC 9110 §2.5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `HTTP/1.0`: no chunks, no `100 Continue`, closed unless the client asks to keep it.
    Http10,
    /// `HTTP/1.1` and any later 1.x.
    #[default]
    Http11,
}

impl From<Version> for http::Version {
    fn from(version: Version) -> Self {
        match version {
            Version::Http10 => Self::HTTP_10,
            Version::Http11 => Self::HTTP_11,
        }
    }
}
