//! The reasons for refusing a chunked body.

use http::StatusCode;

/// The reason for refusing a chunked body. More bytes never change it. Offsets count from the first byte of the body.
/// The connection must be closed, because it is unknown where the next request starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "`at` is always the offset of the byte that is wrong")]
pub enum ChunkError {
    /// The size is empty or not hexadecimal.
    #[error("chunk size is not hexadecimal at byte {at}")]
    Size { at: u64 },
    /// The size has more than 16 digits or is past 2⁶³ − 1.
    #[error("chunk size is too large at byte {at}")]
    SizeTooLarge { at: u64 },
    /// An extension is not `;name`, `;name=token` or `;name="text"`.
    #[error("chunk extension is malformed at byte {at}")]
    Extension { at: u64 },
    /// The extensions of one chunk are longer than their limit.
    #[error("chunk extension is too long at byte {at}")]
    ExtensionTooLong { at: u64 },
    /// A line ends with LF alone, or has a CR that is not followed by LF.
    #[error("chunk line does not end with crlf at byte {at}")]
    LineEnd { at: u64 },
    /// CRLF does not follow the data: the data is longer or shorter than its size.
    #[error("chunk data does not end with crlf at byte {at}")]
    DataEnd { at: u64 },
    /// The framing exceeds the data by more than the limit.
    #[error("chunk framing exceeds its data too far at byte {at}")]
    Overhead { at: u64 },
    /// A line of the trailers is not a field line.
    #[error("trailer is malformed at byte {at}")]
    Trailer { at: u64 },
    /// The trailer section is longer than its limit.
    #[error("trailers are too long at byte {at}")]
    TrailersTooLong { at: u64 },
    /// There are more trailers than the limit.
    #[error("too many trailers at byte {at}")]
    TooManyTrailers { at: u64 },
}

impl ChunkError {
    /// The offset, from the first byte of the body, of the byte that is wrong.
    pub const fn at(self) -> u64 {
        match self {
            Self::Size { at }
            | Self::SizeTooLarge { at }
            | Self::Extension { at }
            | Self::ExtensionTooLong { at }
            | Self::LineEnd { at }
            | Self::DataEnd { at }
            | Self::Overhead { at }
            | Self::Trailer { at }
            | Self::TrailersTooLong { at }
            | Self::TooManyTrailers { at } => at,
        }
    }

    /// The status of the reply, if it has not begun: 431 for too many or too long trailers, else 400.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TrailersTooLong { .. } | Self::TooManyTrailers { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
