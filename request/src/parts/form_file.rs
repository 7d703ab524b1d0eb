//! A file of a form: in memory, or on disk.

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
};

use bytes::Bytes;
use http::HeaderMap;

use super::{
    blocking::unblock,
    form_file_reader::{Content, FormFileReader},
    multipart_read_error::MultipartReadError,
    part::Part,
    spool::{Spool, Spooled, TemporaryFile},
};
use crate::PartHeader;

/// The bytes of one read when a file is copied.
const COPY_BYTES: usize = 128 * 1024;

/// A file of a form that was read as a whole: in memory, or in the temporary file of the form. That has no name, and is
/// freed when the last of the form's files and of their readers is dropped. Cloning is cheap. Go: `multipart.FileHeader`.
#[derive(Clone)]
pub struct FormFile {
    header: PartHeader,
    content: Content,
    size: u64,
}

impl FormFile {
    /// Reads a part into memory up to `memory` bytes, else to disk.
    pub(super) async fn read(
        mut part: Part<'_>,
        memory: u64,
        disk: &mut TemporaryFile,
    ) -> Result<Self, MultipartReadError> {
        let mut spool = Spool::new(disk, memory);
        while let Some(piece) = part.chunk().await? {
            spool.push(&piece).await.map_err(MultipartReadError::Storage)?;
        }
        let header = part.part_header().clone();
        let (content, size) = match spool.finish().await.map_err(MultipartReadError::Storage)? {
            (Spooled::Memory(bytes), size) => (Content::Memory(bytes), size),
            (Spooled::Disk(file, start), size) => (Content::Disk(file, start), size),
        };
        Ok(Self { header, content, size })
    }

    /// The name of the form's field.
    pub fn form_name(&self) -> &str {
        self.header.form_name()
    }

    /// The name that the client gave the file, without its path. It may be empty, and it is not a safe name: see
    /// [`PartHeader::file_name`]. Go: `FileHeader.Filename`.
    pub fn file_name(&self) -> &str {
        self.header.file_name().unwrap_or_default()
    }

    /// The media type that the client gave the file. It is a claim: the file may be anything.
    pub fn content_type(&self) -> Option<&str> {
        self.header.content_type()
    }

    /// The fields of the part's header. Go: `FileHeader.Header`.
    pub fn header(&self) -> &HeaderMap {
        self.header.fields()
    }

    /// The number of bytes. Go: `FileHeader.Size`.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes, if they are in memory.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Memory(bytes) => Some(bytes),
            Content::Disk(..) => None,
        }
    }

    /// A reader of the file from its start; each has its own position. Go: `FileHeader.Open`.
    pub fn open(&self) -> FormFileReader {
        FormFileReader::new(self.content.clone(), self.size)
    }

    /// The whole file, if it has at most `limit` bytes. The disk is read off the worker.
    ///
    /// # Errors
    /// [`MultipartReadError::PartTooLarge`] (413) if it is larger; [`MultipartReadError::Storage`] (500) if the disk cannot
    /// be read.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn to_bytes(&self, limit: u64) -> Result<Bytes, MultipartReadError> {
        if self.size > limit {
            return Err(MultipartReadError::PartTooLarge { limit });
        }
        if let Content::Memory(bytes) = &self.content {
            return Ok(bytes.clone());
        }
        let (mut reader, size) = (self.open(), self.size);
        let read = unblock(move || {
            let mut all = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            reader.read_to_end(&mut all).map(|_| Bytes::from(all))
        });
        read.await.map_err(MultipartReadError::Storage)
    }

    /// Writes the file to a path, off the worker. It never replaces a file, and follows no symbolic link at the end of
    /// the path.
    ///
    /// The path must not be made of [`file_name`](Self::file_name) without a check: a client chooses that.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if there is such a file; else the error of making or writing it, and then what was
    /// written is removed.
    ///
    /// # Cancel safety
    /// A write that was begun goes on to its end.
    #[doc(alias = "SaveUploadedFile")]
    pub async fn persist(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let (path, mut reader) = (path.as_ref().to_owned(), self.open());
        unblock(move || {
            let mut file = File::create_new(&path)?;
            copy(&mut reader, &mut file).inspect_err(|_| {
                let _ = fs::remove_file(&path);
            })
        })
        .await
    }
}

fn copy(reader: &mut FormFileReader, file: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => file.write_all(&buffer[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl fmt::Debug for FormFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FormFile")
            .field("header", &self.header)
            .field("size", &self.size)
            .field("in_memory", &self.as_bytes().is_some())
            .finish_non_exhaustive()
    }
}
