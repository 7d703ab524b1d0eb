//! Where the lines go: a file, or a standard stream.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use super::whole_lines::WholeLines;

/// An open file, or a standard stream.
#[derive(Debug)]
pub(super) struct Destination {
    lines: WholeLines<File>,
    /// The path and the permissions to open it again with; `None` for a standard stream.
    reopen: Option<(PathBuf, u32)>,
}

impl Destination {
    /// Opens a file to append to it, and creates it with the permissions `mode` if it is not there.
    pub(super) fn open(path: &Path, mode: u32) -> io::Result<Self> {
        // As the process may change its folder before the file is opened again.
        let path = std::path::absolute(path)?;
        Ok(Self { lines: WholeLines::new(append(&path, mode)?), reopen: Some((path, mode)) })
    }

    pub(super) fn stdout() -> io::Result<Self> {
        duplicate(&io::stdout()).map(Self::standard)
    }

    pub(super) fn stderr() -> io::Result<Self> {
        duplicate(&io::stderr()).map(Self::standard)
    }

    /// A descriptor of its own: the buffers and locks of the standard library belong to what the program prints, which
    /// this thread must not stop while it waits for a reader.
    pub(super) fn standard(file: File) -> Self {
        Self { lines: WholeLines::new(file), reopen: None }
    }

    /// Opens the file again, by its path. On an error the open one stays in use. A standard stream stays as it is.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if let Some((path, mode)) = &self.reopen {
            self.lines = WholeLines::new(append(path, *mode)?);
        }
        Ok(())
    }

    /// Writes whole lines.
    ///
    /// # Errors
    /// How many of them could not be written, and why.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        self.lines.write(lines)
    }
}

/// Opens a file to append to it. Its error names the file: that of the system does not.
fn append(path: &Path, mode: u32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options.open(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

#[cfg(unix)]
fn duplicate(stream: &impl std::os::fd::AsFd) -> io::Result<File> {
    stream.as_fd().try_clone_to_owned().map(File::from)
}

#[cfg(windows)]
fn duplicate(stream: &impl std::os::windows::io::AsHandle) -> io::Result<File> {
    stream.as_handle().try_clone_to_owned().map(File::from)
}
