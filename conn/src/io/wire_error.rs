//! Why a wire failed.

use std::io;

use crate::Phase;

/// Why a wire failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// The client took longer than it may in this phase. For [`Phase::Idle`] and [`Phase::Drain`] that is the usual
    /// end of a connection.
    #[error("{}", late(*.0))]
    TimedOut(Phase),
    /// The server closes every connection.
    #[error("the connection was aborted")]
    Aborted,
    /// The stream failed.
    #[error("the stream failed")]
    Io(#[from] io::Error),
}

fn late(phase: Phase) -> &'static str {
    match phase {
        Phase::Idle => "the connection was idle for as long as it may",
        Phase::Drain => "the server is stopping, and the client sent nothing more",
        Phase::Head => "the client was too slow to finish a head",
        Phase::Body => "the client was too slow to send its body",
        Phase::Reply => "the client was too slow to take its reply",
        Phase::Linger => "the client went on sending after its final answer",
    }
}
