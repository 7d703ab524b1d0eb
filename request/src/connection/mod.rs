//! Connections as a sequence of requests.

#[cfg(all(feature = "http2", feature = "testing"))]
mod http2_client;
mod requests;
mod requests_error;
#[cfg(test)]
mod shared_wire_tests;
#[cfg(feature = "http2")]
mod streams;
mod wire_guard;

#[cfg(all(feature = "http2", feature = "testing"))]
pub use http2_client::{Http2Client, Http2Reply};
pub use requests::Requests;
pub use requests_error::RequestsError;
#[cfg(feature = "http2")]
pub use streams::{Incoming, ResetReason, StreamError, StreamReply, StreamWriter, Streams, StreamsError};
pub use wire_guard::WireGuard;
