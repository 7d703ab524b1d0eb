//! The server's end of a pipe in memory, which its client can reset.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

use super::super::stream::Stream;

/// A pipe in memory. The client's end is a [`DuplexStream`]; with its [`ResetHandle`] its end becomes a reset.
#[derive(Debug)]
pub struct MemoryStream {
    io: DuplexStream,
    reset: Arc<AtomicBool>,
    vectored: bool,
}

/// Resets one [`MemoryStream`], as a client does that closes with unread bytes.
#[derive(Clone, Debug)]
pub struct ResetHandle(Arc<AtomicBool>);

impl ResetHandle {
    /// From now on reads and writes of the server fail with `ConnectionReset`. What waits is woken when the client's
    /// end is dropped.
    pub fn reset(&self) {
        self.0.store(true, SeqCst);
    }
}

impl MemoryStream {
    /// Both ends of a pipe that holds `size` bytes in each direction.
    pub fn pair(size: usize) -> (Self, DuplexStream, ResetHandle) {
        let (io, client) = duplex(size);
        let reset = Arc::<AtomicBool>::default();
        let handle = ResetHandle(Arc::clone(&reset));
        (Self { io, reset, vectored: true }, client, handle)
    }

    /// The same stream without vectored writes, as one that encrypts.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.vectored = false;
        self
    }

    fn check(&self) -> io::Result<()> {
        if self.reset.load(SeqCst) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for MemoryStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for MemoryStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored && self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl Stream for MemoryStream {}
