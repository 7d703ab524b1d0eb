//! Why bytes are not a reply.

/// Why bytes are not a reply that a strict client takes. Positions are offsets from the start of the reply, or of the chunk
/// or the trailers that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// The first line is not `HTTP/1.1`, a space, three digits, a space and a reason.
    #[error("the status line is malformed")]
    StatusLine,
    /// A field is not `Name: value` with one space; a value has a control, or whitespace at its end.
    #[error("the field at byte {at} is malformed")]
    Field {
        /// Where the line of the field begins.
        at: usize,
    },
    /// The head or the trailers end in line feeds without a carriage return.
    #[error("a line feed stands alone at byte {at}")]
    BareLf {
        /// Where it is.
        at: usize,
    },
    /// The head has more than 1 MiB.
    #[error("the head has more than {limit} bytes")]
    HeadTooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// More interim replies (1xx) than a test client keeps.
    #[error("more than {limit} interim replies came before the final one")]
    TooManyInterim {
        /// The limit.
        limit: usize,
    },
    /// `Content-Length` is not one number in digits, or there is `Transfer-Encoding` beside it, or the status is 1xx or 204.
    #[error("the length of the body is malformed, or one of two, or of a reply without a body")]
    Length,
    /// `Transfer-Encoding` is not `chunked`, or the reply is of HTTP/1.0 or has no body.
    #[error("the transfer encoding is not one of this reply")]
    TransferEncoding,
    /// `Connection` occurs twice.
    #[error("there are two connection fields")]
    Connection,
    /// The reply is not the last on its connection, and has neither a length nor chunks.
    #[error("the body has no end")]
    NoEnd,
    /// A chunk is not its size in hexadecimal digits, CRLF, as many bytes, CRLF.
    #[error("the chunk is malformed at byte {at}")]
    Chunk {
        /// Where the mistake is.
        at: usize,
    },
    /// A trailer is malformed.
    #[error("the trailer at byte {at} is malformed")]
    Trailer {
        /// Where the line of the trailer begins.
        at: usize,
    },
    /// The connection ended before the reply did.
    #[error("the connection ended within the reply")]
    UnexpectedEof,
}
