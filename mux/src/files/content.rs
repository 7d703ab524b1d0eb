//! The bytes of a file, which can be read from any offset.

use std::{
    fmt, fs,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use quintet_request::{Body, ByteRange};
use tokio::{runtime::Handle, task::JoinHandle};

/// The most bytes of a [`ReadAt`] that are read at once.
const MAX_PIECE_BYTES: u64 = 64 * 1024;

/// The bytes of a file: in memory, in an open file, or behind a [`ReadAt`]. A clone is cheap. Go: the `io.ReadSeeker` of
/// `http.ServeContent`.
#[derive(Clone)]
pub struct Content(Kind);

#[derive(Clone)]
enum Kind {
    Bytes(Bytes),
    File(Arc<fs::File>, u64),
    Reader(Arc<dyn ReadAt>, u64),
}

/// Bytes that can be read from any offset, by calls that may block. Go: `io.ReaderAt`.
pub trait ReadAt: Send + Sync + 'static {
    /// Reads bytes that begin at `offset`, and returns their number; 0 is the end. It runs on the runtime's pool for what
    /// blocks.
    ///
    /// # Errors
    /// What the source says. The reply is then broken off.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Content {
    /// A regular file of which the first `len` bytes are sent. Its cursor is neither used nor moved.
    ///
    /// If the file has become shorter when it is sent, the reply is broken off: the connection is reset, so that no client
    /// takes the part for the whole.
    #[must_use]
    pub fn file(file: impl Into<Arc<fs::File>>, len: u64) -> Self {
        Self(Kind::File(file.into(), len))
    }

    /// The `len` bytes of a reader. If it ends earlier, the reply is broken off.
    #[must_use]
    pub fn reader(reader: impl ReadAt, len: u64) -> Self {
        Self(Kind::Reader(Arc::new(reader), len))
    }

    /// The number of bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Kind::Bytes(bytes) => bytes.len() as u64,
            Kind::File(_, len) | Kind::Reader(_, len) => *len,
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A part of the bytes as a body. The part lies within them.
    pub(super) fn body(&self, part: ByteRange) -> Body {
        match &self.0 {
            Kind::Bytes(bytes) => {
                let at = |offset: u64| usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
                bytes.slice(at(part.start)..at(part.end())).into()
            }
            Kind::File(file, _) => Body::file(Arc::clone(file), part.start, part.length),
            Kind::Reader(reader, _) => {
                Body::new(ReaderBody { reader: Arc::clone(reader), at: part.start, end: part.end(), reading: None })
            }
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Bytes(_) => "bytes",
            Kind::File(..) => "file",
            Kind::Reader(..) => "reader",
        };
        write!(f, "Content({kind}, {} bytes)", self.len())
    }
}

macro_rules! bytes {
    ($($type:ty),*) => {$(
        impl From<$type> for Content {
            fn from(bytes: $type) -> Self {
                Self(Kind::Bytes(bytes.into()))
            }
        }
    )*};
}
bytes!(Bytes, Vec<u8>, String, &'static [u8], &'static str);

impl<const N: usize> From<&'static [u8; N]> for Content {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::from(&bytes[..])
    }
}

/// A part of a [`ReadAt`] as a body, one piece at a time.
struct ReaderBody {
    reader: Arc<dyn ReadAt>,
    at: u64,
    end: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl ReaderBody {
    /// Begins to read the next piece; `None` if there is no runtime, and so no pool.
    fn begin(&self) -> Result<JoinHandle<io::Result<Bytes>>, io::Result<Bytes>> {
        let (reader, at, most) = (Arc::clone(&self.reader), self.at, (self.end - self.at).min(MAX_PIECE_BYTES));
        let read = move || read_piece(&*reader, at, usize::try_from(most).unwrap_or(usize::MAX));
        match Handle::try_current() {
            Ok(pool) => Ok(pool.spawn_blocking(read)),
            Err(_) => Err(read()),
        }
    }
}

/// Reads at most so many bytes, and at least one.
fn read_piece(reader: &dyn ReadAt, at: u64, most: usize) -> io::Result<Bytes> {
    let mut piece = vec![0; most];
    loop {
        match reader.read_at(&mut piece, at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                // A reader that says it read more than there is room for has filled the room.
                piece.truncate(read);
                return Ok(piece.into());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl HttpBody for ReaderBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.at == self.end {
            return Poll::Ready(None);
        }
        let mut reading = match self.reading.take() {
            Some(reading) => Ok(reading),
            None => self.begin(),
        };
        let piece = match &mut reading {
            Ok(task) => match Pin::new(task).poll(cx) {
                Poll::Ready(ended) => ended.unwrap_or_else(|error| Err(io::Error::other(error))),
                Poll::Pending => {
                    self.reading = reading.ok();
                    return Poll::Pending;
                }
            },
            Err(piece) => std::mem::replace(piece, Ok(Bytes::new())),
        };
        if let Ok(piece) = &piece {
            self.at += piece.len() as u64;
        }
        Poll::Ready(Some(piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.at == self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.at)
    }
}

/// Runs what may block on the runtime's pool for that, or here if there is no runtime.
///
/// # Cancel safety
/// Cancel safe: what was begun is done, and its result is dropped.
pub(super) async fn off_the_worker<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match Handle::try_current() {
        Ok(pool) => pool.spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error))),
        Err(_) => work(),
    }
}
