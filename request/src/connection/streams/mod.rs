//! Connections of HTTP/2: many requests at once.

mod alarm;
mod incoming;
mod interim;
mod pings;
mod reset_meter;
mod serving;
mod stream_error;
mod stream_reply;
mod stream_writer;
#[expect(clippy::module_inception, reason = "a file is named after the type in it")]
mod streams;
mod streams_error;
mod turn_waker;

pub use incoming::Incoming;
pub use stream_error::{ResetReason, StreamError};
pub use stream_reply::StreamReply;
pub use stream_writer::StreamWriter;
pub use streams::Streams;
pub use streams_error::StreamsError;
