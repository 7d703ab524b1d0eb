//! The errors of a WebSocket.

use std::io;

use tokio_tungstenite::tungstenite::{Error as LibraryError, error::ProtocolError};

/// The error that ended a WebSocket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The client broke the rules of the frames. It was told so (close code 1002).
    #[error("the client sent a malformed frame")]
    Protocol(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Text of the client is not UTF-8. It was told so (close code 1007).
    #[error("the client sent text that is not UTF-8")]
    Utf8,
    /// A frame or a message is longer than allowed. The client was told so (close code 1009).
    #[error("the client sent a message that is too long")]
    TooLong,
    /// The client sent nothing, or read nothing, for [`WebSocketOptions::idle`](super::WebSocketOptions::idle).
    #[error("the client was idle for too long")]
    TimedOut,
    /// The WebSocket is closed: a message cannot be sent any more.
    #[error("the WebSocket is closed")]
    Closed,
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
}

impl WebSocketError {
    /// The code of the close frame that tells the client of the error; `None` if the client can be told nothing.
    ///
    /// # Spec
    /// RFC 6455 §7.4.1.
    pub fn close_code(&self) -> Option<u16> {
        match self {
            Self::Protocol(_) => Some(1002),
            Self::Utf8 => Some(1007),
            Self::TooLong => Some(1009),
            Self::TimedOut => Some(1001),
            Self::Closed | Self::Io(_) => None,
        }
    }
}

impl From<LibraryError> for WebSocketError {
    fn from(error: LibraryError) -> Self {
        match error {
            LibraryError::ConnectionClosed
            | LibraryError::AlreadyClosed
            | LibraryError::Protocol(ProtocolError::SendAfterClosing) => Self::Closed,
            LibraryError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Io(io::ErrorKind::UnexpectedEof.into())
            }
            LibraryError::Io(error) => Self::Io(error),
            LibraryError::Capacity(_) => Self::TooLong,
            LibraryError::Utf8(_) => Self::Utf8,
            other => Self::Protocol(other.into()),
        }
    }
}
