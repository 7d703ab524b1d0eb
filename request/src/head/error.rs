//! The reasons for refusing a head.

use http::StatusCode;

use crate::{FramingError, TargetError};

/// The reason for refusing a head. More bytes never change it. The connection must be closed after the reply, because
/// it is unknown where the next request starts.
///
/// Offsets are in bytes from the start of what was given to [`parse`](crate::parse). An error holds none of the
/// client's bytes, so it can be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "`at` is always the offset of the byte that is wrong")]
pub enum HeadError {
    /// More than one empty line before the request line (RFC 9112 §2.2).
    #[error("more than one empty line before the request at byte {at}")]
    EmptyLines { at: u32 },
    /// The method is empty or not a token (RFC 9110 §9.1).
    #[error("method is not a token at byte {at}")]
    Method { at: u32 },
    /// The method is longer than its limit (RFC 9112 §3: 501).
    #[error("method is too long at byte {at}")]
    MethodTooLong { at: u32 },
    /// The target is malformed.
    #[error(transparent)]
    Target(TargetError),
    /// The target is longer than its limit (RFC 9112 §3: 414).
    #[error("target is too long at byte {at}")]
    TargetTooLong { at: u32 },
    /// The empty line that ends a head is missing, and nothing else is wrong. Only functions that are given the whole
    /// input return it, such as `Request::parse`; [`parse`](crate::parse) returns `Ok(None)`.
    #[error("head is incomplete after {at} bytes")]
    Incomplete { at: u32 },
    /// No `HTTP/` digit `.` digit and line end after the target; HTTP/0.9 has none at all.
    #[error("version is malformed at byte {at}")]
    Version { at: u32 },
    /// A version with a major number other than 1 (505).
    #[error("version is not http/1 at byte {at}")]
    VersionUnsupported { at: u32 },
    /// A line ends with LF alone. RFC 9112 §2.2 lets a server accept it; it is refused here because proxies disagree
    /// about it.
    #[error("line ends without carriage return at byte {at}")]
    BareLf { at: u32 },
    /// A CR that is not followed by LF (RFC 9112 §2.2).
    #[error("carriage return without line feed at byte {at}")]
    BareCr { at: u32 },
    /// A field line that starts with whitespace: obsolete folding (RFC 9112 §5.2).
    #[error("field line is folded at byte {at}")]
    Fold { at: u32 },
    /// A field name that is empty or not a token, or a line without a colon (RFC 9112 §5).
    #[error("field name is not a token at byte {at}")]
    FieldName { at: u32 },
    /// Whitespace between a field name and its colon (RFC 9112 §5.1: must be refused).
    #[error("whitespace before the colon at byte {at}")]
    SpaceBeforeColon { at: u32 },
    /// A control in a field value (RFC 9110 §5.5).
    #[error("field value has a control character at byte {at}")]
    FieldValue { at: u32 },
    /// A field line longer than its limit (431).
    #[error("field line is too long at byte {at}")]
    FieldTooLong { at: u32 },
    /// More field lines than the limit (431).
    #[error("too many fields at byte {at}")]
    TooManyFields { at: u32 },
    /// A head longer than its limit (431).
    #[error("head is longer than {at} bytes")]
    TooLong { at: u32 },
    /// HTTP/1.1 without `Host` (RFC 9112 §3.2). `at` is the end of the head.
    #[error("host is missing in the head of {at} bytes")]
    HostMissing { at: u32 },
    /// `Host` more than once (RFC 9112 §3.2).
    #[error("host is repeated at byte {at}")]
    DuplicateHost { at: u32 },
    /// `Host` is not `host [":" port]` (RFC 9110 §7.2).
    #[error("host is malformed at byte {at}")]
    Host { at: u32 },
    /// `Host` names another authority than the target (RFC 9112 §3.2.2).
    #[error("host and target disagree at byte {at}")]
    HostDisagrees { at: u32 },
    /// The length of the body cannot be known (RFC 9112 §6.3).
    #[error("{why} at byte {at}")]
    Framing { at: u32, why: FramingError },
    /// `Expect` with anything but `100-continue` (RFC 9110 §10.1.1: 417).
    #[error("expectation is not 100-continue at byte {at}")]
    Expect { at: u32 },
    /// `Trailer` announces a field that decides about framing (RFC 9110 §6.5.1).
    #[error("trailer announces a framing field at byte {at}")]
    Trailer { at: u32 },
    /// HTTP/2 with a field of an HTTP/1 connection: `Connection`, `Keep-Alive`, `Proxy-Connection`,
    /// `Transfer-Encoding`, `Upgrade`, or `TE` with anything but `trailers` (RFC 9113 §8.2.2).
    #[error("field of an http/1 connection at byte {at}")]
    ConnectionField { at: u32 },
    /// Whitespace at an end of a field value in HTTP/2 (RFC 9113 §8.2.1). In HTTP/1 it is no part of the value.
    #[error("whitespace at an end of a field value at byte {at}")]
    SpaceAroundValue { at: u32 },
}

impl HeadError {
    /// The offset of the byte that is wrong.
    pub const fn at(self) -> u32 {
        match self {
            Self::EmptyLines { at }
            | Self::Method { at }
            | Self::MethodTooLong { at }
            | Self::TargetTooLong { at }
            | Self::Incomplete { at }
            | Self::Version { at }
            | Self::VersionUnsupported { at }
            | Self::BareLf { at }
            | Self::BareCr { at }
            | Self::Fold { at }
            | Self::FieldName { at }
            | Self::SpaceBeforeColon { at }
            | Self::FieldValue { at }
            | Self::FieldTooLong { at }
            | Self::TooManyFields { at }
            | Self::TooLong { at }
            | Self::HostMissing { at }
            | Self::DuplicateHost { at }
            | Self::Host { at }
            | Self::HostDisagrees { at }
            | Self::Framing { at, .. }
            | Self::Expect { at }
            | Self::Trailer { at }
            | Self::ConnectionField { at }
            | Self::SpaceAroundValue { at } => at,
            Self::Target(error) => error.at(),
        }
    }

    /// The name of the rule that the head broke: small letters and `_`. It does not change.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EmptyLines { .. } => "empty_lines",
            Self::Method { .. } => "method",
            Self::MethodTooLong { .. } => "method_too_long",
            Self::Target(error) => error.as_str(),
            Self::TargetTooLong { .. } => "target_too_long",
            Self::Incomplete { .. } => "incomplete",
            Self::Version { .. } => "version",
            Self::VersionUnsupported { .. } => "version_unsupported",
            Self::BareLf { .. } => "bare_lf",
            Self::BareCr { .. } => "bare_cr",
            Self::Fold { .. } => "fold",
            Self::FieldName { .. } => "field_name",
            Self::SpaceBeforeColon { .. } => "space_before_colon",
            Self::FieldValue { .. } => "field_value",
            Self::FieldTooLong { .. } => "field_too_long",
            Self::TooManyFields { .. } => "too_many_fields",
            Self::TooLong { .. } => "head_too_long",
            Self::HostMissing { .. } => "host_missing",
            Self::DuplicateHost { .. } => "duplicate_host",
            Self::Host { .. } => "host",
            Self::HostDisagrees { .. } => "host_disagrees",
            Self::Framing { why, .. } => why.as_str(),
            Self::Expect { .. } => "expect",
            Self::Trailer { .. } => "trailer",
            Self::ConnectionField { .. } => "connection_field",
            Self::SpaceAroundValue { .. } => "space_around_value",
        }
    }

    /// The status of the reply: 400, 414, 417, 431, 501 or 505.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::Expect { .. } => StatusCode::EXPECTATION_FAILED,
            Self::FieldTooLong { .. } | Self::TooManyFields { .. } | Self::TooLong { .. } => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::MethodTooLong { .. } => StatusCode::NOT_IMPLEMENTED,
            Self::VersionUnsupported { .. } => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Framing { why, .. } => why.status(),
            _ => StatusCode::BAD_REQUEST,
        }
    }
}
