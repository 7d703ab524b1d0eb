//! A listener in memory: what its dialers send it is what it accepts.

use std::{future::pending, io};

use tokio::{
    io::DuplexStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::{
    super::{listener::Listener, stream::Stream},
    memory_stream::{MemoryStream, ResetHandle},
};
use crate::{Addr, UnixName};

/// Accepts what its [`Dialer`]s send, in order; without anything to accept it waits, also when no dialer is left.
#[derive(Debug)]
pub struct MemoryListener<S = MemoryStream>(UnboundedReceiver<io::Result<(S, Addr)>>);

/// Connects to a [`MemoryListener`]. Clones connect to the same one.
#[derive(Debug)]
pub struct Dialer<S = MemoryStream>(UnboundedSender<io::Result<(S, Addr)>>);

impl<S: Stream> MemoryListener<S> {
    /// A listener, and the way to it.
    pub fn new() -> (Self, Dialer<S>) {
        let (send, receive) = unbounded_channel();
        (Self(receive), Dialer(send))
    }
}

impl<S: Stream> Dialer<S> {
    /// The next thing to accept is this stream; `false` if the listener is closed.
    pub fn send(&self, stream: S) -> bool {
        self.send_from(stream, Addr::Unix(UnixName::Unnamed))
    }

    /// The same, from this peer.
    pub fn send_from(&self, stream: S, peer: Addr) -> bool {
        self.0.send(Ok((stream, peer))).is_ok()
    }

    /// The next accept fails with this error; `false` if the listener is closed.
    pub fn fail(&self, error: io::Error) -> bool {
        self.0.send(Err(error)).is_ok()
    }

    /// Whether the listener is closed (dropped).
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Dialer {
    /// Connects by a pipe that holds `size` bytes in each direction. If the listener is closed, so is the pipe.
    pub fn connect(&self, size: usize) -> (DuplexStream, ResetHandle) {
        self.connect_from(size, Addr::Unix(UnixName::Unnamed))
    }

    /// The same, from this peer.
    pub fn connect_from(&self, size: usize, peer: Addr) -> (DuplexStream, ResetHandle) {
        let (stream, client, reset) = MemoryStream::pair(size);
        self.send_from(stream, peer);
        (client, reset)
    }
}

impl<S> Clone for Dialer<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Stream> Listener for MemoryListener<S> {
    type Stream = S;

    async fn accept(&mut self) -> io::Result<(S, Addr)> {
        match self.0.recv().await {
            Some(next) => next,
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Ok(Addr::Unix(UnixName::Unnamed))
    }
}
