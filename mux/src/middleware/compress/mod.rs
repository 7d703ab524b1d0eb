//! Compression of replies: which replies, with which coding, and the body that is compressed while it is sent.

#[expect(clippy::module_inception, reason = "a file is named after the function in it")]
mod compress;
mod compressed_body;
mod compression;
mod encoder;
mod head;
mod media_type;

pub use compress::compress;
pub use compression::Compression;
