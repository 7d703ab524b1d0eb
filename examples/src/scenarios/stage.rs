//! Where a scenario plays: how a client connects, and how the server runs out of descriptors.

use std::{io, net::SocketAddr};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream},
};

/// Where a scenario plays.
pub trait Stage: Sync {
    /// A socket that is not connected yet.
    type Socket: Send;
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// A socket for [`connect`](Self::connect). It has its descriptor from now on.
    ///
    /// # Errors
    /// Those of the operating system.
    fn socket(&self) -> io::Result<Self::Socket>;

    /// Connects to the server.
    ///
    /// # Errors
    /// Those of the operating system; also if the server does not listen.
    fn connect(&self, socket: Self::Socket) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// From now on the server's process gets no new descriptor: its next accept fails with `EMFILE`.
    ///
    /// # Errors
    /// Those of the operating system.
    fn exhaust(&self) -> io::Result<()>;

    /// The process gets descriptors again.
    ///
    /// # Errors
    /// Those of the operating system.
    fn release(&self) -> io::Result<()>;
}

/// The loopback interface, with client and server in one process.
#[derive(Debug)]
pub struct TcpStage {
    server: SocketAddr,
    #[cfg(unix)]
    before: rustix::process::Rlimit,
}

impl TcpStage {
    /// The server listens at this address.
    #[must_use]
    pub fn new(server: SocketAddr) -> Self {
        Self {
            server,
            #[cfg(unix)]
            before: rustix::process::getrlimit(rustix::process::Resource::Nofile),
        }
    }

    #[cfg(unix)]
    fn limit(&self, current: Option<u64>) -> io::Result<()> {
        let limit = rustix::process::Rlimit { current, maximum: self.before.maximum };
        Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)?)
    }
}

impl Stage for TcpStage {
    type Socket = TcpSocket;
    type Stream = TcpStream;

    fn socket(&self) -> io::Result<TcpSocket> {
        if self.server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }
    }

    async fn connect(&self, socket: TcpSocket) -> io::Result<TcpStream> {
        socket.connect(self.server).await
    }

    #[cfg(unix)]
    fn exhaust(&self) -> io::Result<()> {
        // The limit is that of the numbers: those that are in use stay.
        self.limit(Some(0))
    }

    #[cfg(unix)]
    fn release(&self) -> io::Result<()> {
        self.limit(self.before.current)
    }

    #[cfg(not(unix))]
    fn exhaust(&self) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "only Unix has a limit of descriptors"))
    }

    #[cfg(not(unix))]
    fn release(&self) -> io::Result<()> {
        Ok(())
    }
}
