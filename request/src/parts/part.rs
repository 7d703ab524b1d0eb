//! A part of a form while its data arrives.

use std::fmt;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{
    event_reader::{Event, EventReader},
    multipart_read_error::MultipartReadError,
};
use crate::PartHeader;

/// A part of a form: a value or a file, whose data is read as it arrives. Go: `multipart.Part`.
///
/// A part that is dropped before its end is skipped by the next [`Parts::next_part`](super::Parts::next_part).
pub struct Part<'a> {
    reader: &'a mut EventReader,
    header: PartHeader,
    ended: bool,
}

impl<'a> Part<'a> {
    pub(super) fn new(reader: &'a mut EventReader, header: PartHeader) -> Self {
        Self { reader, header, ended: false }
    }

    /// The name of the form's field. Go: `Part.FormName`.
    pub fn form_name(&self) -> &str {
        self.header.form_name()
    }

    /// The name of the file, without its path; `None` if the part is a value. It is not a safe name: see
    /// [`PartHeader::file_name`]. Go: `Part.FileName`.
    pub fn file_name(&self) -> Option<&str> {
        self.header.file_name()
    }

    /// The media type that the client gave the part. It is a claim: the data may be anything.
    pub fn content_type(&self) -> Option<&str> {
        self.header.content_type()
    }

    /// The fields of the part's header. Go: `Part.Header`.
    pub fn header(&self) -> &HeaderMap {
        self.header.fields()
    }

    pub(super) fn part_header(&self) -> &PartHeader {
        &self.header
    }

    /// The offset in the body up to which it was parsed.
    pub(super) fn at(&self) -> u64 {
        self.reader.at()
    }

    /// The next piece of the data, or `None` at its end. Go: `Part.Read`.
    ///
    /// # Errors
    /// [`MultipartReadError`]; every further call returns the same error.
    ///
    /// # Cancel safety
    /// Cancel safe: a piece is taken only when it is returned.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, MultipartReadError> {
        if self.ended {
            return Ok(None);
        }
        match self.reader.next().await? {
            Event::Data(bytes) => Ok(Some(bytes)),
            Event::PartEnd | Event::Part(_) | Event::End => {
                self.ended = true;
                Ok(None)
            }
        }
    }

    /// The whole data, if it has at most `limit` bytes. Go: `io.ReadAll(io.LimitReader(part, limit))`, which cuts the rest
    /// off.
    ///
    /// # Errors
    /// [`MultipartReadError::PartTooLarge`] (413) as soon as the data is longer; else the error of reading it.
    ///
    /// # Cancel safety
    /// Not cancel safe: the bytes read so far are lost.
    pub async fn collect(mut self, limit: u64) -> Result<Bytes, MultipartReadError> {
        // Copied, because a piece is a view of a whole read: a handler that keeps many small values would keep all of it.
        let mut all = BytesMut::new();
        while let Some(piece) = self.chunk().await? {
            if (all.len() + piece.len()) as u64 > limit {
                return Err(MultipartReadError::PartTooLarge { limit });
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }

    /// Writes the data to a writer and flushes it; returns the number of bytes. The client sends no faster than the writer
    /// takes them. Go: `io.Copy(writer, http.MaxBytesReader(nil, part, limit))`.
    ///
    /// # Errors
    /// [`MultipartReadError::PartTooLarge`] (413) if the data has more than `limit` bytes: the writer has at most those.
    /// [`MultipartReadError::Storage`] (500, or 507 if the disk is full) if the writer fails; else the error of reading the
    /// data.
    ///
    /// # Cancel safety
    /// Not cancel safe: the writer may have any part of the data.
    pub async fn copy_to<W>(mut self, writer: &mut W, limit: u64) -> Result<u64, MultipartReadError>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        let mut copied = 0;
        while let Some(piece) = self.chunk().await? {
            if copied + piece.len() as u64 > limit {
                return Err(MultipartReadError::PartTooLarge { limit });
            }
            writer.write_all(&piece).await.map_err(MultipartReadError::Storage)?;
            copied += piece.len() as u64;
        }
        writer.flush().await.map_err(MultipartReadError::Storage)?;
        Ok(copied)
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("header", &self.header).finish_non_exhaustive()
    }
}
