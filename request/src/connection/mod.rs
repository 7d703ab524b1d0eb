//! Connections as a sequence of requests.

mod requests;
mod requests_error;
#[cfg(test)]
mod shared_wire_tests;
#[cfg(feature = "http2")]
mod streams;
mod wire_guard;

pub use requests::Requests;
pub use requests_error::RequestsError;
#[cfg(feature = "http2")]
pub use streams::{Incoming, ResetReason, StreamError, StreamReply, StreamWriter, Streams, StreamsError};
pub use wire_guard::WireGuard;
