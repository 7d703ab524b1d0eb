//! The reasons for refusing a multipart body.

use http::StatusCode;

/// The reason for refusing a `multipart/form-data` body. More bytes never change it. Offsets count from the first byte
/// of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "`at` is always the offset of what is wrong: a byte, or the line or header that it is in"
)]
pub enum MultipartError {
    /// The request is not `multipart/form-data` (415). Go: `http.ErrNotMultipart`.
    #[error("the content type is not multipart/form-data")]
    ContentType,
    /// The body has a content coding such as gzip (415).
    #[error("a form with a content coding is not accepted")]
    ContentEncoding,
    /// The content type has no boundary. Go: `http.ErrMissingBoundary`.
    #[error("the content type has no boundary")]
    NoBoundary,
    /// The content type has two boundaries, or there are two content types.
    #[error("the content type has more than one boundary")]
    TwoBoundaries,
    /// The boundary is not 1 to 70 bytes of the grammar, or the parameters of the content type are malformed.
    #[error("the boundary is malformed")]
    Boundary,
    /// The body does not begin with the boundary.
    #[error("the body does not begin with the boundary at byte {at}")]
    Preamble { at: u64 },
    /// A boundary is followed by something else than CRLF or `--`, it is in the header of a part, or it follows the header
    /// at once.
    #[error("the boundary line is malformed at byte {at}")]
    Delimiter { at: u64 },
    /// A line of a part's header is not a field line that ends in CRLF.
    #[error("a part's header is malformed at byte {at}")]
    HeaderLine { at: u64 },
    /// The part has no `Content-Disposition`.
    #[error("a part has no content disposition at byte {at}")]
    NoDisposition { at: u64 },
    /// The `Content-Disposition` is not `form-data` with well-formed parameters, each at most once.
    #[error("a part's content disposition is malformed at byte {at}")]
    Disposition { at: u64 },
    /// The part has two fields `Content-Disposition`, `Content-Type` or `Content-Transfer-Encoding`.
    #[error("a part's header has a field twice at byte {at}")]
    DuplicateHeader { at: u64 },
    /// The part has no name, or an empty one.
    #[error("a part has no name at byte {at}")]
    NoName { at: u64 },
    /// The part has a parameter `name*`, which a form must not have (RFC 7578 §4.2), or a `filename*` without a `filename`
    /// that says the same.
    #[error("a part has an extended name at byte {at}")]
    ExtendedName { at: u64 },
    /// The name of a part, the name of a file, or the value of a form is not UTF-8.
    #[error("a part has text that is not utf-8 at byte {at}")]
    Utf8 { at: u64 },
    /// The part has a `Content-Transfer-Encoding` other than 7bit, 8bit and binary (415).
    #[error("a part has a transfer encoding that is not accepted at byte {at}")]
    TransferEncoding { at: u64 },
    /// Something other than line ends follows the last boundary.
    #[error("the body goes on after its last boundary at byte {at}")]
    Epilogue { at: u64 },
    /// The body ends before its last boundary.
    #[error("the body ends before its last boundary at byte {at}")]
    Incomplete { at: u64 },
    /// There are more parts than the limit (413).
    #[error("too many parts at byte {at}")]
    TooManyParts { at: u64 },
    /// The header of a part has more lines than the limit (413).
    #[error("too many lines in a part's header at byte {at}")]
    TooManyHeaderLines { at: u64 },
    /// The header of a part is longer than its limit (413).
    #[error("a part's header is too long at byte {at}")]
    HeaderTooLong { at: u64 },
    /// The name of a part is longer than its limit (413).
    #[error("a part's name is too long at byte {at}")]
    NameTooLong { at: u64 },
}

impl MultipartError {
    /// The offset in the body of what is wrong; `None` if it is in the head of the request.
    pub const fn at(self) -> Option<u64> {
        match self {
            Self::ContentType | Self::ContentEncoding | Self::NoBoundary | Self::TwoBoundaries | Self::Boundary => None,
            Self::Preamble { at }
            | Self::Delimiter { at }
            | Self::HeaderLine { at }
            | Self::NoDisposition { at }
            | Self::Disposition { at }
            | Self::DuplicateHeader { at }
            | Self::NoName { at }
            | Self::ExtendedName { at }
            | Self::Utf8 { at }
            | Self::TransferEncoding { at }
            | Self::Epilogue { at }
            | Self::Incomplete { at }
            | Self::TooManyParts { at }
            | Self::TooManyHeaderLines { at }
            | Self::HeaderTooLong { at }
            | Self::NameTooLong { at } => Some(at),
        }
    }

    /// The status of the reply: 413 past a limit, 415 for another type or a coding, else 400.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::ContentType | Self::ContentEncoding | Self::TransferEncoding { .. } => {
                StatusCode::UNSUPPORTED_MEDIA_TYPE
            }
            Self::TooManyParts { .. }
            | Self::TooManyHeaderLines { .. }
            | Self::HeaderTooLong { .. }
            | Self::NameTooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
