//! The data of a file while it arrives: in memory first, and in the temporary file of its form if it does not fit.

use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};

use super::blocking::unblock;

/// The bytes that are collected for one write to the temporary file.
const WRITE_BYTES: usize = 256 * 1024;

/// The temporary file of a form. All of its files that do not fit into memory are in it, one behind the other: if each
/// had its own, a form of many small files could use up the descriptors of the process (Go: CVE-2022-41725).
#[derive(Default)]
pub(super) struct TemporaryFile {
    file: Option<Arc<File>>,
    len: u64,
}

/// The data of a file while it arrives.
pub(super) struct Spool<'a> {
    disk: &'a mut TemporaryFile,
    /// Where the data begins in the temporary file, if it is there.
    start: Option<u64>,
    /// The bytes that are not in the temporary file.
    buffer: BytesMut,
    /// The bytes that may stay in memory.
    memory: u64,
    size: u64,
}

/// The data of a file that has arrived.
pub(super) enum Spooled {
    Memory(Bytes),
    /// A section of the temporary file, from this offset on.
    Disk(Arc<File>, u64),
}

impl<'a> Spool<'a> {
    pub(super) fn new(disk: &'a mut TemporaryFile, memory: u64) -> Self {
        Self { disk, start: None, buffer: BytesMut::new(), memory, size: 0 }
    }

    /// Adds a piece. On disk it is written once enough was collected, and before the next piece is read: the client sends
    /// no faster than the disk writes.
    ///
    /// # Errors
    /// The error of making or writing the temporary file.
    pub(super) async fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(piece);
        self.size += piece.len() as u64;
        let full = match self.start {
            None => self.size > self.memory,
            Some(_) => self.buffer.len() >= WRITE_BYTES,
        };
        if full { self.write().await } else { Ok(()) }
    }

    /// The data and its size.
    ///
    /// # Errors
    /// The error of writing the temporary file.
    pub(super) async fn finish(mut self) -> io::Result<(Spooled, u64)> {
        if self.start.is_some() && !self.buffer.is_empty() {
            self.write().await?;
        }
        Ok(match (self.start, &self.disk.file) {
            (Some(start), Some(file)) => (Spooled::Disk(Arc::clone(file), start), self.size),
            _ => (Spooled::Memory(self.buffer.freeze()), self.size),
        })
    }

    async fn write(&mut self) -> io::Result<()> {
        let (file, mut buffer) = (self.disk.file.take(), std::mem::take(&mut self.buffer));
        let len = buffer.len() as u64;
        let written = unblock(move || {
            let file = file.map_or_else(|| temporary_file().map(Arc::new), Ok)?;
            (&*file).write_all(&buffer)?;
            buffer.clear();
            Ok((file, buffer))
        });
        let (file, buffer) = written.await?;
        // The first write is of all that stayed in memory, whose buffer is too large for the pieces that follow.
        if buffer.capacity() <= 2 * WRITE_BYTES {
            self.buffer = buffer;
        }
        self.start.get_or_insert(self.disk.len);
        self.disk.file = Some(file);
        self.disk.len += len;
        Ok(())
    }
}

/// A new file without a name, in the directory of temporary files (`TMPDIR`).
fn temporary_file() -> io::Result<File> {
    let file = tempfile::tempfile()?;
    // The file system may have made it with the mode that the umask leaves, which other users could read.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}
