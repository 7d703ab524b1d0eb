//! The stream inside of an observed one.

use std::{
    any::Any,
    fs::File,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use quintet_listener::{Addr, AnyStream, Opened, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// The stream inside of an observed one. One type for all, so that there is one more connection loop for each handler, and
/// not for each kind of stream.
pub(super) enum InnerStream {
    /// A socket, the usual one, which is called directly.
    Socket(AnyStream),
    /// Any other one.
    Other(Box<dyn Stream>),
}

impl InnerStream {
    pub(super) fn new<S: Stream>(stream: S) -> Self {
        // The type is known when this is compiled, and only one of these is left.
        let mut stream = Some(stream);
        let any = &mut stream as &mut dyn Any;
        if let Some(socket) = any.downcast_mut::<Option<AnyStream>>().and_then(Option::take) {
            return Self::Socket(socket);
        }
        if let Some(tcp) = any.downcast_mut::<Option<TcpStream>>().and_then(Option::take) {
            return Self::Socket(AnyStream::Tcp(tcp));
        }
        Self::Other(Box::new(stream.take().expect("it is of another type, so it was not taken")))
    }
}

/// Calls the same method of the socket or the other stream.
macro_rules! either {
    ($inner:expr, $stream:ident => $call:expr) => {
        match $inner {
            InnerStream::Socket($stream) => $call,
            InnerStream::Other($stream) => $call,
        }
    };
}

impl Stream for InnerStream {
    fn local_addr(&self) -> Option<Addr> {
        either!(self, stream => stream.local_addr())
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        either!(self, stream => stream.poll_open(cx))
    }

    fn abort(&mut self) {
        either!(self, stream => stream.abort());
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

impl AsyncRead for InnerStream {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(&mut *self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for InnerStream {
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
