//! The data of a file while it arrives: in memory first, and in a temporary file if it does not fit.

use std::{fs::File, io, io::Write};

use bytes::{Bytes, BytesMut};

use super::blocking::unblock;

/// The bytes that are collected for one write to a temporary file.
const WRITE_BYTES: usize = 256 * 1024;

/// The data of a file while it arrives.
pub(super) struct Spool {
    /// The bytes that are not in the file.
    buffer: BytesMut,
    file: Option<File>,
    /// The bytes that may stay in memory.
    memory: u64,
    size: u64,
}

/// The data of a file that has arrived.
pub(super) enum Spooled {
    Memory(Bytes),
    /// A file without a name: the system frees it when it is closed.
    Disk(File),
}

impl Spool {
    pub(super) fn new(memory: u64) -> Self {
        Self { buffer: BytesMut::new(), file: None, memory, size: 0 }
    }

    /// Adds a piece. If there is a file, it is written once enough of it was collected, and before the next piece is read:
    /// the client sends no faster than the disk writes.
    ///
    /// # Errors
    /// The error of making or writing the temporary file.
    pub(super) async fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(piece);
        self.size += piece.len() as u64;
        let full = match self.file {
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
        if self.file.is_some() && !self.buffer.is_empty() {
            self.write().await?;
        }
        Ok(match self.file {
            None => (Spooled::Memory(self.buffer.freeze()), self.size),
            Some(file) => (Spooled::Disk(file), self.size),
        })
    }

    async fn write(&mut self) -> io::Result<()> {
        let (file, mut buffer) = (self.file.take(), std::mem::take(&mut self.buffer));
        let written = unblock(move || {
            let mut file = file.map_or_else(temporary_file, Ok)?;
            file.write_all(&buffer)?;
            buffer.clear();
            Ok((file, buffer))
        });
        let (file, buffer) = written.await?;
        // The first write is of all that stayed in memory, whose buffer is too large for the pieces that follow.
        if buffer.capacity() <= 2 * WRITE_BYTES {
            self.buffer = buffer;
        }
        self.file = Some(file);
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
