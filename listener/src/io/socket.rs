//! A listener of the kind its address asks for: TCP or Unix.

#[cfg(unix)]
use crate::Unix;
use crate::{Addr, Endpoint, Listener, Stream, Tcp, TcpOptions};

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

/// Listens at `addr` with the default options: `":9090"`, `"127.0.0.1:0"`, `"localhost:80"`, `"unix:/path"`.
///
/// Needs no runtime yet. Resolving a host name blocks the thread.
///
/// # Errors
/// `InvalidInput` with an [`EndpointError`](crate::EndpointError) if `addr` says no place to listen at,
/// `Unsupported` for a Unix socket where there are none, else the system's.
///
/// # Spec
/// Go: `net.Listen`.
pub fn listen(addr: &str) -> io::Result<Socket> {
    match addr.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))? {
        #[cfg(unix)]
        Endpoint::Unix(name) => Unix::bind_name(name).map(Socket::Unix),
        #[cfg(not(unix))]
        Endpoint::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        endpoint => Tcp::bind(endpoint, &TcpOptions::default()).map(Socket::Tcp),
    }
}

/// A listener of either kind. See [`listen`].
#[derive(Debug)]
pub enum Socket {
    /// `host:port`
    Tcp(Tcp),
    /// `unix:/path`
    #[cfg(unix)]
    Unix(Unix),
}

/// A connection of either kind.
#[derive(Debug)]
pub enum SocketStream {
    /// From [`Socket::Tcp`].
    Tcp(TcpStream),
    /// From [`Socket::Unix`].
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener for Socket {
    type Stream = SocketStream;

    async fn accept(&mut self) -> io::Result<(SocketStream, Addr)> {
        match self {
            Socket::Tcp(tcp) => tcp.accept().await.map(|(stream, peer)| (SocketStream::Tcp(stream), peer)),
            #[cfg(unix)]
            Socket::Unix(unix) => unix.accept().await.map(|(stream, peer)| (SocketStream::Unix(stream), peer)),
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        match self {
            Socket::Tcp(tcp) => tcp.local_addr(),
            #[cfg(unix)]
            Socket::Unix(unix) => unix.local_addr(),
        }
    }
}

impl From<Tcp> for Socket {
    fn from(tcp: Tcp) -> Socket {
        Socket::Tcp(tcp)
    }
}

#[cfg(unix)]
impl From<Unix> for Socket {
    fn from(unix: Unix) -> Socket {
        Socket::Unix(unix)
    }
}

/// Calls the same method of whichever stream it is.
macro_rules! either {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            SocketStream::Tcp($stream) => $call,
            #[cfg(unix)]
            SocketStream::Unix($stream) => $call,
        }
    };
}

impl Stream for SocketStream {
    fn local_addr(&self) -> Option<Addr> {
        either!(self, stream => Stream::local_addr(stream))
    }

    fn abort(&mut self) {
        either!(self, stream => Stream::abort(stream));
    }
}

impl AsyncRead for SocketStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for SocketStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(&mut *self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(&mut *self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        either!(self, stream => stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
