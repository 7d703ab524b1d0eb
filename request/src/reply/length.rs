//! The framing of a reply's body.

/// The framing of a reply's body: how the client finds its end. RFC 9112 §6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// No content and no field about its length: 1xx, 204, 304, and some replies to HEAD.
    None,
    /// `Content-Length`, in bytes.
    Exact(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The end of the stream of HTTP/2 is the end of the body: an unknown length, and tunnels. RFC 9113 §8.1.
    Stream,
    /// The end of the connection is the end of the body: an unknown length in HTTP/1.0, and tunnels.
    UntilClose,
}
