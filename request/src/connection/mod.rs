//! A connection seen as a sequence of requests.

mod requests;
#[cfg(test)]
mod shared_wire_tests;
mod wire_guard;

pub use requests::{Requests, RequestsError, Reuse, Unread};
pub use wire_guard::WireGuard;
