//! The trait of the streams that listeners accept.

use std::{
    fs::File,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Addr, Opened};

/// A connection: bytes in both directions.
///
/// Shutting it down (`poll_shutdown`) is the half-close: the peer sees the end of what we send and may still send
/// to us. Dropping it closes both.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// The address the client connected to, if there is one. Go: `http.LocalAddrContextKey`.
    fn local_addr(&self) -> Option<Addr> {
        None
    }

    /// Opens the stream: does what stands before the protocol's first byte, a PROXY header or a TLS handshake, and tells
    /// what came of it. A bare socket is open from the beginning.
    ///
    /// Accepting never waits for a client, so that a client that says nothing delays no other; the task that serves
    /// the connection opens it, under a time limit. Reading and writing open a stream that is not open yet, too. Once it
    /// is open, every call tells the same. What wraps another stream must pass this on.
    ///
    /// # Errors
    /// If the client does not say what it must, or not in time: the stream can only be dropped then.
    ///
    /// # Spec
    /// Go: `(*tls.Conn).HandshakeContext`, which `(*conn).serve` calls first.
    fn poll_open(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        Poll::Ready(Ok(Opened::default()))
    }

    /// Makes dropping this stream a reset (RST) instead of an orderly close (FIN): what was written and not yet sent is
    /// thrown away, and the peer learns that what it has read is not all. The stream must be dropped right after.
    ///
    /// TCP: `SO_LINGER` with zero seconds. Streams that know no reset, Unix sockets and memory, do nothing; what wraps
    /// another stream must pass this on.
    ///
    /// # Spec
    /// RFC 9293 §3.10.5 (ABORT). Go: `(*net.TCPConn).SetLinger(0)`.
    fn abort(&mut self) {}

    /// How many bytes have left the process so far, for a stream that keeps what it was given: TLS makes records of it,
    /// and keeps those until the kernel takes them. `None`, the default: what writing takes has left.
    ///
    /// The difference between two calls says whether the peer takes what it is sent. The bytes are those of the
    /// transport, with its framing, and the number wraps around. What wraps another stream must pass this on.
    #[inline]
    fn bytes_sent(&self) -> Option<usize> {
        None
    }

    /// Sends at most `len` bytes of a file, from `offset` on, without copying them through the program. Returns how many
    /// were sent; zero, with a `len` above zero, means that the file ends at `offset` or before.
    ///
    /// `None`: this stream cannot, or not from this file. The caller reads the file and writes. A `len` of zero only
    /// asks: `Some(0)` if the stream can. The default cannot; what wraps another stream and does not change its bytes
    /// must pass this on.
    ///
    /// The call blocks the thread while the file is read from a disk, so ask only for bytes that are in the page cache.
    /// Sockets can on Linux, with the feature `sendfile`.
    ///
    /// # Errors
    /// As `poll_write`.
    ///
    /// # Spec
    /// sendfile(2). Go: `(*net.TCPConn).ReadFrom`.
    fn poll_send_file(
        &mut self,
        _cx: &mut Context<'_>,
        _file: &File,
        _offset: u64,
        _len: usize,
    ) -> Poll<io::Result<Option<usize>>> {
        Poll::Ready(Ok(None))
    }

    /// As `poll_write`, for bytes that are followed by others at once: the head before a file. A socket may hold them
    /// back to send both in one packet. The default is `poll_write`; what wraps another stream must pass this on.
    ///
    /// # Errors
    /// As `poll_write`.
    ///
    /// # Spec
    /// send(2), `MSG_MORE`.
    fn poll_write_more(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write(cx, bytes)
    }
}

/// Implements the methods for files by the calls of Linux.
macro_rules! sends_files {
    () => {
        #[cfg(all(feature = "sendfile", target_os = "linux"))]
        fn poll_send_file(
            &mut self,
            cx: &mut Context<'_>,
            file: &File,
            offset: u64,
            len: usize,
        ) -> Poll<io::Result<Option<usize>>> {
            super::send_file::poll_send_file(self, cx, file, offset, len)
        }

        #[cfg(all(feature = "sendfile", target_os = "linux"))]
        fn poll_write_more(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            super::send_file::poll_write_more(self, cx, bytes)
        }
    };
}

impl Stream for tokio::net::TcpStream {
    fn local_addr(&self) -> Option<Addr> {
        Self::local_addr(self).ok().map(Addr::from)
    }

    fn abort(&mut self) {
        // It fails for a socket that is closed already: there is nothing left to reset.
        let _ = self.set_zero_linger();
    }

    sends_files!();
}

#[cfg(unix)]
impl Stream for tokio::net::UnixStream {
    fn local_addr(&self) -> Option<Addr> {
        Self::local_addr(self).ok().map(Addr::from)
    }

    sends_files!();
}

/// Bytes in memory: for tests, and for a server inside a client.
impl Stream for tokio::io::DuplexStream {}

/// Implements `AsyncRead`, `AsyncWrite` and [`Stream`] for a wrapper by passing every call on to the given field, vectored writes
/// included: a wrapper that forgets them makes a server copy.
macro_rules! pass_through {
    ($wrapper:ident<$stream:ident>, $field:ident) => {
        impl<$stream: tokio::io::AsyncRead + Unpin> tokio::io::AsyncRead for $wrapper<$stream> {
            fn poll_read(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                buffer: &mut tokio::io::ReadBuf<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.$field).poll_read(cx, buffer)
            }
        }

        impl<$stream: tokio::io::AsyncWrite + Unpin> tokio::io::AsyncWrite for $wrapper<$stream> {
            fn poll_write(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.$field).poll_write(cx, bytes)
            }

            fn poll_write_vectored(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
                slices: &[std::io::IoSlice<'_>],
            ) -> std::task::Poll<std::io::Result<usize>> {
                std::pin::Pin::new(&mut self.$field).poll_write_vectored(cx, slices)
            }

            fn is_write_vectored(&self) -> bool {
                self.$field.is_write_vectored()
            }

            fn poll_flush(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.$field).poll_flush(cx)
            }

            fn poll_shutdown(
                mut self: std::pin::Pin<&mut Self>,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<()>> {
                std::pin::Pin::new(&mut self.$field).poll_shutdown(cx)
            }
        }

        impl<$stream: crate::Stream> crate::Stream for $wrapper<$stream> {
            fn local_addr(&self) -> Option<crate::Addr> {
                self.$field.local_addr()
            }

            fn poll_open(
                &mut self,
                cx: &mut std::task::Context<'_>,
            ) -> std::task::Poll<std::io::Result<crate::Opened>> {
                self.$field.poll_open(cx)
            }

            fn abort(&mut self) {
                self.$field.abort();
            }

            #[inline]
            fn bytes_sent(&self) -> Option<usize> {
                self.$field.bytes_sent()
            }

            fn poll_send_file(
                &mut self,
                cx: &mut std::task::Context<'_>,
                file: &std::fs::File,
                offset: u64,
                len: usize,
            ) -> std::task::Poll<std::io::Result<Option<usize>>> {
                self.$field.poll_send_file(cx, file, offset, len)
            }

            fn poll_write_more(
                &mut self,
                cx: &mut std::task::Context<'_>,
                bytes: &[u8],
            ) -> std::task::Poll<std::io::Result<usize>> {
                self.$field.poll_write_more(cx, bytes)
            }
        }
    };
}
pub(super) use pass_through;
