//! Forms with files as they arrive (`multipart/form-data`): part by part, or as a whole with files on disk.

mod blocking;
mod event_reader;
mod form_file;
mod form_file_reader;
mod multipart_form;
mod multipart_read_error;
mod part;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod parts;
mod spool;

pub use form_file::FormFile;
pub use form_file_reader::FormFileReader;
pub use multipart_form::MultipartForm;
pub use multipart_read_error::MultipartReadError;
pub use part::Part;
pub use parts::Parts;
