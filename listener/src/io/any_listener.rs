//! A listener of the kind its address asks for: TCP or Unix.

use std::{
    fs::File,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

#[cfg(unix)]
use super::UnixListener;
use super::{Listener, Stream, TcpListener, TcpOptions};
use crate::{Addr, Endpoint, Opened};

/// Listens at `addr` with the default options: `":9090"`, `"127.0.0.1:0"`, `"localhost:80"`, `"unix:/path"`;
/// or takes the inherited socket of a name, `"fd:http"` (feature `activation`).
///
/// Needs no runtime yet. Resolving a host name blocks the thread.
///
/// # Errors
/// `InvalidInput` with an [`EndpointError`](crate::EndpointError) if `addr` is not an endpoint,
/// `Unsupported` for a Unix socket where there are none, and for `fd:` without the feature `activation`; for `fd:` also
/// `NotFound`, `InvalidData` and `InvalidInput` with an `InheritedError` inside; else the system's.
///
/// # Spec
/// Go: `net.Listen`.
pub fn listen(addr: &str) -> io::Result<AnyListener> {
    match addr.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))? {
        #[cfg(unix)]
        Endpoint::Unix(name) => UnixListener::bind_name(name).map(AnyListener::Unix),
        #[cfg(not(unix))]
        Endpoint::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        #[cfg(all(feature = "activation", unix))]
        Endpoint::Inherited(name) => super::inherited::listen_inherited(&name),
        #[cfg(not(all(feature = "activation", unix)))]
        Endpoint::Inherited(_) => {
            Err(io::Error::new(io::ErrorKind::Unsupported, "inherited sockets need the feature activation"))
        }
        endpoint => TcpListener::bind(endpoint, &TcpOptions::default()).map(AnyListener::Tcp),
    }
}

/// A listener of either kind. See [`listen`].
#[derive(Debug)]
pub enum AnyListener {
    /// `host:port`
    Tcp(TcpListener),
    /// `unix:/path`
    #[cfg(unix)]
    Unix(UnixListener),
}

/// A connection of either kind.
#[derive(Debug)]
pub enum AnyStream {
    /// From [`AnyListener::Tcp`].
    Tcp(TcpStream),
    /// From [`AnyListener::Unix`].
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener for AnyListener {
    type Stream = AnyStream;

    async fn accept(&mut self) -> io::Result<(AnyStream, Addr)> {
        match self {
            Self::Tcp(tcp) => tcp.accept().await.map(|(stream, peer)| (AnyStream::Tcp(stream), peer)),
            #[cfg(unix)]
            Self::Unix(unix) => unix.accept().await.map(|(stream, peer)| (AnyStream::Unix(stream), peer)),
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        match self {
            Self::Tcp(tcp) => tcp.local_addr(),
            #[cfg(unix)]
            Self::Unix(unix) => unix.local_addr(),
        }
    }
}

impl From<TcpListener> for AnyListener {
    fn from(tcp: TcpListener) -> Self {
        Self::Tcp(tcp)
    }
}

#[cfg(unix)]
impl From<UnixListener> for AnyListener {
    fn from(unix: UnixListener) -> Self {
        Self::Unix(unix)
    }
}

/// Calls the same method of the TCP or the Unix stream.
macro_rules! either {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            AnyStream::Tcp($stream) => $call,
            #[cfg(unix)]
            AnyStream::Unix($stream) => $call,
        }
    };
}

impl Stream for AnyStream {
    fn local_addr(&self) -> Option<Addr> {
        either!(self, stream => Stream::local_addr(stream))
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        either!(self, stream => stream.poll_open(cx))
    }

    fn abort(&mut self) {
        either!(self, stream => Stream::abort(stream));
    }

    #[inline]
    fn bytes_sent(&self) -> Option<usize> {
        either!(self, stream => stream.bytes_sent())
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<Option<usize>>> {
        either!(self, stream => stream.poll_send_file(cx, file, offset, len))
    }

    fn poll_write_more(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_more(cx, bytes))
    }
}

impl AsyncRead for AnyStream {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for AnyStream {
    #[inline]
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

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
