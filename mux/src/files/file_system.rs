//! What a file server takes files from.

use std::{fmt, future::Future, io, sync::Arc, time::SystemTime};

use http::HeaderValue;

use super::{content::Content, file_path::FilePath};

/// A set of files that a [`FileServer`](crate::FileServer) serves: a folder ([`Dir`](crate::Dir)), files in the program
/// ([`MemoryFiles`](crate::MemoryFiles)), an archive. Go: `http.FileSystem`, `fs.FS`.
///
/// # Example
/// ```
/// use std::io;
/// use quintet_mux::{FilePath, FileSystem, OpenFile, OpenNode};
///
/// /// One file, which is made for each request.
/// struct Robots;
///
/// impl FileSystem for Robots {
///     async fn open(&self, path: &FilePath) -> io::Result<OpenNode> {
///         match path.as_bytes() {
///             b"robots.txt" => Ok(OpenFile::new("User-agent: *\nDisallow:\n").into()),
///             _ => Err(io::ErrorKind::NotFound.into()),
///         }
///     }
/// }
/// # fn check(_: impl FileSystem) {}
/// # check(Robots);
/// ```
#[doc(alias = "FS")]
#[doc(alias = "include_dir")]
#[doc(alias = "rust-embed")]
pub trait FileSystem: Send + Sync + 'static {
    /// Opens the file or the directory of this path. It does not block: what may wait for a disk runs elsewhere.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) and [`NotADirectory`](io::ErrorKind::NotADirectory) are answered 404,
    /// [`PermissionDenied`](io::ErrorKind::PermissionDenied) 403, [`WouldBlock`](io::ErrorKind::WouldBlock) 503, and all
    /// others 500.
    ///
    /// # Cancel safety
    /// It must be cancel safe: the server drops the future when it aborts the connection.
    fn open(&self, path: &FilePath) -> impl Future<Output = io::Result<OpenNode>> + Send;
}

impl<F: FileSystem> FileSystem for Arc<F> {
    fn open(&self, path: &FilePath) -> impl Future<Output = io::Result<OpenNode>> + Send {
        F::open(self, path)
    }
}

/// What a path stands for.
#[derive(Debug)]
pub enum OpenNode {
    /// A file.
    File(OpenFile),
    /// A directory.
    Directory(OpenDirectory),
}

impl From<OpenFile> for OpenNode {
    fn from(file: OpenFile) -> Self {
        Self::File(file)
    }
}

impl From<OpenDirectory> for OpenNode {
    fn from(directory: OpenDirectory) -> Self {
        Self::Directory(directory)
    }
}

/// An open file: its bytes, and what tells one version of it from another. A clone is cheap.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenFile {
    /// The bytes.
    pub content: Content,
    /// When the file was changed last, if that is known: `Last-Modified`.
    pub modified: Option<SystemTime>,
    /// The entity tag, `"…"` or `W/"…"`, if there is one. A value of another form is not sent.
    pub etag: Option<HeaderValue>,
}

impl OpenFile {
    /// A file with these bytes, without a date and without an entity tag.
    #[must_use]
    pub fn new(content: impl Into<Content>) -> Self {
        Self { content: content.into(), modified: None, etag: None }
    }

    /// The same with the time of the last change.
    #[must_use]
    pub fn with_modified(self, modified: SystemTime) -> Self {
        Self { modified: Some(modified), ..self }
    }

    /// The same with an entity tag.
    #[must_use]
    pub fn with_etag(self, etag: HeaderValue) -> Self {
        Self { etag: Some(etag), ..self }
    }
}

/// The function that reads a directory.
type Read = dyn FnOnce(usize) -> io::Result<Vec<DirEntry>> + Send;

/// An open directory.
pub struct OpenDirectory(Box<Read>);

impl OpenDirectory {
    /// A directory whose entries `read` returns, at most as many as it is given, in any order. It is called only if a
    /// listing is asked for, and may block: it runs on the runtime's pool for that.
    #[must_use]
    pub fn new(read: impl FnOnce(usize) -> io::Result<Vec<DirEntry>> + Send + 'static) -> Self {
        Self(Box::new(read))
    }

    /// Reads at most `max` entries. It may block.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(self, max: usize) -> io::Result<Vec<DirEntry>> {
        (self.0)(max)
    }
}

impl fmt::Debug for OpenDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenDirectory")
    }
}

/// An entry of a directory. Go: `fs.DirEntry`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// Its name: bytes without a slash.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// Its size in bytes, if it is known.
    pub size: Option<u64>,
    /// When it was changed last, if that is known.
    pub modified: Option<SystemTime>,
}

/// What an entry of a directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file.
    File,
}
