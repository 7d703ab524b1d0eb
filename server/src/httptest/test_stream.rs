//! The client's end of a connection to a test server.

use std::{
    fmt, io,
    pin::Pin,
    task::{Context, Poll},
};

use quintet_listener::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The client's end of a connection to a [`TestServer`](super::TestServer): bytes. If the server speaks TLS, the handshake
/// is done, and these are the bytes inside.
///
/// A client of another library may use it: one of WebSocket, for example.
pub struct TestStream(Box<dyn Io>);

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl TestStream {
    pub(super) fn new(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self(Box::new(io))
    }
}

/// So that the client of HTTP/2 takes it.
impl Stream for TestStream {}

impl AsyncRead for TestStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TestStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl fmt::Debug for TestStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestStream")
    }
}
