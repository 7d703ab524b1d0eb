//! The reasons why reading the next request of a connection fails.

use http::StatusCode;
use quintet_conn::WireError;

use crate::{CloseReason, HeadError};

/// The reason why reading the next request failed.
///
/// ```
/// use quintet_request::{CloseReason, Requests, RequestsError, quintet_conn::Wire};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # use tokio::io::AsyncWriteExt;
/// # let (stream, mut client) = tokio::io::duplex(1024);
/// # client.write_all(b"GET / HTTP/2.0\r\n\r\n").await.unwrap();
/// let mut requests = Requests::new(Wire::new(stream), Default::default());
/// let error = requests.next().await.unwrap_err(); // the client sent `GET / HTTP/2.0`
/// assert!(matches!(error, RequestsError::Head(_)));
/// assert_eq!(error.status().unwrap(), 505);
/// assert_eq!(error.close_reason(), CloseReason::HeadRefused);
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestsError {
    /// The parser refused the head. Reply with its status and close.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The head did not arrive in time. Reply with 408 and close.
    #[error("the head arrived too slowly")]
    TimedOut,
    /// The client closed the connection in the middle of a head. Reply with 400 and close.
    #[error("the head ended early")]
    UnexpectedEof,
    /// The connection failed or was aborted. No reply can be sent.
    #[error(transparent)]
    Wire(WireError),
}

impl RequestsError {
    /// The status of the reply. `None` if no reply can be sent.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Head(error) => Some(error.status()),
            Self::TimedOut => Some(StatusCode::REQUEST_TIMEOUT),
            Self::UnexpectedEof => Some(StatusCode::BAD_REQUEST),
            Self::Wire(_) => None,
        }
    }

    /// The reason for the end of the connection.
    pub fn close_reason(&self) -> CloseReason {
        match self {
            Self::Head(_) => CloseReason::HeadRefused,
            Self::TimedOut => CloseReason::HeadTimeout,
            Self::UnexpectedEof => CloseReason::UnexpectedEof,
            Self::Wire(error) => error.into(),
        }
    }
}
