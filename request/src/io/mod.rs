//! What waits: bodies, requests, and a connection seen as a sequence of them.

mod body;
mod convert;
mod guard;
mod incoming_body;
mod pool;
mod request;
mod requests;
mod revocable;
mod values;
mod writer;

pub use body::{Body, BodyError};
pub use guard::WireGuard;
pub use request::{FormReadError, Request};
pub use requests::{Requests, RequestsError, Reuse, Unread};
pub use values::{Matched, MatchedPattern, PathValues};
pub use writer::Writer;
