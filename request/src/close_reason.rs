//! The reason why a connection ends.

use std::fmt;

/// The reason why a connection ends, for logs and metrics. The name ([`as_str`](Self::as_str)) and the number of a
/// reason do not change.
///
/// During a request the [`Exchange`](crate::Exchange) decides it. Before and between requests it is that of
/// `Requests::close_reason` or `RequestsError::close_reason`.
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
    /// A head was incomplete at its timeout, or the client sent nothing after it had connected.
    HeadTimeout = 4,
    /// The parser refused the head: 400, 414, 417, 431, 501, 505.
    HeadRefused = 5,
    /// The client closed the connection in the middle of a head.
    UnexpectedEof = 6,
    /// More of a request's body was left unread than is discarded, or the client may not send it at all, as it waits
    /// for `100 Continue`.
    RequestBodyUnread = 7,
    /// A request's body is malformed, or the client closed the connection in the middle of it.
    RequestBodyBroken = 8,
    /// A request's body arrived too slowly.
    RequestBodyTimeout = 9,
    /// The client did not read its reply in time.
    ReplyTimeout = 10,
    /// The reply broke: its body failed or was not as long as announced, or its status promises another reply.
    ReplyBroken = 11,
    /// The end of the connection is the end of the reply's body.
    CloseDelimited = 12,
    /// The handler set `Connection: close`, or ended the connection without a reply.
    HandlerAsked = 13,
    /// The handler, or the body of its reply, panicked.
    Panic = 14,
    /// The client asked for a tunnel or another protocol, and got another reply.
    TakeoverRefused = 15,
    /// The connection has reached its limit of requests.
    MaxRequests = 16,
    /// The connection has reached its maximum age.
    MaxAge = 17,
    /// The server closed the idle connection to make room for others, or answered its last request.
    Retired = 18,
    /// The server shuts down, or is about to.
    Stopping = 19,
    /// The server aborted the connection.
    Aborted = 20,
    /// Reading or writing failed: mostly a client that reset the connection.
    Io = 21,
    /// The connection was handed over to another protocol: an upgrade or a tunnel.
    Takeover = 22,
    /// The client broke a rule of HTTP/2 that concerns the whole connection, or ended the connection because of an error.
    ProtocolError = 23,
    /// The client made the server work in vain: it reset more requests of its HTTP/2 connection than it may, or sent too
    /// many small frames.
    ExcessiveLoad = 24,
    /// The client sent nothing although requests were in progress, and did not answer a PING.
    PingTimeout = 25,
}

impl CloseReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [Self; 25] = [
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
        Self::ProtocolError,
        Self::ExcessiveLoad,
        Self::PingTimeout,
    ];

    /// The name: small letters and `_`.
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
            Self::ProtocolError => "protocol_error",
            Self::ExcessiveLoad => "excessive_load",
            Self::PingTimeout => "ping_timeout",
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
    /// The reason for a failure of the wire while a request is read or its reply sent.
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
            WireError::File(_) => Self::ReplyBroken,
            _ => Self::Io,
        }
    }
}

#[cfg(feature = "io")]
impl From<quintet_conn::Retirement> for CloseReason {
    fn from(retirement: quintet_conn::Retirement) -> Self {
        match retirement {
            quintet_conn::Retirement::Server => Self::Stopping,
            quintet_conn::Retirement::Connection => Self::Retired,
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
    /// The code itself, if no reason has it.
    fn try_from(code: quintet_conn::CloseCode) -> Result<Self, quintet_conn::CloseCode> {
        Self::ALL.get(usize::from(code.get()) - 1).copied().ok_or(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_close_reason_has_its_own_number_and_name() {
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
    fn a_close_reason_becomes_a_close_code_and_back() {
        use quintet_conn::CloseCode;
        for reason in CloseReason::ALL {
            let code = CloseCode::from(reason);
            assert_eq!((code.get(), CloseReason::try_from(code)), (reason as u8, Ok(reason)));
        }
        for unknown in [CloseReason::PingTimeout as u8 + 1, u8::MAX] {
            let code = CloseCode::new(unknown).unwrap();
            assert_eq!(CloseReason::try_from(code), Err(code));
        }
    }
}
