//! One WebSocket: messages in both directions.

use std::{fmt, future::poll_fn, thread};

use quintet_conn::ActiveRequest;
use tokio::sync::oneshot;

use super::{message::Message, session::Session, websocket_error::WebSocketError};

/// One WebSocket: messages in both directions, until one of the two closes it.
///
/// Pings of the client are answered, pings are sent, and the idle time runs, while [`next`](Self::next) waits. So a handler
/// waits for messages nearly always, and for its other events beside them (`tokio::select!`).
///
/// When the server stops, the client is sent a close (1001), and `next` returns `None` when it has answered or its time is
/// over. A socket that is dropped is closed with 1000, or with 1011 if the handler fails.
pub struct WebSocket {
    /// `None` only while it is dropped.
    session: Option<Box<Session>>,
    protocol: Option<String>,
    /// Where the session goes when the socket is dropped, to be closed.
    home: Option<oneshot::Sender<Box<Session>>>,
}

impl WebSocket {
    pub(super) fn new(session: Session, protocol: Option<String>, home: oneshot::Sender<Box<Session>>) -> Self {
        Self { session: Some(Box::new(session)), protocol, home: Some(home) }
    }

    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("it leaves only when the socket is dropped")
    }

    /// The next message. `None` when the WebSocket is closed.
    ///
    /// # Errors
    /// [`WebSocketError`]; the client has been told why, if it can be told. All further calls return `None`.
    ///
    /// # Cancel safety
    /// Cancel safe: a message is taken only when it is returned.
    pub async fn next(&mut self) -> Option<Result<Message, WebSocketError>> {
        let session = self.session();
        poll_fn(|cx| session.poll_next(cx)).await
    }

    /// Sends a message, and waits until the connection has taken it: at most for
    /// [`WebSocketOptions::idle`](super::WebSocketOptions::idle).
    ///
    /// # Errors
    /// [`WebSocketError::Closed`] after a close, [`WebSocketError::TimedOut`], [`WebSocketError::Io`]. The WebSocket has
    /// ended then.
    ///
    /// # Cancel safety
    /// Of a call that is dropped the message is sent whole or not at all.
    pub async fn send(&mut self, message: impl Into<Message>) -> Result<(), WebSocketError> {
        self.session().send(message.into()).await
    }

    /// Closes the WebSocket with a code and a reason for the client. The connection ends when the client has answered, or
    /// after [`WebSocketOptions::close`](super::WebSocketOptions::close). A code that may not be sent becomes 1011, and a
    /// reason has at most 123 bytes.
    ///
    /// # Spec
    /// RFC 6455 §7.4.
    pub fn close(mut self, code: u16, reason: &str) {
        self.session().begin_close(code, reason);
    }

    /// The subprotocol that was agreed on; `None` without one.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// The handle of the request that opened the WebSocket: the connection, whether the client has gone, whether the server
    /// stops.
    pub fn active(&self) -> Option<&ActiveRequest> {
        self.session.as_ref()?.active()
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        // In a panic the session is dropped here, which resets the connection: its client must not take it for complete.
        if thread::panicking() {
            return;
        }
        if let (Some(home), Some(session)) = (self.home.take(), self.session.take()) {
            // It comes back if the connection has been aborted, and is dropped then.
            let _ = home.send(session);
        }
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}
