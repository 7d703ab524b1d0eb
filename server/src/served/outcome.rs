//! What became of a request.

use std::fmt;

use super::refusal::Refusal;

/// What became of a request. If two of them apply, it is the one that is further up in this list; whether the reply was
/// sent as a whole is [`Served::is_whole`](super::Served::is_whole).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Another protocol took the connection over: an upgrade or a tunnel. The event comes when the head of the reply was
    /// sent; what follows is not HTTP.
    TakenOver,
    /// The handler or the body of its reply panicked. The client got a 500 if none of the reply had been sent.
    Panicked,
    /// The request was refused before the handler was called.
    Refused(Refusal),
    /// HTTP/2: the client reset the request, or its connection ended, before the end of the reply.
    Reset,
    /// The handler ended the request without a reply, or the body of its reply failed in the middle or was not as long as
    /// announced.
    Broken,
    /// The connection ended before the whole reply was sent: the client disconnected or did not read, or the server aborted
    /// it. [`Served::close_reason`](super::Served::close_reason) says which.
    Cut,
    /// The whole reply was sent.
    Complete,
}

impl Outcome {
    /// The name: small letters and `_`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TakenOver => "taken_over",
            Self::Panicked => "panicked",
            Self::Refused(_) => "refused",
            Self::Reset => "reset",
            Self::Broken => "broken",
            Self::Cut => "cut",
            Self::Complete => "complete",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
