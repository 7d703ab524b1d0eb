//! The header of a part: its names and its fields.

use std::fmt;

use http::HeaderMap;

use super::disposition::Disposition;

/// The header of a part of a form. Go: `multipart.Part` without its data.
#[derive(Clone)]
pub struct PartHeader {
    disposition: Disposition,
    fields: HeaderMap,
    len: usize,
}

impl PartHeader {
    pub(super) fn new(disposition: Disposition, fields: HeaderMap, len: usize) -> Self {
        Self { disposition, fields, len }
    }

    /// The name of the form's field. Go: `Part.FormName`.
    pub fn form_name(&self) -> &str {
        &self.disposition.name
    }

    /// The name of the file, without its path. `None` if the part is a value and not a file; empty if the user chose no
    /// file, or if the client's name has no last element that could name a file (`..`). Go: `Part.FileName`.
    ///
    /// It is what the client says. It may be any other text: `.bashrc`, `CON`, 5,000 bytes long, with line ends. A
    /// program that makes a file of this name must first make a safe name of it.
    pub fn file_name(&self) -> Option<&str> {
        self.disposition.file_name.as_deref()
    }

    /// The fields of the header. Go: `Part.Header`.
    pub fn fields(&self) -> &HeaderMap {
        &self.fields
    }

    /// The media type that the client gave the part, if it is text. It is a claim: the data may be anything.
    pub fn content_type(&self) -> Option<&str> {
        self.fields.get(http::header::CONTENT_TYPE)?.to_str().ok()
    }

    /// The bytes of the header with its line ends.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

/// Shows the names, but no other fields: they may be secret.
impl fmt::Debug for PartHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartHeader")
            .field("form_name", &self.form_name())
            .field("file_name", &self.file_name())
            .finish_non_exhaustive()
    }
}
