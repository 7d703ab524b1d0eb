//! A section of a file: bytes that are sent or read without blocking the thread.

use std::{
    fs::File,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::{runtime::Handle, task::JoinHandle};

/// The most bytes that are taken for cached if the last of them is.
const ONE_LOOK_BYTES: usize = 64 * 1024;

/// A section of a file, from an offset on: `left` bytes that are read or sent in order. Go: `io.SectionReader`.
///
/// Reading never blocks the thread. Bytes in the page cache are read at once; the others are read by a thread of
/// the runtime's blocking pool. The position of the file itself is neither used nor moved (except on Windows), so
/// that sections can share a file.
///
/// The file should be a regular one. If it is longer than the section, the rest is not read; if it became shorter,
/// reading fails.
///
/// ```
/// use std::{fs::File, future::poll_fn, sync::Arc};
/// use quintet_conn::FileSection;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let manifest = Arc::new(File::open("Cargo.toml")?);
/// let mut section = FileSection::new(manifest, 1, 7);
/// assert_eq!(poll_fn(|cx| section.poll_read(cx, 100)).await?, "package");
/// assert_eq!(section.left(), 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct FileSection {
    file: Arc<File>,
    offset: u64,
    left: u64,
    /// How many of the next bytes were found in the page cache and not sent since.
    cached: usize,
    /// A read in the blocking pool. If the section is dropped, the read goes on to its end, and then closes the file.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileSection {
    /// The `len` bytes of a file from `offset` on.
    pub fn new(file: Arc<File>, offset: u64, len: u64) -> Self {
        // No file has bytes above 2⁶³ − 1, and the system refuses to read there.
        let left = len.min(u64::MAX - offset);
        Self { file, offset, left, cached: 0, reading: None }
    }

    /// How many bytes are left to be read or sent.
    #[inline]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The file, and the offset of the next byte.
    pub(super) fn position(&self) -> (&File, u64) {
        (&self.file, self.offset)
    }

    /// Removes bytes from the end, until at most `left` are left.
    pub(crate) fn truncate(&mut self, left: u64) {
        self.left = self.left.min(left);
    }

    /// Removes the next `n` bytes: they were sent or read.
    pub(crate) fn skip(&mut self, n: usize) {
        self.offset += n as u64;
        self.left -= n as u64;
        self.cached = self.cached.saturating_sub(n);
    }

    /// How many of the next bytes, at most `max`, can be sent without waiting for a disk; zero if that is not known.
    ///
    /// Looks at the last byte only, and of more than 64 KiB at the first byte too: each look is a system call. The kernel
    /// reads ahead from the front, so the last page is there only if those before it were read, and it drops the oldest
    /// pages first, which few of a short stretch can survive. Should a page between be missing, sending blocks for one
    /// read.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before.
    pub(super) fn cached(&mut self, max: usize) -> io::Result<usize> {
        if self.reading.is_some() {
            return Ok(0);
        }
        if self.cached == 0 {
            let len = at_most(self.left, max);
            let last = self.offset + (len as u64).saturating_sub(1);
            if self.is_cached(last)? && (len <= ONE_LOOK_BYTES || self.is_cached(self.offset)?) {
                self.cached = len;
            }
        }
        Ok(self.cached.min(max))
    }

    fn is_cached(&self, offset: u64) -> io::Result<bool> {
        match read_cached(&self.file, offset, &mut [0]) {
            Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            cached => Ok(cached.is_some()),
        }
    }

    /// Reads at most `max` bytes if they are in the page cache. `None` if the first of them is not, or if the system
    /// cannot tell. At the end of the section no bytes are returned.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before the section.
    ///
    /// # Spec
    /// preadv2(2), `RWF_NOWAIT`.
    pub fn try_read(&mut self, max: usize) -> io::Result<Option<Bytes>> {
        let read = self.peek(max)?;
        self.skip(read.as_ref().map_or(0, Bytes::len));
        Ok(read)
    }

    /// The whole section, if it is in the page cache.
    pub fn try_read_all(&mut self) -> Option<Bytes> {
        let len = usize::try_from(self.left).ok()?;
        let all = self.peek(len).ok().flatten().filter(|all| all.len() == len)?;
        self.skip(len);
        Some(all)
    }

    fn peek(&self, max: usize) -> io::Result<Option<Bytes>> {
        let len = at_most(self.left, max);
        if len == 0 {
            return Ok(Some(Bytes::new()));
        }
        if self.reading.is_some() {
            return Ok(None);
        }
        let mut bytes = vec![0; len];
        match read_cached(&self.file, self.offset, &mut bytes) {
            Some(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(n) => {
                bytes.truncate(n);
                Ok(Some(bytes.into()))
            }
            None => Ok(None),
        }
    }

    /// Reads at most `max` bytes; none at the end of the section. What is not in the page cache is read in the
    /// blocking pool of the current runtime. Without a runtime it is read here, and blocks.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before the section; else the error of the system.
    pub fn poll_read(&mut self, cx: &mut Context<'_>, max: usize) -> Poll<io::Result<Bytes>> {
        if self.reading.is_none() {
            if let Some(bytes) = self.try_read(max)? {
                return Poll::Ready(Ok(bytes));
            }
        }
        let reading = match &mut self.reading {
            Some(reading) => reading,
            none => {
                let (file, offset, len) = (Arc::clone(&self.file), self.offset, at_most(self.left, max));
                let read = move || read_blocking(&file, offset, len);
                let Ok(runtime) = Handle::try_current() else { return Poll::Ready(self.read(read())) };
                none.insert(runtime.spawn_blocking(read))
            }
        };
        let read = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other);
        self.reading = None;
        Poll::Ready(self.read(read.and_then(|read| read)))
    }

    /// Takes the result of a read at the offset.
    fn read(&mut self, read: io::Result<Bytes>) -> io::Result<Bytes> {
        let mut bytes = read?;
        // The section may have been truncated meanwhile.
        bytes.truncate(at_most(self.left, bytes.len()));
        self.skip(bytes.len());
        Ok(bytes)
    }
}

fn at_most(left: u64, max: usize) -> usize {
    usize::try_from(left).map_or(max, |left| left.min(max))
}

/// Reads what is in the page cache; zero at the end of the file. `None` if the first byte is not there.
///
/// Any error means that a blocking read has to decide: `EAGAIN` is what a byte on the disk is, `EOPNOTSUPP` what some
/// file systems (tmpfs) say to every such read, and other errors will be found again.
#[cfg(target_os = "linux")]
fn read_cached(file: &File, offset: u64, into: &mut [u8]) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    preadv2(file, &mut [io::IoSliceMut::new(into)], offset, ReadWriteFlags::NOWAIT).ok()
}

/// Other systems cannot tell what is in the page cache.
#[cfg(not(target_os = "linux"))]
fn read_cached(_file: &File, _offset: u64, _into: &mut [u8]) -> Option<usize> {
    None
}

/// Reads at most `len` bytes, and at least one.
fn read_blocking(file: &File, offset: u64, len: usize) -> io::Result<Bytes> {
    let mut bytes = vec![0; len];
    loop {
        match read_at(file, offset, &mut bytes) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                bytes.truncate(n);
                return Ok(bytes.into());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(unix)]
fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

#[cfg(windows)]
fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
}
