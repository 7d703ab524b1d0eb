//! The writing end of a reply of server-sent events.

use std::io;

use quintet_request::{Writer, quintet_conn::ActiveRequest};

use crate::Event;

/// The writing end of a reply of server-sent [`events`](crate::events).
#[derive(Debug)]
pub struct EventWriter(Writer);

impl EventWriter {
    pub(super) fn new(writer: Writer) -> Self {
        Self(writer)
    }

    /// Sends an event, and waits until the connection has taken it: a client that does not read slows its handler down.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] when nothing can be sent any more.
    ///
    /// # Cancel safety
    /// Cancel safe: a call that is dropped while it waits for room has sent nothing; one that is dropped later has sent the
    /// whole event.
    pub async fn send(&mut self, event: &Event) -> io::Result<()> {
        // In one write, so that a frame of the body has whole events, and the heartbeat stands between two of them.
        self.0.write(event.to_string()).await?;
        self.0.flush().await
    }

    /// The handle of the request that is answered; see [`Writer::active`]. It can be waited for while an event is sent.
    pub fn active(&self) -> Option<ActiveRequest> {
        self.0.active()
    }

    /// Resolves when the client has disconnected; see [`Writer::disconnected`]. The stream ends by itself then. This is for
    /// tasks that work for it.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again.
    pub async fn disconnected(&self) {
        self.0.disconnected().await;
    }

    /// Resolves when the server stops; see [`Writer::stopping`]. The stream ends by itself then, as soon as its future
    /// waits for anything but a [`send`](Self::send). So a future that waits for this first can send last events.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again.
    pub async fn stopping(&self) {
        self.0.stopping().await;
    }
}
