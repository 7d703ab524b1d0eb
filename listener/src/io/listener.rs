//! The trait of listeners.

use std::{future::Future, io};

use super::{ListenerHealth, Pressure, Stream};
use crate::Addr;

/// A source of connections: a socket, a wrapper around another source, or a script in a test.
///
/// # Spec
/// Go: `net.Listener`. Closing is dropping.
#[doc(alias = "accept")]
pub trait Listener: Send + 'static {
    /// The type of its connections.
    type Stream: Stream;

    /// Waits for the next connection and the address it came from.
    ///
    /// # Errors
    /// What the source says; [`classify`](crate::classify) knows what follows from it. After a temporary error the
    /// source must still be usable.
    ///
    /// # Cancel safety
    /// Required of every implementation: a future that is dropped before it is ready has taken no connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Addr)>> + Send;

    /// The address that clients connect to; if it was bound with port 0, with the port that was found.
    ///
    /// # Errors
    /// The system's, if it does not know.
    fn local_addr(&self) -> io::Result<Addr>;

    /// Sets the level to raise while clients wait because something has run out. Set before the first accept.
    ///
    /// A listener that holds nothing back ignores it, which is the default; one that wraps another must pass it on.
    fn set_pressure(&mut self, _: &Pressure) {}

    /// Adds the handles of the health of this listener, and of those that it wraps.
    ///
    /// A listener that has none adds nothing, which is the default; one that wraps another must pass it on, and then add its
    /// own.
    fn add_health(&self, _: &mut ListenerHealth) {}
}

impl Listener for tokio::net::TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
        let (stream, peer) = Self::accept(self).await?;
        Ok((stream, peer.into()))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Self::local_addr(self).map(Addr::Tcp)
    }
}

#[cfg(unix)]
impl Listener for tokio::net::UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn accept(&mut self) -> io::Result<(Self::Stream, Addr)> {
        let (stream, peer) = Self::accept(self).await?;
        Ok((stream, peer.into()))
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Self::local_addr(self).map(Addr::from)
    }
}
