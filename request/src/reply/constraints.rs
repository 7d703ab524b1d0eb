//! The constraints that a request puts on its reply.

use http::{StatusCode, header};

use super::{head::Head, takeover_error::TakeoverError};
use crate::{HeadRef, Version};

/// The constraints that a request puts on its reply: its version, whether its method is HEAD or CONNECT, and whether
/// another protocol may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Constraints {
    pub(super) version: Version,
    pub(super) method: Method,
    takeover: Takeover,
}

/// The methods that affect the framing of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Connect,
    Other,
}

/// The request's part in a takeover (a change of the protocol).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takeover {
    /// The client did not ask for another protocol.
    Unasked,
    /// The client asks for one: `Upgrade`, named by `Connection`, in HTTP/1.1.
    Asked,
    /// CONNECT with content: after its head some readers expect the content, others the tunnel.
    Ambiguous,
}

impl Constraints {
    /// The constraints of a request with this head.
    #[inline]
    pub fn of(head: HeadRef<'_>) -> Self {
        let method = match head.method_bytes() {
            b"HEAD" => Method::Head,
            b"CONNECT" => Method::Connect,
            _ => Method::Other,
        };
        let takeover = match method {
            Method::Connect if !head.framing().is_empty() => Takeover::Ambiguous,
            _ if head.wants_upgrade() => Takeover::Asked,
            _ => Takeover::Unasked,
        };
        Self { version: head.version(), method, takeover }
    }

    /// The constraints of a refused head. If the bytes begin with HEAD, the reply has no body, as the client does not
    /// read one.
    pub fn of_refused(mut input: &[u8]) -> Self {
        while let Some(rest) = input.strip_prefix(b"\r\n") {
            input = rest;
        }
        let method = if input.starts_with(b"HEAD ") { Method::Head } else { Method::Other };
        Self { version: Version::Http11, method, takeover: Takeover::Unasked }
    }

    /// The constraints of a refused head on a stream of HTTP/2, of which only the method is known.
    pub fn of_refused_stream(method: &http::Method) -> Self {
        let method = match *method {
            http::Method::HEAD => Method::Head,
            http::Method::CONNECT => Method::Connect,
            _ => Method::Other,
        };
        Self { version: Version::Http2, method, takeover: Takeover::Unasked }
    }

    /// Checks whether another protocol may follow this reply, by the heads of request and reply. The request's body
    /// must also have been read, which is not checked here.
    ///
    /// # Errors
    /// [`TakeoverError`], which has the status of the reply to send instead:
    ///
    /// - 500 for a status after which nothing may follow (1xx other than 101, 204, 205, 304), for any but 101 to HEAD, and
    ///   for a 101 without `Upgrade`.
    /// - 426 for a 101 to a request that asked for no upgrade.
    /// - 400 for CONNECT with content.
    ///
    /// # Spec
    /// RFC 9110 §7.8, §9.3.6, §15.2, §15.5.22.
    #[cold]
    pub fn check_takeover(&self, head: &Head<'_>) -> Result<(), TakeoverError> {
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            if !head.has(&header::UPGRADE) {
                return Err(TakeoverError::Reply);
            }
            if self.takeover == Takeover::Unasked {
                return Err(TakeoverError::Unasked);
            }
        } else if !self.is_tunnel(head.status) && (self.method == Method::Head || is_bodiless(head.status)) {
            return Err(TakeoverError::Reply);
        }
        if self.takeover == Takeover::Ambiguous {
            return Err(TakeoverError::Content);
        }
        Ok(())
    }

    /// Whether the request is HTTP/1.1 and neither HEAD nor CONNECT.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.version == Version::Http11 && self.method == Method::Other
    }

    /// Whether a tunnel follows a reply with this status.
    #[inline]
    pub(super) fn is_tunnel(&self, status: StatusCode) -> bool {
        self.method == Method::Connect && status.is_success()
    }
}

/// The statuses whose replies have no content. RFC 9110 §15.2, §15.3.5, §15.3.6, §15.4.5.
#[inline(never)]
pub(super) fn is_bodiless(status: StatusCode) -> bool {
    const RESET: StatusCode = StatusCode::RESET_CONTENT;
    // No status is below 100.
    status.as_u16() < 200 || matches!(status, StatusCode::NO_CONTENT | RESET | StatusCode::NOT_MODIFIED)
}
