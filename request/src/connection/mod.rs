//! Connections as a sequence of requests.

mod requests;
mod requests_error;
#[cfg(test)]
mod shared_wire_tests;
mod wire_guard;

pub use requests::Requests;
pub use requests_error::RequestsError;
pub use wire_guard::WireGuard;
