//! A connection that begins with a PROXY header.

use std::{
    fs::File,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::opening::{Open, Opening};
use crate::{Addr, Opened, Stream, io::wakers::Caller};

/// A connection of a [`Proxied`](crate::Proxied): what is read begins behind the header.
///
/// [`poll_open`](Stream::poll_open) reads the header and tells what it says; reading and writing do it, too. Until it
/// is whole nothing is written. [`local_addr`](Stream::local_addr) is the socket's; what the client connected to is
/// [`Opened::local`].
#[derive(Debug)]
pub struct ProxiedStream<S> {
    stream: S,
    /// In boxes: most of a connection's life the header is long past.
    state: State,
}

#[derive(Debug)]
enum State {
    Opening(Box<Opening>),
    Open(Box<Open>),
    /// Why it was not opened: every further call says the same.
    Failed(io::ErrorKind),
}

impl<S: Stream> ProxiedStream<S> {
    pub(super) fn opening(stream: S, opening: Opening) -> Self {
        Self { stream, state: State::Opening(Box::new(opening)) }
    }

    /// One that begins without a header.
    pub(super) fn bare(stream: S, open: Open) -> Self {
        Self { stream, state: State::Open(Box::new(open)) }
    }

    fn poll_header(&mut self, cx: &mut Context<'_>, caller: Caller) -> Poll<io::Result<&mut Open>> {
        if let State::Opening(opening) = &mut self.state {
            match ready!(opening.poll(&mut self.stream, cx, caller)) {
                Ok(open) => self.state = State::Open(Box::new(open)),
                Err(error) => {
                    self.state = State::Failed(error.kind());
                    return Poll::Ready(Err(error));
                }
            }
        }
        match &mut self.state {
            State::Open(open) => Poll::Ready(Ok(open)),
            State::Failed(kind) => Poll::Ready(Err((*kind).into())),
            State::Opening(_) => unreachable!("it is open or failed, or returned above"),
        }
    }
}

impl<S> ProxiedStream<S> {
    /// The stream itself. Bytes that followed the header in the same packet are no longer in it.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }
}

impl<S: Stream> Stream for ProxiedStream<S> {
    fn local_addr(&self) -> Option<Addr> {
        self.stream.local_addr()
    }

    /// # Errors
    /// `InvalidData` without a header, with a [`ProxyHeaderError`](crate::ProxyHeaderError) inside at the first call;
    /// `TimedOut` and `UnexpectedEof` without a whole one; `QuotaExceeded` if its client has as many connections as it
    /// may; else the system's. Every further call fails with the same kind.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        let inner = ready!(self.stream.poll_open(cx))?;
        let open = ready!(self.poll_header(cx, Caller::Open))?;
        Poll::Ready(Ok(open.opened.clone().or(inner)))
    }

    fn abort(&mut self) {
        self.stream.abort();
    }

    #[inline]
    fn bytes_sent(&self) -> Option<usize> {
        self.stream.bytes_sent()
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<Option<usize>>> {
        ready!(self.poll_header(cx, Caller::Write))?;
        self.stream.poll_send_file(cx, file, offset, len)
    }

    fn poll_write_more(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_header(cx, Caller::Write))?;
        self.stream.poll_write_more(cx, bytes)
    }
}

impl<S: Stream> AsyncRead for ProxiedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let open = ready!(self.poll_header(cx, Caller::Read))?;
        if open.rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let len = open.rest.len().min(buffer.remaining());
        buffer.put_slice(&open.rest[..len]);
        open.rest.drain(..len);
        if open.rest.is_empty() {
            open.rest = Vec::new(); // and its memory
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for ProxiedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_header(cx, Caller::Write))?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_header(cx, Caller::Write))?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
