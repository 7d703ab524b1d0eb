//! A stream over TLS.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use super::{
    HandshakeErrorKind,
    counted::{Counted, OpenStream},
    opening::Opening,
    settings::Settings,
};
use crate::{
    Addr, Opened, Stream,
    io::wakers::{Caller, Wakers},
};

/// A stream over TLS, from [`Tls`](crate::Tls). As large as three pointers.
///
/// It is accepted before its handshake: [`poll_open`](Stream::poll_open) drives that, and so do reading and writing. A
/// handshake that fails, or takes too long, fails whichever of them is called, and the socket is closed at once.
///
/// Its end is the client's close_notify. If the connection ends without, reading fails with
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof): something may be missing. A protocol that knows by itself where its
/// messages end, as HTTP/1.1 mostly does, may take that for an end; many clients send no close_notify. Shutting down
/// sends ours. Dropping does not: what was sent does not look whole then, which is right after a failure.
///
/// # Spec
/// RFC 8446 §6.1. Go: `tls.Conn`.
pub struct TlsStream<S>(State<S>);

/// Each state is a box of its own, so that a connection that says nothing costs what it needs.
enum State<S> {
    Opening(Box<Opening<S>>, Arc<Wakers>),
    Open(OpenStream<S>, Box<Opened>),
    Failed(HandshakeErrorKind),
    /// Shut down before it was open.
    GivenUp,
}

impl<S: Stream> TlsStream<S> {
    pub(super) fn new(stream: S, peer: Addr, settings: Arc<Settings>) -> Self {
        Self(State::Opening(Box::new(Opening::new(stream, peer, settings)), Arc::default()))
    }

    /// The stream inside, if the handshake is over.
    pub fn get_ref(&self) -> Option<&S> {
        match &self.0 {
            State::Open(stream, _) => Some(&stream.get_ref().0.stream),
            _ => None,
        }
    }

    /// The open stream, after a handshake if it has to be.
    fn poll_opened(&mut self, caller: Caller, cx: &mut Context<'_>) -> Poll<io::Result<&mut OpenStream<S>>> {
        if let State::Opening(opening, wakers) = &mut self.0 {
            wakers.register(caller, cx.waker());
            let waker = Waker::from(Arc::clone(wakers));
            let opened = ready!(opening.poll(&mut Context::from_waker(&waker)));
            wakers.wake_others(caller);
            match opened {
                Ok((stream, opened)) => self.0 = State::Open(stream, Box::new(opened)),
                Err(error) => {
                    self.0 = State::Failed(HandshakeErrorKind::of(&error));
                    return Poll::Ready(Err(error));
                }
            }
        }
        match &mut self.0 {
            State::Open(stream, _) => Poll::Ready(Ok(stream)),
            State::Failed(kind) => Poll::Ready(Err((*kind).into())),
            State::GivenUp => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            State::Opening(..) => unreachable!("it was opened above, or failed"),
        }
    }
}

impl<S: Stream> AsyncRead for TlsStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = ready!(self.poll_opened(Caller::Read, cx))?;
        // Not its `poll_read`: that asks the socket again until nothing comes.
        let bytes = ready!(Pin::new(&mut *stream).poll_fill_buf(cx))?;
        let read = bytes.len().min(buffer.remaining());
        buffer.put_slice(&bytes[..read]);
        Pin::new(stream).consume(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for TlsStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = ready!(self.poll_opened(Caller::Write, cx))?;
        Pin::new(stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = ready!(self.poll_opened(Caller::Write, cx))?;
        Pin::new(stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Open(stream, _) => Pin::new(&mut **stream).poll_flush(cx),
            // Nothing was written.
            State::Opening(..) | State::GivenUp => Poll::Ready(Ok(())),
            State::Failed(kind) => Poll::Ready(Err((*kind).into())),
        }
    }

    /// Sends close_notify, then the end of the stream inside. Reading goes on.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            State::Open(stream, _) => Pin::new(&mut **stream).poll_shutdown(cx),
            State::Opening(_, wakers) => {
                wakers.wake_others(Caller::Write);
                // There is no half of a handshake.
                self.0 = State::GivenUp;
                Poll::Ready(Ok(()))
            }
            State::Failed(_) | State::GivenUp => Poll::Ready(Ok(())),
        }
    }
}

impl<S: Stream> Stream for TlsStream<S> {
    fn local_addr(&self) -> Option<Addr> {
        match &self.0 {
            State::Opening(opening, _) => opening.local_addr(),
            State::Open(stream, _) => stream.get_ref().0.stream.local_addr(),
            State::Failed(_) | State::GivenUp => None,
        }
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        ready!(self.poll_opened(Caller::Open, cx))?;
        match &self.0 {
            State::Open(_, opened) => Poll::Ready(Ok(Opened::clone(opened))),
            State::Opening(..) | State::Failed(_) | State::GivenUp => unreachable!("it was opened above, or failed"),
        }
    }

    /// No close_notify is sent.
    fn abort(&mut self) {
        match &mut self.0 {
            State::Opening(opening, _) => opening.get_mut().into_iter().for_each(S::abort),
            State::Open(stream, _) => stream.get_mut().0.stream.abort(),
            State::Failed(_) | State::GivenUp => {}
        }
    }

    /// Bytes of records, from the first one of the handshake on.
    fn bytes_sent(&self) -> Option<usize> {
        match &self.0 {
            State::Open(stream, _) => {
                let Counted { stream, written } = stream.get_ref().0;
                Some(stream.bytes_sent().unwrap_or(*written))
            }
            State::Opening(..) | State::Failed(_) | State::GivenUp => Some(0),
        }
    }
}

impl<S> fmt::Debug for TlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            State::Opening(opening, _) => f.debug_tuple("TlsStream").field(opening).finish(),
            State::Open(_, opened) => f.debug_tuple("TlsStream").field(opened).finish(),
            State::Failed(kind) => f.debug_tuple("TlsStream").field(kind).finish(),
            State::GivenUp => f.debug_tuple("TlsStream").field(&"GivenUp").finish(),
        }
    }
}
