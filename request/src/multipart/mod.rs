//! The reader of `multipart/form-data`: boundary, delimiters, part headers. No IO.

mod boundary;
mod disposition;
mod ext_value;
mod header_reader;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod multipart;
mod multipart_error;
mod multipart_limits;
mod multipart_step;
mod parameters;
mod part_header;

pub use boundary::Boundary;
pub use multipart::Multipart;
pub use multipart_error::MultipartError;
pub use multipart_limits::MultipartLimits;
pub use multipart_step::MultipartStep;
pub use part_header::PartHeader;
