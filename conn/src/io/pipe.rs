//! A wire as a plain stream, for a protocol that has buffers of its own.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use quintet_listener::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{request_guard::RequestGuard, wire::Wire, wire_error::WireError};

/// The most bytes that are written before they have to be sent: 64 KiB of a reply, with the frames around them. A vector
/// of twice this size still goes back to the pool.
const MAX_COLLECTED_BYTES: usize = 68 * 1024;

/// A wire as a plain stream, for a protocol that has buffers of its own (HTTP/2). Clones share the wire: the protocol
/// owns one, and the task that serves the connection sends and waits by another.
///
/// Reading returns first what the wire has read ahead. Writing only collects the bytes in [`Wire::output`], up to 68 KiB,
/// and flushing does nothing: the task sends all of them at the end of its turn
/// ([`poll_send`](Self::poll_send)), so that many small frames leave in one write. More than that is sent while it is written.
///
/// Neither reading nor writing is ever late. The task asks for that, after the protocol has done all it can do:
/// [`Wire::wait`], [`poll_send`](Self::poll_send).
///
/// ```
/// use quintet_conn::Wire;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (stream, mut client) = tokio::io::duplex(64);
/// client.write_all(b"world").await?;
/// let mut wire = Wire::new(stream);
/// wire.input.extend(b"hello, ");
/// let mut pipe = wire.into_pipe();
/// let mut read = [0; 12];
/// pipe.read_exact(&mut read).await?;
/// pipe.write_all(&read).await?;
/// assert_eq!(pipe.wire().output.len(), 12, "not sent yet");
/// # Ok(()) }
/// ```
pub struct Pipe<S>(Arc<Inner<S>>);

struct Inner<S> {
    /// Only the task that serves the connection locks it, so that it is never waited for.
    wire: Mutex<Wire<S>>,
    /// The bytes that were read through the pipe.
    received: AtomicU64,
    /// The bytes that the client took after it had been waited for.
    taken: AtomicU64,
}

impl<S> Wire<S> {
    /// Makes this wire a plain stream.
    pub fn into_pipe(self) -> Pipe<S> {
        Pipe(Arc::new(Inner { wire: Mutex::new(self), received: AtomicU64::new(0), taken: AtomicU64::new(0) }))
    }
}

impl<S: Stream> Wire<S> {
    /// Begins or continues the wait of the phase without reading, and gives back the memory that a wait does not need:
    /// for a protocol that reads through a [`Pipe`]. The wait is for the first byte of something ([`Phase::Idle`],
    /// [`Phase::Head`]), so it ends soon if the server stops. Without a phase no wait begins. A timeout wakes only a task
    /// that was [registered](Self::register_waker).
    ///
    /// # Errors
    /// [`WireError::TimedOut`] if the time of the phase is over, [`WireError::Aborted`] if the server aborted the
    /// connection.
    ///
    /// [`Phase::Idle`]: crate::Phase::Idle
    /// [`Phase::Head`]: crate::Phase::Head
    pub fn wait(&mut self) -> Result<(), WireError> {
        self.release_memory();
        self.waits.wait_for_bytes(true).map_err(|error| self.fail(error))
    }

    /// Adds a child to the connection of this wire ([`ConnGuard::child`](super::ConnGuard::child)); `None` if the wire has
    /// no entry.
    pub fn child(&self) -> Option<RequestGuard> {
        self.waits.child()
    }

    /// A number that grows, and wraps, with each byte that the socket takes. Only differences within one call count.
    fn sent_so_far(&self) -> usize {
        self.io.bytes_sent().unwrap_or_else(|| 0_usize.wrapping_sub(self.output.len()))
    }

    /// Reads once, directly into the buffer of the protocol.
    fn poll_read_into(&mut self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<Result<(), WireError>> {
        if self.ended || into.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        match ready!(Pin::new(&mut self.io).poll_read(cx, into)) {
            Ok(()) => {}
            Err(error) if self.is_end(&error) => {}
            Err(error) => return Poll::Ready(Err(self.fail(error))),
        }
        match into.filled().len() - before {
            0 => self.ended = true,
            n => self.waits.arrived(n),
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Pipe<S> {
    /// Access to the wire. The guard must be dropped before the pipe is read or written.
    pub fn wire(&self) -> MutexGuard<'_, Wire<S>> {
        self.0.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so many bytes wait to be sent that the protocol may have kept some more.
    pub fn is_full(&self) -> bool {
        self.wire().output.len() >= MAX_COLLECTED_BYTES
    }

    /// How many bytes were read through the pipe.
    pub fn received(&self) -> u64 {
        self.0.received.load(Relaxed)
    }

    /// How many bytes the client took after it had been waited for: what it takes into an empty socket does not tell that
    /// it is there.
    pub fn taken(&self) -> u64 {
        self.0.taken.load(Relaxed)
    }

    /// The wire again. `None` while another clone of this pipe exists.
    pub fn into_wire(self) -> Option<Wire<S>> {
        let inner = Arc::into_inner(self.0)?;
        Some(inner.wire.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Stream> Pipe<S> {
    /// Sends all that was written. A timeout wakes only a task that was [registered](Wire::register_waker).
    ///
    /// # Errors
    /// See [`Wire::poll_flush`].
    pub fn poll_send(&self, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        self.send(&mut self.wire(), cx)
    }

    fn send(&self, wire: &mut Wire<S>, cx: &mut Context<'_>) -> Poll<Result<(), WireError>> {
        let before = wire.waits.is_waiting_for_room().then(|| wire.sent_so_far());
        let polled = wire.poll_flush(cx);
        if let Some(before) = before {
            // A load and a store: only this task sends.
            self.0.taken.store(self.taken().wrapping_add(wire.sent_so_far().wrapping_sub(before) as u64), Relaxed);
        }
        polled
    }
}

impl<S> Clone for Pipe<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Pipe<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").field("received", &self.received()).finish_non_exhaustive()
    }
}

impl<S: Stream> AsyncRead for Pipe<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut wire = self.wire();
        let before = into.filled().len();
        let ahead = wire.input.len().min(into.remaining());
        if ahead > 0 {
            into.put_slice(&wire.input.filled()[..ahead]);
            wire.input.consume(ahead);
        } else {
            ready!(wire.poll_read_into(cx, into)).map_err(into_io)?;
        }
        // A load and a store: only this task reads.
        let read = (into.filled().len() - before) as u64;
        self.0.received.store(self.received().saturating_add(read), Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: Stream> AsyncWrite for Pipe<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut wire = self.wire();
        if wire.broken || wire.output.len() >= MAX_COLLECTED_BYTES {
            // Of a broken wire, this is the error.
            ready!(self.send(&mut wire, cx)).map_err(into_io)?;
        }
        let mut room = MAX_COLLECTED_BYTES - wire.output.len();
        let before = room;
        for piece in pieces {
            let taken = piece.len().min(room);
            wire.output.extend(&piece[..taken]);
            room -= taken;
            if room == 0 {
                break;
            }
        }
        Poll::Ready(Ok(before - room))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Does nothing: what was written is sent at the end of the task's turn.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sends all that was written. The end of the stream is not sent: the task that serves the connection half-closes
    /// it, and [lingers](Wire::linger).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_send(cx).map_err(into_io)
    }
}

/// A wire's error as one of a stream. The task that serves the connection learns the error itself from its own call.
fn into_io(error: WireError) -> io::Error {
    match error {
        WireError::Io(error) | WireError::File(error) => error,
        WireError::TimedOut(_) => io::Error::new(io::ErrorKind::TimedOut, error),
        WireError::Aborted => io::Error::new(io::ErrorKind::ConnectionAborted, error),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_pipe_returns_first_what_was_read_ahead() {
        let (stream, mut client) = tokio::io::duplex(64);
        client.write_all(b"wire").await.unwrap();
        let mut wire = Wire::new(stream);
        wire.input.extend(b"ahead, ");
        let mut pipe = wire.into_pipe();
        let mut read = [0; 3];
        pipe.read_exact(&mut read).await.unwrap();
        assert_eq!((&read, pipe.received()), (b"ahe", 3));
        let mut rest = [0; 8];
        pipe.read_exact(&mut rest).await.unwrap();
        assert_eq!((&rest, pipe.received()), (b"ad, wire", 11));
        drop(client);
        assert_eq!(pipe.read(&mut rest).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_pipe_collects_68_kib_then_sends_while_it_is_written() {
        let (stream, mut client) = tokio::io::duplex(1024);
        let mut pipe = Wire::new(stream).into_pipe();
        let frame = [7; 17 * 1024];
        for _ in 0..4 {
            pipe.write_all(&frame).await.unwrap();
        }
        pipe.flush().await.unwrap();
        assert_eq!(pipe.wire().output.len(), MAX_COLLECTED_BYTES, "none is sent");
        let write = tokio::spawn(async move {
            pipe.write_all(b"end").await.unwrap();
            poll_fn(|cx| pipe.wire().poll_flush(cx)).await.unwrap();
            pipe.wire().output.capacity()
        });
        let mut seen = vec![0; MAX_COLLECTED_BYTES + 3];
        client.read_exact(&mut seen).await.unwrap();
        assert!(seen.ends_with(b"\x07end"));
        write.await.unwrap();
    }

    #[tokio::test]
    async fn a_pipe_gives_its_wire_back_when_it_is_the_last() {
        let (stream, client) = tokio::io::duplex(64);
        let mut pipe = Wire::new(stream).into_pipe();
        let other = pipe.clone();
        drop(client);
        pipe.write_all(b"x").await.unwrap();
        assert!(pipe.shutdown().await.is_err());
        assert!(pipe.write_all(b"x").await.is_err(), "a broken wire takes nothing");
        assert!(other.clone().into_wire().is_none());
        drop(pipe);
        assert!(other.into_wire().unwrap().output.is_empty());
    }
}
