//! A body that a handler writes while it is sent.

use std::{
    future::{Future, pending, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use quintet_conn::ActiveRequest;

use super::{body_error::BodyError, reply_body::ReplyBody};

/// The bytes that are buffered before a writer must wait for the client.
const MAX_UNREAD_BYTES: usize = 32 * 1024;

/// The writing end of a body that is made while it is sent. Go: `http.ResponseWriter` with `http.Flusher`.
///
/// It may be moved to another task. The body ends when the future given to [`Body::writer`](super::Body::writer) ends.
///
/// A future that waits for something to write does not notice that its client has gone or that the server stops. It waits
/// for these too: by [`disconnected`](Self::disconnected) and [`stopping`](Self::stopping), or, beside a write, by a
/// handle ([`active`](Self::active)).
#[doc(alias = "ResponseWriter")]
#[doc(alias = "server-sent events")]
#[doc(alias = "streaming")]
#[derive(Debug)]
pub struct Writer(Arc<Shared>);

type Shared = Mutex<WriterState>;

/// The buffer and the wakers that the writer and the body share.
#[derive(Debug, Default)]
struct WriterState {
    written: BytesMut,
    flush: bool,
    trailers: Option<HeaderMap>,
    closed: bool,
    /// Whether written bytes were thrown away, as the body was dropped before it sent them.
    lost: bool,
    writer: Option<Waker>,
    body: Option<Waker>,
    /// The request that the body answers, once the server has told it.
    active: Option<ActiveRequest>,
    /// The tasks that wait for the end of the body, each with the number of its wait.
    watchers: Vec<(u64, Waker)>,
    /// The number of the next wait.
    next_watch: u64,
}

/// One wait for the end of a body. Dropped, it leaves no waker behind.
struct Watch<'a> {
    shared: &'a Shared,
    number: u64,
}

impl<'a> Watch<'a> {
    fn new(shared: &'a Shared) -> Self {
        let mut state = lock(shared);
        state.next_watch += 1;
        Self { shared, number: state.next_watch }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let old = self.leave();
        let mut state = lock(self.shared);
        if state.closed {
            return Poll::Ready(());
        }
        // A body that is closed from now on finds this waker.
        state.watchers.push((self.number, cx.waker().clone()));
        drop(state);
        drop(old);
        Poll::Pending
    }

    /// Takes the waker out. It is dropped without the lock: it may be what keeps a task alive, whose own wait leaves here.
    fn leave(&self) -> Option<Waker> {
        let mut state = lock(self.shared);
        let at = state.watchers.iter().position(|(number, _)| *number == self.number)?;
        Some(state.watchers.swap_remove(at).1)
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, WriterState> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    /// Writes bytes: they are copied, and sent at the next flush or when 32 KiB are buffered.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] when the body was dropped, as it is when the client is gone.
    ///
    /// # Cancel safety
    /// Cancel safe: a call that is dropped while it waits for room has written nothing.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        poll_fn(|cx| {
            let mut state = lock(&self.0);
            if state.closed {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            // Checked before the append and not after it: a write larger than the buffer is taken whole, and the next
            // one waits. So the buffer holds at most the limit and one write.
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

    /// Sends the buffered bytes and waits until the connection has taken them.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    ///
    /// # Cancel safety
    /// Cancel safe: the buffered bytes will be sent.
    pub async fn flush(&mut self) -> io::Result<()> {
        poll_fn(|cx| {
            let mut state = lock(&self.0);
            if state.lost {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            if state.written.is_empty() {
                return Poll::Ready(Ok(()));
            }
            // Pending until `take` empties the buffer and wakes this task; `lost` tells a drop of the body apart.
            state.flush = true;
            state.wake_body();
            state.wait(cx);
            Poll::Pending
        })
        .await
    }

    /// The handle of the request that the body answers. `None` until the server begins to send the body, and if the body
    /// is read by something else: a program, or a layer that reads it by [`http_body::Body`] alone.
    ///
    /// The server begins before it first polls the future of [`Body::writer`](super::Body::writer), so that the future has
    /// the handle from its beginning.
    pub fn active(&self) -> Option<ActiveRequest> {
        lock(&self.0).active.clone()
    }

    /// Resolves when the client has disconnected, or the body was dropped and nothing more can be sent.
    ///
    /// A half-closed client (it sent FIN and may still read) counts as disconnected. The body of a reply is sent to it all
    /// the same. If nothing is written for [`Timeouts::stall`](quintet_conn::Timeouts::stall), its connection is closed.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again, and resolves at once if the client has disconnected meanwhile.
    ///
    /// # Spec
    /// Go: `Request.Context().Done()`.
    pub async fn disconnected(&self) {
        let active = self.active();
        let mut client = pin!(async {
            match &active {
                Some(active) => active.disconnected().await,
                None => pending().await,
            }
        });
        let body = Watch::new(&self.0);
        poll_fn(|cx| match client.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => body.poll(cx),
        })
        .await;
    }

    /// Resolves when the server stops; never, if the writer has no [request](Self::active). A stream that has no end of its
    /// own ends then: the shutdown of the server waits for it, and breaks it off at its deadline.
    ///
    /// # Cancel safety
    /// Cancel safe: it can be called again.
    pub async fn stopping(&self) {
        match self.active() {
            Some(active) => active.connection().stopping().await,
            None => pending().await,
        }
    }

    /// Sets the trailers: fields that are sent after the body, if it is sent in chunks or over HTTP/2.
    pub fn trailers(&mut self, trailers: HeaderMap) {
        lock(&self.0).trailers = Some(trailers);
    }
}

impl WriterState {
    fn wait(&mut self, cx: &Context<'_>) {
        // A clone costs an atomic increment; a task that is polled again has the same waker.
        if !self.writer.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            self.writer = Some(cx.waker().clone());
        }
    }

    fn wake_body(&mut self) {
        if let Some(body) = self.body.take() {
            body.wake();
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

/// Closes the writer's side: buffered and later bytes are not sent, and a waiting write fails.
fn close(shared: &Shared) {
    let mut state = lock(shared);
    state.closed = true;
    state.lost |= !state.written.is_empty();
    state.written = BytesMut::new();
    state.trailers = None;
    let (writer, watchers) = (state.writer.take(), std::mem::take(&mut state.watchers));
    // Woken without the lock, as in `Watch::leave`.
    drop(state);
    writer.into_iter().chain(watchers.into_iter().map(|(_, waker)| waker)).for_each(Waker::wake);
}

/// The reading end of a [`Writer`]: it runs the future that writes, and yields the written bytes.
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
        Self { write: Some(Box::pin(write(Writer(Arc::clone(&state))))), state }
    }
}

impl HttpBody for Written {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // The future runs inside this poll and locks the state itself, so the lock is taken after it.
        if let Some(write) = &mut self.write {
            match write.as_mut().poll(cx) {
                Poll::Ready(Ok(())) => self.write = None,
                Poll::Ready(Err(error)) => {
                    self.write = None;
                    close(&self.state);
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
        // Under the same lock as the check above: a writer in another task that writes from now on finds this waker.
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

impl ReplyBody for Written {
    fn set_active(self: Pin<&mut Self>, active: &ActiveRequest) {
        lock(&self.state).active = Some(active.clone());
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        close(&self.state);
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
    async fn writes_are_buffered_until_a_flush() {
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
    async fn writer_trailers_come_after_the_data() {
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
    async fn flush_fails_when_its_bytes_are_dropped() {
        // The flush waits, or has not begun, when the reader is dropped.
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
                pending().await
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
    async fn write_fails_when_the_reader_is_dropped() {
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
            pending().await
        });
        let mut body = Box::pin(body);
        assert!(body.frame().await.is_some());
        drop(body);
        assert_eq!(told.await.unwrap(), io::ErrorKind::BrokenPipe);
    }

    #[tokio::test]
    async fn disconnected_resolves_when_the_body_is_dropped() {
        // It waits already, or begins to wait, when the body is dropped.
        for begun in [true, false] {
            let (go, gone) = tokio::sync::oneshot::channel::<()>();
            let (give, given) = tokio::sync::oneshot::channel();
            let body = Body::writer(|mut w| async move {
                w.write("x").await?;
                w.flush().await?;
                let told = tokio::spawn(async move {
                    if !begun {
                        gone.await.expect("told to go on");
                    }
                    assert!(w.active().is_none(), "no server sends it");
                    w.disconnected().await;
                });
                give.send(told).expect("the test waits");
                pending().await
            });
            let mut body = Box::pin(body);
            assert!(body.frame().await.is_some());
            assert!(is_pending(&mut body).await, "nothing more is written");
            let told = given.await.unwrap();
            tokio::task::yield_now().await;
            assert!(!told.is_finished(), "too early");
            drop(body);
            let _ = go.send(());
            told.await.expect("it is told");
        }
    }

    #[tokio::test]
    async fn disconnected_resolves_for_every_task_and_keeps_none_that_left() {
        let (give, given) = tokio::sync::oneshot::channel();
        let body = Body::writer(|writer| async move {
            let writer = Arc::new(writer);
            let kept = Arc::clone(&writer);
            let waits = |writer: Arc<Writer>| tokio::spawn(async move { writer.disconnected().await });
            give.send((kept, [waits(Arc::clone(&writer)), waits(Arc::clone(&writer)), waits(writer)])).ok();
            pending().await
        });
        let mut body = Box::pin(body);
        assert!(is_pending(&mut body).await, "nothing is written");
        let (writer, [left, one, other]) = given.await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(lock(&writer.0).watchers.len(), 3);
        left.abort();
        assert!(left.await.unwrap_err().is_cancelled());
        assert_eq!(lock(&writer.0).watchers.len(), 2);
        drop(body);
        one.await.expect("it is told");
        other.await.expect("it is told");
    }

    /// Polls a body once; `true` if it is pending.
    async fn is_pending(body: &mut Pin<Box<Body>>) -> bool {
        poll_fn(|cx| Poll::Ready(body.as_mut().poll_frame(cx).is_pending())).await
    }
}
