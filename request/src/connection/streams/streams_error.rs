//! The reasons why a connection of HTTP/2 does not begin.

use quintet_conn::WireError;

use crate::CloseReason;

/// The reason why a connection of HTTP/2 does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamsError {
    /// The client sent something else than the preface of HTTP/2.
    #[error("the client did not send the preface of HTTP/2")]
    Preface,
    /// The client closed the connection before the end of the preface.
    #[error("the client closed the connection before the end of the preface")]
    UnexpectedEof,
    /// The connection failed, was aborted, or the preface came too slowly.
    #[error(transparent)]
    Wire(WireError),
}

impl StreamsError {
    /// The reason for the end of the connection.
    pub fn close_reason(&self) -> CloseReason {
        match self {
            Self::Preface => CloseReason::ProtocolError,
            Self::UnexpectedEof => CloseReason::ClientClosed,
            Self::Wire(error) => error.into(),
        }
    }
}
