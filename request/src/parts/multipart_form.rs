//! A form with files, read as a whole.

use bytes::Bytes;

use super::{
    form_file::FormFile, multipart_read_error::MultipartReadError, part::Part, parts::Parts, spool::TemporaryFile,
};
use crate::{Form, MultipartError, MultipartLimits};

/// A form with files that was read as a whole: its values, and its files in memory or on disk. Made by
/// [`Request::parse_multipart_form`](crate::Request::parse_multipart_form). Go: `multipart.Form`.
///
/// The files on disk share one temporary file without a name. The system frees it when this and all clones of its files
/// are dropped, also if the program ends in any way.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct MultipartForm {
    /// The values, in the order of the form. Go: `Form.Value`.
    pub values: Form,
    /// The files, in the order of the form. A field of a page in which the user chose no file is left out: it has no name
    /// and no bytes. Go: `Form.File`, which has it.
    pub files: Vec<FormFile>,
}

impl MultipartForm {
    /// The bytes of files that Go keeps in memory: 32 MiB. Go: `defaultMaxMemory`.
    pub const DEFAULT_MAX_MEMORY: u64 = 32 << 20;

    /// The first value of this name. Go: `Request.PostFormValue`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name)
    }

    /// The first file of this name. Go: `Request.FormFile`.
    #[doc(alias = "FormFile")]
    pub fn file(&self, name: &str) -> Option<&FormFile> {
        self.files_named(name).next()
    }

    /// The files of this name, in the order of the form: `<input type="file" multiple>` sends several. Go: `Form.File[name]`.
    pub fn files_named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a FormFile> {
        self.files.iter().filter(move |file| file.form_name() == name)
    }

    /// Reads all parts; up to `memory` bytes of files stay in memory.
    pub(crate) async fn read(
        mut parts: Parts,
        limits: &MultipartLimits,
        mut memory: u64,
    ) -> Result<Self, MultipartReadError> {
        let mut form = Self::default();
        let (mut room, mut disk) = (limits.values, TemporaryFile::default());
        while let Some(part) = parts.next_part().await? {
            if part.file_name().is_some() {
                room = spend(room, part.part_header().len(), limits)?;
                let file = FormFile::read(part, memory, &mut disk).await?;
                memory -= file.as_bytes().map_or(0, |bytes| bytes.len() as u64);
                if file.size() > 0 || !file.file_name().is_empty() {
                    form.files.push(file);
                }
            } else {
                room = spend(room, part.form_name().len(), limits)?;
                let (name, value) = value(part, room, limits).await?;
                room -= value.len();
                form.values.push(&name, &value);
            }
        }
        Ok(form)
    }
}

fn spend(room: usize, bytes: usize, limits: &MultipartLimits) -> Result<usize, MultipartReadError> {
    room.checked_sub(bytes).ok_or(MultipartReadError::ValuesTooLarge { limit: limits.values })
}

/// Reads the name and the value of a part.
async fn value(part: Part<'_>, room: usize, limits: &MultipartLimits) -> Result<(String, String), MultipartReadError> {
    let (name, at) = (part.form_name().to_owned(), part.at());
    let bytes = part.collect(room as u64).await.map_err(|error| match error {
        MultipartReadError::PartTooLarge { .. } => MultipartReadError::ValuesTooLarge { limit: limits.values },
        other => other,
    })?;
    let text = |bytes: Bytes| String::from_utf8(bytes.into());
    Ok((name, text(bytes).map_err(|_| MultipartError::Utf8 { at })?))
}
