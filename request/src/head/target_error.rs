//! The reasons for refusing a request target.

use http::StatusCode;

/// The reason for refusing a request target. The status of each is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// A byte that the target may not have: a control, a space, `#`, `"`, `<`, `>`, or a byte past ASCII.
    #[error("target has a byte that is not allowed at byte {at}")]
    Byte {
        /// Where it is.
        at: u32,
    },
    /// A `%` in the path that is not followed by two hexadecimal digits.
    #[error("target has a malformed percent escape at byte {at}")]
    Escape {
        /// Where the `%` is.
        at: u32,
    },
    /// The target has no form that the method allows: `foo`, `*` for GET, a path for CONNECT, a scheme other than
    /// http(s).
    #[error("target has no form for this method at byte {at}")]
    Form {
        /// Where the target starts.
        at: u32,
    },
    /// The authority is empty, malformed, has userinfo, or lacks its port (CONNECT).
    #[error("target has a malformed authority at byte {at}")]
    Authority {
        /// Where the authority starts.
        at: u32,
    },
}

impl TargetError {
    /// The offset in bytes from the start of the target, or of the head if the target was parsed as part of one.
    pub const fn at(self) -> u32 {
        match self {
            Self::Byte { at } | Self::Escape { at } | Self::Form { at } | Self::Authority { at } => at,
        }
    }

    /// The name of the rule that the target broke, as [`HeadError::as_str`](crate::HeadError::as_str).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Byte { .. } => "target_byte",
            Self::Escape { .. } => "target_escape",
            Self::Form { .. } => "target_form",
            Self::Authority { .. } => "target_authority",
        }
    }

    /// The status of the reply: 400.
    pub const fn status(self) -> StatusCode {
        StatusCode::BAD_REQUEST
    }

    /// The same error with its offset counted from `start` bytes earlier.
    pub(crate) const fn after(mut self, start: u32) -> Self {
        match &mut self {
            Self::Byte { at } | Self::Escape { at } | Self::Form { at } | Self::Authority { at } => *at += start,
        }
        self
    }
}
