//! The body of a request or of a response.

use std::{
    any::Any,
    error::Error,
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};
use quintet_conn::ActiveRequest;
#[cfg(feature = "sendfile")]
use quintet_conn::FileSection;

#[cfg(feature = "http2")]
use super::received_body::BodyReader;
use super::{
    body_error::BodyError,
    limited::Limited,
    reply_body::ReplyBody,
    revocable::Borrowed,
    revocable_body::RevocableBody,
    writer::{Writer, Written},
};

/// The most bytes of a file that are read when its body is made.
#[cfg(feature = "sendfile")]
const MAX_READ_AT_ONCE_BYTES: u64 = 16 * 1024;
/// The size of a file's pieces, in bytes, where it is not sent by the stream itself.
#[cfg(feature = "sendfile")]
const FILE_PIECE_BYTES: usize = 64 * 1024;

/// The body of a request or of a response. Its bytes are in memory, still on the wire, or made while they are sent.
///
/// It implements [`http_body::Body`], so code for that trait works on it.
///
/// # Example
/// ```
/// use quintet_request::Body;
///
/// # futures(async {
/// let body = Body::from("hello");
/// assert_eq!(body.to_bytes(1024).await?, "hello");
/// # Ok(()) });
/// # fn futures(f: impl Future<Output = Result<(), quintet_request::BodyError>>) {
/// #     tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(f).unwrap();
/// # }
/// ```
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Bytes(Bytes),
    Incoming(Borrowed<dyn RevocableBody>),
    #[cfg(feature = "http2")]
    Received(BodyReader),
    Limited(Box<Limited<Body>>),
    #[cfg(feature = "sendfile")]
    File(Box<FileSection>),
    /// The mutex makes a body that is only `Send` also `Sync`, so that a handler may hold a reference to its request
    /// across an await. Polls have `&mut` and do not lock; only a length or an end that is asked of `&self` does, for
    /// the time of the call.
    Stream(Mutex<Pin<Box<dyn ReplyBody<Data = Bytes, Error = BodyError> + Send>>>),
}

impl Body {
    /// A body without bytes.
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// Wraps any other body. Its errors become [`BodyError::Source`]. A `Body` is returned as it is.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        // In an `Option`, so that it can be taken out of the reference that the downcast returns.
        let mut body = Some(body);
        if let Some(own) = (&mut body as &mut dyn Any).downcast_mut::<Option<Self>>() {
            return own.take().unwrap_or_default();
        }
        let body = body.expect("only a `Body` is taken out above");
        Self(Kind::Stream(Mutex::new(Box::pin(Mapped(Box::pin(body))))))
    }

    /// As [`new`](Self::new), for a body that is told which request it answers.
    ///
    /// # Example
    /// ```
    /// use std::{convert::Infallible, pin::Pin, task::{Context, Poll}};
    ///
    /// use bytes::Bytes;
    /// use quintet_request::{Body, ReplyBody, quintet_conn::ActiveRequest};
    ///
    /// /// The address of the client.
    /// #[derive(Default)]
    /// struct ClientAddr(Option<Bytes>);
    ///
    /// impl ReplyBody for ClientAddr {
    ///     fn set_active(mut self: Pin<&mut Self>, active: &ActiveRequest) {
    ///         self.0 = Some(active.connection().peer_addr().to_string().into());
    ///     }
    /// }
    ///
    /// impl http_body::Body for ClientAddr {
    ///     type Data = Bytes;
    ///     type Error = Infallible;
    ///
    ///     fn poll_frame(
    ///         mut self: Pin<&mut Self>,
    ///         _: &mut Context<'_>,
    ///     ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
    ///         Poll::Ready(self.0.take().map(|addr| Ok(http_body::Frame::data(addr))))
    ///     }
    /// }
    ///
    /// let body = Body::of_reply(ClientAddr::default());
    /// ```
    pub fn of_reply<B>(body: B) -> Self
    where
        B: ReplyBody<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Kind::Stream(Mutex::new(Box::pin(MappedReply(Mapped(Box::pin(body)))))))
    }

    /// Tells a body that is made while it is sent which request it answers: a [`writer`](Self::writer), and one
    /// [of a reply](Self::of_reply). All others ignore it. The server calls this before it polls the body of a reply.
    pub fn set_active(&mut self, active: &ActiveRequest) {
        match &mut self.0 {
            Kind::Stream(stream) => {
                stream.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().set_active(active);
            }
            Kind::Limited(limited) => limited.body.set_active(active),
            _ => {}
        }
    }

    /// A body that a future writes while it is sent. Go: `ResponseWriter` and `Flusher`.
    ///
    /// `write` is called with a [`Writer`], and its future runs in the connection's task, no faster than the client
    /// reads. Written bytes are buffered until the writer flushes, the buffer is full, or the future ends. If the
    /// future fails, the connection is closed in the middle of the body, so that the client cannot take the body for
    /// complete.
    ///
    /// # Example
    /// ```
    /// use quintet_request::Body;
    ///
    /// let body = Body::writer(|mut w| async move {
    ///     w.write("one, ").await?;
    ///     w.flush().await?;
    ///     w.write("two").await
    /// });
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// assert_eq!(body.to_bytes(100).await.unwrap(), "one, two");
    /// # });
    /// ```
    pub fn writer<F, W>(write: W) -> Self
    where
        W: FnOnce(Writer) -> F,
        F: Future<Output = io::Result<()>> + Send + 'static,
    {
        Self(Kind::Stream(Mutex::new(Box::pin(Written::new(write)))))
    }

    /// A section of a file: `len` bytes from `offset` on. Go: `http.ServeContent` with an `io.SectionReader`.
    ///
    /// The thread never blocks. Up to 16 KiB are read here if they are in the page cache, and are a body in memory then.
    /// Other files are sent by the kernel where the stream can (`sendfile`), and else read in pieces of 64 KiB, by
    /// the blocking pool if they are not in the page cache. Only one piece is in memory.
    ///
    /// The file must be a regular one. A file that is shorter than announced when it is sent breaks the reply, and the
    /// connection is reset; of a longer one no more than `len` bytes are sent.
    ///
    /// ```
    /// use std::{fs::File, sync::Arc};
    /// use quintet_request::Body;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let manifest = Arc::new(File::open("Cargo.toml")?);
    /// let body = Body::file(manifest, 1, 7);
    /// assert_eq!(body.len(), Some(7));
    /// assert_eq!(body.to_bytes(100).await?, "package");
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "sendfile")]
    #[doc(alias = "sendfile")]
    pub fn file(file: Arc<std::fs::File>, offset: u64, len: u64) -> Self {
        let mut section = FileSection::new(file, offset, len);
        let small = section.left() <= MAX_READ_AT_ONCE_BYTES;
        match small.then(|| section.try_read_all()).flatten() {
            Some(bytes) => bytes.into(),
            None => Self(Kind::File(Box::new(section))),
        }
    }

    /// The rest of the section, if this is a [`file`](Self::file) that is not in memory; otherwise the body again.
    ///
    /// # Errors
    /// The body itself, unchanged.
    #[cfg(feature = "sendfile")]
    pub fn try_into_file(self) -> Result<Box<FileSection>, Self> {
        match self.0 {
            Kind::File(file) => Ok(file),
            kind => Err(Self(kind)),
        }
    }

    /// Whether the bytes are made, or arrive, while the body is sent: they are neither in memory nor in a
    /// [`file`](Self::file).
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        match &self.0 {
            Kind::Empty | Kind::Bytes(_) => false,
            #[cfg(feature = "sendfile")]
            Kind::File(_) => false,
            _ => true,
        }
    }

    pub(crate) fn incoming(revocable: Arc<dyn RevocableBody>) -> Self {
        Self(Kind::Incoming(Borrowed::new(revocable)))
    }

    #[cfg(feature = "http2")]
    pub(crate) fn received(reader: BodyReader) -> Self {
        Self(Kind::Received(reader))
    }

    /// The same body with a limit: at most `limit` bytes can be read, and a longer body then fails with
    /// [`BodyError::TooLarge`] (413). A body that is known to be within the limit stays as it is. Go:
    /// `http.MaxBytesReader`.
    ///
    /// ```
    /// use quintet_request::{Body, BodyError};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// assert_eq!(Body::from("hello").limited(5).to_bytes(u64::MAX).await.unwrap(), "hello");
    /// let mut body = Body::from("hello, world").limited(5);
    /// assert_eq!(body.chunk().await.unwrap().unwrap(), "hello");
    /// assert!(matches!(body.chunk().await, Err(BodyError::TooLarge { limit: 5 })));
    /// # }
    /// ```
    #[doc(alias = "MaxBytesReader")]
    #[doc(alias = "body limit")]
    #[must_use]
    pub fn limited(self, limit: u64) -> Self {
        match self.len() {
            Some(len) if len <= limit => self,
            _ => Self(Kind::Limited(Box::new(Limited::new(self, limit)))),
        }
    }

    /// The reader has dropped its wait for a frame. No read timeout runs until the next poll.
    fn give_up(&self) {
        match &self.0 {
            Kind::Incoming(revocable) => revocable.give_up(),
            #[cfg(feature = "http2")]
            Kind::Received(reader) => reader.give_up(),
            Kind::Limited(limited) => limited.body.give_up(),
            #[cfg(feature = "sendfile")]
            Kind::File(_) => {}
            Kind::Empty | Kind::Bytes(_) | Kind::Stream(_) => {}
        }
    }

    /// The bytes, if all of them are in memory.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Empty => Some(b""),
            Kind::Bytes(bytes) => Some(bytes),
            #[cfg(feature = "sendfile")]
            Kind::File(_) => None,
            Kind::Incoming(_) | Kind::Limited(_) | Kind::Stream(_) => None,
            #[cfg(feature = "http2")]
            Kind::Received(_) => None,
        }
    }

    /// The bytes, if all of them are in memory; otherwise the body again.
    ///
    /// # Errors
    /// The body itself, unchanged.
    pub fn try_into_bytes(self) -> Result<Bytes, Self> {
        match self.0 {
            Kind::Empty => Ok(Bytes::new()),
            Kind::Bytes(bytes) => Ok(bytes),
            kind => Err(Self(kind)),
        }
    }

    /// The number of bytes left, if it is known.
    pub fn len(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// Whether it is known that no bytes are left.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The next piece, or `None` at the end. Trailers (fields after the last chunk) are skipped;
    /// [`http_body::Body::poll_frame`] returns them.
    ///
    /// # Errors
    /// [`BodyError`]; every further call returns the same error.
    ///
    /// # Cancel safety
    /// Cancel safe: a piece is taken only when it is returned.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let frame = Waiting { body: self, pending: false }.await;
            match frame.transpose()?.map(Frame::into_data) {
                Some(Ok(data)) => return Ok(Some(data)),
                Some(Err(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// The whole body, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] (413) as soon as the body is known to be longer; else the error of reading it.
    ///
    /// # Cancel safety
    /// Not cancel safe: the bytes read so far are lost.
    ///
    /// # Spec
    /// Go: `io.ReadAll(http.MaxBytesReader(w, r.Body, limit))`.
    pub async fn to_bytes(mut self, limit: u64) -> Result<Bytes, BodyError> {
        if self.size_hint().lower() > limit {
            return Err(BodyError::TooLarge { limit });
        }
        self = match self.try_into_bytes() {
            Ok(bytes) => return Ok(bytes),
            Err(rest) => rest,
        };
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        if first.len() as u64 > limit {
            return Err(BodyError::TooLarge { limit });
        }
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        let mut next = Some(second);
        while let Some(piece) = next {
            if (all.len() + piece.len()) as u64 > limit {
                return Err(BodyError::TooLarge { limit });
            }
            all.extend_from_slice(&piece);
            next = self.chunk().await?;
        }
        Ok(all.freeze())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Bytes(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            Kind::Incoming(revocable) => revocable.poll_frame(cx),
            #[cfg(feature = "http2")]
            Kind::Received(reader) => reader.poll_frame(cx),
            Kind::Limited(limited) => Pin::new(&mut **limited).poll_frame(cx),
            #[cfg(feature = "sendfile")]
            Kind::File(file) => {
                let piece = ready!(file.poll_read(cx, FILE_PIECE_BYTES)).map_err(BodyError::source);
                Poll::Ready(piece.map(|bytes| (!bytes.is_empty()).then(|| Frame::data(bytes))).transpose())
            }
            Kind::Stream(stream) => stream.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Bytes(bytes) => bytes.is_empty(),
            Kind::Incoming(revocable) => revocable.is_end(),
            #[cfg(feature = "http2")]
            Kind::Received(reader) => reader.is_end(),
            Kind::Limited(limited) => limited.is_end_stream(),
            #[cfg(feature = "sendfile")]
            Kind::File(file) => file.left() == 0,
            Kind::Stream(stream) => stream.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Incoming(revocable) => revocable.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            #[cfg(feature = "http2")]
            Kind::Received(reader) => reader.left().map_or_else(SizeHint::default, SizeHint::with_exact),
            Kind::Limited(limited) => limited.size_hint(),
            #[cfg(feature = "sendfile")]
            Kind::File(file) => SizeHint::with_exact(file.left()),
            Kind::Stream(stream) => stream.lock().unwrap_or_else(PoisonError::into_inner).size_hint(),
        }
    }
}

/// A wait for a frame. Dropping it stops the read timeout, so that a client is not timed out while no reader waits.
struct Waiting<'a> {
    body: &'a mut Body,
    pending: bool,
}

impl Future for Waiting<'_> {
    type Output = Option<Result<Frame<Bytes>, BodyError>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut *self.body).poll_frame(cx);
        self.pending = polled.is_pending();
        polled
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.pending {
            self.body.give_up();
        }
    }
}

/// Another body, whose errors become [`BodyError`].
struct Mapped<B>(Pin<Box<B>>);

impl<B> HttpBody for Mapped<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(self.0.as_mut().poll_frame(cx));
        Poll::Ready(frame.map(|result| result.map_err(|error| BodyError::unwrap(error.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// A body that does not ask which request it answers.
impl<B> ReplyBody for Mapped<B>
where
    B: HttpBody<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn set_active(self: Pin<&mut Self>, _: &ActiveRequest) {}
}

/// As [`Mapped`], for a body that is told which request it answers.
struct MappedReply<B>(Mapped<B>);

impl<B> HttpBody for MappedReply<B>
where
    B: ReplyBody<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl<B> ReplyBody for MappedReply<B>
where
    B: ReplyBody<Data = Bytes>,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    fn set_active(mut self: Pin<&mut Self>, active: &ActiveRequest) {
        self.0.0.as_mut().set_active(active);
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body::Empty"),
            Kind::Bytes(bytes) => write!(f, "Body::Bytes({})", bytes.len()),
            Kind::Incoming(_) => f.write_str("Body::IncomingBody"),
            #[cfg(feature = "http2")]
            Kind::Received(_) => f.write_str("Body::Received"),
            Kind::Limited(limited) => limited.fmt(f),
            #[cfg(feature = "sendfile")]
            Kind::File(file) => write!(f, "Body::File({})", file.left()),
            Kind::Stream(_) => f.write_str("Body::Stream"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self(Kind::Empty) } else { Self(Kind::Bytes(bytes)) }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
