//! Why a connection ends.

use std::fmt;

/// Why a connection ends: one word for logs and metrics. Its name ([`as_str`](Self::as_str)) and its number do not change.
///
/// An [`Exchange`](crate::Exchange) decides it for the connection of a request; before and between requests
/// `Requests::close_reason` and `RequestsError::close_reason` say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum CloseReason {
    /// The client asked for it: `Connection: close`, or HTTP/1.0 without `keep-alive`.
    ClientAsked = 1,
    /// The client closed the connection before the first byte of a request.
    ClientClosed = 2,
    /// No request began within the time that a connection may be idle.
    IdleTimeout = 3,
    /// A head was not whole in time, or the client sent nothing after it had connected.
    HeadTimeout = 4,
    /// What the client sent is no request: 400, 414, 417, 431, 501, 505.
    HeadRefused = 5,
    /// The client closed the connection in the middle of a head.
    UnexpectedEof = 6,
    /// More of a request's body is unread than is worth reading, or the client may not send it at all (100-continue).
    RequestBodyUnread = 7,
    /// A request's body is malformed, or the client closed the connection in the middle of it.
    RequestBodyBroken = 8,
    /// A request's body arrived too slowly.
    RequestBodyTimeout = 9,
    /// The client did not read its reply.
    ReplyTimeout = 10,
    /// The reply could not be made: its body failed, or was not as long as announced, or its status promises another.
    ReplyBroken = 11,
    /// The end of the connection is the end of the reply's body.
    CloseDelimited = 12,
    /// The handler set `Connection: close`, or ended the connection without a reply.
    HandlerAsked = 13,
    /// The handler, or the body of its reply, panicked.
    Panic = 14,
    /// A tunnel or another protocol was asked for, and a reply was given instead.
    TakeoverRefused = 15,
    /// The connection has served as many requests as it may.
    MaxRequests = 16,
    /// The connection is as old as it may be.
    MaxAge = 17,
    /// The connection makes room for others.
    Retired = 18,
    /// The server shuts down.
    Stopping = 19,
    /// The server cut the connection off.
    Aborted = 20,
    /// Reading or writing failed: mostly a client that reset the connection.
    Io = 21,
    /// Another protocol has the connection: an upgrade or a tunnel.
    Takeover = 22,
}

impl CloseReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 22] = [
        Self::ClientAsked,
        Self::ClientClosed,
        Self::IdleTimeout,
        Self::HeadTimeout,
        Self::HeadRefused,
        Self::UnexpectedEof,
        Self::RequestBodyUnread,
        Self::RequestBodyBroken,
        Self::RequestBodyTimeout,
        Self::ReplyTimeout,
        Self::ReplyBroken,
        Self::CloseDelimited,
        Self::HandlerAsked,
        Self::Panic,
        Self::TakeoverRefused,
        Self::MaxRequests,
        Self::MaxAge,
        Self::Retired,
        Self::Stopping,
        Self::Aborted,
        Self::Io,
        Self::Takeover,
    ];

    /// Its name: small letters and `_`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientAsked => "client_asked",
            Self::ClientClosed => "client_closed",
            Self::IdleTimeout => "idle_timeout",
            Self::HeadTimeout => "head_timeout",
            Self::HeadRefused => "head_refused",
            Self::UnexpectedEof => "unexpected_eof",
            Self::RequestBodyUnread => "request_body_unread",
            Self::RequestBodyBroken => "request_body_broken",
            Self::RequestBodyTimeout => "request_body_timeout",
            Self::ReplyTimeout => "reply_timeout",
            Self::ReplyBroken => "reply_broken",
            Self::CloseDelimited => "close_delimited",
            Self::HandlerAsked => "handler_asked",
            Self::Panic => "panic",
            Self::TakeoverRefused => "takeover_refused",
            Self::MaxRequests => "max_requests",
            Self::MaxAge => "max_age",
            Self::Retired => "retired",
            Self::Stopping => "stopping",
            Self::Aborted => "aborted",
            Self::Io => "io",
            Self::Takeover => "takeover",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(feature = "io")]
impl From<&quintet_conn::WireError> for CloseReason {
    /// What a failure of the connection means while a request is read or answered.
    fn from(error: &quintet_conn::WireError) -> Self {
        use quintet_conn::{Phase, WireError};
        match error {
            WireError::TimedOut(Phase::Idle) => Self::IdleTimeout,
            WireError::TimedOut(Phase::Head) => Self::HeadTimeout,
            WireError::TimedOut(Phase::Body) => Self::RequestBodyTimeout,
            WireError::TimedOut(Phase::Reply) => Self::ReplyTimeout,
            WireError::TimedOut(Phase::Linger) => Self::RequestBodyUnread,
            WireError::TimedOut(Phase::Drain) => Self::Stopping,
            WireError::Aborted => Self::Aborted,
            _ => Self::Io,
        }
    }
}

#[cfg(feature = "io")]
impl From<CloseReason> for quintet_conn::CloseCode {
    fn from(reason: CloseReason) -> Self {
        Self::from_index(reason as u8 - 1)
    }
}

#[cfg(feature = "io")]
impl TryFrom<quintet_conn::CloseCode> for CloseReason {
    type Error = quintet_conn::CloseCode;

    /// # Errors
    /// The code itself, if it is that of no reason.
    fn try_from(code: quintet_conn::CloseCode) -> Result<Self, quintet_conn::CloseCode> {
        Self::ALL.get(usize::from(code.get()) - 1).copied().ok_or(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_number_and_a_name_of_its_own() {
        let mut names = Vec::new();
        for (i, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, i + 1);
            let name = reason.to_string();
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name, reason.as_str());
            names.push(name);
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), CloseReason::ALL.len());
        assert_eq!(format!("{:>14}|", CloseReason::Panic), "         panic|");
    }

    #[cfg(feature = "io")]
    #[test]
    fn a_close_reason_survives_being_a_close_code() {
        use quintet_conn::CloseCode;
        for reason in CloseReason::ALL {
            let code = CloseCode::from(reason);
            assert_eq!((code.get(), CloseReason::try_from(code)), (reason as u8, Ok(reason)));
        }
        for unknown in [CloseReason::Takeover as u8 + 1, u8::MAX] {
            let code = CloseCode::new(unknown).unwrap();
            assert_eq!(CloseReason::try_from(code), Err(code));
        }
    }
}
