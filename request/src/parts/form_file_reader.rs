//! A reader of an uploaded file.

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    sync::Arc,
};

use bytes::Bytes;

/// Where the bytes of an uploaded file are.
#[derive(Clone)]
pub(super) enum Content {
    Memory(Bytes),
    /// A section of the temporary file of a form, from this offset on.
    Disk(Arc<File>, u64),
}

/// A reader of an uploaded file, with a position of its own. Made by [`FormFile::open`](super::FormFile::open). Go:
/// `multipart.File`.
///
/// Reading blocks the thread while the disk is read. In a handler, give it to a blocking task, or use
/// [`FormFile::to_bytes`](super::FormFile::to_bytes).
pub struct FormFileReader {
    content: Content,
    at: u64,
    size: u64,
}

impl FormFileReader {
    pub(super) fn new(content: Content, size: u64) -> Self {
        Self { content, at: 0, size }
    }
}

impl Read for FormFileReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // What follows in the temporary file is another file.
        let left = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let n = left.min(into.len());
        if n == 0 {
            return Ok(0); // at any offset, also one that the system has no number for
        }
        let into = &mut into[..n];
        let n = match &self.content {
            Content::Memory(bytes) => (&bytes[bytes.len() - left..]).read(into)?,
            Content::Disk(file, start) => read_at(file, start + self.at, into)?,
        };
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for FormFileReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.at.checked_add_signed(offset),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
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

impl fmt::Debug for FormFileReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormFileReader").field("at", &self.at).field("size", &self.size).finish_non_exhaustive()
    }
}
