//! How the end of a reply's body is told.

/// How the end of a reply's body is told. RFC 9112 §6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// There is no content, and no field says so: 1xx, 204, 304, and some replies to HEAD.
    None,
    /// `Content-Length`, in bytes.
    Exact(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the connection is the end of the body: unknown lengths to HTTP/1.0, tunnels.
    UntilClose,
}
