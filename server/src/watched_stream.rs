//! The stream of a connection that was handed over, which tells the server when the client has gone.

use std::{
    fs::File,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll},
};

use quintet_listener::{Addr, Opened, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::Notify,
};

/// The stream of a connection that was handed over. The first end or error that its new owner meets resolves
/// [`StreamEnd::wait`]: the server does not read the stream any more, and has no other way to know.
pub(crate) struct WatchedStream<S> {
    stream: S,
    end: Arc<StreamEnd>,
}

/// Whether the stream has ended.
#[derive(Default)]
pub(crate) struct StreamEnd {
    is_over: AtomicBool,
    /// Notified once; the notification is kept until it is waited for.
    notify: Notify,
}

impl StreamEnd {
    /// Resolves when the stream has ended.
    pub(crate) async fn wait(&self) {
        self.notify.notified().await;
    }

    fn tell(&self) {
        if !self.is_over.swap(true, SeqCst) {
            self.notify.notify_one();
        }
    }
}

impl<S> WatchedStream<S> {
    pub(crate) fn new(stream: S) -> (Self, Arc<StreamEnd>) {
        let end = Arc::<StreamEnd>::default();
        (Self { stream, end: Arc::clone(&end) }, end)
    }

    /// Passes a result on, and tells of an error.
    fn told<T>(&self, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(_)) = &polled {
            self.end.tell();
        }
        polled
    }
}

impl<S: Stream> AsyncRead for WatchedStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (before, room) = (into.filled().len(), into.remaining());
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        if matches!(polled, Poll::Ready(Ok(()))) && room > 0 && into.filled().len() == before {
            self.end.tell(); // FIN
        }
        self.told(polled)
    }
}

impl<S: Stream> AsyncWrite for WatchedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.told(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.told(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.told(polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Not told of an error: an owner that half-closes may find that the client was faster, and still read.
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Stream> Stream for WatchedStream<S> {
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
        self.stream.poll_send_file(cx, file, offset, len)
    }

    fn poll_write_more(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = self.stream.poll_write_more(cx, bytes);
        self.told(polled)
    }
}
