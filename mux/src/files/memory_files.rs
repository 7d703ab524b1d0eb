//! Files in memory, for example those that were compiled into the program.

use std::{collections::BTreeMap, fmt, io, ops::Bound, sync::Arc, time::SystemTime};

use bytes::Bytes;

use super::{
    etag::content_etag,
    file_path::FilePath,
    file_system::{DirEntry, EntryKind, FileSystem, OpenDirectory, OpenFile, OpenNode},
};

/// Files in memory, for example those that were compiled into the program. Directories are made by the names of files. The
/// entity tag of a file is a hash of its bytes. Go: `embed.FS`, `fstest.MapFS`.
///
/// # Example
/// ```
/// use quintet_mux::{Handler, MemoryFiles, file_server};
/// use quintet_request::Request;
///
/// let files = MemoryFiles::new()
///     .with_file("index.html", "<h1>hello</h1>\n") // or `include_bytes!("../public/index.html")`
///     .with_file("css/site.css", "h1 { color: navy }\n");
/// let server = file_server(files);
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let request = Request::parse(b"GET /css/site.css HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
/// let mut reply = server.call(request).await;
/// assert_eq!(reply.header("content-type").unwrap(), "text/css; charset=utf-8");
/// assert_eq!(reply.take_body().to_bytes(100).await.unwrap(), "h1 { color: navy }\n");
/// # });
/// ```
#[doc(alias = "embed")]
#[doc(alias = "include_bytes")]
#[derive(Clone, Default)]
pub struct MemoryFiles {
    files: Arc<Files>,
    modified: Option<SystemTime>,
}

/// Files by their paths.
type Files = BTreeMap<Vec<u8>, OpenFile>;

impl MemoryFiles {
    /// No file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file, or replaces the one of the same name.
    ///
    /// # Panics
    /// If no file can have this name; see [`FilePath::new`].
    #[must_use]
    pub fn with_file(mut self, name: &str, bytes: impl Into<Bytes>) -> Self {
        let path = FilePath::new(name).unwrap_or_else(|error| panic!("{name:?}: {error}"));
        assert!(!path.is_root(), "the root is a directory");
        let bytes = bytes.into();
        let etag = content_etag(&bytes);
        let mut file = OpenFile::new(bytes);
        file.etag = etag;
        Arc::make_mut(&mut self.files).insert(path.as_bytes().to_vec(), file);
        self
    }

    /// Sets the time of the last change of all files, for `Last-Modified`. Without it that is not sent.
    #[must_use]
    pub fn with_modified(self, modified: SystemTime) -> Self {
        Self { modified: Some(modified), ..self }
    }

    /// Whether a file lies beneath this directory. The root is always a directory.
    fn is_directory(&self, directory: &FilePath) -> bool {
        directory.is_root() || beneath(&self.files, &prefix(directory)).next().is_some()
    }
}

/// How the paths of the files beneath a directory begin.
fn prefix(directory: &FilePath) -> Vec<u8> {
    if directory.is_root() { Vec::new() } else { [directory.as_bytes(), b"/"].concat() }
}

/// The files whose paths begin with this, without that beginning. They are neighbours in the order of bytes.
fn beneath<'a>(files: &'a Files, prefix: &'a [u8]) -> impl Iterator<Item = (&'a [u8], &'a OpenFile)> {
    let from = (Bound::Included(prefix), Bound::Unbounded);
    files.range::<[u8], _>(from).map_while(|(path, file)| Some((path.strip_prefix(prefix)?, file)))
}

/// The entries of a directory.
fn entries(files: &Files, directory: &FilePath, modified: Option<SystemTime>, max: usize) -> Vec<DirEntry> {
    let mut entries: Vec<DirEntry> = Vec::new();
    for (rest, file) in beneath(files, &prefix(directory)) {
        let mut parts = rest.splitn(2, |byte| *byte == b'/');
        let name = parts.next().unwrap_or_default().to_vec();
        let entry = match parts.next() {
            Some(_) => DirEntry { name, kind: EntryKind::Directory, size: None, modified: None },
            None => DirEntry { name, kind: EntryKind::File, size: Some(file.content.len()), modified },
        };
        // The files of one directory are neighbours, and make one entry.
        if entries.last() == Some(&entry) {
            continue;
        }
        if entries.len() == max {
            break;
        }
        entries.push(entry);
    }
    entries
}

impl FileSystem for MemoryFiles {
    async fn open(&self, path: &FilePath) -> io::Result<OpenNode> {
        if let Some(file) = self.files.get(path.as_bytes()) {
            let mut file = file.clone();
            file.modified = self.modified;
            return Ok(file.into());
        }
        if !self.is_directory(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let (files, path, modified) = (Arc::clone(&self.files), path.clone(), self.modified);
        Ok(OpenDirectory::new(move |max| Ok(entries(&files, &path, modified, max))).into())
    }
}

impl fmt::Debug for MemoryFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.files.keys().map(|path| String::from_utf8_lossy(path))).finish()
    }
}
