//! Bodies: in memory, on the wire, and written by a handler.

#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod body;
mod body_error;
pub(crate) mod incoming_body;
mod limited;
#[cfg(feature = "http2")]
pub(crate) mod received_body;
mod received_bytes;
pub(crate) mod received_trailers;
mod reply_body;
pub(crate) mod revocable;
pub(crate) mod revocable_body;
mod writer;

pub use body::Body;
pub use body_error::BodyError;
pub use received_bytes::ReceivedBytes;
pub use reply_body::ReplyBody;
pub use writer::Writer;
