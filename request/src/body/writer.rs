//! A body written as it is sent.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};

use super::body_error::BodyError;

/// How much is gathered before a writer must wait for the client, in bytes.
const MAX_UNREAD_BYTES: usize = 32 * 1024;

/// Writes a body while it is being sent. Go: `http.ResponseWriter` with `http.Flusher`.
///
/// It may be moved to another task; the body ends when the future given to
/// [`Body::writer`](super::Body::writer) does.
#[doc(alias = "ResponseWriter")]
#[doc(alias = "server-sent events")]
#[doc(alias = "streaming")]
#[derive(Debug)]
pub struct Writer(Arc<Shared>);

type Shared = Mutex<WriterState>;

/// What lies between the writer and the body.
#[derive(Debug, Default)]
struct WriterState {
    written: BytesMut,
    flush: bool,
    trailers: Option<HeaderMap>,
    closed: bool,
    /// Something was written that will never be sent.
    lost: bool,
    writer: Option<Waker>,
    body: Option<Waker>,
}

fn lock(shared: &Shared) -> MutexGuard<'_, WriterState> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// Writes some bytes: they are copied, and sent at the next flush or when 32 KiB have gathered.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] when nobody reads any more: the client is gone.
    ///
    /// # Cancel safety
    /// Either all of it was written or, if this is dropped while it waits for room, nothing.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        poll_fn(|cx| {
            let mut state = lock(&self.0);
            if state.closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if state.written.len() >= MAX_UNREAD_BYTES {
                state.wait(cx);
                return Poll::Pending;
            }
            state.written.extend_from_slice(bytes.as_ref());
            if state.written.len() >= MAX_UNREAD_BYTES {
                state.wake_body();
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Sends what was written, and waits until the connection has taken it.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Cancel safety
    /// What was written will be sent.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            let mut state = lock(&self.0);
            if state.lost {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if state.written.is_empty() {
                return Poll::Ready(Ok(()));
            }
            state.flush = true;
            state.wake_body();
            state.wait(cx);
            Poll::Pending
        })
        .await
    }

    /// Fields to send after the body, if it is sent in chunks.
    pub fn trailers(&mut self, trailers: HeaderMap) {
        lock(&self.0).trailers = Some(trailers);
    }
}

impl WriterState {
    fn wait(&mut self, cx: &Context<'_>) {
        if !self.writer.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            self.writer = Some(cx.waker().clone());
        }
    }

    fn wake_body(&mut self) {
        if let Some(body) = self.body.take() {
            body.wake();
        }
    }

    /// Nothing that is or will be written is sent; whoever waits to write is told.
    fn close(&mut self) {
        self.closed = true;
        self.lost |= !self.written.is_empty();
        self.written = BytesMut::new();
        self.trailers = None;
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    fn take(&mut self) -> Bytes {
        self.flush = false;
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
        self.written.split().freeze()
    }
}

/// The other end of a [`Writer`]: runs what writes and yields what was written.
pub(super) struct Written {
    write: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send>>>,
    state: Arc<Shared>,
}

impl Written {
    pub(super) fn new<F, W>(write: W) -> Self
    where
        W: FnOnce(Writer) -> F,
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        let state = Arc::<Shared>::default();
        Written { write: Some(Box::pin(write(Writer(Arc::clone(&state))))), state }
    }
}

impl HttpBody for Written {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(write) = &mut self.write {
            match write.as_mut().poll(cx) {
                Poll::Ready(Ok(())) => self.write = None,
                Poll::Ready(Err(error)) => {
                    self.write = None;
                    lock(&self.state).close();
                    return Poll::Ready(Some(Err(BodyError::source(error))));
                }
                Poll::Pending => {}
            }
        }
        let mut state = lock(&self.state);
        let ended = self.write.is_none();
        if !state.written.is_empty() && (ended || state.flush || state.written.len() >= MAX_UNREAD_BYTES) {
            return Poll::Ready(Some(Ok(Frame::data(state.take()))));
        }
        if !ended {
            state.body = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(state.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.write.is_none() && {
            let state = lock(&self.state);
            state.written.is_empty() && state.trailers.is_none()
        }
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        lock(&self.state).close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Body;
    use http_body_util::BodyExt;

    async fn frames(mut body: Body) -> Vec<String> {
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => frames.push(String::from_utf8_lossy(&data).into_owned()),
                Ok(Err(frame)) => frames.push(format!("{:?}", frame.into_trailers().unwrap())),
                Err(error) => frames.push(error.to_string()),
            }
        }
        frames
    }

    #[tokio::test]
    async fn what_is_written_is_gathered_until_it_is_flushed() {
        let body = Body::writer(|mut w| async move {
            w.write("a").await?;
            w.write("b").await?;
            w.flush().await?;
            w.flush().await?;
            w.write("c").await
        });
        assert_eq!(frames(body).await, ["ab", "c"]);
    }

    #[tokio::test]
    async fn a_full_writer_waits_for_the_reader() {
        let body = Body::writer(|mut w| async move {
            for _ in 0..10 {
                w.write(vec![b'x'; MAX_UNREAD_BYTES / 2]).await?;
            }
            Ok(())
        });
        let sizes: Vec<_> = frames(body).await.iter().map(String::len).collect();
        assert_eq!(sizes, [MAX_UNREAD_BYTES; 5]);
    }

    #[tokio::test]
    async fn trailers_come_last() {
        let body = Body::writer(|mut w| async move {
            w.trailers(HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("x"))]));
            w.write("a").await
        });
        assert_eq!(frames(body).await, ["a", r#"{"etag": "x"}"#]);
    }

    #[tokio::test]
    async fn a_writer_that_fails_fails_the_body() {
        let body = Body::writer(|mut w| async move {
            w.write("a").await?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(frames(body).await, ["the body could not be made"]);
    }

    #[tokio::test]
    async fn a_writer_in_another_task_is_woken() {
        let body = Body::writer(|mut w| async move {
            let other = tokio::spawn(async move {
                for _ in 0..4 {
                    w.write(vec![b'x'; MAX_UNREAD_BYTES]).await?;
                }
                w.flush().await
            });
            other.await.map_err(io::Error::other)?
        });
        assert_eq!(frames(body).await.iter().map(String::len).sum::<usize>(), 4 * MAX_UNREAD_BYTES);
    }

    #[tokio::test]
    async fn a_flush_whose_bytes_are_thrown_away_fails() {
        // Waiting for its bytes to be taken, or not yet begun, when the reader goes.
        for begun in [true, false] {
            let (tell, told) = tokio::sync::oneshot::channel();
            let (go, gone) = tokio::sync::oneshot::channel::<()>();
            let body = Body::writer(|mut w| async move {
                tokio::spawn(async move {
                    w.write("first").await.expect("there is room");
                    w.flush().await.expect("it is read");
                    w.write("second").await.expect("there is room");
                    if !begun {
                        gone.await.expect("told to go on");
                    }
                    tell.send(w.flush().await.map_err(|error| error.kind()))
                });
                std::future::pending().await
            });
            let mut body = Box::pin(body);
            assert!(body.frame().await.is_some());
            tokio::task::yield_now().await;
            drop(body);
            let _ = go.send(());
            assert_eq!(told.await.unwrap(), Err(io::ErrorKind::BrokenPipe), "begun: {begun}");
        }
    }

    #[tokio::test]
    async fn a_writer_without_a_reader_is_told() {
        let (tell, told) = tokio::sync::oneshot::channel();
        let body = Body::writer(|mut w| async move {
            tokio::spawn(async move {
                let outcome = loop {
                    if let Err(error) = w.write(vec![b'x'; MAX_UNREAD_BYTES]).await {
                        break error.kind();
                    }
                };
                tell.send(outcome)
            });
            std::future::pending().await
        });
        let mut body = Box::pin(body);
        assert!(body.frame().await.is_some());
        drop(body);
        assert_eq!(told.await.unwrap(), io::ErrorKind::BrokenPipe);
    }
}
