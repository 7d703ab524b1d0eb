//! Why a wire failed.

use std::{error::Error, fmt, io};

use crate::Phase;

/// Why a wire failed.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The timeout of this phase passed. For [`Phase::Idle`] and [`Phase::Drain`] that is the usual end of a connection.
    #[error("{}", late(*.0))]
    TimedOut(Phase),
    /// The server aborted all its connections ([`Connections::abort`](super::Connections::abort)).
    #[error("the connection was aborted")]
    Aborted,
    /// The stream failed.
    #[error("the stream failed")]
    Io(#[from] io::Error),
    /// A file that was being sent could not be read, or became shorter than announced (feature `sendfile`).
    #[error("a file could not be sent")]
    File(#[source] io::Error),
}

/// Its text and its causes, which is what a `main` that returns it prints.
impl fmt::Debug for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        let mut causes = std::iter::successors(self.source(), |&cause| cause.source());
        causes.try_for_each(|cause| write!(f, ": {cause}"))
    }
}

fn late(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "the idle timeout passed without a request",
        Phase::Drain => "the server is stopping, and the client sent no request",
        Phase::Head => "the client was too slow to send a head",
        Phase::Body => "the client was too slow to send its body",
        Phase::Reply => "the client was too slow to read its reply",
        Phase::Linger => "the client did not close the connection after its final reply",
    }
}
