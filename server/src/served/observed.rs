//! The stream of a connection whose requests are observed.

use std::{
    any::{Any, TypeId},
    fmt,
    fs::File,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use quintet_conn::{ConnGuard, Wire};
use quintet_listener::{Addr, Opened, Stream};
use quintet_request::{CloseReason, Next, Request, Requests, route};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{inner_stream::InnerStream, notes::Notes};

/// The stream of a connection whose requests are observed: it has the notes of the requests, and tells them what was sent.
///
/// Whether requests are observed is thus a type: the connection loop of a server without the hook is compiled without a
/// trace of it.
pub(crate) struct Observed {
    stream: InnerStream,
    notes: Box<Notes>,
}

impl Observed {
    pub(crate) fn new(stream: impl Stream, notes: Notes) -> Self {
        Self { stream: InnerStream::new(stream), notes: Box::new(notes) }
    }

    /// Counts what a write took.
    #[inline]
    fn count(&mut self, n: usize) {
        let keeps = self.stream.bytes_sent().is_some();
        self.notes.took(n, keeps);
    }
}

/// Whether connections with this stream are observed. The optimizer finds the answer: the code behind it is there for the
/// one type or the other.
#[inline(always)]
pub(crate) fn is_observed<S: Stream>() -> bool {
    TypeId::of::<S>() == TypeId::of::<Observed>()
}

/// Calls a function with the notes, and the number of the unsent bytes of the output, if the connection is observed.
#[inline(always)]
pub(crate) fn observe<S: Stream>(requests: &mut Requests<S>, tell: impl FnOnce(&mut Notes, usize)) {
    if is_observed::<S>() {
        match requests.owned_wire() {
            Some(wire) => observe_wire(wire, tell),
            None => observe_wire(&mut requests.wire(), tell),
        }
    }
}

/// As [`observe`], by the wire.
#[inline(always)]
pub(crate) fn observe_wire<S: Stream>(wire: &mut Wire<S>, tell: impl FnOnce(&mut Notes, usize)) {
    if is_observed::<S>() {
        let unsent = wire.output.len();
        if let Some(observed) = (wire.stream_mut() as &mut dyn Any).downcast_mut::<Observed>() {
            tell(&mut observed.notes, unsent);
        }
    }
}

/// Notes a request that begins, if the connection is observed.
#[inline(always)]
pub(crate) fn begin<S: Stream>(requests: &mut Requests<S>, request: &mut Request) {
    if is_observed::<S>() {
        route::watch(request);
        observe(requests, |notes, _| notes.begin(request));
    }
}

/// Notes that the request in progress is over, if the connection is observed. `reason` is why the connection ends. Returns
/// whether the output has to be flushed before the next request; see [`Notes::is_full`].
#[inline(always)]
pub(crate) fn finish<S: Stream>(
    connection: &ConnGuard,
    requests: &mut Requests<S>,
    next: Next,
    reason: Option<CloseReason>,
) -> bool {
    if !is_observed::<S>() {
        return false;
    }
    match requests.owned_wire() {
        Some(wire) => finish_wire(connection, wire, next, reason),
        None => finish_wire(connection, &mut requests.wire(), next, reason),
    }
}

/// As [`finish`], by the wire.
#[inline(always)]
pub(crate) fn finish_wire<S: Stream>(
    connection: &ConnGuard,
    wire: &mut Wire<S>,
    next: Next,
    reason: Option<CloseReason>,
) -> bool {
    let mut is_full = false;
    observe_wire(wire, |notes, unsent| {
        notes.finish(next, reason, unsent, |values| connection.take_values(values));
        is_full = notes.is_full();
    });
    is_full
}

impl Drop for Observed {
    fn drop(&mut self) {
        self.notes.end();
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed").field("notes", &self.notes).finish_non_exhaustive()
    }
}

impl Stream for Observed {
    fn local_addr(&self) -> Option<Addr> {
        self.stream.local_addr()
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        self.stream.poll_open(cx)
    }

    fn abort(&mut self) {
        self.stream.abort();
    }

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
        let sent = ready!(self.stream.poll_send_file(cx, file, offset, len));
        if let Ok(Some(n)) = sent {
            self.count(n);
        }
        Poll::Ready(sent)
    }

    fn poll_write_more(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(self.stream.poll_write_more(cx, bytes));
        if let Ok(n) = written {
            self.count(n);
        }
        Poll::Ready(written)
    }
}

impl AsyncRead for Observed {
    #[inline]
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        self.notes.arrived(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Observed {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        if let Ok(n) = written {
            self.count(n);
        }
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices));
        if let Ok(n) = written {
            self.count(n);
        }
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.notes.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
