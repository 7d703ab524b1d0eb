//! The body of a request on a stream of HTTP/2, shared by the [`Body`](super::Body) and the task that serves the stream.

use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http_body::Frame;
use quintet_conn::ActiveRequest;

use super::{body_error::BodyError, received_trailers::ReceivedTrailers};
use crate::{ChunkError, Limits, trailers::is_forbidden_trailer};

/// A piece of fewer bytes than this is copied. It would otherwise hold the memory of a whole read, and a client could
/// send many small pieces to a handler that collects them.
const MIN_SHARED_BYTES: usize = 2 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The body of a request on a stream of HTTP/2. The window of the stream grows by what the handler has taken, so that
/// the client sends no more than the connection holds for it.
///
/// The [`Body`](super::Body) reads it, in any task. The task that serves the stream times it
/// ([`progress`](Self::progress)) and ends it with the reply.
pub(crate) struct ReceivedBody {
    inner: Mutex<Inner>,
    trailers: ReceivedTrailers,
}

struct Inner {
    /// `None` after the end of the body, after an error, and after the reply.
    stream: Option<RecvStream>,
    /// The first piece, if it arrived with the head.
    first: Option<Bytes>,
    /// The bytes left of the announced length.
    left: Option<u64>,
    /// The client waits for `100 Continue`.
    expects: Option<ActiveRequest>,
    failed: Option<BodyError>,
    limits: TrailerLimits,
    /// The bytes taken so far.
    taken: u64,
    /// Those of them that the serving task has not counted yet.
    arrived: usize,
    /// The task that waits for the next frame.
    reader: Option<Waker>,
    /// The task that serves the stream.
    task: Option<Waker>,
}

struct TrailerLimits {
    bytes: usize,
    fields: usize,
}

/// How a body gets on, for its clock.
pub(crate) struct Progress {
    /// The bytes that were taken since the last question.
    pub(crate) arrived: usize,
    /// Whether a task waits for more.
    pub(crate) reading: bool,
}

impl ReceivedBody {
    /// `first` is what arrived with the head, `left` the announced length, and `expects` the request whose client waits
    /// for a 100.
    pub(crate) fn new(
        stream: RecvStream,
        first: Option<Bytes>,
        left: Option<u64>,
        expects: Option<ActiveRequest>,
        limits: &Limits,
    ) -> Self {
        let inner = Inner {
            stream: Some(stream),
            first,
            left,
            expects,
            failed: None,
            limits: TrailerLimits { bytes: limits.trailers, fields: limits.trailer_fields },
            taken: 0,
            arrived: 0,
            reader: None,
            task: None,
        };
        Self { inner: Mutex::new(inner), trailers: ReceivedTrailers::default() }
    }

    /// The place where the request finds its trailers.
    pub(crate) fn trailers(&self) -> ReceivedTrailers {
        self.trailers.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the serving task: how the body gets on. From now on `task` is woken when a wait begins in another task.
    pub(crate) fn progress(&self, task: &Waker) -> Progress {
        let mut inner = self.lock();
        if !inner.task.as_ref().is_some_and(|known| known.will_wake(task)) {
            inner.task = Some(task.clone());
        }
        Progress { arrived: std::mem::take(&mut inner.arrived), reading: inner.reader.is_some() }
    }

    /// How many bytes were taken so far.
    pub(crate) fn taken(&self) -> u64 {
        self.lock().taken
    }

    /// For the serving task: ends the body early. What was not read of it is discarded.
    pub(crate) fn fail(&self, error: BodyError) {
        let (stream, reader) = {
            let mut inner = self.lock();
            if inner.stream.is_none() {
                return;
            }
            inner.failed = Some(error);
            (inner.clear(), inner.reader.take())
        };
        drop(stream); // not under the lock, as the wake-up below
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // Before the lock is taken: the serving task is woken to send it.
        let expects = self.lock().expects.take();
        if let Some(active) = expects {
            let _ = active.push_interim(CONTINUE);
        }
        let mut inner = self.lock();
        let frame = match inner.poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let task = inner.wait(cx.waker());
                drop(inner);
                if let Some(task) = task {
                    task.wake();
                }
                return Poll::Pending;
            }
        };
        inner.reader = None;
        let ended = if matches!(frame, Ok(Some(Ok(_)))) { None } else { inner.clear() };
        drop(inner);
        drop(ended);
        Poll::Ready(match frame {
            Ok(Some(Ok(data))) => Some(Ok(Frame::data(data))),
            Ok(Some(Err(trailers))) => {
                self.trailers.set(trailers.clone());
                Some(Ok(Frame::trailers(trailers)))
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        })
    }
}

impl fmt::Debug for ReceivedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedBody").finish_non_exhaustive()
    }
}

impl Inner {
    /// Ends the reading. The caller drops the stream without the lock.
    fn clear(&mut self) -> Option<RecvStream> {
        self.left = Some(0);
        let (mut stream, first) = (self.stream.take(), self.first.take());
        if let (Some(stream), Some(first)) = (&mut stream, first) {
            give_back(stream, &first);
        }
        stream
    }

    /// Begins or continues a wait of the reader; returns the serving task if it has to be woken to time the wait.
    fn wait(&mut self, reader: &Waker) -> Option<Waker> {
        let begins = self.reader.is_none();
        if !self.reader.as_ref().is_some_and(|known| known.will_wake(reader)) {
            self.reader = Some(reader.clone());
        }
        // The serving task asks for the progress after it has polled the handler: it need not wake itself. A wait that
        // goes on is timed already: a handler that makes a waker for each poll would otherwise be polled without end.
        self.task.as_ref().filter(|task| begins && !task.will_wake(reader)).cloned()
    }

    /// The next piece, or the trailers; `None` at the end.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Result<Bytes, HeaderMap>>, BodyError>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Err(error.duplicate()));
        }
        let polled = self.poll_stream(cx);
        if let Poll::Ready(Err(error)) = &polled {
            self.failed = Some(error.duplicate());
        }
        polled
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Result<Bytes, HeaderMap>>, BodyError>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Ok(None)) };
        let mut first = self.first.take();
        loop {
            let data = match first.take() {
                Some(data) => Some(data),
                None => ready!(stream.poll_data(cx)).transpose().map_err(|error| broken(&error))?,
            };
            let Some(data) = data else { break };
            // The handler takes it now, so the client may send as much again. It fails only for more than was received.
            let _ = stream.flow_control().release_capacity(data.len());
            if data.is_empty() {
                continue; // h2 bounds how many there may be
            }
            let n = data.len();
            (self.taken, self.arrived) = (self.taken + n as u64, self.arrived + n);
            self.left = self.left.map(|left| left.saturating_sub(n as u64));
            let data = if n < MIN_SHARED_BYTES { Bytes::copy_from_slice(&data) } else { data };
            return Poll::Ready(Ok(Some(Ok(data))));
        }
        let Some(trailers) = ready!(stream.poll_trailers(cx)).map_err(|error| broken(&error))? else {
            return Poll::Ready(Ok(None));
        };
        let trailers = filtered(&trailers, &self.limits, self.taken)?;
        Poll::Ready(Ok((!trailers.is_empty()).then_some(Err(trailers))))
    }
}

/// Gives the window that a piece used back to the client, although no handler takes it. A stream that is dropped gives
/// back only what was not taken from it, and the piece would use up the window of the connection until the reply ends.
pub(crate) fn give_back(stream: &mut RecvStream, piece: &Bytes) {
    // It fails only for more than was received.
    let _ = stream.flow_control().release_capacity(piece.len());
}

/// The trailers without those that must not be trailers, as on HTTP/1.1.
///
/// # Errors
/// [`ChunkError::TooManyTrailers`], [`ChunkError::TrailersTooLong`] past the limits; `at` is the offset in the body.
fn filtered(received: &HeaderMap, limits: &TrailerLimits, at: u64) -> Result<HeaderMap, BodyError> {
    const LINE: usize = ": \r\n".len();
    if received.len() > limits.fields {
        return Err(ChunkError::TooManyTrailers { at }.into());
    }
    let bytes = received.iter().map(|(name, value)| name.as_str().len() + value.len() + LINE);
    if bytes.sum::<usize>() > limits.bytes {
        return Err(ChunkError::TrailersTooLong { at }.into());
    }
    let allowed = received.iter().filter(|(name, _)| !is_forbidden_trailer(name.as_str()));
    Ok(allowed.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Why the stream of a body broke: the client reset it or is gone, or it broke a rule of HTTP/2 (more or fewer bytes
/// than announced, for one).
fn broken(error: &h2::Error) -> BodyError {
    match error.get_io().map(io::Error::kind) {
        None | Some(io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) => BodyError::UnexpectedEof,
        Some(kind) => BodyError::Io(Arc::new(kind.into())),
    }
}

/// The reader of a [`ReceivedBody`]. Dropping it discards the rest of the body.
pub(crate) struct BodyReader(pub(crate) Arc<ReceivedBody>);

impl BodyReader {
    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_frame(cx)
    }

    /// The number of bytes left, if it is known.
    pub(super) fn left(&self) -> Option<u64> {
        let inner = self.0.lock();
        if inner.failed.is_some() { None } else { inner.left }
    }

    pub(super) fn is_end(&self) -> bool {
        let inner = self.0.lock();
        let is_end = |stream: &RecvStream| inner.first.is_none() && stream.is_end_stream();
        inner.failed.is_none() && inner.stream.as_ref().is_none_or(is_end)
    }

    /// The reader has dropped its wait for a frame. No read timeout runs until the next poll.
    pub(super) fn give_up(&self) {
        let reader = self.0.lock().reader.take();
        drop(reader);
    }
}

impl Drop for BodyReader {
    fn drop(&mut self) {
        let mut inner = self.0.lock();
        let (stream, reader) = (inner.clear(), inner.reader.take());
        drop(inner);
        drop((stream, reader));
    }
}
